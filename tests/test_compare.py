"""Where a curve rises and how sharply: numbers equal those made by other means."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from mirage_lib import compare


def test_place_and_width_of_a_rise():
    x = np.logspace(0, 10, 11)
    place, width = compare.rise(x, np.linspace(0.2, 0.7, 11))
    assert (np.log10(place), width) == pytest.approx((5, 8))  # of a straight line: the middle, and 80 %
    rng = np.random.default_rng(0)
    score = np.linspace(0, 1, 11) + 0.2 * rng.standard_normal(11)
    way = IsotonicRegression().fit_transform(np.log10(x), score)
    place, width = compare.rise(x, score)
    assert np.interp(np.log10(place), np.log10(x), way) == pytest.approx((way[0] + way[-1]) / 2)
    assert np.isnan(compare.rise(x, score[::-1] - 3 * np.arange(11))).all()


@pytest.mark.parametrize("score", [[0, 0.5, 0.5, 0.5, 1], [0, 0.1, 0.1, 0.9, 0.9, 1], [0, 0.2, 0.1, 0.8, 0.5, 1]])
def test_a_rise_is_the_same_from_either_side(score):
    x, score = np.arange(len(score)), np.array(score)
    place, width = compare.rise(10.0**x, score)
    mirrored, same = compare.rise(10.0**x, 1 - score[::-1])
    assert np.log10(place) + np.log10(mirrored) == pytest.approx(len(x) - 1)
    assert width == pytest.approx(same)


def test_a_rise_does_not_mind_the_order():
    x, score = 10.0 ** np.arange(6), np.array([0, 0, 0.2, 0.5, 0.9, 1])
    order = [3, 1, 5, 0, 2, 4]
    assert compare.rise(x[order], score[order]) == compare.rise(x, score)
    assert compare.rise([1, 10, 10, 100], [0, 0.2, 0.4, 1]) == compare.rise([1, 10, 100], [0, (0.2 + 0.4) / 2, 1])
    assert compare.rise([1, 10, 100, 1000, 10000], [0, 0.5, 0.5, 0.5, 1])[0] == 100

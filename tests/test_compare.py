"""Where a curve rises and how sharply: numbers equal those made by other means."""

import time

import numpy as np
import pytest
from scipy.optimize import isotonic_regression
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
    assert np.isnan(compare.rise([10], [0.5])).all()


def test_many_curves_at_once_are_those_of_other_means():
    rng, log_x = np.random.default_rng(0), np.linspace(0, 3, 8)
    curves = rng.normal(size=(30, 8)) + np.linspace(0, 2, 8)
    curves[:3] = [0, 0, 0, 1, 1, 1, 2, 2], [0, 1, 1, 1, 1, 9, 9, 10], [0] * 4 + [5] * 3 + [10]  # at rest on a share
    ways = [isotonic_regression(curve).x for curve in curves]
    assert np.allclose(compare.never_falling(curves), ways)
    for way, shape in zip(ways, compare.shapes(log_x, curves).T, strict=True):
        share = (way - way[0]) / (way[-1] - way[0])
        ends = [np.interp(np.array([0.1, 0.5, 0.9]) + e, share, log_x) for e in (-1e-9, 1e-9)]
        assert shape * 3 == pytest.approx(np.mean(ends, 0), abs=1e-6)


def test_never_falling_of_many_sizes_is_quick():
    sizes = np.random.default_rng(0).normal(size=(1000, 143)).cumsum(1)
    start = time.process_time()
    ours = compare.never_falling(sizes)
    assert time.process_time() - start < 5
    assert np.allclose(ours[:3], [isotonic_regression(curve).x for curve in sizes[:3]])

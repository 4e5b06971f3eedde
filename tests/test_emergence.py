"""The test of an emergence score: false alarms as often as it says, and jumps are seen."""

import itertools

import numpy as np
import pytest

from mirage_lib import stats
from mirage_lib.claims.emergence import emergence_test


@pytest.mark.parametrize("noise", [None, 1.0])
def test_emergence_test_raises_false_alarms_as_often_as_it_says(noise):
    rng = np.random.default_rng(5)
    slope = 0 if noise is None else 0.5
    p_values = [emergence_test(rng.standard_normal(8) + slope * np.arange(8), noise).p_value for _ in range(300)]
    assert 0.01 < np.mean(np.array(p_values) < 0.05) < 0.10


@pytest.mark.parametrize(("n", "p"), [(20, 0.02), (100, 0.001), (100, 0.3)])
def test_counts_of_few_items_are_no_jump_by_the_null_of_counts(n, p):
    exams = np.random.default_rng(3).binomial(n, p, size=(150, 8)) / n
    alarms = [emergence_test(exam, n_items=n).p_value < 0.05 for exam in exams]
    assert np.mean(alarms) <= 0.06
    assert emergence_test([0, 0, 0, 0, 0, 0.1, 0.6, 0.9], n_items=n).p_value < 0.01
    # infinite, and no more than one lucky item
    assert emergence_test([0, 0, 0, 0, 0, 1 / n], n_items=n).p_value > 0.3


def test_the_null_of_counts_is_exact():
    """Of two right answers, dealt to three models with two items each, every deal is counted by hand."""
    deals = [np.bincount(pair, minlength=3) / 2 for pair in itertools.combinations([0, 0, 1, 1, 2, 2], 2)]
    for seen in ([0, 0, 1], [0, 0.5, 0.5], [1, 0, 0]):
        wanted = np.mean([stats.emergence_score(deal) >= stats.emergence_score(seen) for deal in deals])
        assert emergence_test(seen, n_items=2).p_value == pytest.approx(wanted, abs=0.02)
    assert emergence_test([0, 0, 0, 0], n_items=[1, 2, 3, 4]) == (0.0, 1.0)
    with pytest.raises(ValueError, match="at least one item a model, and scores from 0 to 1"):
        emergence_test([0, 0, 1], n_items=[1, 0, 1])


def test_emergence_test_sees_a_jump_and_not_a_line():
    noise = 0.01
    rng = np.random.default_rng(0)
    line = np.linspace(0, 1, 10) + noise * rng.standard_normal(10)
    jump = np.r_[np.zeros(7), 0.3, 0.7, 1.0] + noise * rng.standard_normal(10)
    assert emergence_test(jump, noise).p_value < 0.001
    assert emergence_test(line, noise).p_value > 0.05
    with pytest.raises(ValueError, match="above 0"):
        emergence_test(line, noise=0.0)


@pytest.mark.parametrize("n", [20, 50, 300])
def test_equal_models_with_a_soft_score_alarm_in_one_of_twenty(n):
    """3,000 draws of eight equal models: the standard error of the rate is 0.4 %."""
    rng = np.random.default_rng(11)
    curves = rng.beta(2, 6, (3000, 8, n)).mean(-1)
    alarms = np.mean([emergence_test(curve, n_items=n).p_value < 0.05 for curve in curves])
    assert 0.035 < alarms < 0.062

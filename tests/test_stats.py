"""Intervals that cover, a score with its null, fits that recover what was planted."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from mirage_lib import metrics, stats


def test_wilson_equals_scipy_and_broadcasts():
    for k, n in ((0, 10), (3, 10), (10, 10), (1, 5000)):
        low, high = scipy_stats.binomtest(k, n).proportion_ci(method="wilson")
        assert stats.wilson(k, n) == pytest.approx((k / n, low, high), abs=1e-12)
    assert stats.wilson([1, 2], [10, 20]).value.tolist() == [0.1, 0.1]
    assert np.isnan(stats.wilson(0, 0)).all()
    with pytest.raises(ValueError, match="between 0 and n"):
        stats.wilson(3, 2)


def test_mean_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for draw, truth in ((lambda: rng.random(50) < 0.1, 0.1), (lambda: rng.normal(2, 3, 12), 2)):
        covered = np.mean([low <= truth <= high for _, low, high in (stats.mean_interval(draw()) for _ in range(2000))])
        assert 0.93 < covered < 0.98


def test_mean_interval_at_the_edges():
    assert np.isnan(stats.mean_interval([])).all()
    assert np.isnan(stats.mean_interval([], bounded=False)).all()
    assert stats.mean_interval([2.0]) == (2.0, -np.inf, np.inf)
    zero = stats.mean_interval(np.zeros(100))
    assert zero.value == zero.low == 0 < zero.high
    with pytest.raises(ValueError, match="1 of 2 scores are not finite"):
        stats.mean_interval([1.0, np.nan])


@pytest.mark.parametrize("scores", [[0.5] * 20, [0.0, 0.5, 1.0], [1, 1, 1, 0.5], [0.5], [1 - 1e-16] * 3, [0.1] * 10])
def test_intervals_of_scores_from_0_to_1_stay_inside_and_have_a_width(scores):
    value, low, high = stats.mean_interval(scores)
    assert 0 <= low <= value <= high <= 1 and high - low > 0.1
    assert value == pytest.approx(np.mean(scores))


@pytest.mark.parametrize(("mean", "n"), [(0.02, 200), (0.1, 30), (0.5, 20)])
def test_intervals_of_partial_credit_cover_at_least_as_often_as_they_say(mean, n):
    """Students' t covered 89 % at n = 200, p = .02; two answers a question, and a spread between questions."""
    rng = np.random.default_rng(0)
    p = rng.beta(mean, 1 - mean, size=(1500, n))
    intervals = [stats.mean_interval(scores) for scores in rng.binomial(2, p) / 2]
    assert np.mean([low <= mean <= high for _, low, high in intervals]) > 0.94


def test_scores_that_leave_0_to_1_are_not_bounded():
    with pytest.raises(ValueError, match=r"scores from 0 to 1 go from 2 to 2"):
        stats.mean_interval([2.0], bounded=True)


@pytest.mark.parametrize("level", [95, 0, 1, -0.1])
def test_a_level_that_is_none_is_refused(level):
    for call in (
        lambda: stats.wilson(3, 10, level=level),
        lambda: stats.mean_interval([2.0, 3.0], level),
        lambda: stats.bootstrap([1.0, 0.0], level=level),
        lambda: stats.items_needed(0.3, chance=0.1, level=level),
    ):
        with pytest.raises(ValueError, match="a level lies between 0 and 1"):
            call()


def test_bootstrap_agrees_with_students_t_and_is_seeded():
    scores = np.random.default_rng(0).normal(5, 2, 400)
    boot, t = stats.bootstrap(scores), stats.mean_interval(scores)
    assert boot == pytest.approx(t, abs=0.03)
    assert boot == stats.bootstrap(scores)
    assert boot != stats.bootstrap(scores, seed=1)


def test_bootstrap_does_not_lie_when_all_items_agree():
    zeros = stats.bootstrap(np.zeros(50))
    assert zeros.low == 0
    assert zeros.high == pytest.approx(stats.wilson(0, 50).high, abs=1 / 50)
    ones = stats.bootstrap(np.ones(50))
    assert ones.low == pytest.approx(stats.wilson(50, 50).low, abs=1 / 50)
    assert ones.high == 1
    assert stats.bootstrap(np.full(9, 2.5)) == (2.5, -np.inf, np.inf)
    assert np.isnan(stats.bootstrap([])).all()
    falling = stats.bootstrap(np.zeros(50), lambda s: 1 - s.mean())
    assert falling.low < falling.high == 1


def test_bootstrap_of_subset_accuracy_is_open_above_when_too_few_are_right():
    scores = np.r_[np.ones(2), np.zeros(18)]
    five = stats.bootstrap(scores, lambda s: metrics.subset_probability(s.sum(), len(s), 5))
    assert five.value == 0
    assert five.high > 0


@pytest.mark.parametrize(("p", "power"), [(0.01, 0.95), (0.001, 0.95), (0.2, 0.5)])
def test_items_needed_to_see_one_success(p, power):
    n = stats.items_needed(p, power)
    assert 1 - (1 - p) ** n >= power > 1 - (1 - p) ** (n - 1)


def test_items_needed_above_chance_has_the_power_it_promises():
    n = stats.items_needed(0.35, power=0.9, chance=0.25)

    def power(n):
        critical = next(k for k in range(n + 2) if scipy_stats.binom.sf(k - 1, n, 0.25) <= 0.05)
        return scipy_stats.binom.sf(critical - 1, n, 0.35)

    assert power(n - 1) < 0.9
    assert all(power(m) >= 0.9 for m in range(n, n + 60))
    assert stats.items_needed(1.0) == 1
    for bad in ({"p": 0.2, "chance": 0.3}, {"p": 0}, {"p": 0.1, "power": 1}):
        with pytest.raises(ValueError, match="items_needed wants"):
            stats.items_needed(**bad)


def test_emergence_score_by_hand():
    assert stats.emergence_score([0, 0.1, 0.2, 0.3]) == pytest.approx(3)  # a straight line of N points scores N - 1
    assert stats.emergence_score([0.3, 0.2, 0.1, 0]) == pytest.approx(-3)
    assert stats.emergence_score([0, 1, 0, 0, 10]) == pytest.approx(10)  # steps 1, 1, 0, 10: the median square is 1
    assert stats.emergence_score([0, 1, 1, 1, 3]) == pytest.approx(3 / np.sqrt(0.5))
    assert stats.emergence_score([1, 1, 1]) == 0
    assert stats.emergence_score([0, 0, 0, 1]) == np.inf
    assert stats.emergence_score([[0, 1, 0, 0, 10], [1, 1, 1, 1, 1]]).tolist() == pytest.approx([10, 0])
    for bad in ([1, 2], [1, 2, np.nan], [[1, 2]], 3):
        with pytest.raises(ValueError, match="at least 3 finite scores"):
            stats.emergence_score(bad)


def test_the_null_of_the_emergence_score_grows_with_the_number_of_points():
    # 95th percentiles of pure noise
    for n, expected in ((4, 4.1), (8, 5.1), (12, 5.3), (20, 5.7)):
        assert np.quantile(stats.emergence_null(n), 0.95) == pytest.approx(expected, abs=0.2)
    steep = stats.emergence_null(8, trend=1e6)
    assert steep == pytest.approx(7, abs=1e-3)
    assert (np.diff(stats.emergence_null(6)) >= 0).all()


def test_a_statistic_that_is_not_always_a_number_has_no_interval():
    with pytest.raises(ValueError, match=r"NaN in \d+ of 2000 resamples"):
        stats.bootstrap([1.0, 2.0, 3.0], lambda s: np.nan if s[0] == 3 else s.mean())
    assert np.isnan(stats.bootstrap([1.0, 2.0], lambda s: np.nan)).all()

"""Uncertainty, resolution and sharpness: what a curve of scores against scale can and cannot say."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint


class Estimate(NamedTuple):
    """A value with the ends of its confidence interval; numbers or arrays of one shape."""

    value: float
    low: float
    high: float


def wilson(successes, n, level=0.95) -> Estimate:
    """Share of successes with its Wilson (1927) interval, honest at 0 and n; arrays broadcast; NaN where n = 0.

    Raises ValueError unless 0 <= successes <= n and 0 < level < 1, as everything here does that takes a level.

    >>> [round(float(x), 3) for x in wilson(0, 100)]
    [0.0, 0.0, 0.037]
    """
    _check_level(level)
    successes, n = np.asarray(successes, float) + 0 * np.asarray(n), np.asarray(n, float) + 0 * np.asarray(successes)
    if ((successes < 0) | (successes > n)).any():
        raise ValueError("successes must lie between 0 and n")
    with np.errstate(invalid="ignore", divide="ignore"):
        value = successes / n
        low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    # the ends at 0 and n are exact, and rounding must not move them off the value
    low, high = np.where(successes == 0, 0.0, low), np.where(successes == n, 1.0, high)
    return Estimate(*(np.where(n == 0, np.nan, x)[()] for x in (value, low, high)))


def mean_interval(scores, level=0.95, bounded=None) -> Estimate:
    """Mean of per-item scores with an interval: Wilson's for scores from 0 to 1, Student's t for others.

    bounded : whether the metric stays between 0 and 1; if None, whether these scores do.

    Wilson's interval, of their sum among n, stays inside, is never of width zero, and wider than need be for scores in
    between, which vary less than those that are 0 or 1. NaN for no scores; infinite for one that is not bounded.

    >>> [round(float(x), 2) for x in mean_interval([1.0, 2.0, 3.0])]
    [2.0, -0.48, 4.48]
    >>> [round(float(x), 2) for x in mean_interval([0.5] * 20)]
    [0.5, 0.3, 0.7]
    """
    _check_level(level)
    scores = _finite(scores)
    within = bool(((scores >= 0) & (scores <= 1)).all())
    if bounded and not within:
        raise ValueError(f"scores from 0 to 1 go from {scores.min():g} to {scores.max():g}")
    if within and bounded is not False:
        return Estimate(*(float(x) for x in wilson(min(scores.sum(), len(scores)), len(scores), level)))
    mean = float(scores.mean()) if len(scores) else np.nan
    if len(scores) < 2:
        return Estimate(mean, *((-np.inf, np.inf) if len(scores) else (np.nan, np.nan)))
    half = stats.t.ppf((1 + level) / 2, len(scores) - 1) * scores.std(ddof=1) / math.sqrt(len(scores))
    return Estimate(mean, mean - half, mean + half)


def bootstrap(scores, statistic=np.mean, level=0.95, resamples=2000, seed=0) -> Estimate:
    """A statistic of the items with its percentile bootstrap interval (Efron 1979), the same for the same seed.

    When every resample agrees, a width of zero would be a lie: twenty wrong answers do not show that the next will be
    wrong. For 0/1 scores the ends are then the statistic of the samples at the ends of the Wilson interval; for others
    the interval is infinite. NaN for no scores and a statistic of NaN; ValueError where it is NaN for resamples only.

    >>> bootstrap([0] * 20).high > 0.1
    True
    """
    _check_level(level)
    scores = _finite(scores)
    if len(scores) == 0:
        return Estimate(np.nan, np.nan, np.nan)
    value = float(statistic(scores))
    samples = np.random.default_rng(seed).choice(scores, size=(resamples, len(scores)))
    draws = [statistic(sample) for sample in samples]
    if np.isnan(value):
        return Estimate(value, np.nan, np.nan)
    if np.isnan(draws).any():
        raise ValueError(
            f"the statistic is NaN in {np.isnan(draws).sum()} of {resamples} resamples: it has no interval"
        )
    if np.ptp(draws) > 0:
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        return Estimate(value, float(low), float(high))
    if not np.isin(scores, (0, 1)).all():
        return Estimate(value, -np.inf, np.inf)
    right = np.rint(np.multiply(wilson(scores.sum(), len(scores), level)[1:], len(scores)))
    ends = [float(statistic((np.arange(len(scores)) < count).astype(float))) for count in right]
    return Estimate(value, min(ends), max(ends))


def items_needed(p, power=0.95, chance=0.0, level=0.05) -> int:
    """Fewest items that show an ability of size p with the given power.

    With chance = 0, "show" means at least one right answer: ln(1 - power) / ln(1 - p), about 3 / p. Otherwise it
    means a one-sided exact binomial test above chance at `level`, for this and every larger number of items.

    >>> items_needed(0.01), items_needed(0.30, chance=0.25)
    (299, 894)
    """
    _check_level(level)
    if not (0 <= chance < p <= 1 and 0 < power < 1):
        raise ValueError("items_needed wants 0 <= chance < p <= 1 and 0 < power < 1")
    if chance == 0:
        return 1 if p == 1 else math.ceil(math.log1p(-power) / math.log1p(-p))
    # the exact power rises in a saw-tooth: take the last n that fails, found in a range twice the normal answer
    z = stats.norm.ppf(1 - level) * math.sqrt(chance * (1 - chance)) + stats.norm.ppf(power) * math.sqrt(p * (1 - p))
    n = np.arange(1, 2 * math.ceil((z / (p - chance)) ** 2) + 200)
    critical = stats.binom.isf(level, n, chance)
    fails = np.flatnonzero(stats.binom.sf(critical, n, p) < power)
    return int(n[fails[-1]]) + 1 if len(fails) else 1


def emergence_score(scores):
    """sign(argmax - argmin) (max - min) / sqrt(median of squared steps), scores in order of scale.

    scores : shape (models,), or (curves, models) for one score a curve

    Positive when the best model is larger than the worst. +-inf if more than half of the steps are 0, 0 if all are
    (Schaeffer et al. 2023, section 4; Srivastava et al. 2022, "breakthroughness").

    >>> emergence_score([0, 1, 2, 3]), round(emergence_score([0, 0.01, 0, 0.01, 1]), 1)
    (3.0, 100.0)
    """
    scores = np.asarray(scores, float)
    if scores.ndim not in (1, 2) or scores.shape[-1] < 3 or not np.isfinite(scores).all():
        raise ValueError("an emergence score needs at least 3 finite scores, one a model, in order of scale")
    return _emergence(scores) if scores.ndim == 2 else float(_emergence(scores[None])[0])


def _emergence(curves: np.ndarray) -> np.ndarray:
    """Emergence score of each row, shape (n_curves, n_points)."""
    height = np.sign(curves.argmax(1) - curves.argmin(1)) * np.ptp(curves, axis=1)
    step = np.sqrt(np.median(np.diff(curves, axis=1) ** 2, axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(height == 0, 0.0, height / step)


@lru_cache  # every curve asks for the same one
def emergence_null(n_points, trend=0.0) -> np.ndarray:
    """Sorted emergence scores of curves without a jump: a straight line plus Gaussian noise, shape (20_000,).

    trend : rise from one model to the next, in standard deviations of the noise of one score. 0 is pure noise. A steep
        line scores n_points - 1 without any jump: the score grows with the number of points.

    >>> bool(abs(np.quantile(emergence_null(8), 0.95) - 5.1) < 0.2)
    True
    """
    noise = np.random.default_rng(0).standard_normal((20_000, n_points))
    null = np.sort(_emergence(noise + trend * np.arange(n_points)))
    null.flags.writeable = False
    return null


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, such as 0.95: not {level}")


def _finite(scores) -> np.ndarray:
    scores = np.asarray(scores, float).ravel()
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{(~np.isfinite(scores)).sum()} of {len(scores)} scores are not finite: leave those items out"
        )
    return scores

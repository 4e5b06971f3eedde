"""Forecasts: what larger models will score, from smaller ones; with an interval, and how often such intervals hold.

A rule takes sizes x, in any order, and a score of each, and returns a `Fit`, which predicts at other sizes. A smooth
curve need not be predictable: `error` and `coverage` judge a rule by models that were hidden from it.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, least_squares, nnls
from scipy.special import expit
from scipy.stats import linregress, t

from mirage_lib.stats import Estimate


class Fit(NamedTuple):
    """A fitted curve: parameters by name, each an `Estimate` with a 95 % interval, and the curve itself."""

    parameters: dict[str, Estimate]
    predict: Callable


def last_value(x, y) -> Fit:
    """The forecast that nothing changes: every larger model scores what the largest known ones do on average.

    >>> last_value([1, 10, 100], [0.1, 0.2, 0.4]).predict([1000, 10000]).tolist()
    [0.4, 0.4]
    """
    x, y = _points(x, y, 1)
    return Fit({}, lambda new: np.full(np.shape(new), y[x == x.max()].mean()))


def straight_line(x, y) -> Fit:
    """A straight line in log x by least squares; x > 0 and not all the same.

    >>> straight_line([1, 10, 100], [0.1, 0.2, 0.3]).predict([1000]).round(3).tolist()
    [0.4]
    """
    x, y = _points(x, y, 2)
    if (x <= 0).any() or np.ptp(x) == 0:
        raise ValueError("a straight line in log x needs x > 0, more than one")
    line = linregress(np.log(x), y)
    return Fit({}, lambda new: line.intercept + line.slope * np.log(np.asarray(new, float)))


def power_law(x, y) -> Fit:
    """y = (x / c)^alpha, a straight line in logs, by least squares there; x, y > 0 and x not all the same.

    The interval of c is the delta method's, in logs: c lies where y = 1, often far outside the data.

    >>> fit = power_law([1e6, 1e8, 1e10], [4.0, 2.0, 1.0])
    >>> print(fit.parameters["alpha"].value.round(4), fit.predict(1e12).round(4))
    -0.1505 0.5
    """
    x, y = _points(x, y, 3)
    if (x <= 0).any() or (y <= 0).any() or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise ValueError("a power law needs x > 0 and y > 0, more than one of each; leave zeros out, and say so")
    centre = np.log(x).mean()
    line = linregress(np.log(x) - centre, np.log(y))
    wide = t.ppf(0.975, len(x) - 2)
    log_c = centre - line.intercept / line.slope
    log_c_se = math.hypot(line.intercept_stderr, line.intercept / line.slope * line.stderr) / abs(line.slope)
    with np.errstate(over="ignore"):
        c = Estimate(*np.exp([log_c, log_c - wide * log_c_se, log_c + wide * log_c_se]))
    return Fit(
        {"alpha": Estimate(line.slope, line.slope - wide * line.stderr, line.slope + wide * line.stderr), "c": c},
        lambda new: np.exp(line.intercept + line.slope * (np.log(np.asarray(new, float)) - centre)),
    )


def law_with_floor(x, y) -> Fit:
    """y = floor + (x / c)^alpha, floor >= 0 and alpha < 0, by least squares: a loss of which no size removes all.

    x, y > 0, at four sizes or more. `height` is ln of what lies above the floor at the geometric mean of x. Source:
    Hoffmann et al. (2022), with x for one of their two variables.

    >>> x = np.geomspace(1e6, 1e10, 9)
    >>> fit = law_with_floor(x, 1.7 + (x / 1e8) ** -0.3)
    >>> print(fit.parameters["floor"].value.round(3), fit.parameters["alpha"].value.round(3))
    1.7 -0.3
    """
    x, y = _points(x, y, 4)
    if (x <= 0).any() or (y <= 0).any() or len(np.unique(x)) < 4:
        raise ValueError("a law with a floor needs x > 0, at four sizes or more, and y > 0")
    centre = np.log(x).mean()

    def curve(theta, x):
        return theta[0] + np.exp(theta[1] + theta[2] * (np.log(x) - centre))

    # at each exponent floor and height are a linear problem: begin at the best of many
    starts = []
    for alpha in -np.geomspace(0.01, 5, 60):
        (floor, height), misfit = nnls(np.stack([np.ones(len(x)), np.exp(alpha * (np.log(x) - centre))], 1), y)
        starts.append((misfit, floor, math.log(max(height, 1e-12)), alpha))
    _, *start = min(starts)
    best = least_squares(lambda q: curve(q, x) - y, start, bounds=([-1e-12, -np.inf, -20], [y.max(), np.inf, 0]))
    return Fit(
        _estimates(("floor", "height", "alpha"), best, len(x)), lambda new: curve(best.x, np.asarray(new, float))
    )


def s_curve(x, y) -> Fit:
    """y = floor + (ceiling - floor) / (1 + exp(-slope (ln x - ln midpoint))), by least squares; x > 0, y in [0, 1].

    >>> x = np.logspace(6, 11, 12)
    >>> fit = s_curve(x, 0.25 + 0.5 * expit(2 * (np.log(x) - np.log(1e9))))
    >>> print(fit.parameters["slope"].value.round(3), np.log10(fit.parameters["midpoint"].value).round(3))
    2.0 9.0
    """
    x, y = _points(x, y, 5)
    if (x <= 0).any() or (y < 0).any() or (y > 1).any() or np.ptp(x) == 0:
        raise ValueError("a sigmoid needs x > 0, more than one, and scores y in [0, 1]")
    logx = np.log(x)

    def curve(theta, logx):
        floor, ceiling, slope, midpoint = theta
        return floor + (ceiling - floor) * expit(slope * (logx - midpoint))

    width = max(np.ptp(logx), 1e-9)
    bounds = ([0, 0, 0, logx.min() - 2 * width], [1, 1, np.inf, logx.max() + 2 * width])
    starts = [
        (np.clip(floor, 0.001, 0.999), np.clip(ceiling, 0.001, 0.999), slope / width, np.quantile(logx, share))
        # rising and falling
        for floor, ceiling in ((y.min(), y.max()), (y.min(), 1), (y.max(), y.min()), (y.max(), 0))
        for slope in (4, 20)
        for share in (0.1, 0.3, 0.5, 0.7, 0.9)
    ]

    def misfit(theta):
        return curve(theta, logx) - y

    # the sum of squares has several valleys: go down from the best of a grid of starts
    starts = sorted(starts, key=lambda start: (misfit(start) ** 2).sum())[:3]
    fits = [least_squares(misfit, start, bounds=bounds, x_scale="jac", max_nfev=100) for start in starts]
    best = min(fits, key=lambda fit: fit.cost)
    parameters = _estimates(("floor", "ceiling", "slope", "midpoint"), best, len(x))
    with np.errstate(over="ignore"):
        parameters["midpoint"] = Estimate(*np.exp(parameters["midpoint"]))
    return Fit(parameters, lambda new: curve(best.x, np.log(np.asarray(new, float))))


def through(law: Fit, link: Fit | Callable) -> Fit:
    """Through the loss: a law from size to loss, then a link from loss to score (a `Fit`, or a function).

    >>> through(power_law([1, 10, 100], [4, 2, 1]), lambda loss: np.exp(-loss)).predict([1000]).round(3).tolist()
    [0.607]
    """
    score = getattr(link, "predict", link)
    return Fit({}, lambda new: score(law.predict(new)))


def error(x, y, rule, held_out: int) -> float:
    """Root mean square error on the `held_out` largest models of a rule that knows the smaller ones.

    >>> error([1, 10, 100, 1000], [8.0, 4.0, 2.0, 1.0], power_law, held_out=1) < 1e-12
    True
    """
    x, y = _points(x, y, 1)
    if not 0 < held_out < len(x):
        raise ValueError(f"held_out must leave models on both sides: between 1 and {len(x) - 1}")
    order = np.argsort(x, kind="stable")
    small, large = order[:-held_out], order[-held_out:]
    return float(np.sqrt(np.mean((rule(x[small], y[small]).predict(x[large]) - y[large]) ** 2)))


def spread(curves, rule, level=0.8, least=3) -> float:
    """How far a rule has been off: its past errors a unit of ln x, not passed by the share `level` of them.

    curves : pairs (x, y), of one family on several benchmarks or at several checkpoints; an interval is for such curves
    least : sizes that the rule needs. From the smallest `least`, then one more, it forecasts all larger known ones.

    As of one more error (split conformal, Vovk et al. 2005): infinite if there are too few for that level. Past errors
    know nothing of a rise to come, so measure `coverage`. Raises ValueError if no curve has more than `least` sizes.

    >>> round(spread([([1, 10, 100, 1000, 10000], [0.1, 0.2, 0.3, 0.5, 0.6])] * 3, straight_line), 3)
    0.043
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, such as 0.8: not {level}")
    past = []
    for each in curves:
        x, y = _points(*each, 1)
        if (x <= 0).any():
            raise ValueError("sizes must be above 0: how far ahead a forecast is counts in ln x")
        for largest in np.unique(x)[least - 1 : -1]:
            small = x <= largest
            off = rule(x[small], y[small]).predict(x[~small]) - y[~small]
            past += (np.abs(off) / np.log(x[~small] / largest)).tolist()
    if not past:
        raise ValueError(f"no curve has more than {least} sizes: no forecast from smaller models can be checked")
    place = math.ceil((len(past) + 1) * level)
    return sorted(past)[place - 1] if place <= len(past) else np.inf


def interval(x, y, rule, new, spread: float) -> Estimate:
    """A forecast for larger sizes `new`, with an interval that widens by `spread` for each unit of ln x ahead.

    >>> print(interval([1, 10, 100], [0.1, 0.2, 0.3], straight_line, 1000, spread=0.02).high.round(3))
    0.446
    """
    ahead = np.log(np.asarray(new, float) / np.max(x))
    if not (ahead > 0).all():
        raise ValueError("a forecast is for models that are larger than the largest known one")
    value = rule(x, y).predict(new)
    return Estimate(value, value - spread * ahead, value + spread * ahead)


def coverage(curves, rule, held_out: int, level=0.8, least=3) -> np.ndarray:
    """Share of the `held_out` largest sizes' scores, hidden, that lie in their intervals: one number a curve.

    The spread is that of all curves without their hidden sizes; arguments are those of `spread`. Curves of one family
    are no independent trials. Raises ValueError as `spread` does, and for a `held_out` that leaves no size.

    >>> curves = [(np.geomspace(1, 1e6, 7), [0, 0.1, 0.2, 0.3, 0.4, 0.5, end]) for end in (0.6, 0.9)]
    >>> coverage(curves, last_value, held_out=1).tolist()
    [1.0, 0.0]
    """
    parts = []
    for each in curves:
        x, y = _points(*each, 1)
        sizes = np.unique(x)
        if not 0 < held_out < len(sizes):
            raise ValueError(f"held_out must leave sizes on both sides: between 1 and {len(sizes) - 1} sizes")
        small = x <= sizes[-held_out - 1]
        parts.append((x[small], y[small], x[~small], y[~small]))
    wide = spread([part[:2] for part in parts], rule, level, least)
    said = [(interval(x, y, rule, new, wide), truth) for x, y, new, truth in parts]
    return np.array([np.mean((each.low <= truth) & (truth <= each.high)) for each, truth in said])


def _estimates(names, best: OptimizeResult, n: int) -> dict[str, Estimate]:
    """Parameters of a least-squares fit to n points, with 95 % intervals from its Jacobian."""
    _, sizes, directions = np.linalg.svd(best.jac)
    with np.errstate(divide="ignore", invalid="ignore"):
        # a direction that the points do not fix has an infinite error, which a pseudo-inverse would call zero
        wide = np.where(sizes > 1e-8 * sizes[0], 1 / sizes, np.inf)[:, None]
        error = np.sqrt((np.where(np.abs(directions) > 1e-6, wide * directions, 0.0) ** 2).sum(0))
    free = n - len(names)
    half = t.ppf(0.975, free) * error * max(math.sqrt(2 * best.cost / free), 1e-12) if free else np.inf * error
    return {name: Estimate(v, v - h, v + h) for name, v, h in zip(names, best.x, half, strict=True)}


def _points(x, y, least: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < least or not (np.isfinite(x) & np.isfinite(y)).all():
        raise ValueError(f"x and y must be one-dimensional, finite, of one length and at least {least} long")
    return x, y

"""How Part III judges a curve: the same four numbers for every one, soft or harsh, in shares of its window of sizes."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression

from mirage_lib import forecast


class Rise(NamedTuple):
    """Shares of the window, on a log axis of size: where a tenth and a half of the way is done, and the middle 80 %."""

    floor: float
    place: float
    width: float


def rise(x, score) -> Rise:
    """Floor, place and width of a curve, smallest size first; NaN if it does not rise.

    The way goes along the closest curve that never falls, as in `compare.rise`, whose place and width these are.

    >>> [round(share, 2) for share in rise([1, 10, 100, 1000, 10000], [0, 0, 0.5, 1, 1])]
    [0.3, 0.5, 0.4]
    """
    way = isotonic_regression(np.asarray(score, float)).x
    if not way[-1] > way[0]:
        return Rise(np.nan, np.nan, np.nan)
    way = (way - way[0]) / (way[-1] - way[0])
    log = np.log(np.asarray(x, float))
    log = (log - log[0]) / (log[-1] - log[0])
    shares = np.array([0.1, 0.5, 0.9])
    # where a curve rests at a share, the middle of the rest
    early, half, late = (np.interp(shares - 1e-9, way, log) + np.interp(shares + 1e-9, way, log)) / 2
    return Rise(float(early), float(half), float(late - early))


def moved(x, curve, shift: float = 0.0, factor: float = 1.0) -> np.ndarray:
    """The curve with its rise later by `shift` of the window, and `factor` times as wide around its place.

    >>> moved([1, 10, 100], [0, 0.5, 1], shift=0.5).tolist()
    [0.0, 0.0, 0.5]
    """
    log = np.log(np.asarray(x, float))
    log = (log - log[0]) / (log[-1] - log[0])
    place = rise(x, curve).place
    return np.interp(place + (log - shift - place) / factor, log, curve)


def miss(x, score, fit=forecast.s_curve) -> float:
    """Error of forecasting the larger half of the sizes from the smaller, as a share of the height of the curve.

    fit : x, y -> `forecast.Fit`; by default an S-shaped curve, for scores from 0 to 1. A root mean square; the middle
        one of an odd number of sizes is known.

    >>> from mirage_lib import compare
    >>> round(miss([1, 10, 100, 1000], [0, 0.1, 0.2, 0.3], forecast.straight_line), 9)
    0.0
    """
    return forecast.error(x, score, fit, len(score) // 2) / float(np.ptp(score))


def redrawn(score, draws: int, seed: int = 0) -> np.ndarray:
    """Mean scores with seeds and items drawn anew, the same items for every size: (draw, size).

    score : (size, seed, item)

    >>> redrawn(np.ones((3, 5, 10)), 2).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    rng, n = np.random.default_rng(seed), score.shape[2]
    times = rng.multinomial(n, np.full(n, 1 / n), draws) / n
    seeds = rng.multinomial(score.shape[1], np.full(score.shape[1], 1 / score.shape[1]), draws) / score.shape[1]
    return np.einsum("dws,ds->dw", np.einsum("wsi,di->dws", np.asarray(score, float), times), seeds)


def steepest_step(curve) -> float:
    """Largest step between neighbouring sizes, as a share of the curve's range.

    >>> steepest_step([0, 0.25, 0.25, 1])
    0.75
    """
    return float(np.abs(np.diff(curve)).max() / np.ptp(curve))


def decades(params: np.ndarray, accuracy: np.ndarray) -> float:
    """Decades of N between 10 % and 90 % accuracy.

    >>> round(decades([1e6, 1e9], [0, 1]), 9)
    2.4
    """
    return float(np.diff(np.interp((0.1, 0.9), accuracy, np.log10(params)))[0])

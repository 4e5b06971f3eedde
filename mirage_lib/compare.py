"""The shape of a curve of scores against scale: where it rises, how sharply."""

import numpy as np
from scipy.optimize import isotonic_regression

SHARP = 0.5  # a rise is sharp when its middle 80 % takes less than this share of the range of scale


def on_the_way(x, score) -> np.ndarray:
    """log10 x where a tenth, a half and nine tenths of a curve's way are done; NaN for a curve that does not rise.

    The way goes from the first to the last value of the closest curve that never falls (isotonic regression), so all
    three are about this window of scale; between models it is straight in log x, and where the curve rests it is the
    middle of the rest. x in any order; scores at one x count as their mean.

    >>> on_the_way([1, 10, 100, 1000, 10000], [0, 0, 0.5, 1, 1]).round(1).tolist()
    [1.2, 2.0, 2.8]
    """
    x, place = np.unique(np.asarray(x, float), return_inverse=True)
    way = isotonic_regression(np.bincount(place, np.asarray(score, float)) / np.bincount(place)).x
    if not way[-1] > way[0]:
        return np.full(3, np.nan)
    way, shares, log_x = (way - way[0]) / (way[-1] - way[0]), np.array([0.1, 0.5, 0.9]), np.log10(x)
    # a rest begins just before its score, and ends just after it
    return (np.interp(shares - 1e-9, way, log_x) + np.interp(shares + 1e-9, way, log_x)) / 2


def rise(x, score) -> tuple[float, float]:
    """Where a curve has gone half of its way, in units of x, and the decades of x that its middle 80 % takes.

    The way is that of `on_the_way`; NaN for a curve that does not rise.

    >>> rise([1e6, 1e7, 1e8, 1e9, 1e10], [0.2, 0.2, 0.2, 0.6, 0.6])
    (316227766.0..., 0.8...)
    """
    early, half, late = on_the_way(x, score)
    return float(10**half), float(late - early)

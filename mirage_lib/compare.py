"""The shape of a curve of scores against scale: where it rises, how sharply."""

import numpy as np
from scipy.optimize import isotonic_regression

SHARP = 0.5  # a rise is sharp when its middle 80 % takes less than this share of the range of scale


def rise(x, score) -> tuple[float, float]:
    """Where a curve has gone half of its way, in units of x, and the decades of x that its middle 80 % takes.

    The way goes from the first to the last value of the closest curve that never falls (isotonic regression), so both
    are about this window of scale; between models it is straight in log x, and where the curve rests it is the middle
    of the rest. x in any order; scores at one x count as their mean. NaN for a curve that does not rise.

    >>> rise([1e6, 1e7, 1e8, 1e9, 1e10], [0.2, 0.2, 0.2, 0.6, 0.6])
    (316227766.0..., 0.8...)
    """
    x, place = np.unique(np.asarray(x, float), return_inverse=True)
    way = isotonic_regression(np.bincount(place, np.asarray(score, float)) / np.bincount(place)).x
    way = (way - way[0]) / (way[-1] - way[0] or np.nan)
    if not way[-1] > 0:
        return np.nan, np.nan
    shares, log_x = np.array([0.1, 0.5, 0.9]), np.log10(x)
    # a rest begins just before its score, and ends just after it
    early, half, late = (np.interp(shares - 1e-9, way, log_x) + np.interp(shares + 1e-9, way, log_x)) / 2
    return float(10**half), float(late - early)

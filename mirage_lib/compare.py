"""The shape of a curve of scores against scale: where it rises, how sharply."""

import numpy as np

SHARP = (
    0.5  # a rise is sharp when its middle 80 % takes less than this share of the window of log x; a line's takes 0.8
)


def never_falling(values: np.ndarray) -> np.ndarray:
    """The closest curve that never falls (isotonic regression) to each row, shape (..., sizes).

    >>> never_falling(np.array([0.2, 0.1, 0.3])).round(2).tolist()
    [0.15, 0.15, 0.3]
    """
    m = values.shape[-1]
    found = np.full(values.shape, -np.inf)
    for first in range(m):  # over all stretches that begin at or before a size, the highest of the lowest means
        means = np.cumsum(values[..., first:], -1) / np.arange(1, m - first + 1)
        lowest = np.minimum.accumulate(means[..., ::-1], -1)[..., ::-1]
        np.maximum(found[..., first:], lowest, out=found[..., first:])
    return found


def shapes(log_x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Where 10, 50 and 90 % of the rise are done, as shares of the window: shape (3, ...); NaN where nothing rises.

    The rise goes from the first to the last value of the closest curve that never falls, so it is about this window.

    log_x, values : shape (..., sizes), smallest first; between sizes a curve is straight in log size

    >>> shapes(np.arange(5.0), np.array([0, 0, 0, 1.0, 1])).round(3).tolist()
    [0.525, 0.625, 0.725]
    """
    log_x, values = np.broadcast_arrays(log_x, values)
    if values.shape[-1] < 2:
        return np.full((3, *values.shape[:-1]), np.nan)
    way = never_falling(values)
    rise = way[..., -1:] - way[..., :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        way = (way - way[..., :1]) / np.where(rise > 1e-12, rise, np.nan)
    found = []
    for share in (0.1, 0.5, 0.9):
        ends = []
        for just in (share - 1e-9, share + 1e-9):  # where it rests, the middle of the rest
            after = np.maximum((way >= just).argmax(-1), 1)[..., None]
            a, b, c, d = (np.take_along_axis(of, after - back, -1)[..., 0] for of in (way, log_x) for back in (1, 0))
            with np.errstate(invalid="ignore", divide="ignore"):
                ends.append(c + (just - a) / (b - a) * (d - c))
        found.append((np.mean(ends, 0) - log_x[..., 0]) / (log_x[..., -1] - log_x[..., 0]))
    return np.array(found)


def on_the_way(x, score) -> np.ndarray:
    """log10 x where a tenth, a half and nine tenths of a curve's rise are done (`shapes`); NaN if it does not rise.

    x in any order; scores at one x count as their mean.

    >>> on_the_way([1, 10, 100, 1000, 10000], [0, 0, 0.5, 1, 1]).round(1).tolist()
    [1.2, 2.0, 2.8]
    """
    x, place = np.unique(np.asarray(x, float), return_inverse=True)
    log_x = np.log10(x)
    return log_x[0] + np.ptp(log_x) * shapes(log_x, np.bincount(place, np.asarray(score, float)) / np.bincount(place))


def rise(x, score) -> tuple[float, float]:
    """Where a curve has gone half of its way, in units of x, and the decades of x that its middle 80 % takes.

    NaN for a curve that does not rise.

    >>> rise([1e6, 1e7, 1e8, 1e9, 1e10], [0.2, 0.2, 0.2, 0.6, 0.6])
    (316227766.0..., 0.8...)
    """
    early, half, late = on_the_way(x, score)
    return float(10**half), float(late - early)

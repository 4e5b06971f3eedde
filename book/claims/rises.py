"""How Part III judges a curve: the same four numbers for every one, soft or harsh, in shares of its window of sizes."""

from typing import NamedTuple

import numpy as np

from mirage_lib import compare, forecast


class Rise(NamedTuple):
    """Shares of the window, on a log axis of size: where a tenth and a half of the way is done, and the middle 80 %."""

    floor: float
    place: float
    width: float


def rise(x, score) -> Rise:
    """Floor, place and width of a curve, smallest size first; NaN if it does not rise.

    Place and width are those of `compare.rise`.

    >>> [round(share, 2) for share in rise([1, 10, 100, 1000, 10000], [0, 0, 0.5, 1, 1])]
    [0.3, 0.5, 0.4]
    """
    window = np.log10(np.min(x)), np.log10(np.max(x))
    early, half, late = ((compare.on_the_way(x, score) - window[0]) / (window[1] - window[0])).tolist()
    return Rise(early, half, late - early)


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


def redrawn(score, draws: int, link=lambda p: p, seed: int = 0) -> np.ndarray:
    """Mean scores with items and seeds drawn anew together: the same items for every size, its own seeds for each.

    score : (size, seed, item), from 0 to 1; NaN where a size has not that seed. Where it has but one, what its seed
        does is unknown: its score moves as seeds do at the size where they lie furthest apart.
    link : what of the mean over items is averaged over seeds.
    Returns (draw, size). Scores of the same answers are drawn alike.

    >>> redrawn(np.ones((3, 5, 10)), 2).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    score, rng = np.asarray(score, float), np.random.default_rng(seed)
    sizes, seeds, n = score.shape
    kept = ~np.isnan(score[..., 0])
    times = rng.multinomial(n, np.full(n, 1 / n), draws) / n
    means = link(np.einsum("wsi,di->dws", score, times))
    chosen = rng.integers(kept.sum(1)[:, None], size=(draws, sizes, seeds))
    drawn = np.take_along_axis(means, chosen, 2).mean(2)
    several, alone = (np.flatnonzero(kept.sum(1) == count) for count in (seeds, 1))
    if seeds > 1 and len(alone):
        apart = means[:, several[link(score[several].mean(2)).std(1).argmax()]]
        apart = (apart - apart.mean(1, keepdims=True)) * np.sqrt(seeds / (seeds - 1))
        drawn[:, alone] += np.take_along_axis(apart, rng.integers(seeds, size=(draws, len(alone))), 1)
    return drawn.clip(0, 1)


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

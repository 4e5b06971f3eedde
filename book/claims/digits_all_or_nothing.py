"""Claims of the chapter digits-all-or-nothing. Seeds and test images are drawn again together, the same for every K."""

from functools import cache
from itertools import combinations

import numpy as np

from mirage_lib import compare, forecast, metrics, stats
from mirage_lib.claims import Finding

from . import vision
from .planting import rates
from .rises import moved, rise
from .vision import all_of

FIVE = 5  # the paper's largest K


@cache
def hits() -> tuple[np.ndarray, np.ndarray]:
    """Parameters of every size, and what was read right: bool, (size, seed, image)."""
    table = vision.stored("lenet").sort_values(["width", "seed", "item"])
    size = np.unique(table["params"].astype(float))
    right = np.array(table["is_greedy"].tolist(), bool)
    return size, right.reshape(len(size), len(vision.SEEDS), -1)


def chance(right, n: int, k: int) -> np.ndarray:
    """Chance that k different images are all right, of counts right of n: (..., seed) to its mean over seeds."""
    return metrics.subset_probability(np.asarray(right), n, k).mean(-1)


def again(draws: int, seed: int = 0) -> np.ndarray:
    """Counts of right images with images drawn anew, the same for every size, and its own seeds for each size.

    Returns (draw, size, seed).
    """
    right, rng = hits()[1], np.random.default_rng(seed)
    n = right.shape[2]
    times = rng.multinomial(n, np.full(n, 1 / n), draws)
    counts = np.einsum("wsi,di->dws", right.astype(np.float32), times.astype(np.float32)).round().astype(int)
    return np.take_along_axis(counts, rng.integers(right.shape[1], size=counts.shape), 2)


@cache
def rises(k: int, draws: int = 300) -> np.ndarray:
    """Floor, place and width of all-of-k: of the kept networks in the first row, then of those drawn anew."""
    size, right = hits()
    curves = [chance(right.sum(2), right.shape[2], k), *chance(again(draws), right.shape[2], k)]
    return np.array([rise(size, curve) for curve in curves])


def one_step(curve, models: int = 4, step: float = 0.8) -> float:
    """Of all choices of so many sizes, the largest among them: in how many one step makes this share of the rise."""
    few = [curve[[*some, -1]] for some in combinations(range(len(curve) - 1), models - 1)]
    return float(np.mean([np.diff(each).max() > step * np.ptp(each) for each in few]))


def _noise(k: int) -> np.ndarray:
    """What the mean over seeds differs by, drawn anew, from what it is: (draw, size)."""
    right = hits()[1]
    curves = chance(again(200, seed=1), right.shape[2], k)
    return curves - curves.mean(0)


def digit_accuracy_smooth(tolerance: float) -> Finding:
    """Distance of the mean accuracy from an S-shaped curve, a root mean square, as a share of the rise: below this.

    Planted are the curve itself, and one that rises in two stages, half of the way each, with the same noise.
    """
    size, right = hits()
    accuracy, noise = right.mean((1, 2)), _noise(1)

    def off(score):
        score = np.clip(score, 0, 1)
        return np.sqrt(np.mean((forecast.s_curve(size, score).predict(size) - score) ** 2)) / np.ptp(score)

    smooth = forecast.s_curve(size, accuracy).predict(size)
    stages = np.interp(
        np.log(size), np.log(size[[0, 2, 4, 7, 9, 11]]), np.array([0, 0.5, 0.5, 0.5, 1, 1]) * 0.85 + 0.12
    )
    power = rates(
        lambda curve: off(curve) < tolerance, lambda i: stages + noise[i], lambda i: smooth + noise[i], draws=40
    )
    found = f"off an S-shaped curve by {off(accuracy):.1%} of the rise; {power.words()}"
    if not power.decides:
        return Finding("not testable here", found)
    return Finding("holds" if off(accuracy) < tolerance else "fails", found)


def five_of_five_seems_to_emerge(tolerance: float) -> Finding:
    """Figure 10C: absent (below 1 in 20), then present (above 1 in 2) at every seed; sharp, the rise taking less than
    this share of the window, interval over seeds and images; and sharper with few sizes: of all choices of four with
    the largest, more show one step than of an even climb. All three, or it holds in part; fails without the first.
    Planted, with as much noise: rises of just over half of the window and of a fifth of it; and for few sizes an even
    climb, and one step where the kept curve has its largest.
    """
    size, right = hits()
    five = all_of(FIVE)
    appears = (five.iloc[0] < 0.05) & (five.iloc[-1] > 0.5)
    width = rises(FIVE)[:, 2]
    low, high = np.quantile(width[1:], [0.025, 0.975])
    log = (np.log(size) - np.log(size[0])) / np.log(size[-1] / size[0])
    noise = _noise(FIVE)

    def sharp(truth, i):
        # as wide an interval as the data have
        return rise(size, truth + noise[i]).width + (high - width[0]) < tolerance

    gentle, steep = (np.clip((log - 0.2) * 0.8 / share, 0, 1) for share in (0.52, 0.2))
    power = rates(lambda yes: yes, lambda i: sharp(0.9 * gentle, i), lambda i: sharp(0.9 * steep, i), draws=200)
    curve = five.mean(axis=1).to_numpy()
    even = curve[0] + np.ptp(curve) * log
    evenly = np.quantile([one_step(even + each) for each in noise], 0.975)
    shares = [one_step(each) for each in _redrawn(FIVE)]
    sparse = np.quantile(shares, 0.025)
    step = np.where(np.arange(len(curve)) > np.diff(curve).argmax(), curve[-1], curve[0])

    def few(drawn):
        return one_step(drawn) - (one_step(curve) - sparse) > evenly

    by_few = rates(few, lambda i: even + noise[i], lambda i: step + noise[i], draws=200)
    found = (
        f"from {curve[0]:.4f} to {curve[-1]:.2f}, absent, then present at {appears.sum()} of "
        f"{appears.size} seeds; the rise is {width[0]:.2f} of the window ({low:.2f} to {high:.2f}), {power.words()}; "
        f"one step in {one_step(curve):.0%} of all choices of four sizes with the largest ({sparse:.0%} or more; of an "
        f"even climb {evenly:.0%} or less; of one digit {one_step(right.mean((1, 2))):.0%}), {by_few.words()}"
    )
    if not (power.decides and by_few.decides):
        return Finding("not testable here", found)
    every = appears.all() and high < tolerance and sparse > evenly
    return Finding(("fails", "holds in part", "holds")[int(appears.all()) + int(every)], found)


def five_of_five_rises_as_widely(tolerance: float) -> Finding:
    """Width of the rise of five-of-five over that of one digit, lower end over seeds and images: above this.

    Planted is five-of-five, its sizes drawn together or apart until its rise is narrower than that, or wider.
    """
    size, right = hits()
    one, five = rises(1)[:, 2], rises(FIVE)[:, 2]
    ratio = five / one
    low, high = np.quantile(ratio[1:], [0.025, 0.975])
    curve, noise = chance(right.sum(2), right.shape[2], FIVE), _noise(FIVE)
    width = rise(size, curve).width
    narrow, broad = (moved(size, curve, factor=share * tolerance * one[0] / width) for share in (0.7, 1.4))

    def wide(drawn):
        return rise(size, drawn).width / one[0] / ratio[0] * low > tolerance

    power = rates(wide, (narrow + noise).__getitem__, (broad + noise).__getitem__, draws=200)
    found = f"five of five take {ratio[0]:.2f} times the decades of one ({low:.2f} to {high:.2f}); {power.words()}"
    if not power.decides:
        return Finding("not testable here", found)
    return Finding("holds" if low > tolerance else "fails", found)


def _redrawn(k: int) -> np.ndarray:
    """Means over seeds, seeds and images drawn anew, the same for every k: (draw, size)."""
    return chance(again(200), hits()[1].shape[2], k)


def more_digits_come_later(tolerance: float) -> Finding:
    """How much larger the network is at which five of five has gone half of its way, than at which one has: above this,
    at the lower end over seeds and images. Planted is the curve of one digit, later by as much and three times as much.
    """
    size, right = hits()
    one, five = (chance(right.sum(2), right.shape[2], k) for k in (1, FIVE))
    ratios = [
        compare.rise(size, b)[0] / compare.rise(size, a)[0] for a, b in zip(_redrawn(1), _redrawn(FIVE), strict=True)
    ]
    at = compare.rise(size, one)[0]
    ratio, (low, high) = compare.rise(size, five)[0] / at, np.quantile(ratios, [0.025, 0.975])

    def later(curve):
        return compare.rise(size, curve)[0] / at * low / ratio > tolerance

    window, noise = np.log(size[-1] / size[0]), _noise(FIVE)
    nothing, something = (moved(size, one, np.log(times * tolerance) / window) + noise for times in (1, 3))
    power = rates(later, nothing.__getitem__, something.__getitem__, draws=200)
    found = f"half of the way is gone at {ratio:.1f} times the parameters ({low:.1f} to {high:.1f}); {power.words()}"
    if not power.decides:
        return Finding("not testable here", found)
    return Finding("holds" if low > tolerance else "fails", found)


def harder_lowers_the_emergence_score(tolerance: float) -> Finding:
    """The paper's emergence score of five-of-five over that of the accuracy itself: below this, at the upper end over
    seeds and images. Planted are the curve of one digit twice, drawn apart, and each draw of it with its fifth power.
    """
    right = hits()[1]
    one, five = (chance(right.sum(2), right.shape[2], k) for k in (1, FIVE))
    ratios = stats.emergence_score(_redrawn(FIVE)) / stats.emergence_score(_redrawn(1))
    ratio = stats.emergence_score(five) / stats.emergence_score(one)
    low, middle, high = np.quantile(ratios, [0.025, 0.5, 0.975])

    def lower(curves):
        return stats.emergence_score(curves[0]) / stats.emergence_score(curves[1]) * high / middle < tolerance

    ones, noise = _redrawn(1), _noise(1)
    power = rates(lower, lambda i: (one + noise[i], ones[i]), lambda i: (ones[i] ** FIVE, ones[i]), draws=200)
    found = f"five of five scores {ratio:.2f} times what one digit does ({low:.2f} to {high:.2f}); {power.words()}"
    if not power.decides:
        return Finding("not testable here", found)
    return Finding("holds" if high < tolerance else "fails", found)

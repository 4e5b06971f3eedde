"""Claims of the chapter sequences-of-characters, each on both sets of characters; seeds and sequences drawn anew."""

from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd

from mirage_lib import metrics, stats
from mirage_lib.claims import Finding
from mirage_lib.items import first_tokens

from . import vision
from .planting import rates
from .rises import moved, redrawn, rise, steepest_step
from .vision import at_seeds, seed_scores

DATA = vision.KEPT["omniglot"]
DRAWS = 300


@cache
def hits(data: str) -> tuple[np.ndarray, np.ndarray]:
    """Parameters of every size, and which images were named right: bool, (size, seed, sequence, place)."""
    table = vision.stored("omniglot", data).sort_values(["width", "seed", "item"])
    size = np.unique(table["params"].astype(float))
    return size, np.array(table["is_greedy"].tolist(), bool).reshape(len(size), len(vision.SEEDS), -1, vision.LENGTH)


def first_right(data: str, length: int) -> np.ndarray:
    """Whether all of the first so many images are right: bool, (size, seed, sequence)."""
    return hits(data)[1][..., :length].all(-1)


@cache
def again(data: str, length: int) -> np.ndarray:
    """Share of sequences whose first images are all right, as kept, then drawn anew: (1 + draw, size)."""
    right = first_right(data, length)
    return np.vstack([right.mean((1, 2)), redrawn(right, DRAWS)])


@cache
def rises(data: str, length: int) -> np.ndarray:
    """Floor, place and width of the same curves, in shares of the window."""
    return np.array([rise(hits(data)[0], curve) for curve in again(data, length)])


def ends(values) -> tuple[float, float]:
    """95 % interval of what was drawn anew; the first value is as kept."""
    return tuple(np.nanquantile(values[1:], [0.025, 0.975]))


def image_accuracy_increases(tolerance: float) -> Finding:
    """Figure 8B: largest fall of the accuracy of one image from a size to the next, as a share of its range.

    Planted, with the noise of seeds and sequences, are the mean over seeds, and one that falls back once by a tenth.
    """
    table = [seed_scores(vision.stored("omniglot", data), metrics.token_accuracy) for data in DATA]
    fall = np.max([np.maximum(-scores.diff(), 0).max() / np.ptp(scores, axis=0) for scores in table], axis=0)
    rise = [scores.iloc[-1] - scores.iloc[0] for scores in table]
    steep = np.max([[steepest_step(scores[seed]) for seed in scores] for scores in table], axis=0)
    found = (
        f"it rises by {np.min(rise):.2f} to {np.max(rise):.2f} and falls by at most {fall.max():.1%} of that in a step"
    )
    found += f"; the steepest step makes {steep.min():.0%} to {steep.max():.0%}, at the smallest networks"

    def up(drawn):
        return -np.diff(drawn).min() / np.ptp(drawn) < tolerance

    power = []
    for data in DATA:
        right = hits(data)[1].mean(3)
        curve = right.mean((1, 2))
        noise, at = redrawn(right, DRAWS) - curve, len(curve) // 2
        falls = np.where(np.arange(len(curve)) == at, curve[at - 1] - 0.1 * np.ptp(curve), curve)
        power.append(rates(up, (falls + noise).__getitem__, (curve + noise).__getitem__, draws=DRAWS))
    found += "; " + "; ".join(each.words() for each in power)
    if not all(each.decides for each in power):
        return Finding("not testable here", found)
    return at_seeds(int(((fall < tolerance) & (np.min(rise, axis=0) > 0)).sum()), found)


def subset_accuracy_seems_to_emerge(tolerance: float) -> Finding:
    """Figure 8C, five images: absent at the smallest size (below 1 in 20) and present at the largest (above 1 in 5), at
    every seed; and sharp, its middle 80 % taking less than this share of the window, interval over seeds and sequences.
    Planted are rises of a little more than half of the window and of a third, with as much noise.
    """
    appears = np.array([(c[0] < 0.05) & (c[-1] > 0.2) for c in (first_right(d, vision.LENGTH).mean(2) for d in DATA)])
    widths = [rises(data, vision.LENGTH)[:, 2] for data in DATA]
    high = max(ends(width)[1] for width in widths)
    power = []
    for data, width in zip(DATA, widths, strict=True):
        size, curves = hits(data)[0], again(data, vision.LENGTH)
        log = (np.log(size) - np.log(size[0])) / np.log(size[-1] / size[0])
        noise, slack = curves[1:] - curves[0], ends(width)[1] - width[0]
        gentle, steep = (0.5 * np.clip((log - 0.1) * 0.8 / share, 0, 1) for share in (0.52, 0.33))

        def sharp(curve, size=size, slack=slack):
            return rise(size, curve).width + slack < tolerance

        power.append(rates(sharp, (gentle + noise).__getitem__, (steep + noise).__getitem__, draws=200))
    found = (
        f"absent and then present at {appears.all(0).sum()} of {appears.shape[1]} seeds; the rise takes "
        + ", ".join("{:.2f} ({:.2f} to {:.2f})".format(width[0], *ends(width)) for width in widths)
        + " of the window; "
        + "; ".join(each.words() for each in power)
    )
    if not all(each.decides for each in power):
        return Finding("not testable here", found)
    return Finding(
        ("fails", "holds in part", "holds")[int(appears.all()) + int(appears.all() and high < tolerance)], found
    )


def subset_accuracy_is_a_power(tolerance: float) -> Finding:
    """Largest distance between the share of sequences with the first L images right and p^L, both data sets.

    Planted are independent answers, and answers of which one sequence in ten is all right or all wrong.
    """
    gaps = [
        (seed_scores(first_tokens(table, length), metrics.exact_match) - p**length).abs().max()
        for table in (vision.stored("omniglot", data) for data in DATA)
        for p in [seed_scores(table, metrics.token_accuracy)]
        for length in range(2, vision.LENGTH + 1)
    ]
    worst = pd.concat(gaps, axis=1).max(axis=1)
    p, rng = hits(DATA[0])[1].mean((1, 2, 3)), np.random.default_rng(0)

    def near(hit):
        one = hit.mean((1, 2))
        lengths = range(2, vision.LENGTH + 1)
        return max(abs(hit[..., :length].all(-1).mean(1) - one**length).max() for length in lengths) < tolerance

    def answers(alike):
        hit = rng.random((len(p), vision.SEQUENCES, vision.LENGTH)) < p[:, None, None]
        return np.where(rng.random((1, vision.SEQUENCES, 1)) < alike, hit[..., :1], hit)

    power = rates(near, lambda i: answers(0.1), lambda i: answers(0), draws=40)
    found = f"off p^L by {worst.min():.3f} to {worst.max():.3f} at most; {power.words()}"
    if not power.decides:
        return Finding("not testable here", found)
    return at_seeds(int((worst < tolerance).sum()), found)


def longer_sequences_rise_later_and_as_widely(tolerance: float) -> Finding:
    """Width of the rise of five images over that of one, lower end over seeds and sequences: above this; and later.

    Planted are the curves of five images drawn together or apart, until the rise is narrower than that, or wider.
    """
    lows, later, words, power = [], [], [], []
    for data in DATA:
        one, five = (rises(data, length) for length in (1, vision.LENGTH))
        ratio, apart = five[:, 2] / one[:, 2], five[:, 1] - one[:, 1]
        low, high = ends(ratio)
        lows.append(low)
        later.append(ends(apart)[0])
        words.append(f"{ratio[0]:.2f} ({low:.2f} to {high:.2f})")
        size, curves = hits(data)[0], again(data, vision.LENGTH)
        noise, width = curves[1:] - curves[0], rise(size, curves[0]).width
        narrow, broad = (
            moved(size, curves[0], factor=share * max(tolerance, 0.1) * one[0, 2] / width) for share in (0.7, 1.3)
        )

        def wide(curve, size=size, one=one, ratio=ratio, low=low):
            return rise(size, curve).width / one[0, 2] / ratio[0] * low > tolerance

        power.append(rates(wide, (narrow + noise).__getitem__, (broad + noise).__getitem__, draws=200))
    found = f"five images take {' and '.join(words)} times the decades that one takes, and rise later by "
    found += f"{min(later):.0%} of the window or more; " + "; ".join(each.words() for each in power)
    if not all(each.decides for each in power):
        return Finding("not testable here", found)
    return Finding("holds" if min(lows) > tolerance and min(later) > 0 else "fails", found)


def emergent_choices(curves, models: int = 4, times: float = 2.0) -> np.ndarray:
    """For all choices of so many sizes, whether the emergence score is above so many times a straight line's.

    curves : (curve, size); returns (curve, choice)
    """
    choices = np.array(list(combinations(range(np.shape(curves)[1]), models)))
    few = np.asarray(curves)[:, choices]
    return (stats.emergence_score(few.reshape(-1, models)) > times * (models - 1)).reshape(few.shape[:2])


def few_sizes_look_emergent(tolerance: float) -> Finding:
    """Over all choices of four sizes: the share that scores this many times a straight line or more, five images less
    one; above none at the lower end over seeds and sequences, on both sets. Planted, with the noise of five images: the
    curve of one image, and its fifth power.
    """
    words, apart, low, power = [], [], [], []
    for data in DATA:
        one, five = (again(data, length) for length in (1, vision.LENGTH))
        soft, harsh = (emergent_choices(curves, times=tolerance) for curves in (one, five))
        more = harsh.mean(1) - soft.mean(1)
        apart.append(more[0])
        low.append(ends(more)[0])
        slack, noise = more[0] - low[-1], five[1:] - five[0]

        def oftener(pair, slack=slack):
            first, second = (emergent_choices(curve[None], times=tolerance).mean() for curve in pair)
            return second - first - slack > 0

        same, fifth = (list(zip(one[1:], truth + noise, strict=True)) for truth in (one[0], one[0] ** vision.LENGTH))
        power.append(rates(oftener, same.__getitem__, fifth.__getitem__, draws=DRAWS))
        words.append(f"{harsh[0].sum()} for five and {soft[0].sum()} for one ({(harsh & soft)[0].sum()} for both)")
    found = f"of {soft.shape[1]} choices of four sizes score {tolerance:g} times a straight line: {'; '.join(words)}; "
    found += f"more for five by {min(apart):.0%} or more, {min(low):.0%} at the lower end; "
    found += "; ".join(each.words() for each in power)
    if not all(each.decides for each in power):
        return Finding("not testable here", found)
    return Finding("holds" if min(low) > 0 else "holds in part" if min(apart) > 0 else "fails", found)

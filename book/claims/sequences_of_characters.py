"""Claims of the chapter sequences-of-characters."""

import numpy as np
import pandas as pd

from mirage_lib import compare, metrics, stats, vision
from mirage_lib.claims import Finding
from mirage_lib.items import first_tokens
from mirage_lib.scores import seed_scores

from . import at_seeds, decades_of_rise, steepest_step


def _by_size(data: str, length: int) -> pd.DataFrame:
    """Share of sequences whose first images are all right: a row a size, in parameters, and a column a seed."""
    table = vision.stored("omniglot", data)
    size = table.groupby("width")["params"].first().astype(float)
    return seed_scores(first_tokens(table, length), metrics.exact_match).set_axis(size)


def image_accuracy_increases(tolerance: float) -> Finding:
    """Figure 8B: largest fall of the accuracy of one image from a size to the next, share of its range, worst data."""
    table = [seed_scores(vision.stored("omniglot", data), metrics.token_accuracy) for data in vision.KEPT["omniglot"]]
    fall = np.max([np.maximum(-scores.diff(), 0).max() / np.ptp(scores, axis=0) for scores in table], axis=0)
    rise = [scores.iloc[-1] - scores.iloc[0] for scores in table]
    steep = np.max([[steepest_step(scores[seed]) for seed in scores] for scores in table], axis=0)
    found = f"it rises by {np.min(rise):.2f} to {np.max(rise):.2f} and falls by at most {fall.max():.1%} of that in a "
    found += f"step; the steepest step makes {steep.min():.0%} to {steep.max():.0%}, at the smallest networks"
    return at_seeds(int(((fall < tolerance) & (np.min(rise, axis=0) > 0)).sum()), found)


def subset_accuracy_seems_to_emerge(tolerance: float) -> Finding:
    """Figure 8C, five images: absent at the smallest size (below 1 in 20) and present at the largest (above 1 in 5);
    and sharp, its middle 80 % taking less than this share of the window. At every seed, on both data sets.
    """
    tables = [_by_size(data, vision.LENGTH) for data in vision.KEPT["omniglot"]]
    appears = np.array([(t.iloc[0] < 0.05) & (t.iloc[-1] > 0.2) for t in tables]).all(0)
    widths = np.array([[decades_of_rise(t[s]) / np.log10(t.index[-1] / t.index[0]) for s in t] for t in tables])
    sharp = (widths < tolerance).all(0)
    ends = [np.mean([t.iloc[place].mean() for t in tables]) for place in (0, -1)]
    found = (
        f"from {ends[0]:.4f} to {ends[1]:.2f}, absent and then present at {appears.sum()} of {appears.size} seeds; "
        f"sharp at {sharp.sum()}: the rise takes {widths.min():.2f} to {widths.max():.2f} of the window"
    )
    return Finding(("fails", "holds in part", "holds")[int(appears.all()) + int(appears.all() and sharp.all())], found)


def subset_accuracy_is_a_power(tolerance: float) -> Finding:
    """Largest distance between the share of sequences with the first L images right and p^L, both data sets."""
    gaps = [
        (seed_scores(first_tokens(table, length), metrics.exact_match) - p**length).abs().max()
        for table in (vision.stored("omniglot", data) for data in vision.KEPT["omniglot"])
        for p in [seed_scores(table, metrics.token_accuracy)]
        for length in range(2, vision.LENGTH + 1)
    ]
    worst = pd.concat(gaps, axis=1).max(axis=1)
    return at_seeds(int((worst < tolerance).sum()), f"off p^L by {worst.min():.3f} to {worst.max():.3f} at most")


def longer_sequences_rise_later_and_as_widely(tolerance: float) -> Finding:
    """Decades of parameters of the middle 80 % of the rise, five images over one: above this, and each rise later."""
    ratios, later = [], []
    for data in vision.KEPT["omniglot"]:
        one, five = (_by_size(data, length) for length in (1, vision.LENGTH))
        ratios.append([decades_of_rise(five[seed]) / decades_of_rise(one[seed]) for seed in one])
        places = [[compare.rise(curve.index, curve[seed])[0] for seed in one] for curve in (one, five)]
        later.append(np.divide(*places[::-1]))
    found = f"five images take {np.min(ratios):.2f} to {np.max(ratios):.2f} times the decades that one takes, and rise "
    found += f"at {np.min(later):.1f} to {np.max(later):.1f} times its size"
    both = (np.min(ratios, axis=0) > tolerance) & (np.min(later, axis=0) > 1)
    return at_seeds(int(both.sum()), found)


def few_sizes_look_emergent(tolerance: float) -> Finding:
    """Emergence score of widths 2, 3, 4 and 24, five images right and one, over that of a straight line, 3."""
    scores = []
    for data in vision.KEPT["omniglot"]:
        table = vision.stored("omniglot", data)
        for length in (1, vision.LENGTH):
            curves = seed_scores(first_tokens(table, length), metrics.exact_match).loc[[2, 3, 4, 24]]
            scores.append([stats.emergence_score(curves[seed]) / (len(curves) - 1) for seed in curves])
    one, five = np.max(scores[::2], axis=0), np.min(scores[1::2], axis=0)
    found = f"five images score {five.min():.1f} times a straight line or more, one image {one.max():.1f} times at most"
    return at_seeds(int(((five > tolerance) & (one < tolerance)).sum()), found)

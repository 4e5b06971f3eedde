"""Claims of the chapter sequences-of-characters."""

import numpy as np
import pandas as pd

from mirage_lib import metrics, stats, vision
from mirage_lib.claims import Finding
from mirage_lib.items import first_tokens
from mirage_lib.scores import seed_scores

from . import at_seeds, decades_of_rise, steepest_step


def image_accuracy_smooth(tolerance: float) -> Finding:
    """Steepest step of the accuracy of one image between neighbouring sizes, share of its range, both data sets."""
    steps = [
        [steepest_step(scores[seed]) for seed in scores]
        for scores in (
            seed_scores(vision.stored("omniglot", data), metrics.token_accuracy) for data in vision.KEPT["omniglot"]
        )
    ]
    worst = np.max(steps, axis=0)
    found = f"the steepest step makes {worst.min():.0%} to {worst.max():.0%} of the range, at the smallest networks"
    return at_seeds(int((worst < tolerance).sum()), found)


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


def longer_sequences_sharpen(tolerance: float) -> Finding:
    """Decades of parameters that the middle 80 % of the rise takes, five images over one, both data sets."""
    ratios = []
    for data in vision.KEPT["omniglot"]:
        table = vision.stored("omniglot", data)
        size = table.groupby("width")["params"].first().astype(float)
        one, five = (
            seed_scores(first_tokens(table, length), metrics.exact_match).set_axis(size)
            for length in (1, vision.LENGTH)
        )
        ratios.append([decades_of_rise(five[seed]) / decades_of_rise(one[seed]) for seed in one])
    worst = np.max(ratios, axis=0)
    found = f"five images take {np.min(ratios):.2f} to {np.max(ratios):.2f} times the decades that one takes"
    return at_seeds(int((worst < tolerance).sum()), found)


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

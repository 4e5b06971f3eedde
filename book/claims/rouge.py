"""Claim of the page rouge."""

import numpy as np

from mirage_lib import metrics, stats
from mirage_lib.claims import Finding
from mirage_lib.items import items_table

from . import holds


def rouge_falls_sharply(tolerance: float) -> Finding:
    """Fall of ROUGE-L-sum from 5 % to 10 % errors a token: 40 texts of ten lines of nine words, newlines err too."""
    rng = np.random.default_rng(9)
    target = rng.integers(1, 1000, (40, 100))
    target[:, 9::10] = 0  # the newline
    wrong = rng.integers(1, 999, target.shape)
    wrong += (wrong >= target) & (target != 0)
    luck = rng.random(target.shape)
    few, many = (
        metrics.rouge_l_sum(items_table(output=np.where(luck < error, wrong, target), target=target), newline=0)
        for error in (0.05, 0.1)
    )
    fall = stats.mean_interval(few - many, bounded=False)
    return holds(
        fall.low > tolerance, f"it falls by {fall.value:.3f} (95 % interval {fall.low:.3f} to {fall.high:.3f})"
    )

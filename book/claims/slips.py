"""Claim of the page slips."""

import numpy as np

from mirage_lib import metrics, theory
from mirage_lib.claims import Finding

from . import holds


def mean_log_accuracy_is_minus_infinity(tolerance: float) -> Finding:
    """Mean logarithm of the 0/1 score of items that are right with probability 0.99, below minus this."""
    with np.errstate(divide="ignore"):
        mean = np.log(metrics.exact_match(theory.draw_items(0.99, 1, 1000, np.random.default_rng(5)))).mean()
    return holds(mean < -tolerance, f"mean logarithm {mean}, logarithm of the mean {np.log(0.99):.2f}")

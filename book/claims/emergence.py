"""Claims of the chapter emergence."""

import numpy as np

from mirage_lib import stats
from mirage_lib.claims import Finding

from . import holds


def score_needs_null(tolerance: float) -> Finding:
    """95th percentile of the emergence score of pure noise with 4 and with 20 models."""
    few, many = (np.quantile(stats.emergence_null(n), 0.95) for n in (4, 20))
    return holds(many / few > 1 + tolerance, f"noise alone reaches {few:.1f} with 4 models and {many:.1f} with 20")

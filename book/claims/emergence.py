"""Claims of the chapter emergence."""

import numpy as np

from mirage_lib import published, stats
from mirage_lib.claims import Finding

from . import holds


def score_needs_null(tolerance: float) -> Finding:
    """95th percentile of the emergence score of pure noise with 4 and with 20 models."""
    few, many = (np.quantile(stats.emergence_null(n), 0.95) for n in (4, 20))
    return holds(many / few > 1 + tolerance, f"noise alone reaches {few:.1f} with 4 models and {many:.1f} with 20")


def brier_removes_mmlu_jump(tolerance: float) -> Finding:
    """Emergence scores of MMLU's medians over half-decades of compute, grade and Brier score."""
    mmlu = published.open_models().query("benchmark == 'mmlu'").dropna(subset="flops")
    middle = mmlu.groupby(np.floor(2 * np.log10(mmlu["flops"])))[
        ["multiple_choice_grade", "brier_target_choice"]
    ].median()
    grade = stats.emergence_score(middle["multiple_choice_grade"])
    # against straight lines with a generous noise in each median
    brier = stats.emergence_test(-middle["brier_target_choice"], noise=0.03)
    return holds(
        brier.p_value > tolerance,
        f"emergence score {grade:.0f} under the grade, {brier.score:.0f} under Brier (p = {brier.p_value:.4f})",
    )

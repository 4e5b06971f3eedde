"""Claims of the chapter bigbench."""

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from mirage_lib import published, stats
from mirage_lib.claims import Finding

from . import holds


def _bigbench() -> pd.DataFrame:
    """BIG-bench tasks, with `harsh`: graded by multiple-choice grade or exact string match."""
    tasks = published.bigbench_tasks()
    return tasks.assign(harsh=tasks["preferred_metric"].isin(["multiple_choice_grade", "exact_str_match"]))


def few_metrics_score_emergent(tolerance: float) -> Finding:
    """What luck alone does to the count: curves of noise, eight models, above a score of 10."""
    lucky = (stats.emergence_null(8, draws=400_000) >= 10).mean() * 220 * 40 * 10
    return Finding(
        "not testable here",
        f"the tables have no scores by size; of 88,000 curves of noise {lucky:.0f} exceed an emergence score of 10",
    )


def four_metrics_by_hand(tolerance: float) -> Finding:
    """Preferred metrics of the tasks that Wei et al. call emergent, at most so many."""
    tasks = _bigbench()
    count = tasks.loc[tasks["emergent"], "preferred_metric"].nunique()
    return holds(count <= tolerance, f"{count} of {tasks['preferred_metric'].nunique()} metrics by our count")


def two_metrics_carry_emergence(tolerance: float) -> Finding:
    """Share of emergent tasks with one of two harsh metrics, above one less the tolerance."""
    emergent = _bigbench().query("emergent")["harsh"]
    return holds(emergent.mean() > 1 - tolerance, f"{emergent.sum()} of {len(emergent)}, {emergent.mean():.0%}")


def emergent_tasks_are_special(tolerance: float) -> Finding:
    """Share of harsh metrics among the other tasks, as a part of that among the emergent ones."""
    share = _bigbench().groupby("emergent")["harsh"].mean()
    return holds(
        share[False] / share[True] < tolerance,
        f"{share[False]:.0%} of the other tasks have one of the two metrics, {share[True]:.0%} of the emergent ones",
    )


def harshness_goes_with_emergence(tolerance: float) -> Finding:
    """Fisher's test of harsh metric against emergence: JSON tasks, with GPT-3 or LaMDA, and with PaLM."""
    tasks = _bigbench().query("kind == 'json'")
    p_values = [
        fisher_exact(pd.crosstab(rows["emergent"], rows["harsh"])).pvalue
        for rows in (tasks[tasks["wei2022_category"] != other] for other in ("emergent:palm", "emergent:gpt3_lamda"))
    ]
    return Finding(
        ("fails", "holds in part", "holds")[sum(p < tolerance for p in p_values)],
        f"JSON tasks: p = {p_values[0]:.2f} for GPT-3 and LaMDA, {p_values[1]:.3f} for PaLM",
    )


def infinite_score_is_no_luck(tolerance: float) -> Finding:
    """Share of infinite emergence scores when eight models answer 20 items with one success rate of 2 %."""
    exams = np.random.default_rng(9).binomial(20, 0.02, size=(4000, 8)) / 20
    share = np.mean([stats.emergence_score(exam) == np.inf for exam in exams])
    return holds(share < tolerance, f"{share:.0%} of exams without any difference between models")

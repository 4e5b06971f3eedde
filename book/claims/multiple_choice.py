"""Claims of the chapter multiple-choice."""

import pandas as pd

from mirage_lib import compare, published, theory
from mirage_lib.claims import Finding

from . import holds

_GRADE = compare.Metric("multiple_choice_grade")


_BRIER = compare.Metric("brier_target_choice", worst=1, best=0)


def _open_models() -> pd.DataFrame:
    """Open models, one row for a model and benchmark: two that are listed twice keep the row with their true size."""
    return published.open_models().drop_duplicates(["benchmark", "model"])


def brier_removes_jumps(tolerance: float) -> Finding:
    """Of the sharp grades, within families and pooled, over parameters and compute: share that are artefacts."""
    tables = [compare.tidy(_open_models(), [_GRADE, _BRIER], scale) for scale in ("params", "flops")]
    described = [compare.describe(pd.concat([scores, compare.pooled(scores)])) for scores in tables]
    sharp = pd.concat([compare.verdicts(each, _GRADE.column, _BRIER.column)["verdict"] for each in described])
    sharp = sharp[~sharp.isin(["nothing shown", "gradual"])]
    artefacts = (sharp == "artefact of the metric").sum()
    return holds(
        artefacts > (1 - tolerance) * len(sharp),
        f"of {len(sharp)} curves with a sharp grade {artefacts} are smooth under Brier, "
        f"{(sharp == 'transition').sum()} turn at the same place",
    )


def scale_explains_mmlu(tolerance: float) -> Finding:
    """Rise of MMLU's grade for ten times the compute, within families and over all, for two groups of families."""
    mmlu = compare.tidy(_open_models().query("benchmark == 'mmlu'"), [_GRADE], "flops")
    far = mmlu.groupby("family")["x"].transform("max") > 1e23
    slopes = [compare.slopes(part).iloc[0] for part in (mmlu[far], mmlu[~far])]
    agree = sum(slope["within"] > (1 - tolerance) * slope["pooled"] for slope in slopes)
    return Finding(
        ("fails", "holds in part", "holds")[agree],
        "families beyond 1e23 FLOPs and others: over all {:.3f} and {:.3f}, within {:.3f} and {:.3f}".format(
            *(slope[name] for name in ("pooled", "within") for slope in slopes)
        ),
    )


def brier_shows_knowledge(tolerance: float) -> Finding:
    """Pythia on MMLU: how far its best Brier score gets below that of the uniform guess."""
    brier = _open_models().query("benchmark == 'mmlu' and family == 'Pythia'")["brier_target_choice"]
    uniform = theory.brier_target(1 / 4)
    return holds(
        uniform - brier.min() > tolerance,
        f"Brier falls from {brier.max():.3f} to {brier.min():.3f}; equal shares for four options score {uniform:.4f}",
    )


def sigmoid_forecasts_best(tolerance: float) -> Finding:
    """Pythia, six benchmarks, both metrics: how often a sigmoid through five sizes beats no change and a line."""
    pythia = compare.tidy(_open_models().query("family == 'Pythia'"), [_GRADE, _BRIER], "params")
    errors = compare.forecasts(pythia, held_out=3)[["rmse_sigmoid", "rmse_last", "rmse_line"]]
    best = errors.idxmin(axis=1).value_counts()
    return holds(
        best.get("rmse_sigmoid", 0) > (1 - tolerance) * len(errors),
        f"of {len(errors)} curves the sigmoid is best on {best.get('rmse_sigmoid', 0)}, the line on "
        f"{best.get('rmse_line', 0)}, no change on {best.get('rmse_last', 0)}",
    )

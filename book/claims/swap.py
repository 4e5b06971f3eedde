"""The metric swap, as one chapter makes it: the same models and items, scored in two ways, and what changes.

A table of scores is enough: one row for a benchmark and model, with a family, a scale (parameters, tokens, FLOPs) and a
column for each metric. `compare` puts all metrics on one range, from 0 (worst) to 1 (best), and says of each curve how
sharp it is, where it rises, and how well its largest models were to be foreseen. Families are never pooled: an ability
emerges in a task and a family (Schaeffer et al. 2023, section 1). `verdicts` compares a harsh metric with a soft one.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from mirage_lib import stats
from mirage_lib.compare import SHARP, last_value, rise, straight_line

LEAST = 5  # models in a curve; with fewer nothing below is worth saying
LEVEL = 0.05  # of the test whether a curve stands out from noise
RESAMPLES = 200  # for the intervals of place and width
CURVE = ["benchmark", "metric", "family"]  # what tells curves apart


class Metric(NamedTuple):
    """A column of scores, with the values that it gives to the worst and to the best answers."""

    column: str
    worst: float = 0.0
    best: float = 1.0


def compare(table: pd.DataFrame, metrics: list[Metric], scale: str, held_out=3) -> pd.DataFrame:
    """Describe every curve of a table: one row for a benchmark, metric and family.

    `tidy` says what the table holds, `describe` and `forecasts` what is returned.

    >>> models = pd.DataFrame({"N": np.geomspace(1e7, 1e10, 8), "model": list("abcdefgh"), "benchmark": "quiz",
    ...     "family": "F", "n_items": 300, "loss": np.linspace(2, 0.4, 8), "harsh": [0, 0, 0, 0, 0.01, 0.2, 0.7, 0.8]})
    >>> compared = compare(models, [Metric("harsh"), Metric("loss", worst=2, best=0)], "N")
    >>> compared.set_index("metric")[["emergence", "width", "rmse_line", "rmse_last"]].round(2)
            emergence  width  rmse_line  rmse_last
    metric
    harsh        80.0   0.78       0.61       0.62
    loss          7.0   2.40       0.00       0.25
    >>> verdicts(compared, "harsh", "loss")["verdict"].item()
    'artefact of the metric'
    """
    scores = tidy(table, metrics, scale)
    return describe(scores).merge(forecasts(scores, held_out), on=CURVE)


def tidy(table: pd.DataFrame, metrics: list[Metric], scale: str) -> pd.DataFrame:
    """Put scores on one range: a row for a benchmark, metric and model, `score` from 0 (worst) to 1 (best), error `se`.

    table : columns `benchmark`, `family`, `model`, `n_items`, the scale (above 0) and one for each metric. Two more are
        used for each metric if they are there, in the metric's units: `<metric>_se`, the standard error of the score,
        and `<metric>_chance`, the score of a model that knows nothing. Rows without a scale are left out.

    Where no error is given it is sqrt(s (1 - s) / n), s the score between 0 and 1. For items that are right or wrong
    that is the binomial error. For other scores it is the most it can be: on [0, 1] a mean square is at most the mean.
    What models of one size differ by, for other reasons than their items, is not in it.

    Raises ValueError for a missing column, a row without benchmark, family or model, words instead of numbers ("1.4B"),
    one model only, a model listed twice, a scale that is not above 0 or does not vary, a score that is missing or out
    of range, an error that is missing or negative.

    >>> table = pd.DataFrame({"benchmark": "quiz", "family": "F", "model": ["a", "b"], "n_items": 100,
    ...     "N": [10, 1000], "grade": [0.2, 0.5], "brier": [0.9, 0.4]})
    >>> tidy(table, [Metric("grade"), Metric("brier", worst=1, best=0)], "N")[["metric", "x", "score", "se"]].round(3)
      metric     x  score     se
    0  brier    10    0.1  0.030
    1  brier  1000    0.6  0.049
    2  grade    10    0.2  0.040
    3  grade  1000    0.5  0.050
    """
    columns = [metric.column for metric in metrics]
    needed = ["benchmark", "family", "model", "n_items", scale, *columns]
    if missing := [name for name in needed if name not in table.columns]:
        raise ValueError(f"the table lacks {', '.join(map(repr, missing))}; it has {', '.join(table.columns)}")
    for name in ("benchmark", "family", "model"):
        if (gaps := table[name].isna()).any():
            first = table.index[gaps.argmax()]
            raise ValueError(f"column {name!r} is empty in {gaps.sum()} rows, the first is row {first!r}: fill it in")
    extra = table.columns.intersection([f"{column}{end}" for column in columns for end in ("_se", "_chance")])
    for name in [*needed[3:], *extra]:
        if not pd.api.types.is_numeric_dtype(table[name]):
            try:  # whole numbers above 2^63, as of FLOPs, come as objects
                table = table.assign(**{name: table[name].astype(float)})
            except (TypeError, ValueError) as error:
                raise ValueError(f"column {name!r} must hold numbers, such as 1.4e9 for 1.4B: {error}") from None
    table = table.dropna(subset=scale)
    if not (table[scale] > 0).all():
        raise ValueError(f"column {scale!r} must be above 0: curves are drawn and fitted on a log scale")
    if (twice := table.duplicated(["benchmark", "model"])).any():
        row = table[twice].iloc[0]
        raise ValueError(f"model {row['model']!r} is listed twice on {row['benchmark']!r}: keep one row of each")
    for benchmark, rows in table.groupby("benchmark"):
        if len(rows) < 2:
            raise ValueError(f"benchmark {benchmark!r} has one model only: a curve needs models of different scale")
        if rows[scale].nunique() < 2:
            raise ValueError(f"column {scale!r} does not vary on benchmark {benchmark!r}: there is no curve")
    parts = []
    for column, worst, best in metrics:
        score = (table[column] - worst) / (best - worst)
        if (outside := ~score.between(0, 1)).any():
            row = table[outside].iloc[0]
            raise ValueError(
                f"column {column!r} should go from {worst:g} (worst) to {best:g} (best), "
                f"and is {row[column]:g} for {row['model']!r} on {row['benchmark']!r}"
            )
        given = table[f"{column}_se"] / abs(best - worst) if f"{column}_se" in table else None
        se = np.sqrt(score * (1 - score) / table["n_items"]) if given is None else given
        if (wrong := ~((se >= 0) & (table["n_items"] >= 1))).any():
            row = table[wrong].iloc[0]
            raise ValueError(
                f"column {column!r} has no error for {row['model']!r} on {row['benchmark']!r}: see n_items"
            )
        chance = (table[f"{column}_chance"] - worst) / (best - worst) if f"{column}_chance" in table else np.nan
        part = table[["benchmark", "family", "model", "n_items"]]
        parts.append(part.assign(metric=column, x=table[scale], score=score, se=se, chance=chance))
    return pd.concat(parts).sort_values([*CURVE, "x"], kind="stable", ignore_index=True)


def describe(scores: pd.DataFrame) -> pd.DataFrame:
    """Say of each curve with at least five models how it rises: one row for a benchmark, metric and family.

    scores : as `tidy` gives them. Models of one size in a family, as of several seeds, count as one: their
        mean, with the error of a mean.

    Returns the number of `models`; the range of scale in `decades`; the scores of the smallest and the largest model,
    `first` and `last`, and of one that knows nothing, `chance`; the score `emergence`, with the `p_value`, how often
    as many right answers, dealt to the models at random, score as high (`stats.emergence_test` with their numbers of
    items; of other scores it is too large rather than too small); Kendall's rank correlation of score and scale
    `tau`, 1 where every step goes up, with its p-value `tau_p`; `place` and `width` of the rise (`rise`), each with a
    95 % interval from scores drawn again with their errors, the same every time. Raises ValueError if no curve has
    five models.
    """
    rng = np.random.default_rng(0)
    rows = []
    for key, curve in _curves(scores):
        x, score = curve["x"].to_numpy(), curve["score"].to_numpy()
        p_value = stats.emergence_test(score, n_items=curve["n_items"]).p_value
        tau = kendalltau(x, score)
        drawn = score + curve["se"].to_numpy() * rng.standard_normal((RESAMPLES, len(x)))
        place, width = rise(x, score)
        # of the redrawn curves that rise at all
        low, high = pd.DataFrame([rise(x, again) for again in drawn]).quantile([0.025, 0.975]).to_numpy()
        rows.append(
            dict(zip(CURVE, key, strict=True))
            | {"models": len(x), "decades": np.log10(x[-1] / x[0]), "first": score[0], "last": score[-1]}
            | {"chance": curve["chance"].mean(), "emergence": stats.emergence_score(score), "p_value": p_value}
            | {"tau": tau.statistic, "tau_p": tau.pvalue}
            | {"place": place, "place_low": low[0], "place_high": high[0]}
            | {"width": width, "width_low": low[1], "width_high": high[1]}
        )
    return pd.DataFrame(rows)


def forecasts(scores: pd.DataFrame, held_out=3) -> pd.DataFrame:
    """Error of forecasting the `held_out` largest models of each curve from the smaller ones, as a root mean square.

    Three forecasts: `rmse_sigmoid`, an S-shaped curve through five smaller models or more; `rmse_last`, all score what
    the largest of the smaller ones does; `rmse_line`, a straight line in log x. The last two are what a forecast has to
    beat. NaN where too few models are left for a fit.
    """
    fits = {"sigmoid": (stats.fit_sigmoid, 5), "last": (last_value, 1), "line": (straight_line, 2)}
    rows = []
    for key, curve in _curves(scores):
        x, score, known = curve["x"], curve["score"], len(curve) - held_out
        rows.append(dict(zip(CURVE, key, strict=True)))
        for name, (fit, least) in fits.items():
            rows[-1][f"rmse_{name}"] = stats.forecast_error(x, score, fit, held_out) if known >= least else np.nan
    return pd.DataFrame(rows)


def verdicts(described: pd.DataFrame, harsh: str, soft: str) -> pd.DataFrame:
    """Say of each benchmark and family whose jump it is, by a harsh and a soft metric of the same items.

    A curve is sharp if its `width` is less than half of the range of scale; a straight line takes 80 % of it.

    "nothing shown"           unless both metrics stand out from pure noise (p < 0.05)
    "gradual"                 if the harsh curve is not sharp
    "artefact of the metric"  if the harsh curve is sharp, the soft one is not, and their widths are told apart
    "undecided"               if they are not: the intervals of the two widths overlap
    "transition"              if both are sharp, and the intervals of their places overlap
    "moves with the metric"   if both are sharp, in different places

    Returns `benchmark`, `family`, `verdict`, the range of scale in `decades`, then for both metrics (`_harsh`, `_soft`)
    the columns that decided. Raises ValueError if one of the two is not in the table.
    """
    for name in (harsh, soft):
        if name not in set(described["metric"]):
            raise ValueError(f"there is no curve of {name!r}, only of {', '.join(described['metric'].unique())}")
    key = ["benchmark", "family"]
    columns = ["p_value", "place", "place_low", "place_high", "width", "width_low", "width_high"]
    sides = [described[described["metric"] == name][[*key, "decades", *columns]] for name in (harsh, soft)]
    both = sides[0].merge(sides[1].drop(columns="decades"), on=key, suffixes=("_harsh", "_soft"))
    shown = both[["p_value_harsh", "p_value_soft"]].max(axis=1) < LEVEL
    sharp_harsh, sharp_soft = (both[name] < SHARP * both["decades"] for name in ("width_harsh", "width_soft"))
    told_apart = both["width_high_harsh"] < both["width_low_soft"]
    later, earlier = (
        both[f"place_low_{a}"] > both[f"place_high_{b}"] for a, b in (("harsh", "soft"), ("soft", "harsh"))
    )
    verdict = np.select(
        [~shown, ~sharp_harsh, ~sharp_soft & told_apart, ~sharp_soft, later | earlier],
        ["nothing shown", "gradual", "artefact of the metric", "undecided", "moves with the metric"],
        "transition",
    )
    both.insert(2, "verdict", verdict)
    return both


def _curves(scores: pd.DataFrame):
    """Curves that are long enough, smallest model first: ((benchmark, metric, family), rows); one row a size."""
    curves = []
    for key, rows in scores.groupby(CURVE):
        sizes = rows.groupby("x")
        one = sizes[["score", "chance"]].mean()
        one["n_items"] = sizes["n_items"].sum()
        one["se"] = sizes["se"].agg(lambda se: np.sqrt((se**2).sum()) / len(se))
        if len(one) >= LEAST:
            curves.append((key, one.reset_index()))
    if not curves:
        raise ValueError(f"no family has {LEAST} models of different scale on any benchmark: too few for a curve")
    return curves

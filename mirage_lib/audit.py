"""Is this jump a mirage? A harsh and a soft score of the same answers, and whose doing the jump of the harsh one is.

The questions, in this order (`audit` gives a row a benchmark and family; families are never pooled):

a. Does the harsh score rise, against the noise of items? b. Could this test set show a jump? c. Could so few sizes?
d. Does the soft score, put through the metric's link, give the harsh curve back? Then a jump is the metric's doing.
e. Does the soft score jump as well, at the same sizes? Then it is the model's, or its format's. Else it is undecided.

A rise is a jump when its middle 80 % takes less than half of the window of log size, and does not begin with it. What
is uncertain is in one set of draws: both scores again, with the covariance of the items (one set of questions for both
scores and all models) and with models scattered as they scatter about a curve that never falls, one inner size left
out at a time. A statement is made when 95 % of the draws agree.
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import expit

from mirage_lib import logs, scores

LEAST = 5  # sizes; with fewer a curve has no shape
SHARP = 0.5  # of the window of log size, as in `compare`: a straight line takes 0.8
FLOOR = 0.1  # of the window, in which a jump has not begun
SURE, POWER = 0.95, 0.8  # share of draws that must agree; of planted jumps that must be seen
GIVEN_BACK = 0.9  # share of the harsh curve's variance that the link must give back
MATTERS = 0.1  # a rise that no test set should miss
DRAWS = 400
PAIRS = [
    ("multiple_choice_grade", "brier_choices"),
    ("exact_match", "token_edit_distance"),
    ("exact_match", "token_accuracy"),
    ("exact_match", "cross_entropy"),
]
LESS_IS_BETTER = {"cross_entropy", "token_edit_distance", "brier_choices", "brier_target", "perplexity", "ppl"}
METRICS = {metric.__name__: metric for metric in logs.METRICS}
SAID = {
    "no jump": "The harsh score does not jump in this window of sizes.",
    "test set too small": "The test set is too small to tell a jump from none.",
    "too few sizes": "So few sizes cannot tell a jump from none.",
    "the metric": "The jump is the metric's: the soft score of the same answers has none, and gives it back.",
    "the model": "The jump is the model's, or its format's: the soft score of the same answers jumps as well.",
    "undecided": "It is undecided whether the harsh score jumps, or whose jump it is.",
}


class AuditError(ValueError):
    """A table cannot be audited as asked; the message says what it lacks and what to do."""


class Curves(NamedTuple):
    """Both scores of a benchmark and family, a value a size, smallest first; up is better.

    covariance : of the harsh scores, then of the soft ones, shape (2 sizes, 2 sizes), from the items alone
    formula : what the metric's own formula makes of the soft score (as p^L), shape (sizes,); None if it is not known
    chance : harsh score of a model that knows nothing
    """

    benchmark: str
    family: str
    names: tuple[str, str, str]  # of the harsh score, the soft one and the sizes
    x: np.ndarray
    harsh: np.ndarray
    soft: np.ndarray
    covariance: np.ndarray
    n_items: int
    chance: float
    formula: np.ndarray | None
    models: int


def audit(table: pd.DataFrame, harsh: str = "", soft: str = "", scale: str = "params") -> pd.DataFrame:
    """Say of each benchmark and family whose jump it is: a row each, with the numbers that decided.

    table : items (`mirage_lib.items`), or scores: a row a benchmark, family and model with `n_items` and a column for
        each score. Used if they are there: `<score>_se`, its standard error; `<score>_chance`, that of a model that
        knows nothing (a soft score that is worse counts as that); `length`, of the answers in tokens.
    harsh, soft : names of the scores, the harsh one from 0 to 1. A minus before a name says that less is better; of
        this library's metrics that is known. If empty, the first of `PAIRS` that the table has.
    scale : the column of sizes, above 0. Models of one size count as one, their mean.

    Columns: `benchmark`, `family`, `harsh`, `soft`, `scale`, `verdict` (a key of `SAID`), `models`, `sizes`, `n_items`;
    a: `height` of the rise of the harsh score, `p_rise`; b: `resolution` 1/n; `power`, the share of jumps of this
    height that would look like one, `alarms`, that of straight lines, `items_needed` (NaN if more do not help);
    c: `gap`, the widest part of the window without a size where the rise is, `steady`, whether every inner size can be
    left out; `width`, `floor`, `sharp` (share of draws that jump) of the harsh score, `soft_width`, `soft_sharp`,
    `wider`, the share of draws in which the soft rise is the wider; d: `link` and `given_back`, R squared with each
    inner size foretold from the others; e: `apart`, the part of the window between the two rises.

    Raises AuditError for missing columns or scores, sizes that are missing or not above 0, and one size only.

    >>> size = np.geomspace(1e7, 1e10, 10)
    >>> loss = 3 * (size / 1e7) ** -0.3
    >>> table = pd.DataFrame({"benchmark": "b", "family": "f", "model": list("abcdefghij"), "params": size,
    ...     "n_items": 2000, "right": np.exp(-8 * loss), "loss": loss, "loss_se": 0.01})
    >>> audit(table, "right", "-loss")[["verdict", "width", "soft_width"]].round(2).values.tolist()
    [['the metric', 0.27, 0.7]]
    """
    return pd.DataFrame([decide(each) for each in curves(table, harsh, soft, scale)])


def curves(table: pd.DataFrame, harsh: str = "", soft: str = "", scale: str = "params") -> list[Curves]:
    """The two scores of each benchmark and family of a table, as `audit` takes it, up being better."""
    whole = "benchmark" in table
    by = ["benchmark" if whole else "task", "family"]
    if missing := [name for name in [*by, "model", scale, *(["n_items"] if whole else [])] if name not in table]:
        raise AuditError(f"the table lacks {missing[0]!r}: it has {', '.join(table)}")
    if table.empty:
        raise AuditError("the table is empty: there is nothing to audit")
    for name in [*by, "model"]:
        if gaps := table[name].isna().sum():
            raise AuditError(f"{gaps} of {len(table)} rows have no {name!r}: fill it in or leave them out")
    found = []
    for (benchmark, family), rows in table.groupby(by, sort=False):
        rows = rows.dropna(axis="columns", how="all")
        has = set(rows) - {*by, "model", "n_items", scale} if whole else _metrics(rows)
        names = _pair(f"{benchmark!r}", has, harsh, soft)
        rows, covariance = (rows, None) if whole else _of_items(rows, names, scale)
        if (twice := rows.duplicated(["model", scale])).any():
            raise AuditError(
                f"{benchmark!r}, family {family!r}: {rows['model'][twice].iloc[0]!r} has several rows, and a mean of "
                "them would pass for more models: keep one (a setting, such as shots, belongs in the benchmark's name)"
            )
        found.append(_curve(f"{benchmark}", f"{family}", rows, covariance, names, scale))
    return found


def _pair(where: str, has: set[str], harsh: str, soft: str) -> tuple[str, str]:
    """The names of the harsh and the soft score, their minus signs kept."""
    bare = harsh.removeprefix("-"), soft.removeprefix("-")
    if missing := [name for name in bare if name and name not in has]:
        raise AuditError(
            f"{where} has no score {missing[0]!r}, but {', '.join(sorted(has))}: name another, or leave it out"
        )
    if harsh and bare[0] == bare[1]:
        raise AuditError(f"the harsh and the soft score are both {bare[0]!r}: name two columns")
    pairs = [pair for pair in PAIRS if has >= set(pair) and bare[0] in ("", pair[0]) and bare[1] in ("", pair[1])]
    if not (harsh and soft) and not pairs:
        raise AuditError(
            f"{where} has no soft score beside a harsh one, but {', '.join(sorted(has))}: name two columns (--harsh, "
            "--soft), leave it out (--task), or, for generated answers, read the log with a tokenizer"
        )
    return harsh or pairs[0][0], soft or pairs[0][1]


def _metrics(items: pd.DataFrame) -> set[str]:
    """Names of the metrics that an items table allows."""
    first = items.iloc[0].dropna() if len(items) else {}
    lists = "is_greedy" in first and not isinstance(first["is_greedy"], bool | np.bool_)
    has = {*items, *(["is_greedy of each token"] if lists else [])}
    return {metric.__name__ for metric, column in logs.METRICS.items() if column in has}


def _of_items(items: pd.DataFrame, names: tuple[str, str], scale: str) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Items scored, and the covariance of both scores of all models: None where questions have no numbers."""
    names = tuple(name.removeprefix("-") for name in names)
    two = [METRICS[name] for name in names]
    known = [METRICS["expected_accuracy"]] if "cross_entropy" in names else []
    table = scores.table(items, *two, *known).assign(**{scale: items.groupby("model", sort=False)[scale].first().array})
    if "length" in items:
        table["length"] = float(items["length"].mean())
    if "choice_logprob" in items:
        table[f"{names[0]}_chance"] = float((1 / items["choice_logprob"].list.len()).mean())
    if "item" not in items:
        return table, None
    keys = [np.asarray(items[name]) for name in ("item", "model")]
    each = pd.DataFrame({name: np.asarray(metric(items)) for name, metric in zip(names, two, strict=True)})
    answered = each.groupby(keys).mean().unstack().dropna()  # by all models, the questions that pair
    if len(answered) < table["n_items"].max():
        warnings.warn(
            f"on {table['benchmark'].iloc[0]!r} {len(answered)} of {table['n_items'].max()} questions were put to all "
            "models: scores of other questions are compared; run all models with one --limit",
            stacklevel=4,
        )
    order = [(name, model) for name in names for model in table["model"]]
    return table, np.cov(answered[order].to_numpy().T) / len(answered) if len(answered) > 1 else None


def _curve(benchmark: str, family: str, rows: pd.DataFrame, covariance, names, scale: str) -> Curves:
    where = f"on {benchmark!r}, family {family!r}"
    bare = [name.removeprefix("-") for name in names]
    try:
        values = rows[[scale, "n_items", *bare]].astype(float)
    except (TypeError, ValueError) as error:
        raise AuditError(f"{where} a score or a size is no number, such as 1.4e9 for 1.4B: {error}") from None
    for name, column in values.items():
        if (wrong := ~np.isfinite(column) | ((column <= 0) & (name in (scale, "n_items")))).any():
            raise AuditError(f"{where} {rows['model'][wrong].iloc[0]!r} has {name} = {column[wrong].iloc[0]:g}")
    x, place = np.unique(values[scale], return_inverse=True)
    if len(x) < 2:
        raise AuditError(f"{where} there is one size only ({', '.join(map(str, rows['model'][:3]))}): audit several")
    if not values[bare[0]].between(0, 1).all():
        raise AuditError(f"{where} the harsh score {bare[0]!r} must go from 0 to 1")
    mean = (place == np.arange(len(x))[:, None]) / np.bincount(place)[:, None]  # over the models of a size
    n, sides, spread, signs = values["n_items"], [], [], []
    for name, plain in zip(names, bare, strict=True):
        sign = -1 if name.startswith("-") or name in LESS_IS_BETTER else 1
        signs += [sign] * len(rows)
        # of a harsh score that is an error, what is right
        turned = 1 if sign < 0 and plain == bare[0] else 0
        column, se = turned + sign * values[plain], rows.get(f"{plain}_se", pd.Series(np.nan, rows.index)).astype(float)
        if plain == bare[1] and f"{plain}_chance" in rows:
            column = column.clip(lower=sign * rows[f"{plain}_chance"])
        # of right and wrong answers the error is known, and it is not 0 where all were wrong
        share = (values[plain].clip(0, 1) * n + 1) / (n + 2)
        least = share * (1 - share) / n if values[plain].between(0, 1).all() else np.zeros(len(n))
        spread.append(np.where(se.isna(), least, np.maximum(se**2, least if plain == bare[0] else 0)))
        sides.append(mean @ column.to_numpy())
        up, down = (np.ptp(never_falling(way * sides[-1])) for way in (1, -1))
        if down > 2 * up + 4 * np.sqrt(spread[-1].max()):
            warnings.warn(f"{where} {name!r} falls with size: if less of it is better, say -{plain}", stacklevel=3)
    own = np.diag(np.concatenate(spread))
    if covariance is not None:  # with no less noise than counts have
        covariance = covariance * np.outer(signs, signs)
        own = covariance + np.diag(np.maximum(np.diag(own) - np.diag(covariance), 0))
    both = np.kron(np.eye(2), mean)
    formula = _formula(rows, bare)
    chance = rows.get(f"{bare[0]}_chance", pd.Series(float(signs[0] < 0))).astype(float).mean()
    chance = 1 - chance if signs[0] < 0 else chance
    return Curves(
        benchmark, family, (*names, scale), x, *sides, both @ own @ both.T, int(n.median()),
        chance,
        None if formula is None else mean @ formula, len(rows),
    )  # fmt: skip


def _formula(rows: pd.DataFrame, names) -> np.ndarray | None:
    """Exact match as the formula of the metric has it, from the soft score alone."""
    if names[0] != "exact_match":
        return None
    if names[1] == "cross_entropy" and "expected_accuracy" in rows:
        return rows["expected_accuracy"].to_numpy(float)
    if "length" not in rows or names[1] not in ("token_accuracy", "token_edit_distance"):
        return None
    length, soft = rows["length"].to_numpy(float), rows[names[1]].to_numpy(float)
    right = soft if names[1] == "token_accuracy" else np.clip(1 - soft / length, 0, 1)
    return right**length


def never_falling(values: np.ndarray) -> np.ndarray:
    """The closest curve that never falls (isotonic regression) to each row, shape (..., sizes).

    >>> never_falling(np.array([0.2, 0.1, 0.3])).round(2).tolist()
    [0.15, 0.15, 0.3]
    """
    sums = np.cumsum(np.concatenate([np.zeros((*values.shape[:-1], 1)), values], -1), -1)
    first, last = np.indices((values.shape[-1],) * 2)
    mean = (sums[..., None, 1:] - sums[..., :-1, None]) / np.maximum(last - first + 1, 1)
    # over all stretches that begin at or before a size, the highest of the lowest means, over where they end
    lowest = np.minimum.accumulate(np.where(last < first, np.inf, mean)[..., ::-1], -1)[..., ::-1]
    return np.where(last < first, -np.inf, lowest).max(-2)


def shapes(log_x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Where 10, 50 and 90 % of the rise are done, as shares of the window: shape (3, ...); NaN where nothing rises.

    log_x, values : shape (..., sizes), smallest first; between sizes a curve is straight in log size

    >>> shapes(np.arange(5.0), np.array([0, 0, 0, 1.0, 1])).round(3).tolist()
    [0.525, 0.625, 0.725]
    """
    log_x, values = np.broadcast_arrays(log_x, values)
    way = never_falling(values)
    rise = way[..., -1:] - way[..., :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        way = (way - way[..., :1]) / np.where(rise > 1e-12, rise, np.nan)
    found = []
    for share in (0.1, 0.5, 0.9):
        after = np.maximum((way >= share).argmax(-1), 1)[..., None]
        a, b, c, d = (np.take_along_axis(of, after - back, -1)[..., 0] for of in (way, log_x) for back in (1, 0))
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append((c + (share - a) / (b - a) * (d - c) - log_x[..., 0]) / (log_x[..., -1] - log_x[..., 0]))
    return np.array(found)


def is_jump(shape: np.ndarray) -> np.ndarray:
    """Whether a rise of this shape is a jump: late enough to have a floor, and steep."""
    return (shape[2] - shape[0] < SHARP) & (shape[0] >= FLOOR)


def decide(c: Curves) -> dict:
    """The row of `audit` for a benchmark and family; the same every time."""
    rng, m, log_x = np.random.default_rng(0), len(c.x), np.log(c.x)
    row = {"benchmark": c.benchmark, "family": c.family, **dict(zip(("harsh", "soft", "scale"), c.names, strict=True))}
    row |= {"verdict": "too few sizes", "models": c.models, "sizes": m, "n_items": c.n_items}
    gaps = np.diff(log_x) / np.ptp(log_x)
    if m < LEAST:
        return row | {"resolution": 1 / c.n_items, "gap": gaps.max()}
    ways = [never_falling(side) for side in (c.harsh, c.soft)]
    items, scatter = (
        rng.multivariate_normal(np.zeros(2 * m), of, DRAWS, method="eigh") for of in (c.covariance, _scatter(c, ways))
    )
    noise = items + scatter
    left = np.stack([np.delete(np.arange(m), out) for out in rng.integers(1, m - 1, DRAWS)])
    everywhere = np.broadcast_to(np.arange(m), (DRAWS, m))

    def drawn(curve, kept=everywhere, side=0, noise=noise):
        return shapes(log_x[kept], np.take_along_axis(curve + noise[:, side * m : (side + 1) * m], kept, 1))

    # a: how high noise alone would make the closest curve that never falls
    chance = np.ptp(never_falling(noise[:, :m]), axis=1)
    height = np.ptp(ways[0])
    row |= {"height": height, "p_rise": (1 + (chance >= height).sum()) / (1 + DRAWS), "resolution": 1 / c.n_items}
    shape, soft = shapes(log_x, c.harsh), shapes(log_x, c.soft)
    row |= dict(zip(("width", "floor", "soft_width"), (shape[2] - shape[0], shape[0], soft[2] - soft[0]), strict=True))
    # b and c: would a jump of this height look like one, and a straight line not, with this noise and these sizes?
    rises = row["p_rise"] < 1 - SURE
    at = np.clip(np.searchsorted(log_x, log_x[0] + np.ptp(log_x) * (shape[1] if rises else 0.5)), 2, m - 1)
    step, line = np.arange(m) >= at, (log_x - log_x[0]) / np.ptp(log_x)

    def told(factor=1.0):
        """Power and false alarms, with so many times the items."""
        less = scatter + items / np.sqrt(factor)
        if rises:
            return [is_jump(drawn(height * curve, noise=less)).mean() for curve in (step, line)]
        none, seen = (np.ptp(never_falling(MATTERS * truth + less[:, :m]), axis=1) for truth in (0 * step, step))
        return (seen > np.quantile(none, SURE)).mean(), 1 - SURE

    enough = [factor for factor in 2.0 ** np.arange(11) if able(*told(factor))]
    row["power"], row["alarms"] = told()
    row["items_needed"] = c.n_items * enough[0] if enough else np.nan
    # the widest stretch without a size in which a part of the rise may lie
    inside = (np.cumsum(gaps) > shape[0]) & (np.cumsum(gaps) - gaps < shape[2])
    row["gap"] = gaps[inside].max() if rises else gaps.max()
    kept = [np.delete(np.arange(m), out) for out in range(1, m - 1)]
    row["steady"] = len({bool(is_jump(shapes(log_x[some], c.harsh[some]))) for some in kept}) == 1
    # more items would help, or the models scatter too much, or not even scores without noise could tell
    short = "test set too small" if enough else "undecided" if able(*told(np.inf)) or scatter.any() else "too few sizes"
    if not rises:
        return row | {"verdict": "no jump" if able(*told()) else short}
    ours, theirs = (drawn(way, left, side) for side, way in enumerate(ways))
    row["sharp"], row["soft_sharp"] = is_jump(ours).mean(), is_jump(theirs).mean()
    with np.errstate(invalid="ignore"):
        row["wider"] = (theirs[2] - theirs[0] > ours[2] - ours[0]).mean()
        row["apart"] = abs(shape[1] - soft[1])
    row["link"], row["given_back"] = _given_back(c)
    soft_rises = np.mean(np.ptp(never_falling(noise[:, m:]), axis=1) < np.ptp(ways[1])) > SURE
    alone = is_jump(drawn(ways[0])).mean()  # noise of items, all sizes
    if row["gap"] > SHARP:
        row["verdict"] = "too few sizes"
    elif not able(*told()):
        row["verdict"] = short
    elif 1 - SURE < row["sharp"] < SURE:
        row["verdict"] = "undecided" if 1 - SURE < alone < SURE else "too few sizes"
    elif row["sharp"] <= 1 - SURE:
        row["verdict"] = "no jump"
    elif soft_rises and row["soft_sharp"] <= 1 - SURE and row["wider"] >= SURE and row["given_back"] >= GIVEN_BACK:
        row["verdict"] = "the metric"
    elif soft_rises and row["soft_sharp"] >= SURE and row["apart"] <= max(row["gap"], FLOOR):
        row["verdict"] = "the model"
    else:
        row["verdict"] = "undecided"
    return row


def able(power: float, alarms: float) -> bool:
    """Whether a test with this power and these false alarms decides.

    >>> able(0.9, 0.01), able(0.5, 0.01)
    (True, False)
    """
    return power >= POWER and alarms <= 1 - SURE + 1e-9


def _scatter(c: Curves, ways) -> np.ndarray:
    """The covariance of what models scatter, beyond the noise of items, about the curves that never fall."""
    m = len(c.x)
    off = [side - way for side, way in zip((c.harsh, c.soft), ways, strict=True)]
    free = [max(m - len(np.unique(way)), 1) for way in ways]
    items = np.diag(c.covariance).reshape(2, m).mean(1)
    more = [max((each**2).sum() / n - noise, 0) for each, n, noise in zip(off, free, items, strict=True)]
    lengths = np.linalg.norm(off[0]) * np.linalg.norm(off[1])
    together = np.dot(*off) / lengths if lengths > 0 else 0.0
    shared = together * np.sqrt(more[0] * more[1])
    return np.kron([[more[0], shared], [shared, more[1]]], np.eye(m))


def _given_back(c: Curves) -> tuple[str, float]:
    """The link from soft to harsh by name, and R squared, each inner size foretold from all others."""

    def curve(theta, u):
        if c.formula is not None:
            return c.chance + (1 - c.chance) * np.exp(np.exp(theta[0]) * u)
        return c.chance + (1 - c.chance) * expit(theta[0] + np.exp(theta[1]) * u)

    name = "an S-shaped curve" if c.formula is None else "the formula, to a fitted power"
    u = (c.soft - c.soft.mean()) / (c.soft.std() or 1) if c.formula is None else np.log(np.clip(c.formula, 1e-300, 1))
    weight = 1 / np.sqrt(np.diag(c.covariance)[: len(u)])
    starts = [[0.0]] if c.formula is not None else [[0.0, 0.0], [-3.0, 1.0], [-8.0, 1.5]]

    def fitted(some, starts):
        def misfit(theta):
            return (curve(theta, u[some]) - c.harsh[some]) * weight[some]

        return min((least_squares(misfit, start, max_nfev=60) for start in starts), key=lambda fit: fit.cost).x

    every = np.arange(len(u))
    best = [fitted(every, starts)]
    # the ends stay in: a link is used between the sizes that it was seen at
    told = curve(best[0], u)
    told[1:-1] = [curve(fitted(every != out, best), u[out]) for out in every[1:-1]]
    return name, 1 - ((c.harsh - told) ** 2).sum() / ((c.harsh - c.harsh.mean()) ** 2).sum()

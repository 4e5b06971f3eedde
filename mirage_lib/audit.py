"""Is this jump a mirage? A harsh and a soft score of the same answers, and whose doing the jump of the harsh one is.

The questions, in this order (`audit` gives a row a benchmark and family; families are never pooled):

a. Does the harsh score rise, against the noise of items? b. Could this test set show a jump? c. Could so few sizes?
d. Does the soft score, put through the metric's link, give the harsh curve back? Then a jump is the metric's doing.
e. Does the soft score jump as well, at the same sizes? Then it is the model's, or its format's. Else it is undecided.

A rise is a jump when its middle 80 % takes less than half of the window of log size, and does not begin with it. What
is uncertain is in one set of draws: both scores again, with the covariance of the items (one set of questions for both
scores and all models) and with models scattered as they scatter about a curve that never falls, one inner size left
out at a time. Where the link gives the harsh curve back, it is fitted to each draw, and the soft score says what the
harsh one is between its errors. A statement is made when 95 % of the draws agree, and such scores, drawn again, would
get one in four of five cases.
"""

import warnings
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from mirage_lib import logs, scores
from mirage_lib.compare import SHARP, never_falling, shapes

LEAST = 5  # sizes; with fewer a curve has no shape
FLOOR = 0.1  # of the window, in which a jump has not begun
SURE, POWER = 0.95, 0.8  # share of draws that must agree; of such scores, drawn again, that must have an answer
GIVEN_BACK = 0.9  # share of the harsh curve's variance that the link must give back
MATTERS = 0.05  # a rise that no test set should miss
DRAWS = 400
AGAIN = 50  # sets of scores drawn again, for the power; twice as many draws weigh each
STEPS = 12  # of fitting a link
NOISY = 0.5  # share of the harsh curve's variance that may be noise, where a link is to show
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
    "test set too small": "The test set is too small to tell a jump from none, or whose it is.",
    "too few sizes": "So few sizes cannot tell a jump from none, or whose it is.",
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
    a: `height` of the rise of the harsh score, `p_rise`; b: `resolution` 1/n; `power`, how often such scores, drawn
    again, have an answer by this very rule (where nothing rises, how often a rise of `MATTERS` is seen), below `POWER`
    none is given; `items_needed` for it (NaN if more do not help); c: `gap`, the widest part of the window without a
    size where the rise is; `width`, `floor`, `sharp` (share of draws that jump, one inner size left out of each) of
    the harsh score, `soft_width`, `soft_sharp`; d: `link` and `given_back`, R squared beside the
    noise of items with each inner size foretold from the others; e: `apart`, the part of the window between both rises.

    Raises AuditError for missing columns or scores, sizes that are missing or not above 0, and one size only.

    >>> size = np.geomspace(1e7, 1e10, 10)
    >>> loss = 3 * (size / 1e7) ** -0.3
    >>> table = pd.DataFrame({"benchmark": "b", "family": "f", "model": list("abcdefghij"), "params": size,
    ...     "n_items": 2000, "right": np.exp(-8 * loss), "loss": loss, "loss_se": 0.01})
    >>> audit(table, "right", "-loss")[["verdict", "width", "soft_width"]].round(2).values.tolist()
    [['the metric', 0.27, 0.7]]
    """
    return pd.DataFrame([decide(each) for each in curves(table, harsh, soft, scale)])


def curves(
    table: pd.DataFrame, harsh: str = "", soft: str = "", scale: str = "params", wrong: list | None = None
) -> list[Curves]:
    """The two scores of each benchmark and family of a table, as `audit` takes it, up being better.

    wrong : takes the errors of benchmarks that cannot be audited, so that the others are; else the first is raised
    """
    whole = "benchmark" in table
    by = ["benchmark" if whole else "task", "family"]
    if missing := [name for name in [*by, "model", scale, *(["n_items"] if whole else [])] if name not in table]:
        hint = " (--sizes FILE adds them)" if missing[0] == scale else ""
        raise AuditError(f"the table lacks {missing[0]!r}: it has {', '.join(table)}{hint}")
    if table.empty:
        raise AuditError("the table is empty: there is nothing to audit")
    for name in [*by, "model"]:
        if gaps := table[name].isna().sum():
            raise AuditError(f"{gaps} of {len(table)} rows have no {name!r}: fill it in or leave them out")
    found = []
    for (benchmark, family), rows in table.groupby(by, sort=False):
        try:
            rows = rows.dropna(axis="columns", how="all")
            scored = {metric.__name__ for metric in logs.allowed(rows)}
            has = set(rows) - {*by, "model", "n_items", scale} if whole else scored
            names = _pair(f"{benchmark!r}", has, harsh, soft)
            rows, covariance = (rows, None) if whole else _of_items(rows, names, scale)
            if (twice := rows.duplicated(["model", scale])).any():
                raise AuditError(
                    f"{benchmark!r}, family {family!r}: {rows['model'][twice].iloc[0]!r} has several rows, which would "
                    "pass for more models: keep one (a setting, such as shots, belongs in the benchmark's name)"
                )
            found.append(_curve(f"{benchmark}", f"{family}", rows, covariance, names, scale))
        except ValueError as error:
            if wrong is None:
                raise
            wrong.append(f"{error}")
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
            "--soft), leave it out (--task), or, for generated answers, read the log with a tokenizer (--tokenizer)"
        )
    return harsh or pairs[0][0], soft or pairs[0][1]


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
    about = [f"{name}{end}" for name in bare for end in ("_se", "_chance") if f"{name}{end}" in rows]
    columns = [scale, "n_items", *bare, *about]
    try:
        values = rows[columns].astype(float)
    except (TypeError, ValueError) as error:
        read = {name: pd.to_numeric(rows[name], errors="coerce") for name in columns}
        wrong = next((name for name in columns if (read[name].isna() & rows[name].notna()).any()), "a score")
        raise AuditError(f"{where} {wrong!r} is no number, such as 1.4e9 for 1.4B: {error}") from None
    for name, column in values.items():
        known = column.fillna(0) if name.endswith("_se") else column  # an error that is not known is that of counts
        positive = known > 0 if name in (scale, "n_items") else known >= 0 if name.endswith("_se") else True
        if (wrong := ~(np.isfinite(known) & positive)).any():
            raise AuditError(f"{where} {rows['model'][wrong].iloc[0]!r} has {name} = {column[wrong].iloc[0]:g}")
    x, place = np.unique(values[scale], return_inverse=True)
    if len(x) < 2:
        raise AuditError(f"{where} there is one size only ({', '.join(map(str, rows['model'][:3]))}): audit several")
    if not values[bare[0]].between(0, 1).all():
        hint = ": of percentages take a hundredth" if values[bare[0]].between(0, 100).all() else ""
        raise AuditError(f"{where} the harsh score {bare[0]!r} must go from 0 to 1{hint}")
    mean = (place == np.arange(len(x))[:, None]) / np.bincount(place)[:, None]  # over the models of a size
    n, sides, spread, signs = values["n_items"], [], [], []
    for name, plain in zip(names, bare, strict=True):
        sign = -1 if name.startswith("-") or name in LESS_IS_BETTER else 1
        signs += [sign] * len(rows)
        # of a harsh score that is an error, what is right
        turned = 1 if sign < 0 and plain == bare[0] else 0
        column, se = turned + sign * values[plain], values.get(f"{plain}_se", pd.Series(np.nan, rows.index))
        if plain == bare[1] and f"{plain}_chance" in about:
            column = column.clip(lower=sign * values[f"{plain}_chance"])
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
    chance = values.get(f"{bare[0]}_chance", pd.Series(float(signs[0] < 0))).mean()
    chance = 1 - chance if signs[0] < 0 else chance
    return Curves(
        benchmark, family, (*names, scale), x, *sides, both @ own @ both.T, int(n.median()), chance,
        None if formula is None else mean @ formula, len(rows),
    )  # fmt: skip


def _formula(rows: pd.DataFrame, names) -> np.ndarray | None:
    """Exact match as the formula of the metric has it, from the soft score alone; None where it is not known."""
    if names == ["exact_match", "cross_entropy"] and "expected_accuracy" in rows:
        return rows["expected_accuracy"].to_numpy(float)
    if names[0] != "exact_match" or names[1] not in ("token_accuracy", "token_edit_distance") or "length" not in rows:
        return None
    length, soft = rows["length"].to_numpy(float), rows[names[1]].to_numpy(float)
    return (soft if names[1] == "token_accuracy" else np.clip(1 - soft / length, 0, 1)) ** length


def is_jump(shape: np.ndarray) -> np.ndarray:
    """Whether a rise of this shape is a jump: late enough to have a floor, and steep."""
    return (shape[2] - shape[0] < SHARP) & (shape[0] >= FLOOR)


def decide(c: Curves) -> dict:
    """The row of `audit` for a benchmark and family; the same every time."""
    rng, m, log_x = np.random.default_rng(0), len(c.x), np.log(c.x)
    gaps = np.diff(log_x) / np.ptp(log_x)
    row = {"benchmark": c.benchmark, "family": c.family, **dict(zip(("harsh", "soft", "scale"), c.names, strict=True))}
    row |= {"verdict": "too few sizes", "models": c.models, "sizes": m, "n_items": c.n_items}
    row |= {"resolution": 1 / c.n_items, "gap": gaps.max()}
    if m < LEAST:
        return row
    ways = [never_falling(side) for side in (c.harsh, c.soft)]
    noises = c.covariance, _scatter(c, ways)
    items, scatter = (rng.standard_normal((DRAWS, 2 * m)) @ _root(of) for of in noises)
    noise, out = items + scatter, rng.integers(1, m - 1, DRAWS)
    # a: how high noise alone would make the closest curve that never falls
    row["height"] = np.ptp(ways[0])
    row["p_rise"] = (1 + (np.ptp(never_falling(noise[:, :m]), axis=1) >= row["height"]).sum()) / (1 + DRAWS)
    rises = row["p_rise"] < 1 - SURE
    shape, soft = shapes(log_x, c.harsh), shapes(log_x, c.soft)
    row |= {"width": shape[2] - shape[0], "floor": shape[0], "soft_width": soft[2] - soft[0]}
    row["apart"] = abs(shape[1] - soft[1])
    if rises:  # the widest stretch without a size in which a part of the rise may lie
        row["gap"] = gaps[(np.cumsum(gaps) > shape[0]) & (np.cumsum(gaps) - gaps < shape[2])].max()
    if row["gap"] > SHARP:
        return row
    seen = np.concatenate([c.harsh, c.soft])[None]
    told, base, row["sharp"], row["soft_sharp"], row["given_back"] = (of[0] for of in _weigh(c, seen, noise, out))
    row["link"] = "an S-shaped curve" if c.formula is None else "the formula, to a fitted power"

    def power(factor=1.0):
        """How often such scores, drawn again with so many times the items, have an answer; or a rise is seen at all."""
        less = scatter + items / np.sqrt(factor)
        if rises:
            return np.mean(_weigh(c, base + less[-AGAIN:], less[: 2 * AGAIN], out[: 2 * AGAIN])[0] != "")
        step = MATTERS * (np.arange(m) >= m // 2)
        none, some = (np.ptp(never_falling(more * step + less[:, :m]), axis=1) for more in (0, 1))
        return (some > np.quantile(none, SURE)).mean()

    row |= {"power": power(), "verdict": "undecided", "items_needed": np.nan}
    if row["power"] >= POWER:
        told = told if rises else "no jump"
        return row | {"verdict": str(told) if told in SAID else "undecided"}
    more = 2.0 ** np.arange(1, 11)
    if power(more[-1]) >= POWER:
        row["items_needed"] = c.n_items * more[bisect_left(more, POWER, key=power)]
    if rises and not told and _weigh(c, seen, noise, None)[0][0]:  # it is the sizes left out that disagree
        return row | {"verdict": "too few sizes"}
    # models may scatter as few items make them: then it is not known that more items would not help
    if row["items_needed"] > 0 or np.trace(noises[1][:m, :m]) < 2 * np.trace(noises[0][:m, :m]):
        return row | {"verdict": "test set too small"}
    return row


def _weigh(c: Curves, curves: np.ndarray, noise: np.ndarray, out: np.ndarray | None) -> tuple:
    """What 95 % of the draws say of sets of scores, the harsh before the soft ones, shape (sets, 2 sizes).

    noise : shape (draws, 2 sizes); out : the inner size that each draw leaves out, or None

    For each set: a verdict, "unlike" where the harsh score jumps and the soft one neither does nor gives it back, or
    ""; the curves without noise; the shares of draws in which each score jumps; the variance given back.
    """
    m, log_x = len(c.x), np.log(c.x)
    harsh, soft, way = curves[:, :m], curves[:, m:], never_falling(curves[:, m:])
    # each inner size foretold from all others; the ends stay in: a link is used between the sizes it was seen at
    told, inner = _linked(c, harsh, soft, np.ones(m)), np.arange(1, m - 1)
    told[:, inner] = _linked(c, harsh[:, None], soft[:, None], np.arange(m) != inner[:, None])[:, inner - 1, inner]
    spread, error = np.var(harsh, axis=1) * m, np.var(noise[:, :m], axis=0).sum()
    back = 1 - np.maximum(((harsh - told) ** 2).sum(1) - error, 0) / np.maximum(spread, 1e-12)
    given = (back >= GIVEN_BACK) & (error < NOISY * spread)
    # then the soft score, which has less noise, says what the harsh one is between its errors
    own = np.where(given[:, None], _linked(c, harsh, way, np.ones(m)), never_falling(harsh))
    kept = np.ones((len(noise), m)) if out is None else np.arange(m) != out[:, None]
    ours, theirs = own[:, None] + noise[:, :m], way[:, None] + noise[:, m:]
    if given.any():
        ours[given] = _linked(c, ours[given], theirs[given], kept)
    places = np.argsort(kept == 0, axis=1, kind="stable")[:, : m - (out is not None)]
    at = np.broadcast_to(places, (len(curves), *places.shape))

    def jumps(curve, drawn):
        """Noise makes a rise wider: for a jump the draws turned about the curve will do (basic bootstrap)."""
        drawn = shapes(log_x[at], np.take_along_axis(drawn, at, -1))
        turned = is_jump(2 * shapes(log_x, curve)[..., None] - drawn).mean(-1)
        return np.where(turned >= SURE, turned, is_jump(drawn).mean(-1))

    sharp, soft_sharp = jumps(own, ours), jumps(way, theirs)
    soft_rises = np.ptp(way, axis=1) > np.quantile(np.ptp(never_falling(noise[:, m:]), axis=1), SURE)
    near = abs(shapes(log_x, own)[1] - shapes(log_x, way)[1]) <= max(np.diff(log_x).max() / np.ptp(log_x), FLOOR)
    smooth, both = soft_rises & (soft_sharp <= 1 - SURE), soft_rises & (soft_sharp >= SURE) & near
    said = np.select([smooth & given, smooth, both], ["the metric", "unlike", "the model"], "")
    said = np.select([sharp >= SURE, sharp <= 1 - SURE], [said, "no jump"], "")
    return said, np.concatenate([own, way], 1), sharp, soft_sharp, back


def _linked(c: Curves, harsh: np.ndarray, soft: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """What the link makes of soft scores, fitted to the harsh ones of the sizes to keep; shape (..., sizes).

    A logistic regression by Fisher scoring; where the formula is known, of its power.
    """
    known = c.formula is not None
    if known:
        order = np.argsort(c.soft, kind="stable")
        u = np.interp(soft, c.soft[order], np.log(np.clip(c.formula, 1e-300, 1))[order])
    else:
        u = (soft - c.soft.mean()) / (c.soft.std() or 1)
    harsh, u, keep = np.broadcast_arrays(harsh, u, keep)
    aim = (harsh - c.chance) / (1 - c.chance)
    middle = np.clip(aim.mean(-1), 0.02, 0.98)
    a, b = np.zeros(middle.shape) if known else np.log(middle / (1 - middle)), np.ones(middle.shape)
    for left in range(STEPS, -1, -1):
        at = a[..., None] + b[..., None] * u
        p = np.exp(np.minimum(at, 0)) if known else expit(at)
        mean = c.chance + (1 - c.chance) * p
        if not left:
            return mean
        slope = p if known else p * (1 - p)
        weight = keep * slope / (mean * (1 - mean) + 1 / c.n_items)
        off, off_u = (weight * (aim - p)).sum(-1), (weight * (aim - p) * u).sum(-1)
        one, two, three = ((weight * slope * u**k).sum(-1) + tiny for k, tiny in enumerate((1e-12, 0, 1e-12)))
        if known:
            b = b * np.exp(np.clip(off_u / three / b, -1, 1))
        else:
            area = one * three * (1 + 1e-6) - two**2
            a = np.clip(a + np.clip((three * off - two * off_u) / area, -2, 2), -60, 60)
            b = np.clip(b + np.clip((one * off_u - two * off) / area, -2, 2), 1e-3, 50)


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root: there is only one, so that draws are the same on every machine."""
    sizes, directions = np.linalg.eigh(covariance)
    return directions * np.sqrt(sizes.clip(min=0)) @ directions.T


def _scatter(c: Curves, ways) -> np.ndarray:
    """The covariance of what models scatter, beyond the noise of items, about the curves that never fall."""
    off, items = np.array([c.harsh, c.soft]) - ways, np.diag(c.covariance).reshape(2, -1).mean(1)
    free = [max(len(way) - len(np.unique(way)), 1) for way in ways]
    more = np.sqrt(np.maximum((off**2).sum(1) / free - items, 0))
    together = off[0] @ off[1] / (np.linalg.norm(off, axis=1).prod() or 1)
    return np.kron(np.outer(more, more) * [[1, together], [together, 1]], np.eye(len(c.x)))

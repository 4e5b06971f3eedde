"""Scores: the bridge from items to a table of scores, which figures draw, an audit reads and the command line prints.

In all of it a question counts once, after however many sets of examples it was asked: rows with one number `item` in a
group are one question, and score their mean. Items without numbers are all questions of their own.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mirage_lib.items import ItemsError, validate
from mirage_lib.stats import mean_interval


def table(items: pd.DataFrame, *metrics, by: Iterable[str] = ("task", "family", "model")) -> pd.DataFrame:
    """Score items by one or more metrics: a row for each task, family and model, or for what else `by` tells apart.

    metrics : functions of an items table with one score an item; a column has the name of the metric's Series.

    Columns: those of `by`, with the task as `benchmark`; `params` and `tokens`, where each row has but one of them;
    `n_items`, the number of questions; for each metric its mean over questions and, as `<metric>_se`, the standard
    error of that mean: NaN for one question, and no certainty where it is 0, as all score the same (see `curve`).

    Raises ItemsError for a column of `by` that is missing or has gaps, a question without a number, no items, and two
    metrics of one name.

    >>> from mirage_lib import metrics
    >>> from mirage_lib.items import items_table
    >>> answers = items_table(task="t", family="F", model="m", item=[0, 0, 1], is_greedy=[True, False, True])
    >>> table(answers, metrics.exact_match)
      benchmark family model  n_items  exact_match  exact_match_se
    0         t      F     m        2         0.75            0.25
    """
    by = list(by)
    questions = _questions(items, metrics, by)
    groups = questions.groupby(by, sort=False)
    along = [name for name in ("params", "tokens") if name in items and name not in by]
    rows = _plain(items, by).assign(**{name: items[name].astype(float).array for name in along}).groupby(by, sort=False)
    found = {name: rows[name].first() for name in along if (rows[name].nunique(dropna=False) == 1).all()}
    found["n_items"] = groups.size()
    for name in questions.columns.difference([*by, "item"], sort=False):
        found |= {name: groups[name].mean(), f"{name}_se": groups[name].sem()}
    return pd.DataFrame(found).reset_index().rename(columns={"task": "benchmark"})


def curve(items: pd.DataFrame, metric, by: str = "params", level: float = 0.95) -> pd.DataFrame:
    """A metric against scale: a row for each value of the column `by`, with columns x, value, low, high, n (questions).

    `value` is the mean over questions, `low` and `high` are the ends of its interval (`stats.mean_interval`). Raises
    what `table` does, and ValueError for a level outside (0, 1).

    >>> from mirage_lib import metrics, theory
    >>> rng = np.random.default_rng(0)
    >>> tables = [theory.draw_items(p, 3, 500, rng, params=n) for n, p in ((1e6, 0.5), (1e9, 0.9))]
    >>> curve(pd.concat(tables), metrics.exact_match)["value"].tolist()
    [0.098, 0.754]
    """
    questions = _questions(items, [metric], [by])
    scored = questions[questions.columns[-1]]
    # one kind of interval for all of a curve
    bounded = bool(scored.between(0, 1).all())
    rows = [(x, *mean_interval(each, level, bounded), len(each)) for x, each in scored.groupby(questions[by])]
    return pd.DataFrame(rows, columns=["x", "value", "low", "high", "n"])


def _questions(items: pd.DataFrame, metrics, by: list[str]) -> pd.DataFrame:
    """A row a question: the columns of `by`, its number where there is one, its mean score by each metric."""
    validate(items)
    for name in by:
        if name not in items:
            raise ItemsError(f"there is no column {name!r} to score by: the table has {', '.join(items.columns)}")
    keys = [*by, "item"] if "item" in items else by
    for name in keys:
        if gaps := items[name].isna().sum():
            raise ItemsError(f"{gaps} of {len(items)} items have no {name!r}: fill it in or leave them out")
    questions = _plain(items, keys)
    for metric in metrics:
        each = metric(items)
        name = getattr(each, "name", None) or "score"
        if name in questions:
            raise ItemsError(f"two columns are named {name!r}: rename what the second metric gives")
        questions[name] = np.asarray(each, float)
        if questions[name].isna().any():
            raise ItemsError(f"{name!r} is NaN for {questions[name].isna().sum()} items: leave them out")
    again = "item" in keys and questions.duplicated(keys).any()
    return questions.groupby(keys, sort=False, as_index=False).mean() if again else questions


def _plain(items: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Columns without gaps, in numpy's types."""
    return pd.DataFrame({name: np.asarray(items[name]) for name in names})

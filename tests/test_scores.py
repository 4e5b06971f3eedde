"""Scores of items: means and errors by hand, a question counted once, nothing left out without a word."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from mirage_lib import metrics, scores, stats, theory
from mirage_lib.items import ItemsError, items_table


def twice(n: int, **columns):
    """n questions, each asked after two sets of examples, and right after one of them."""
    numbers = [i // 2 for i in range(2 * n)]
    return items_table(item=numbers, shot_set=[0, 1] * n, is_greedy=[[True], [False]] * n, **columns)


def test_a_row_has_means_and_their_errors():
    rng = np.random.default_rng(0)
    names = [("a", "x"), ("a", "y"), ("b", "x")]
    tables = [theory.draw_items(0.8, 3, 50, rng, task=t, model=m, family="F", params=1e6, tokens=1e9) for t, m in names]
    found = scores.table(pd.concat(tables), metrics.exact_match, metrics.cross_entropy)
    columns = ["benchmark", "family", "model", "params", "tokens", "n_items", "exact_match", "exact_match_se"]
    assert found.columns.tolist() == [*columns, "cross_entropy", "cross_entropy_se"]
    assert found[["benchmark", "model"]].to_numpy().tolist() == [list(name) for name in names]
    for (_, row), items in zip(found.iterrows(), tables, strict=True):
        hits = [all(hit) for hit in items["is_greedy"]]
        assert row[["params", "tokens", "n_items"]].tolist() == [1e6, 1e9, 50]
        assert row["exact_match"] == np.mean(hits)
        assert row["exact_match_se"] == pytest.approx(scipy_stats.sem(hits))
        assert row["cross_entropy"] == pytest.approx(-3 * np.log(0.8))


def test_a_question_counts_once():
    """As well as before: twenty questions, three and four, right after one of two sets of examples."""
    for n in (20, 3, 4):
        items = twice(n, task="t", model="m", params=1.0)
        row = scores.table(items, metrics.exact_match, by=["task", "model"]).iloc[0]
        assert row[["n_items", "exact_match", "exact_match_se"]].tolist() == [n, 0.5, 0]
        assert scores.curve(items, metrics.exact_match).iloc[0].tolist() == [1, *stats.wilson(n / 2, n), n]
    # asked unequally often, every question has the same weight
    uneven = items_table(params=1.0, item=[0, 0, 0, 1], is_greedy=[True, True, True, False])
    assert scores.curve(uneven, metrics.exact_match)["value"].item() == 0.5


@pytest.mark.parametrize(
    ("columns", "metric", "message"),
    [
        ({"task": "t"}, (metrics.exact_match,), "no column 'family' to score by"),
        ({"task": ["t", None], "family": "F"}, (metrics.exact_match,), "1 of 2 items have no 'task'"),
        ({"task": "t", "family": "F", "item": [0, None]}, (metrics.exact_match,), "1 of 2 items have no 'item'"),
        ({"task": "t", "family": "F"}, (metrics.exact_match,) * 2, "two columns are named 'exact_match'"),
        ({"task": "t", "family": "F"}, (lambda items: np.array([np.nan, 1]),), "'score' is NaN for 1 items"),
    ],
)
def test_what_would_be_left_out_is_refused(columns, metric, message):
    items = items_table(model="m", is_greedy=[True, False], **columns)
    with pytest.raises(ItemsError, match=message):
        scores.table(items, *metric)
    with pytest.raises(ItemsError, match="the items table is empty"):
        scores.table(items.iloc[:0], *metric)


def test_params_are_those_of_the_row_or_not_there():
    items = items_table(task="t", family="F", model="m", params=[1.0, 2.0], tokens=None, is_greedy=[True, False])
    found = scores.table(items, metrics.exact_match)
    assert "params" not in found and np.isnan(found["tokens"].item())


def test_a_curve_has_one_kind_of_interval():
    """Losses of the largest models may all lie below 1, and are no scores from 0 to 1 for that."""
    items = items_table(params=[1e6] * 3 + [1e9] * 3, logprob=[[-2.0], [-3.0], [-4.0], [-0.1], [-0.2], [-0.3]])
    large = scores.curve(items, metrics.cross_entropy).iloc[1]
    assert large["low"] == pytest.approx(scipy_stats.ttest_1samp([0.1, 0.2, 0.3], 0).confidence_interval().low)
    with pytest.raises(ValueError, match="a level lies between 0 and 1"):
        scores.curve(items, metrics.cross_entropy, level=95)


def test_a_curve_goes_from_small_to_large():
    items = items_table(is_greedy=[[True], [True], [False], [True]], params=[1e9, 1e9, 1e6, 1e6])
    table = scores.curve(items, metrics.exact_match)
    assert list(table.columns) == ["x", "value", "low", "high", "n"]
    assert table["x"].tolist() == [1e6, 1e9]
    assert table["value"].tolist() == [0.5, 1.0]
    assert table["n"].tolist() == [2, 2]
    with pytest.raises(ValueError, match="no column 'flops'"):
        scores.curve(items, metrics.exact_match, by="flops")
    with pytest.raises(ValueError, match="1 of 4 items have no 'params'"):
        scores.curve(items.assign(params=[1.0, None, 2.0, 2.0]), metrics.exact_match)

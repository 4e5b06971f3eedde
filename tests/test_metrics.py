"""Metrics against independent oracles: small dynamic programs, scipy, direct enumeration."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirage_lib import metrics
from mirage_lib.items import ItemsError, items_table

hits = st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=8)
tokens = st.lists(st.integers(0, 3), max_size=7)


@given(hits)
def test_exact_match_and_token_accuracy_are_all_and_mean(hit):
    items = items_table(is_greedy=hit)
    assert metrics.exact_match(items).tolist() == [float(all(row)) for row in hit]
    assert metrics.token_accuracy(items).tolist() == pytest.approx([sum(row) / len(row) for row in hit])


@given(st.lists(st.lists(st.floats(-20, 0), min_size=1, max_size=6), min_size=1, max_size=8))
def test_expected_accuracy_is_the_product_of_token_probabilities(logprob):
    items = items_table(logprob=logprob)
    assert metrics.cross_entropy(items).tolist() == pytest.approx([-sum(row) for row in logprob])
    assert metrics.expected_accuracy(items).tolist() == pytest.approx(
        [math.prod(map(math.exp, row)) for row in logprob]
    )


@given(st.lists(st.tuples(st.lists(tokens, min_size=1, max_size=5), tokens.filter(len)), min_size=1, max_size=6))
def test_sampled_accuracy_is_the_share_of_samples_that_are_the_target(rows):
    samples, target = map(list, zip(*rows, strict=True))
    got = metrics.sampled_accuracy(items_table(samples=samples, target=target))
    assert got.tolist() == pytest.approx([given.count(wanted) / len(given) for given, wanted in rows])


def levenshtein(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, before = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    return row[-1]


@given(st.lists(st.tuples(tokens, tokens.filter(len)), min_size=1, max_size=6))
def test_token_edit_distance_equals_the_textbook_program(pairs):
    output, target = map(list, zip(*pairs, strict=True))
    got = metrics.token_edit_distance(items_table(output=output, target=target))
    assert got.tolist() == [levenshtein(a, b) for a, b in pairs]


def test_token_edit_distance_counts_tokens_not_characters_and_takes_large_ids():
    assert metrics.token_edit_distance(items_table(output=[[50000, 11]], target=[[50001, 1]])).tolist() == [2.0]


choices = st.lists(st.floats(-8, 0), min_size=2, max_size=5)


@given(st.lists(st.tuples(choices, st.integers(0, 1)), min_size=1, max_size=6))
def test_brier_scores_by_their_definition(rows):
    logprob, answer = map(list, zip(*rows, strict=True))
    items = items_table(choice_logprob=logprob, answer=answer)
    for row, a, both, target in zip(
        logprob, answer, metrics.brier_choices(items), metrics.brier_target(items), strict=True
    ):
        p = np.exp(row) / np.exp(row).sum()
        assert target == pytest.approx((1 - p[a]) ** 2)
        assert both == pytest.approx(sum((p[j] - (j == a)) ** 2 for j in range(len(p))))


def test_brier_does_not_underflow_on_long_options():
    items = items_table(choice_logprob=[[-2000.0, -2001.0]], answer=[0])
    assert metrics.brier_target(items).item() == pytest.approx((1 - 1 / (1 + math.exp(-1))) ** 2)


def test_multiple_choice_grade_goes_to_the_most_mass_and_shares_a_tie():
    items = items_table(choice_logprob=[[-1.0, -2.0], [-2.0, -1.0], [-1.0, -1.0, -5.0]], answer=[0, 0, 1])
    assert metrics.multiple_choice_grade(items).tolist() == [1.0, 0.0, 0.5]


def test_reconstruction_within_is_strict():
    items = items_table(squared_error=[0.1, 0.5, 0.9])
    assert metrics.reconstruction_within(items, c=0.5).tolist() == [1.0, 0.0, 0.0]


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 7))
def test_subset_accuracy_equals_enumerating_every_subset(right, k):
    got = metrics.subset_accuracy(items_table(is_greedy=right), k)
    subsets = list(itertools.combinations(right, k))
    if subsets:
        assert got == pytest.approx(np.mean([all(s) for s in subsets]))
    else:
        assert math.isnan(got)


def test_subset_probability_stays_exact_for_large_tables_and_broadcasts():
    exact = math.comb(4800, 20) / math.comb(5153, 20)
    assert metrics.subset_probability(4800, 5153, 20) == pytest.approx(exact, rel=1e-9)
    assert metrics.subset_probability([0, 10], 10, [[1], [10]]) == pytest.approx(np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert metrics.subset_probability(0.3 * 10, 10, 1) == pytest.approx(0.3)  # 3.0000000000000004 is 3
    for bad in ((3, 2, 1), (-1, 2, 1), (1, 2, 0), (2.5, 10, 2)):
        with pytest.raises(ValueError, match="subset_probability"):
            metrics.subset_probability(*bad)


NEEDS = {
    metrics.cross_entropy: "logprob",
    metrics.expected_accuracy: "logprob",
    metrics.exact_match: "is_greedy",
    metrics.sampled_accuracy: "samples",
    metrics.token_accuracy: "is_greedy",
    metrics.token_edit_distance: "output",
    metrics.multiple_choice_grade: "choice_logprob",
    metrics.brier_choices: "choice_logprob",
    metrics.brier_target: "choice_logprob",
    lambda items: metrics.reconstruction_within(items, 1): "squared_error",
    lambda items: metrics.subset_accuracy(items, 1): "is_greedy",
}


@pytest.mark.parametrize("metric", NEEDS)
def test_every_metric_names_the_column_it_misses(metric):
    with pytest.raises(ItemsError, match=f"needs .*'{NEEDS[metric]}'"):
        metric(items_table(params=[1.0]))


@pytest.mark.parametrize("metric", NEEDS)
def test_no_metric_scores_an_empty_table(metric):
    full = items_table(
        logprob=[[-1.0]],
        is_greedy=[[True]],
        output=[[1]],
        target=[[1]],
        samples=[[[1]]],
        choice_logprob=[[-1.0]],
        answer=[0],
        squared_error=[1.0],
    )
    with pytest.raises(ItemsError, match="empty"):
        metric(full.iloc[:0])


def test_scores_keep_the_index_of_the_table():
    items = items_table(is_greedy=[[True], [False]]).set_index(pd.Index(["x", "y"]))
    assert metrics.exact_match(items).to_dict() == {"x": 1.0, "y": 0.0}


@pytest.mark.parametrize("answer", [-1, 2])
def test_an_answer_outside_the_options_is_named(answer):
    with pytest.raises(ItemsError, match="'answer' points outside the options in row 1"):
        metrics.multiple_choice_grade(items_table(choice_logprob=[[-1.0, -2.0]] * 2, answer=[0, answer]))


def test_options_without_any_mass_are_named():
    with pytest.raises(ItemsError, match="every option of row 0 probability 0"):
        metrics.brier_target(items_table(choice_logprob=[[-math.inf, -math.inf]], answer=[0]))

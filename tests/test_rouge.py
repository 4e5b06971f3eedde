"""ROUGE-L-sum, the metric of an appendix: against a longest common subsequence in two lines."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirage_lib.claims.rouge import rouge_l_sum
from mirage_lib.items import ItemsError, items_table

tokens = st.lists(st.integers(0, 3), max_size=7)


def lcs(a, b):
    if not a or not b:
        return 0
    return lcs(a[1:], b[1:]) + 1 if a[0] == b[0] else max(lcs(a[1:], b), lcs(a, b[1:]))


@given(tokens.filter(len), tokens.filter(len))
@settings(max_examples=50)
def test_rouge_l_sum_of_one_line_is_the_f1_of_the_longest_common_subsequence(output, target):
    got = rouge_l_sum(items_table(output=[output], target=[target]), newline=99).item()
    common = lcs(tuple(output), tuple(target))
    assert got == pytest.approx(2 * common / (len(output) + len(target)))


def test_rouge_l_sum_matches_lines_in_any_order_and_words_in_theirs():
    items = items_table(output=[[3, 4, 0, 1, 2], [2, 1, 0, 3, 4]], target=[[1, 2, 0, 3, 4]] * 2)
    assert rouge_l_sum(items, newline=0).tolist() == [1.0, 0.75]


def test_the_column_it_misses_is_named():
    with pytest.raises(ItemsError, match=r"needs .*'output'"):
        rouge_l_sum(items_table(params=[1.0]), 0)

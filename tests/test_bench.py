"""The benchmark compares what it says: both ways give the same scores, and a wrong one is found."""

import sys

import pytest
import sample_book

sys.path.insert(0, str(sample_book.ROOT / "benchmarks"))
import metrics as bench


def test_both_ways_agree():
    table = bench.compare(200)
    assert list(table.index) == ["token_edit_distance", "exact_match", "cross_entropy"]
    assert (table["seconds"] > 0).all()


def test_a_wrong_rival_is_found(monkeypatch):
    ours, plain, share = bench.RIVALS["exact_match"]
    monkeypatch.setitem(bench.RIVALS, "exact_match", (ours, lambda items: 1 - plain(items), share))
    with pytest.raises(AssertionError):
        bench.compare(200)

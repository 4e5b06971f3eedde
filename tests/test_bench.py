"""The benchmark compares what it says: both ways give the same scores, and a wrong one is found."""

import sys

import pytest
import sample_book

sys.path.insert(0, str(sample_book.ROOT / "benchmarks"))
import measure as bench_measure
import metrics as bench
import vision as bench_vision


def test_both_ways_agree():
    table = bench.compare(200)
    assert list(table.index) == ["token_edit_distance", "exact_match", "cross_entropy"]
    assert (table["seconds"] > 0).all()


def test_a_wrong_rival_is_found(monkeypatch):
    ours, plain, share = bench.RIVALS["exact_match"]
    monkeypatch.setitem(bench.RIVALS, "exact_match", (ours, lambda items: 1 - plain(items), share))
    with pytest.raises(AssertionError):
        bench.compare(200)


def test_measuring_agrees_with_its_rival(monkeypatch):
    """The benchmark raises unless both sides give the same log-likelihoods, verdicts and answers."""
    monkeypatch.setitem(bench_measure.SHAPES, "tiny", (32, 1, 2))
    row = bench_measure.compare("tiny", shots=2, repeats=1, items=4)
    assert row["items"] == 4
    assert row["largest difference (nats)"] < 1e-4
    honest = bench_measure.lm.measure

    def wrong(model, task):
        items = honest(model, task)
        return items.assign(logprob=[[x - 0.001 for x in row] for row in items["logprob"]])

    monkeypatch.setattr(bench_measure.lm, "measure", wrong)
    with pytest.raises(AssertionError):
        bench_measure.compare("tiny", shots=2, repeats=1, items=4)


@pytest.mark.parametrize("family", bench_vision.WIDTHS)
def test_a_batch_of_seeds_is_trained_as_each_alone(monkeypatch, family):
    row = bench_vision.compare(family, 1, repeats=1)
    assert row["loop (ms a step)"] > 0 and row["batch (ms a step)"] > 0
    honest = bench_vision.in_one_batch
    monkeypatch.setattr(bench_vision, "in_one_batch", lambda nets, x, y, loss: honest(nets, x, y.flip(0) * 0, loss))
    with pytest.raises(AssertionError):
        bench_vision.compare(family, 1, repeats=1)

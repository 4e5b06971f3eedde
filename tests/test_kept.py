"""Kept answers stand for live ones where MIRAGE_LIVE is 0, never otherwise, and are compared with them."""

import importlib.util
import shutil

import exam
import ladder
import numpy as np
import pandas as pd
import pytest
import sample_book

from mirage_lib import families, items, lm, metrics, tasks
from mirage_lib.claims import kept

SPEC = importlib.util.spec_from_file_location("kept_tool", sample_book.ROOT / "tools" / "kept.py")
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)


def table(n: int = 200, seed: int = 0, **columns) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    given = {
        "model": "toy",
        "task": "sums",
        "item": np.arange(n),
        "target": rng.integers(9, size=(n, 2)).tolist(),
        "logprob": np.log(rng.random((n, 2))).tolist(),
        "is_greedy": (rng.random((n, 2)) < 0.5).tolist(),
    }
    return items.items_table(**given | columns)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of kept answers, with one of the name `sums`."""
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "kept")
    items.write(tmp_path / "live" / "sums.parquet", table())
    tool.keep(tmp_path / "live")
    return tmp_path


def test_live_answers_are_measured_and_kept_ones_are_not(folder, monkeypatch):
    monkeypatch.setenv("MIRAGE_LIVE", "1")
    assert len(kept.answers("sums", lambda: table(3))) == 3
    monkeypatch.setenv("MIRAGE_LIVE", "0")
    assert len(kept.answers("sums", lambda: pytest.fail("measured"))) == 200


def test_kept_answers_to_another_task_are_not_taken(folder, monkeypatch):
    monkeypatch.setenv("MIRAGE_LIVE", "0")
    assert len(kept.answers("sums", lambda: table(3), task="products")) == 3
    assert len(kept.answers("sums", lambda: pytest.fail("measured"), task="sums")) == 200


def test_a_name_that_is_not_kept_is_told(folder, monkeypatch):
    monkeypatch.setenv("MIRAGE_LIVE", "0")
    with pytest.raises(items.ItemsError, match="no answers are kept under the name 'products'"):
        kept.answers("products", table)


def test_what_is_measured_is_written_where_asked(folder, monkeypatch):
    monkeypatch.setenv("MIRAGE_LIVE", "1")
    monkeypatch.setenv("MIRAGE_KEEP", str(folder / "now"))
    kept.answers("sums", table)
    assert tool.check(folder / "now") == []


def test_kept_answers_score_as_the_live_ones(folder):
    before = kept.load("sums")
    assert metrics.exact_match(before).tolist() == metrics.exact_match(table()).tolist()
    assert np.allclose(metrics.cross_entropy(before), metrics.cross_entropy(table()), atol=1e-5)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (table(logprob=(np.array(table()["logprob"].tolist()) * 1.1).tolist()), "logprob is"),
        (table(is_greedy=[[True, True]] * 200), "of is_greedy are not the kept ones"),
        (table(199), "199 rows"),
        (table(target=[[1, 1]] * 200), "other models or questions"),
        (table(model="other"), "other models or questions"),
    ],
)
def test_answers_that_are_no_longer_the_kept_ones_are_told(folder, now, told):
    items.write(folder / "live" / "sums.parquet", now)
    (line,) = tool.check(folder / "live")
    assert line.startswith("sums: ") and told in line


def test_rounding_on_another_processor_is_no_difference(folder):
    answers = table()
    noise = np.random.default_rng(1).normal(0, 1e-3, (200, 2))
    logprob = np.minimum(np.array(answers["logprob"].tolist()) + noise, 0).tolist()
    hit = answers["is_greedy"].tolist()
    hit[0] = [not h for h in hit[0]]
    items.write(folder / "live" / "sums.parquet", table(logprob=logprob, is_greedy=hit))
    assert tool.check(folder / "live") == []


@pytest.mark.parametrize(("flipped", "told"), [(0.02, False), (0.1, True)])
def test_networks_trained_anew_are_compared_by_their_scores(folder, flipped, told):
    """Many answers may be others, if as many are right."""
    rng = np.random.default_rng(2)
    hit = rng.random((2000, 5)) < 0.7
    again = rng.permuted(hit, axis=0)
    again[: int(2000 * flipped)] = False
    for place, answers in (("live", again), ("first", hit)):
        items.write(folder / place / "nets.parquet", items.items_table(task="t", width=6, is_greedy=answers.tolist()))
    tool.keep(folder / "first")
    (folder / "live" / "sums.parquet").unlink()
    found = [line for line in tool.check(folder / "live") if line.startswith("nets")]
    assert bool(found) == told


def test_an_error_of_a_network_trained_anew_is_compared(folder):
    error = np.random.default_rng(3).gamma(3, 2, 500)
    for place, factor in (("first", 1.0), ("live", 1.1)):
        table = items.items_table(task="t", width=128, squared_error=factor * error)
        items.write(folder / place / "nets.parquet", table)
    tool.keep(folder / "first")
    assert any(line.startswith("nets: scores 0.095") for line in tool.check(folder / "live"))


def test_a_name_in_one_place_only_is_told(folder):
    shutil.copy(folder / "live" / "sums.parquet", folder / "live" / "products.parquet")
    (line,) = tool.check(folder / "live")
    assert line.startswith("products: only in one of")


@pytest.mark.parametrize("seed", [0, 2])
def test_the_large_exam_is_what_measuring_says(seed):
    """Its first places, the smallest size: how many characters are right from the first."""
    model = families.load(f"text-3.4k-seed{seed}")
    task = tasks.continuation(50_000).head(60)
    hits = items.ragged(lm.measure(model, task), "is_greedy").lists()
    wanted = [([*hit, False]).index(False) for hit in hits]
    told = kept.load(exam.FILE.stem).assign(seed=0) if seed == 0 else kept.load(exam.SEEDS.stem)
    of_size = told[(told["params"] == model.params) & (told["seed"] == seed)]
    assert of_size["item"].tolist() == list(range(50_000))
    right_for = of_size["right_for"].head(60).tolist()
    # another processor may round one place otherwise
    assert sum(a != b for a, b in zip(right_for, wanted, strict=True)) <= 1


def test_models_that_are_not_carried_leave_their_answers():
    """All of them, each size and seed once in a family together with what is carried."""
    told = kept.load(exam.SUMS.stem)
    wanted = sorted(cell.name for cell in ladder.cells() if not cell.carried)
    assert sorted(told["model"].unique()) == wanted and (told.groupby("model").size() == 1000).all()
    for family, (corpus, steps) in families.LADDERS.items():
        if corpus == "arithmetic":
            models = kept.ladder_answers(family)[["params", "seed", "model"]].drop_duplicates()
            names = sorted(cell.name for cell in ladder.cells(corpus) if cell.steps == steps)
            assert sorted(models["model"]) == names and not models.duplicated(["params", "seed"]).any()


@pytest.mark.parametrize("file", sorted(kept.FOLDER.glob("*.parquet")), ids=lambda file: file.stem)
def test_what_is_kept_can_be_scored(file):
    answers = kept.load(file.stem)
    for column, metric in (("is_greedy", metrics.exact_match), ("output", metrics.token_edit_distance)):
        if column in answers:
            assert metric(answers).notna().all()
    assert {"is_greedy", "output", "squared_error", "right_for"} & set(answers.columns)

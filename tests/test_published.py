"""The bundled tables against what was published, and planted faults against the schema."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirage_lib import published

ROOT = Path(__file__).parents[1]
CSVS = ROOT.parent / "shared" / "data"
READERS = {
    "pythia_evals": published.pythia_evals,
    "pythia_math_samples": published.pythia_math,
    "open_models_multiple_choice": published.open_models,
    "bigbench_tasks": published.bigbench_tasks,
}
needs_csvs = pytest.mark.skipif(not (CSVS / "pythia_evals.csv").exists(), reason=f"no published CSVs in {CSVS}")


def bundled(name):
    return pd.read_parquet(published.DATA / f"{name}.parquet")


@needs_csvs
@pytest.mark.parametrize("name", READERS)
def test_bundled_table_equals_the_csv(name):
    pd.testing.assert_frame_equal(bundled(name), pd.read_csv(CSVS / f"{name}.csv"), check_exact=True)


@needs_csvs
def test_import_is_repeatable(tmp_path):
    spec = importlib.util.spec_from_file_location("import_published", ROOT / "tools" / "import_published.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    first = [path.read_bytes() for path in tool.to_parquet(CSVS, tmp_path)]
    assert first == [path.read_bytes() for path in tool.to_parquet(CSVS, tmp_path)]
    for path in tmp_path.iterdir():
        pd.testing.assert_frame_equal(pd.read_parquet(path), bundled(path.stem), check_exact=True)


def test_tables_are_small():
    assert sum((published.DATA / f"{name}.parquet").stat().st_size for name in published.TABLES) < 150_000


@pytest.mark.parametrize("name", READERS)
def test_attrs_say_where_a_table_comes_from(name):
    attrs = READERS[name]().attrs
    assert json.loads(json.dumps(attrs)) == attrs
    assert set(attrs) == {"citation", "licence", "source"}
    assert all(attrs.values())


@pytest.mark.parametrize("name", READERS)
def test_a_reader_gives_a_fresh_table(name):
    first = READERS[name]()
    first.iloc[:, 0] = "changed"
    first.attrs["source"] = "changed"
    assert not (READERS[name]().iloc[:, 0] == "changed").any()
    assert READERS[name]().attrs["source"] != "changed"


FAULTS = {
    "missing": ("pythia_evals", "acc", lambda f: f.drop(columns="acc")),
    "unknown column": ("pythia_evals", "extra", lambda f: f.assign(extra=1)),
    "percent": ("pythia_evals", "acc", lambda f: f.assign(acc=100 * f["acc"])),
    "kind": ("pythia_evals", "step", lambda f: f.assign(step=f["step"] + 0.5)),
    "gap": ("pythia_evals", "acc", lambda f: f.assign(acc=f["acc"].where(f["step"] > 0))),
    "model": ("pythia_evals", "model", lambda f: f.assign(model=f["model"].str.upper())),
    "value": ("pythia_evals", "shots", lambda f: f.assign(shots=f["shots"] + 1)),
    "text": ("bigbench_tasks", "task", lambda f: f.assign(task=range(len(f)))),
    "repeat": ("bigbench_tasks", "task", lambda f: f.assign(task=f["task"].iloc[0])),
    "more than all": ("pythia_math_samples", "correct", lambda f: f.assign(correct=f["samples"] + 1)),
    "below one": ("pythia_evals", "ppl", lambda f: f.assign(ppl=f["ppl"] / 100)),
    "sign": ("open_models_multiple_choice", "params_b", lambda f: f.assign(params_b=-f["params_b"])),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(fault):
    name, column, plant = FAULTS[fault]
    with pytest.raises(ValueError) as error:
        published.check(plant(bundled(name)), name)
    assert name in str(error.value)
    assert repr(column) in str(error.value)


@pytest.mark.parametrize("name", READERS)
def test_a_lost_row_is_noticed(name):
    with pytest.raises(ValueError, match=f"{name}: .* rows instead of"):
        published.check(bundled(name).iloc[1:], name)


def test_a_reader_checks(tmp_path, monkeypatch):
    bundled("bigbench_tasks").iloc[1:].to_parquet(tmp_path / "bigbench_tasks.parquet")
    monkeypatch.setattr(published, "DATA", tmp_path)
    with pytest.raises(ValueError, match="bigbench_tasks"):
        published.bigbench_tasks()


def test_accuracies_are_whole_items():
    """n_items is not in the files: acc x n_items must be whole, and give the published standard error."""
    evals = published.pythia_evals()
    correct = evals["acc"] * evals["n_items"]
    assert np.allclose(correct, correct.round(), atol=1e-5)
    stderr = np.sqrt(evals["acc"] * (1 - evals["acc"]) / (evals["n_items"] - 1))
    assert np.allclose(stderr, evals["acc_stderr"], atol=1e-9)


def test_sixteen_models_have_the_same_checkpoints():
    evals = published.pythia_evals()
    main = evals[~evals["model"].str.endswith("MtokBS")]
    assert main["model"].nunique() == 16
    steps = main.groupby(["model", "shots"])["step"].agg(lambda step: tuple(sorted(set(step))))
    assert steps.groupby("shots").nunique().to_dict() == {0: 1, 5: 1}
    assert {shots: len(value) for shots, value in steps["pythia-12b"].items()} == {0: 27, 5: 15}


def test_every_run_of_pythia_ends_at_the_same_tokens():
    """A quarter or an eighth of the batch and four or eight times the steps: 299.9 billion tokens each."""
    last = published.pythia_evals().groupby("model")["tokens"].max()
    assert set(last) == {143_000 * 2_097_152}


def test_cross_entropy_is_the_logarithm_of_perplexity():
    evals = published.pythia_evals()
    lambada = evals["task"] == "lambada_openai"
    assert evals.loc[lambada, ["cross_entropy", "cross_entropy_sd"]].notna().all(axis=None)
    assert evals.loc[~lambada, ["cross_entropy", "cross_entropy_sd"]].isna().all(axis=None)
    row = evals[lambada & (evals["model"] == "pythia-12b") & (evals["step"] == 143_000) & (evals["shots"] == 0)]
    assert np.exp(row["cross_entropy"].item()) == pytest.approx(3.923641999)
    # an untrained model is uniform over 50,304 tokens: CE is the mean number of tokens in a word times ln V
    start = evals[lambada & (evals["step"] == 0) & (evals["model"] == "pythia-410m")]["cross_entropy"].item()
    assert 1.3 < start / np.log(50_304) < 1.5


def test_sizes():
    sizes = published.pythia_sizes()
    assert (sizes["non_embedding"] < sizes["total"]).all()
    assert sizes["non_embedding"].is_monotonic_increasing and sizes["total"].is_monotonic_increasing
    # embedding and unembedding: vocabulary x width, twice; 12b has width 5,120 and 50,688 padded rows
    twelve = sizes.set_index("model").loc["pythia-12b"]
    assert twelve["total"] - twelve["non_embedding"] == 2 * 50_688 * 5_120


def test_parameters_reach_the_tables():
    sizes = published.pythia_sizes().set_index("model")["non_embedding"]
    math = published.pythia_math()
    assert (math["params"] == math["model"].map(sizes)).all()
    evals = published.pythia_evals()
    assert set(evals["params"]) == set(sizes.drop(["pythia-14m", "pythia-31m"]))
    assert evals.groupby("deduped")["params"].nunique().to_dict() == {False: 8, True: 8}


def test_math_tokens_agree_with_the_published_rounding():
    exact, rounded = published.pythia_math()["tokens"], bundled("pythia_math_samples")["tokens"]
    assert (exact / rounded).between(0.9, 1.1).all()


def test_math_problems():
    math = published.pythia_math()
    assert math["problem"].nunique() == 128
    cells = math.groupby(["model", "step"]).size()
    assert cells.drop(("pythia-12b", 1)).eq(128).all() and cells["pythia-12b", 1] == 9


def test_wei_and_the_preferred_metrics():
    """Schaeffer et al., figure 5C: more than 92 % of the emergent tasks; here with the rate of the others."""
    tasks = published.bigbench_tasks()
    harsh = tasks["preferred_metric"].isin(["multiple_choice_grade", "exact_str_match"])
    assert harsh.groupby(tasks["emergent"]).sum().to_dict() == {False: 90, True: 63}
    assert tasks["emergent"].value_counts().to_dict() == {False: 130, True: 67}


def test_open_models():
    models = published.open_models()
    pythia = models[models["model"].str.contains("pythia")]
    assert pythia["model"].nunique() == 8
    known = models.dropna(subset=["tokens"])
    assert np.allclose(known["flops"], 6 * known["params"] * known["tokens"])
    assert models[models["tokens"].isna()]["model"].nunique() == 4

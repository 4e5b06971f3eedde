"""The command `mirage`, as a student types it."""

import json
import tomllib
from functools import partial
from importlib import import_module

import ladder
import pandas as pd
import pytest
import typer
from sample_book import ROOT
from typer.testing import CliRunner

from mirage_lib import cli, families, lm, metrics, scores, stats, sweep, tasks
from mirage_lib.claims import vision
from mirage_lib.items import items_table, read, write

COMMANDS = ["measure", "sweep", "metrics", "vision"]


def mirage(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A ladder model after two steps."""
    return ladder.train(ladder.Cell("arithmetic", "3k", 0, 2), tmp_path_factory.mktemp("models"))


def test_the_command_is_installed():
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["mirage"]
    module, _, name = script.partition(":")
    assert getattr(import_module(module), name) is cli.app


def test_help_names_every_command():
    for words in ([], ["--help"]):
        text = mirage(*words).output
        assert all(name.split()[0] in text for name in COMMANDS)
        assert "..." not in text.replace("[ARGS]...", "")  # no sentence is cut off


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_for_and_gives_an_example(command):
    result = mirage(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"\n    mirage {command} " in result.output
    parsed = typer.main.get_command(cli.app)
    for word in command.split():
        parsed = parsed.commands[word]
    assert parsed.params and all(option.help for option in parsed.params)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_the_help_is_a_command_that_works(command, monkeypatch, tmp_path):
    """Every example is run, with the work itself taken out."""
    text = mirage(*command.split(), "--help").output
    examples = [line.split()[1:] for line in text.splitlines() if line.startswith("    mirage ")]
    monkeypatch.chdir(tmp_path)
    answers = items_table(task="addition-2", model=["m", "n"], params=[1.0, 2.0], is_greedy=[[True], [True]])
    monkeypatch.setattr(families, "load", lambda *args: None)
    monkeypatch.setattr(lm, "measure", lambda *args, **rest: answers)
    monkeypatch.setattr(sweep, "run", lambda *args, **rest: None)
    monkeypatch.setattr(vision, "measure", lambda *args, **rest: None)
    monkeypatch.setattr(families, "LADDER", tmp_path)
    (tmp_path / "arithmetic-3k-seed0").mkdir()
    record = {"family": "arithmetic", "tokens": 8000, "steps": 4000, "params": 3000, "seed": 0}
    (tmp_path / "arithmetic-3k-seed0" / "training.json").write_text(json.dumps(record))
    write(tmp_path / "results" / "one.parquet", answers)
    for words in examples:
        result = mirage(*words)
        assert result.exit_code == 0, result.output


def test_measure_then_metrics(tmp_path, model):
    file = tmp_path / "items.parquet"
    words = ["--digits", "1", "--questions", "6", "--shot-sets", "2", "--choices", "3", "--samples", "2"]
    result = mirage("measure", "--model", model, "--task", "addition", *words, "--out", file)
    assert result.exit_code == 0, result.output
    assert f"12 answers are in {file}" in result.output
    answers = read(file)
    make = partial(tasks.arithmetic, "addition", 1, 6, shot_sets=2, layout="compact")
    task = tasks.multiple_choice(*sweep.seeded(make, [0]), 3)
    wanted = lm.measure(families.load(str(model)), task, samples=2)
    pd.testing.assert_frame_equal(answers, wanted)

    csv = tmp_path / "scores.csv"
    result = mirage("metrics", file, "--csv", csv)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(csv)
    assert table["n_items"].tolist() == [6]  # each asked after two sets of examples
    assert table["params"].tolist() == [families.non_embedding(families.load(str(model)).network)]
    accuracy = stats.mean_interval(metrics.exact_match(wanted).groupby(wanted["item"]).mean())
    assert table[["exact_match", "low", "high"]].iloc[0].tolist() == pytest.approx(list(accuracy))
    for metric in (
        metrics.token_edit_distance,
        metrics.expected_accuracy,
        metrics.cross_entropy,
        metrics.sampled_accuracy,
        metrics.multiple_choice_grade,
        metrics.brier_choices,
    ):
        column = metric.__name__
        assert table[column].item() == pytest.approx(scores.curve(wanted, metric, by="model")["value"].item())
        assert column in result.output
    assert f"{table['cross_entropy'].item():.3f}" in result.output


def test_sweep_then_metrics(tmp_path, model):
    words = ["--family", model, "--task", "addition,multiplication", "--digits", "2,3", "--questions", "4"]
    words = ["sweep", *words, "--seeds", "0,1", "--out", tmp_path / "results"]
    result = mirage(*words)
    assert result.exit_code == 0, result.output
    assert "1 checkpoints, 8 tasks: 8 cells, 0 of them done already" in result.output
    assert "8 of them done already" in mirage(*words).output
    table = cli.scored(sweep.collect(tmp_path / "results"))
    named = [f"{name}-{digits}-compact" for name in ("addition", "multiplication") for digits in (2, 3)]
    assert table["benchmark"].tolist() == named
    assert table["n_items"].tolist() == [8] * 4  # four questions of each seed
    printed = mirage("metrics", tmp_path / "results").output
    assert sum(str(model) in line for line in printed.splitlines()) == 4


def test_tasks_by_name(tmp_path):
    def asked(names, **rest):
        words = {"digits": "2", "n": 3, "shots": 1, "shot_sets": 1, "layout": "plain", "choices": 0, "seeds": [0, 1]}
        return cli.task_tables(names, **words | rest)

    file = tmp_path / "mine.jsonl"
    file.write_text('{"prompt": "1 + 1 =", "target": " 2\\n"}\n')
    names = [table["task"].iloc[0] for table in asked(f"addition,continuation,memo-trap,{file}")]
    # a fixed list of questions has no seed
    assert names == ["addition-2", "addition-2", "continuation", "continuation", "memo-trap", "mine"]
    both = pd.concat(asked("addition"))
    assert both["item"].nunique() == 6 and both["shot_set"].tolist() == [0, 0, 0, 1, 1, 1]
    assert both["prompt"].nunique() == 6
    assert [len(row) for row in asked("addition", choices=4, seeds=[0])[0]["choices"]] == [4, 4, 4]


def test_checkpoints_by_name():
    pythia = families.members("pythia")
    last = cli.chosen(pythia)
    assert len(last) == 10 and set(last["revision"]) == {"step143000"}
    assert len(cli.chosen(pythia, "all")) == len(pythia)
    assert cli.chosen(pythia, max_params=1e9)["params"].max() <= 1e9
    assert len(cli.chosen(families.members("some/model"), max_params=1)) == 1  # of unknown size


def test_the_layout_of_the_ladder(model, monkeypatch):
    assert cli.default_layout([str(model)]) == "compact"
    assert cli.default_layout([str(model), "smollm2"]) == "plain"
    monkeypatch.setattr(families, "LADDER", model.parent)
    assert cli.default_layout([model.name]) == "compact"


def test_a_cluster_is_used_when_named(tmp_path, monkeypatch):
    calls, entered = [], []

    class Client:
        def __enter__(self):
            entered.append(True)

        def __exit__(self, *error):
            entered.append(False)

    monkeypatch.setattr(cli, "_client", Client)
    monkeypatch.setattr(sweep, "run", lambda *args, **rest: calls.append(args[2:]))
    for backend in (["--backend", "dask"], ["--backend", "ray", "--jobs", "3"], []):
        result = mirage("sweep", "--family", "smollm2", "--task", "memo-trap", "--out", tmp_path, *backend)
        assert result.exit_code == 0, result.output
    assert calls == [(None, "dask"), (3, "ray"), (None, None)]
    assert entered == [True, False]


def test_the_table_holds_what_can_be_scored(tmp_path):
    few = items_table(task="a", model=["small", "large"], params=[1.0, 2.0], is_greedy=[[True], [False]])
    more = items_table(task="b", model="small", params=1.0, is_greedy=[[True]], logprob=[[-1.0]])
    table = cli.scored(pd.concat([more, few], ignore_index=True))
    assert table[["benchmark", "model"]].to_numpy().tolist() == [["a", "small"], ["a", "large"], ["b", "small"]]
    assert "token_edit_distance" not in table
    assert table["cross_entropy"].fillna(-1).tolist() == [-1, -1, 1]


def test_no_interval_leaves_0_to_1_or_has_no_width():
    """Questions that are right after one of two sets of examples: twenty, three, and four."""
    for n in (20, 3, 4):
        half = items_table(
            task="t",
            model="m",
            item=[i // 2 for i in range(2 * n)],
            shot_set=[0, 1] * n,
            is_greedy=[[True], [False]] * n,
        )
        row = cli.scored(half).iloc[0]
        assert row["low"] == stats.wilson(n / 2, n).low  # a question counts once
        assert 0 <= row["low"] < row["exact_match"] - 0.1 and row["exact_match"] + 0.1 < row["high"] <= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["measure", "--model", "nobody/nothing", "--out", "o"], "cannot load 'nobody/nothing'"),
        (["measure", "--model", "m", "--task", "magic", "--out", "o"], "there is no task 'magic'"),
        (["measure", "--model", "m", "--task", "no.jsonl", "--out", "o"], "there is no file no.jsonl"),
        (["measure", "--model", "m", "--task", "", "--out", "o"], "no task is named"),
        (["measure", "--model", "m", "--digits", "two", "--out", "o"], "'two' should be a number"),
        (["measure", "--model", "m", "--digits", ",", "--out", "o"], "',' should be a number"),
        (["measure", "--model", "m", "--digits", "1", "--out", "o"], "held out for questions: ask for n="),
        (["sweep", "--family", "nobody/nothing", "--out", "o"], "1 of 1 cells failed"),
        (["sweep", "--family", "pythia", "--revisions", "step0,stp1", "--out", "o"], "no revision stp1; there are"),
        (["sweep", "--family", "pythia", "--max-params", "5", "--out", "o"], "no model is left of 1540"),
        (["metrics", "garbage.parquet"], "garbage.parquet is missing, cut short or no parquet file"),
        (["metrics", "log.jsonl"], "read it with mirage_lib.logs.table"),
        (["metrics", "empty"], "empty holds no results: run a sweep into it first"),
        (["metrics", "other.parquet"], "needs the column 'is_greedy'"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "garbage.parquet").write_text("PAR1")
    (tmp_path / "log.jsonl").write_text('{"doc_id": 0}\n')
    (tmp_path / "empty").mkdir()
    write(tmp_path / "other.parquet", items_table(task="t", model="m", answer=[1]))
    result = mirage(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ") and message in result.stderr
    assert "Traceback" not in result.output


def test_a_fault_of_the_program_is_not_hidden(tmp_path, monkeypatch):
    def fault(*args):
        raise KeyError("a bug")

    monkeypatch.setattr(families, "members", fault)
    result = mirage("sweep", "--out", tmp_path)
    assert isinstance(result.exception, KeyError)

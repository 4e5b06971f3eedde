"""Logs that lm-evaluation-harness writes in this run, older forms of them made here, and logs of other kinds."""

import json
import math
import sys
import types
import warnings

import audit_logs
import numpy as np
import pandas as pd
import pytest

from mirage_lib import families, logs, metrics, tasks
from mirage_lib.items import ItemsError, first_tokens, items_table

RUNGS = {"3k": 3312, "7k": 6592, "26k": 25472}
# the harness takes long to load on a busy machine
pytestmark = pytest.mark.timeout(900)
DATE = "2026-01-31T10-00-00.000001"
PAIR = {"resps": [[["-1.5", "True"]]], "filtered_resps": [["-1.5", "True"]]}


def metric(name, kind="mean", higher=True):
    return {"metric": name, "aggregation": kind, "higher_is_better": higher}


def three_tasks(folder) -> list[dict]:
    """Single-digit addition as log-likelihood, multiple choice and text, as the harness's task definitions."""
    asked = tasks.multiple_choice(tasks.arithmetic("addition", 1, n=24, layout="compact"), 4)
    docs = asked[["prompt", "target", "choices", "answer"]].to_dict("records")
    strip = [
        {**doc, "target": doc["target"].strip(), "choices": [each.strip() for each in doc["choices"]]} for doc in docs
    ]
    (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in strip))
    shared = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "docs.jsonl")}, "cache_dir": str(folder / "cache")},
        "test_split": "test",
        "doc_to_text": "{{prompt}}",
        "target_delimiter": "",
    }
    first = {"function": "take_first"}
    return [
        {
            **shared,
            "task": "sums_likely",
            "output_type": "loglikelihood",
            "doc_to_target": "{{target}}\n",
            "metric_list": [metric("perplexity", "perplexity", False), metric("acc")],
        },
        {
            **shared,
            "task": "sums_choice",
            "output_type": "multiple_choice",
            "doc_to_target": "answer",
            "doc_to_choice": "choices",
            "metric_list": [metric("acc"), metric("acc_norm"), metric("brier_score", "brier_score", False)],
        },
        {
            **shared,
            "task": "sums_text",
            "output_type": "generate_until",
            "doc_to_target": "target",
            "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8, "do_sample": False},
            "metric_list": [metric("exact_match")],
            "filter_list": [
                {"name": "whole", "filter": [first]},
                {"name": "one-digit", "filter": [{"function": "regex", "regex_pattern": "^(.)$"}, first]},
            ],
        },
    ]


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    """A folder that the harness filled, and its own results by model."""
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")
    folder = tmp_path_factory.mktemp("harness")
    models = [f"arithmetic-{rung}-seed0" for rung in RUNGS]
    results = audit_logs.run_harness(three_tasks(folder), models, folder, batch_size=24)
    return folder / "out", results


@pytest.fixture(scope="module")
def sizes():
    return {f"arithmetic-{rung}-seed0": size for rung, size in RUNGS.items()}


def test_scores_are_those_of_the_harness(harness, sizes):
    folder, results = harness
    found = logs.table(folder, filter="whole", sizes=sizes).set_index(["benchmark", "model"])
    assert len(found) == 9
    for model, own in results.items():
        likely, choice, text = (found.loc[task, model] for task in ("sums_likely", "sums_choice", "sums_text"))
        assert likely["exact_match"] == pytest.approx(own["sums_likely"]["acc,none"])
        assert likely["exact_match_se"] == pytest.approx(own["sums_likely"]["acc_stderr,none"])
        assert math.exp(likely["cross_entropy"]) == pytest.approx(own["sums_likely"]["perplexity,none"])
        assert choice["multiple_choice_grade"] == pytest.approx(own["sums_choice"]["acc,none"])
        assert choice["brier_choices"] == pytest.approx(own["sums_choice"]["brier_score,none"])
        assert text["exact_match"] == pytest.approx(own["sums_text"]["exact_match,whole"])
        # beside ours stands what the log says itself
        assert choice["acc_norm"] == pytest.approx(own["sums_choice"]["acc_norm,none"])
        assert likely["perplexity"] == pytest.approx(own["sums_likely"]["perplexity,none"])
        assert choice["n_items"] == 24
        assert choice["params"] == sizes[model]
    # scores that are all the same would prove little
    assert found["exact_match"].nunique() > 1 and found["brier_choices"].nunique() > 1


def test_items_are_those_of_our_own_measurement(harness, sizes):
    from mirage_lib import lm

    items = logs.read(harness[0], task="sums_likely", sizes=sizes)
    asked = tasks.arithmetic("addition", 1, n=24, layout="compact")
    for model, group in items.groupby("model"):
        own = lm.measure(families.load(model), asked)
        assert metrics.cross_entropy(group).tolist() == pytest.approx(metrics.cross_entropy(own).tolist(), abs=1e-4)
        assert metrics.exact_match(group).tolist() == metrics.exact_match(own).tolist()
        assert group["item"].tolist() == own["item"].tolist()


def test_token_metrics_of_sums_are_refused(harness, sizes):
    items = logs.read(harness[0], task="sums_likely", sizes=sizes)
    with pytest.raises(logs.LogError, match=r"'sums_likely' cannot have token_accuracy: .* whole answers, no tokens"):
        logs.score(items, metrics.token_accuracy)
    with pytest.raises(logs.LogError, match="cannot have token_edit_distance: it has no output"):
        logs.score(items, metrics.token_edit_distance)
    with pytest.raises(ItemsError, match="'length'"):
        first_tokens(items, 1)
    assert set(logs.score(items, metrics.cross_entropy)) >= {"cross_entropy", "n_items"}


def test_tokenizer_gives_the_edit_distance(harness, sizes):
    tokenizer = families.load("arithmetic-3k-seed0").tokenizer
    for through in ("whole", "one-digit"):
        items = logs.read(harness[0], task="sums_text", filter=through, tokenizer=tokenizer, sizes=sizes)
        equal = [list(output) == list(target) for output, target in zip(items["output"], items["target"], strict=True)]
        assert items["is_greedy"].tolist() == equal
        assert items["length"].isin([1, 2]).all()
        distance = metrics.token_edit_distance(items)
        assert ((distance == 0) == items["is_greedy"].astype(bool)).all()
        # where the filter found nothing the answer is empty, and not the word that it puts there
        assert (distance <= items["length"].astype(int).clip(lower=8)).all()
    assert any(len(output) == 0 for output in items["output"])
    with pytest.raises(logs.LogError, match="token_accuracy"):
        logs.score(items, metrics.token_accuracy)


def test_each_question_counts_once_and_filters_are_chosen_by_name(harness, sizes):
    folder, results = harness
    with pytest.raises(logs.LogError, match=r"choose one \(filter=, --filter\) of whole, one-digit"):
        logs.read(folder, sizes=sizes)
    with pytest.raises(logs.LogError, match="several filters"):
        logs.table(folder, sizes=sizes)
    found = logs.table(folder, task="sums_text", filter="one-digit", sizes=sizes)
    assert (found["n_items"] == 24).all()
    expected = {model: own["sums_text"]["exact_match,one-digit"] for model, own in results.items()}
    assert found.set_index("model")["exact_match"].to_dict() == pytest.approx(expected)
    # a task with one filter does not mind
    assert len(logs.read(folder, task="sums_choice", filter="whole", sizes=sizes)) == 72


def test_sizes_of_the_log_count_the_embeddings(harness, sizes):
    with pytest.warns(UserWarning, match=r"arithmetic-3k-seed0.* are the harness's and count the embeddings"):
        found = logs.table(harness[0], task="sums_likely")
    counted = found.set_index("model")["params"]
    assert all(counted[model] > size for model, size in sizes.items())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logs.table(harness[0], task="sums_likely", sizes=sizes)


def test_one_run_and_one_file_can_be_read(harness, sizes):
    file = next(harness[0].glob("*-7k-*/samples_sums_choice_*.jsonl"))
    assert set(logs.read(file, sizes=sizes)["model"]) == {"arithmetic-7k-seed0"}
    assert set(logs.read(file, sizes=sizes)["task"]) == {"sums_choice"}
    run = next(file.parent.glob("results_*.json"))
    assert set(logs.table(run, filter="whole", sizes=sizes)["benchmark"]) == {"sums_likely", "sums_choice", "sums_text"}
    with pytest.raises(logs.LogError, match=r"the task .sums.: there are sums_choice, sums_likely"):
        logs.read(harness[0], task="sums", sizes=sizes)


def a_log(folder, *samples, task="t", date=DATE, kind="multiple_choice", **about):
    """Files as the harness writes them, of samples that are made here."""
    folder.mkdir(exist_ok=True)
    results = {
        "results": {task: {"alias": task, "acc,none": 0.5, "acc_stderr,none": "N/A"}},
        "configs": {task: {"output_type": kind}},
        "config": {"model": "hf", "model_args": "pretrained=lab/tiny-1m,dtype=float32", "model_num_parameters": 10},
        "n-samples": {task: {"original": 99, "effective": len(samples)}},
    }
    (folder / f"results_{date}.json").write_text(json.dumps(results | about))
    rows = [
        {"doc_id": i, "doc": {"prompt": "?"}, "filter": "none", "target": "0"} | row for i, row in enumerate(samples)
    ]
    (folder / f"samples_{task}_{date}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def read(folder, **how):
    return logs.read(folder, sizes={"tiny-1m": 1e6}, **how)


TWO = {"arguments": [["ask", " yes"], ["ask", " no"]]}


@pytest.mark.parametrize(
    "responses",
    [
        [[-1.0, True], [-2.0, False]],
        [[["-1.0", "True"]], [["-2.0", "False"]]],
        [[[["-1.0", "True"]]], [[["-2.0", "False"]]]],
        ["(-1.0, True)", "(-2.0, False)"],
    ],
)
def test_numbers_may_be_text_and_nested_deeper(tmp_path, responses):
    items = read(a_log(tmp_path / "log", {**TWO, "resps": responses, "target": 0}))
    assert items["choice_logprob"].tolist() == [[-1, -2]]
    assert items["logprob"].tolist() == [[-1]]
    assert items["is_greedy"].tolist() == [True]


LIKELY_NO = {"resps": [[[-2.0, False]], [[-1.0, False]]]}


@pytest.mark.parametrize(
    "sample",
    [
        {"target": "1", "acc": 1.0},
        {"target": 1, "acc": "1.0"},
        {"target": "no", "acc": 1},
        {"target": " no"},
        {"target": "[1]"},
        {"target": "['no']"},
        # the right option beside an array as it is printed
        {"target": "what follows", "brier_score": [1, "[0.3 0.7]"]},
        # both options before the text that follows them
        {"target": "what follows", "arguments": [["a", " x"], ["b", " x"]], "acc": 1.0},
        # an index that is no index, as the score says
        {"target": "0", "arguments": [["a", " 1"], ["a", " 0"]], "acc": 1.0},
        # options again without the question
        {"target": "1", "resps": [*LIKELY_NO["resps"], [[-9.0, False]], [[-8.0, False]]], "acc_mutual_info": 0.0},
    ],
)
@pytest.mark.parametrize("as_dict", [False, True])
def test_right_option_however_it_is_written(tmp_path, sample, as_dict):
    row = {**TWO, **LIKELY_NO, **sample}
    if as_dict:
        row["arguments"] = {
            f"gen_args_{i}": {"arg_0": prompt, "arg_1": text} for i, (prompt, text) in enumerate(row["arguments"])
        }
    items = read(a_log(tmp_path / "log", row))
    assert items["answer"].tolist() == [1]
    assert items["logprob"].tolist() == [[-1]]
    assert items["choice_logprob"].tolist() == [[-2, -1]]


@pytest.mark.parametrize("target", ["[0, 1]", "maybe", "7"])
def test_no_single_right_option(tmp_path, target):
    folder = a_log(tmp_path / "log", {**TWO, **LIKELY_NO, "target": target})
    with pytest.raises(logs.LogError, match="name no single right option"):
        read(folder)
    with pytest.warns(UserWarning, match="only the log's own scores"):
        found = logs.table(folder, sizes={"tiny-1m": 1e6})
    assert found[["benchmark", "n_items", "acc"]].values.tolist() == [["t", 1, 0.5]]


def test_an_answer_that_contradicts_the_score_is_no_answer(tmp_path):
    with pytest.raises(logs.LogError, match="agrees with its acc"):
        read(
            a_log(
                tmp_path / "log",
                {
                    **TWO,
                    **LIKELY_NO,
                    "target": "[1]",
                    "acc": 0.0,
                    "arguments": TWO["arguments"] * 2,
                    "resps": LIKELY_NO["resps"] * 2,
                },
            )
        )


def test_perplexity_of_a_sample_is_a_log_likelihood(tmp_path):
    folder = a_log(tmp_path / "log", {**PAIR, "perplexity": -1.5, "arguments": [["a", " b"]]}, kind="loglikelihood")
    assert metrics.cross_entropy(read(folder)).tolist() == [1.5]
    rolling = a_log(tmp_path / "rolling", {"resps": [["-40.5"]], "arguments": [["a"]]}, kind="loglikelihood_rolling")
    assert list(logs.score(read(rolling)).filter(regex="^(cross|exact)")) == ["cross_entropy", "cross_entropy_se"]


def generated(answer, target, **scores):
    return {
        "arguments": [["ask", {"until": ["\n"]}]],
        "resps": [[answer]],
        "filtered_resps": [answer],
        "target": target,
        "metrics": list(scores),
        **scores,
    }


def test_early_versions_repeat_questions_without_a_filter_name(tmp_path):
    rows = [generated("no", "5", exact_match=0.0), generated("5", "5", exact_match=1.0)]
    rows = [{**row, "doc_id": 0, "filter": None} for row in rows]
    config = {"t": {"output_type": "generate_until", "filter_list": [{"name": "strict"}, {"name": "flexible"}]}}
    folder = a_log(tmp_path / "log", *rows, configs=config)
    file = folder / f"samples_t_{DATE}.jsonl"
    file.write_text(file.read_text().replace('"filter": null, ', ""))
    assert read(folder, filter="strict")["is_greedy"].tolist() == [False]
    assert read(folder, filter="flexible")["is_greedy"].tolist() == [True]
    with pytest.raises(logs.LogError, match="of strict, flexible"):
        read(folder)
    bare = a_log(tmp_path / "bare", *rows, configs={})
    with pytest.raises(logs.LogError, match="questions twice"):
        read(bare)


class Letters:
    """A tokenizer that knows letters."""

    def __call__(self, text, add_special_tokens):
        assert not add_special_tokens
        return {"input_ids": [ord(each) for each in text]}


def test_generated_answers(tmp_path):
    rows = [generated(" 07", "['07']", exact_match=1.0), generated("[invalid]", "12", exact_match=0.0)]
    items = read(a_log(tmp_path / "log", *rows, kind="generate_until"), tokenizer=Letters())
    assert items["length"].tolist() == [2, 2]
    assert metrics.token_edit_distance(items).tolist() == [0, 2]
    reasoned = a_log(
        tmp_path / "reasoned", generated("42", "6 times 7. #### 42", exact_match=1.0), kind="generate_until"
    )
    assert read(reasoned)["is_greedy"].tolist() == [True]
    with pytest.raises(logs.LogError, match="compares parts of them"):
        read(reasoned, tokenizer=Letters())
    graded = a_log(tmp_path / "graded", generated("a", "b", bleu=0.25, passed=1.0), kind="generate_until")
    with pytest.raises(logs.LogError, match=r"no 'exact_match' of 0 or 1 .* choose one with right="):
        read(graded)
    assert read(graded, right="passed")["is_greedy"].tolist() == [True]
    with pytest.raises(logs.LogError, match="no 'bleu' of 0 or 1"):
        read(graded, right="bleu")


def test_results_without_samples_have_scores_only(tmp_path):
    folder = a_log(
        tmp_path / "log",
        PAIR,
        group_subtasks={"both": ["t"]},
        results={"t": {"acc,none": "0.25", "acc_stderr,none": 0.1}, "both": {"acc,none": 0.9}},
    )
    (folder / f"samples_t_{DATE}.jsonl").unlink()
    with pytest.raises(logs.LogError, match="without samples: run lm_eval with --log_samples"):
        read(folder)
    found = logs.table(folder, sizes={"lab/tiny-1m": 2e6})
    assert found[["benchmark", "family", "model", "params", "n_items", "acc", "acc_se"]].values.tolist() == [
        ["t", "logged", "lab/tiny-1m", 2e6, 1, 0.25, 0.1]
    ]


@pytest.mark.filterwarnings("ignore:sizes of")
def test_models_and_runs_are_told_apart(tmp_path):
    revised = {"config": {"model_args": {"pretrained": "lab/tiny-1m"}, "model_revision": "step5"}}
    a_log(tmp_path / "a", {**TWO, **LIKELY_NO}, **revised)
    a_log(tmp_path / "b", {**TWO, **LIKELY_NO}, model_name="/runs/1/last")
    a_log(tmp_path / "c", {**TWO, **LIKELY_NO}, model_name="/runs/2/last")
    sizes = {"lab/tiny-1m@step5": 1e6}
    items = logs.read(tmp_path, sizes=sizes)
    assert sorted(items["model"]) == ["/runs/1/last", "/runs/2/last", "lab/tiny-1m@step5"]
    assert items.set_index("model")["params"].tolist() == [10, 10, 1e6]
    with pytest.raises(logs.LogError, match=r"no size is known of lab/tiny-1m@step5: give .* sizes="):
        logs.read(tmp_path)
    a_log(
        tmp_path / "b",
        {**TWO, "resps": [[[-1.0, True]], [[-2.0, False]]]},
        date="2026-02-01T00-00-00.1",
        model_name="/runs/1/last",
    )
    with pytest.warns(UserWarning, match="answered 't' more than once: the run of 2026-02-01"):
        items = logs.read(tmp_path, sizes=sizes)
    assert items.set_index("model")["logprob"]["/runs/1/last"] == [-1]


def test_what_is_no_log_is_said(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    for path, message in (
        (tmp_path, "holds no log"),
        (tmp_path / "none", "is not there"),
        (tmp_path / "notes.txt", "lm_eval"),
    ):
        with pytest.raises(logs.LogError, match=message):
            logs.read(path)
    with pytest.raises(logs.LogError, match="no log is named"):
        logs.table()
    assert logs.kind(tmp_path) == ""
    orphan = a_log(tmp_path / "orphan", {**TWO, **LIKELY_NO})
    (orphan / f"results_{DATE}.json").unlink()
    with pytest.raises(logs.LogError, match=f"samples and no results_{DATE}.json"):
        read(orphan)
    with pytest.raises(logs.LogError, match="no response to question 0"):
        read(a_log(tmp_path / "silent", {**TWO, "resps": []}))
    with pytest.raises(logs.LogError, match="is empty"):
        read(a_log(tmp_path / "empty"))
    with pytest.raises(logs.LogError, match="no log-likelihood"):
        read(a_log(tmp_path / "words", {**TWO, "resps": [["yes"], ["no"]]}))
    cut = a_log(tmp_path / "cut", {**TWO, **LIKELY_NO})
    file = cut / f"samples_t_{DATE}.jsonl"
    file.write_text(file.read_text()[:-20])
    with pytest.raises(logs.LogError, match=r"line 1 of .* was the run cut short"):
        read(cut)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (f"results_{DATE}.json", "[]", r"results_.* is no JSON.*names with values are wanted"),
        (f"results_{DATE}.json", '{"results": ', r"results_.* is no JSON: was the run cut short"),
        ("mine.csv", "", "mine.csv is no table with a name above each column"),
        ("mine.csv", "benchmark;model;grade\nb;m;0,5\n", "mine.csv has semicolons between its columns: write commas"),
        ("mine.jsonl", "[1]\n", "line 1 of .*mine.jsonl is no JSON"),
        ("mine.jsonl", "", "mine.jsonl lacks 'model', 'task'"),
        ("mine.csv", "benchmark,model,n_items,grade\nb,m,9,0.5\n", "no size is known of m: .* --sizes FILE"),
    ],
)
def test_odd_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(logs.LogError, match=message):
        logs.table(tmp_path / name)


def test_allowed_is_what_can_be_scored():
    """One table of metrics: each that is allowed has scores, and one that is not is refused."""
    plain = items_table(task="t", family="F", model="m", is_greedy=[True, False], logprob=[[-1.0], [-2.0]])
    assert [each.__name__ for each in logs.allowed(plain)] == ["exact_match", "expected_accuracy", "cross_entropy"]
    assert logs.allowed(plain.drop(columns="logprob")) == [metrics.exact_match]
    tokens = plain.assign(is_greedy=items_table(task="t", is_greedy=[[True], [False, True]])["is_greedy"])
    assert metrics.token_accuracy in logs.allowed(tokens)
    for items in (plain, tokens):
        assert set(logs.score(items)) >= {each.__name__ for each in logs.allowed(items)}
        for each in set(logs.METRICS) - set(logs.allowed(items)):
            with pytest.raises(logs.LogError, match=f"cannot have {each.__name__}"):
                logs.score(items, each)


def test_mixed_tasks_are_scored_apart(tmp_path):
    a_log(tmp_path / "a", {**TWO, **LIKELY_NO}, task="choice")
    a_log(tmp_path / "b", generated("x", "x", exact_match=1.0), task="text", kind="generate_until")
    items = read(tmp_path)
    found = logs.score(items).set_index("benchmark")
    assert found.loc["choice", "brier_choices"] > 0
    assert np.isnan(found.loc["text", "brier_choices"])
    with pytest.raises(logs.LogError, match="task 'text' cannot have brier_choices: it has no choice_logprob"):
        logs.score(items, metrics.brier_choices)


def test_plain_tables(tmp_path):
    table = pd.DataFrame(
        {
            "subject": ["s", "s", "u"],
            "model": "m",
            "item": [0, 1, 0],
            "hit": [1, 0, 1],
            "logprob": [[-0.5, -0.5], [-2.0], [-3.0]],
            "params": 5e6,
        }
    )
    names = {"subject": "task", "hit": "is_greedy"}
    table.to_parquet(tmp_path / "mine.parquet")
    table.to_json(tmp_path / "mine.jsonl", orient="records", lines=True)
    for name in ("mine.parquet", "mine.jsonl"):
        items = logs.read(tmp_path / name, columns=names)
        assert metrics.cross_entropy(items).tolist() == [1, 2, 3]
        assert logs.table(tmp_path / name, columns=names)["exact_match"].tolist() == [0.5, 1]
        assert len(logs.read(tmp_path / name, task="s", columns=names)) == 2
    with pytest.raises(logs.LogError, match="lacks 'task'"):
        logs.read(tmp_path / "mine.parquet")
    with pytest.raises(logs.LogError, match="has no task 'v': there are s, u"):
        logs.read(tmp_path / "mine.parquet", columns=names, task="v")
    scored = pd.DataFrame(
        {"benchmark": "b", "model": ["m", "n"], "n_items": 9, "grade": [0.1, 0.2], "brier": [0.9, 0.8]}
    )
    scored.to_csv(tmp_path / "scores.csv", index=False)
    found = logs.table(tmp_path / "scores.csv", sizes={"m": 1e6, "n": 1e9})
    assert found[["family", "grade", "params"]].values.tolist() == [["logged", 0.1, 1e6], ["logged", 0.2, 1e9]]
    with pytest.raises(logs.LogError, match="no size is known of m, n"):
        logs.table(tmp_path / "scores.csv")
    with pytest.raises(logs.LogError, match=r"has no items.*logs\.table reads scores"):
        logs.read(tmp_path / "scores.csv", sizes={"m": 1, "n": 1})


@pytest.fixture
def inspect_log(tmp_path, monkeypatch):
    """A log whose samples a stand-in for inspect_ai gives, as version 0.3.285 gave them for scripted answers."""
    (tmp_path / "2026-01-31T10-00-00-00-00_sums_abc.eval").write_bytes(b"PK")
    rows = [(id, epoch, f"mock/{model}") for model in ("big", "small") for epoch in (1, 2) for id in ("q0", "q1", "q2")]
    frame = pd.DataFrame(rows, columns=["id", "epoch", "model"]).assign(task_name="sums", target="4", error=None)
    frame["score_match"] = ["I" if id == "q2" or model == "mock/small" else "C" for id, _, model in rows]
    frame["score_partial"] = ["P" if id == "q1" else "C" for id, _, _ in rows]
    frame["score_soft"] = 0.25
    frame["score_two"] = '{"a": 0.3}'
    analysis = types.ModuleType("inspect_ai.analysis")
    analysis.EvalModel, analysis.EvalTask, analysis.SampleSummary = ["model"], ["task_name"], ["id", "score_*"]
    analysis.samples_df = lambda path, columns, quiet: frame
    monkeypatch.setitem(sys.modules, "inspect_ai", types.ModuleType("inspect_ai"))
    monkeypatch.setitem(sys.modules, "inspect_ai.analysis", analysis)
    return tmp_path, frame


def test_inspect_ai(inspect_log):
    folder, frame = inspect_log
    sizes = {"big": 1e9, "small": 1e6}
    items = logs.read(folder, sizes=sizes)
    assert items["is_greedy"].tolist() == [True, True, False] * 2 + [False] * 6
    assert items["item"].tolist() == [0, 1, 2] * 4
    found = logs.table(folder, sizes=sizes).set_index("model")
    # an epoch is the same question again
    assert found["n_items"].tolist() == [3, 3]
    assert found.loc["mock/big", ["match", "partial", "soft", "params"]].tolist() == pytest.approx(
        [2 / 3, 5 / 6, 0.25, 1e9]
    )
    assert "two" not in found
    with pytest.raises(logs.LogError, match="these say right or wrong: match; choose one with right="):
        logs.read(folder, right="soft", sizes=sizes)
    frame.loc[3, "score_match"] = None
    with pytest.raises(logs.LogError, match="without a score"):
        logs.read(folder, sizes=sizes)


def test_inspect_ai_is_asked_for(inspect_log, monkeypatch):
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    monkeypatch.setitem(sys.modules, "inspect_ai.analysis", None)
    with pytest.raises(logs.LogError, match="pip install inspect_ai"):
        logs.read(inspect_log[0])


def test_tables_of_our_own_items_keep_their_tokens():
    items = items_table(task="t", family="F", model="m", is_greedy=[[True, False]], logprob=[[-1.0, -1.0]])
    assert logs.score(items)[["token_accuracy", "cross_entropy"]].values.tolist() == [[0.5, 2]]

"""The audit against planted truths and results of the book; its command, its page and its errors."""

import json
import re
import tarfile

import audit_power
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mirage_lib import audit, cli, families, metrics, published, report
from mirage_lib.claims import kept
from mirage_lib.items import first_tokens, items_table, write

SIZE = np.geomspace(1e7, 1e10, 8)


def table(harsh, soft, **more):
    named = {"benchmark": "b", "family": "f", "model": list("abcdefgh"[: len(harsh)]), "params": SIZE[: len(harsh)]}
    return pd.DataFrame({**named, "n_items": 2000, "harsh": harsh, "soft": soft, **more})


SHARP = [0.0, 0, 0, 0, 0.02, 0.5, 0.6, 0.6]


@pytest.mark.parametrize("truth", audit_power.TRUTHS)
def test_planted_truths(truth):
    """A cheap version of tools/audit_power.py, on seeds that it does not count: right, hardly ever wrong."""
    rows = [audit_power.said(truth, seed, 10, 2000) for seed in range(5000, 5012)]
    told = pd.DataFrame({"truth": truth, "sizes": 10, "n_items": 2000, "floor": 0, **{k: [row.get(k) for row in rows]
                         for k in ("verdict", "power")}})  # fmt: skip
    judged = audit_power.judged(told)
    assert judged["wrong"].sum() <= 1 and judged["named"].sum() >= 5, told
    # of those said to have power enough, hardly one is without an answer or has a false one
    sure = judged[judged["power"] >= audit.POWER]
    assert (~sure["named"]).sum() <= 1, told


def test_the_count_that_is_kept_is_of_the_truths_and_right_in_95_of_100():
    kept_count = pd.read_csv(audit_power.OUT)
    assert set(kept_count["truth"]) == set(audit_power.TRUTHS)
    sums = kept_count.groupby("truth").sum(numeric_only=True)
    assert (sums["draws"] >= 400).all()
    assert (sums["wrong"] <= 0.05 * sums["draws"]).all() and (sums["right"] >= 0.95 * sums["draws"]).all(), sums
    # where the audit states that power suffices nearly all are named, and with many items most have an answer
    assert sums["sure_named"].sum() >= 0.97 * sums["sure"].sum()
    many = kept_count.query("n_items >= 1000 and sizes >= 8").groupby("truth").sum(numeric_only=True)
    assert (many["named"] >= 0.35 * many["draws"]).all() and many["named"].sum() >= 0.75 * many["draws"].sum(), many


def test_an_open_verdict_is_right_only_where_power_is_short():
    """The judge of the count can say no: to a false cause, a jump denied, and one left open without need."""
    rows = [("metric artefact", 8, n, 0, verdict, power) for n, verdict, power in (
        [(1, "the metric", 0.9)] * 9 + [(1, "undecided", 0.3), (2, "test set too small", 0.3), (2, "no jump", 0.9),
                                        (2, "the model", 0.9), (3, "undecided", 0.9)])]  # fmt: skip
    told = audit_power.judged(pd.DataFrame(rows, columns=["truth", "sizes", "n_items", "floor", "verdict", "power"]))
    assert told["right"].tolist() == [True] * 9 + [False, True, False, False, False]
    assert told["wrong"].tolist() == [False] * 11 + [True, True, False]


def test_published_results_have_the_verdicts_of_their_chapters():
    pythia = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000")
    n, said = pythia["n_items"], {}
    for k in (1, 10, 20):
        right = metrics.subset_probability((pythia["acc"] * n).round(), n, k)
        error = k * right * np.sqrt((1 - pythia["acc"]) / pythia["acc"] / n)
        rows = pythia.assign(benchmark="lambada", family="Pythia", harsh=right, harsh_se=error)
        said[k] = audit.audit(rows, "harsh", "cross_entropy")["verdict"].item()
    assert said == {1: "no jump", 10: "the metric", 20: "test set too small"}
    mmlu = published.open_models().query("benchmark == 'mmlu'").dropna(subset="flops").assign(family="pooled")
    found = audit.audit(mmlu, "multiple_choice_grade", "-brier_target_choice", "flops")
    assert found["verdict"].item() == "undecided"  # as the chapter on multiple choice
    letters = published.olmo_letters().query("benchmark in ['arc_easy', 'csqa']")
    letters = letters.rename(columns={"blind_bits": "mc_letter_bits_chance"})
    letters["flops"] = 6 * letters["params"] * letters["tokens"]
    assert set(audit.audit(letters, "mc_acc", "-mc_letter_bits", "flops")["verdict"]) == {"the model"}


def test_results_of_the_ladder_have_the_verdicts_of_their_chapter():
    """Harsh to soft: of held-out source code neither short nor long answers are said to jump, under any score.

    With 1,000 places of text the audit's own power is below .8 for one character and for eight, and it says so.
    """
    text = kept.load("ladder-text-continuation")
    for length, soft, verdict in (
        (1, "token_accuracy", "test set too small"),
        (4, "cross_entropy", "no jump"),
        (8, "token_edit_distance", "test set too small"),
    ):
        found = audit.audit(first_tokens(text, length), "exact_match", soft)
        assert found["verdict"].item() == verdict and found["soft_sharp"].item() <= 0.05
        assert verdict == "no jump" or found["power"].item() < 0.8


def answers(n=400, shared=1.0):
    """Items of eight models whose questions are hard for all of them, or each for its own."""
    rng = np.random.default_rng(0)
    hard, parts = rng.normal(size=n), []
    for place, size in enumerate(SIZE):
        own = shared * hard + np.sqrt(1 - shared**2) * rng.normal(size=n)
        p = 1 / (1 + np.exp(-(place / 3 - 1 + own)))
        logprob = [[value] for value in np.log(p)]
        hit = rng.random(n) < p
        parts.append(items_table(family="f", model=f"m{place}", params=size, task="t", item=np.arange(n),
                                 logprob=logprob, is_greedy=hit))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_items_pair_the_scores_and_the_models():
    both = [audit.curves(answers(shared=shared), soft="cross_entropy")[0] for shared in (0.0, 1.0)]
    for curves in both:
        spread = np.sqrt(np.diag(curves.covariance))
        together = curves.covariance / np.outer(spread, spread)
        assert together[0, 8] > 0.2  # one question, both scores
    models = [(c.covariance / np.outer(*[np.sqrt(np.diag(c.covariance))] * 2))[8, 9] for c in both]
    assert abs(models[0]) < 0.2 and models[1] > 0.9  # one question, two models


def test_a_rise_that_begins_with_the_window_is_no_jump():
    early = table([0.0, 0.55, 0.58, 0.6, 0.6, 0.6, 0.6, 0.6], np.linspace(0, 1, 8), soft_se=0.01)
    assert audit.audit(early, "harsh", "soft")["verdict"].item() == "no jump"


def test_a_straight_line_is_no_jump_and_little_power_gives_no_verdict():
    line = table(np.linspace(0.1, 0.7, 8), np.linspace(0, 1, 8), soft_se=0.01)
    assert audit.audit(line, "harsh", "soft")["verdict"].item() == "no jump"
    few = audit.audit(line.assign(n_items=15), "harsh", "soft").iloc[0]
    assert few["power"] < audit.POWER and few["verdict"] == "test set too small" and few["items_needed"] > 15
    told = dict(report.answers(few))
    assert told["Could this test set show one?"].startswith(f"No: with 15 items and these sizes {few['power']:.0%} of")
    assert "It jumps in 0% of the draws" in told["Could so few sizes show one?"]


def test_a_jump_that_the_soft_score_does_not_see_is_nobodys():
    """The formula of the metric makes no jump of this soft score; one of which it does is the metric's."""
    wrong, late = np.linspace(0.5, 0.2, 8), np.linspace(0.9, 0.36, 8) ** 2  # tokens, as a share
    found = {}
    for name, right, share, length in (("blind", SHARP, wrong, 3), ("seen", (1 - late) ** 20, late, 20)):
        scored = {"exact_match": right, "token_edit_distance": length * share, "token_edit_distance_se": 0.01}
        rows = table(SHARP, SHARP, length=length).drop(columns=["harsh", "soft"]).assign(**scored)
        found[name] = audit.audit(rows, "exact_match", "token_edit_distance").iloc[0]
    assert found["blind"]["verdict"] == "undecided" and found["blind"]["power"] >= audit.POWER
    assert found["blind"]["given_back"] < audit.GIVEN_BACK <= found["seen"]["given_back"]
    assert found["seen"]["verdict"] == "the metric"


def test_seeds_of_one_size_count_as_one():
    twice = pd.concat([table(SHARP, SHARP), table(SHARP, SHARP).assign(model=list("ijklmnop"))])
    found = audit.audit(twice, "harsh", "soft").iloc[0]
    assert (found["sizes"], found["models"]) == (8, 16)
    assert found["verdict"] == "the model"


def test_a_soft_score_below_chance_counts_as_chance():
    bits = [9.0, 5, 3, 2.2, 2.0, 0.8, 0.6, 0.6]  # at first only surer of wrong answers than a blind guess
    plain, known = (audit.audit(table(SHARP, bits, **more), "harsh", "-soft").iloc[0]
                    for more in ({}, {"soft_chance": 2.0}))  # fmt: skip
    assert plain["verdict"] != "the model" and known["verdict"] == "the model"


def test_a_hole_and_few_sizes_decide_nothing():
    assert audit.audit(table([0, 0, 0.5, 0.6], [1, 2, 3, 4]), "harsh", "soft")["verdict"].item() == "too few sizes"
    hole = table(
        SHARP,
        SHARP,
    ).assign(params=[1e7, 1.1e7, 1.2e7, 1.3e7, 1.4e7, 8e9, 9e9, 1e10])
    assert audit.audit(hole, "harsh", "soft")["verdict"].item() == "too few sizes"


@pytest.mark.parametrize(
    ("change", "names", "message"),
    [
        ({}, ("harsh", ""), "no soft score beside a harsh one"),
        ({}, ("harsh", "brier"), "has no score 'brier'"),
        ({"params": 1e9}, ("harsh", "soft"), "one size only"),
        ({"params": "1.4B"}, ("harsh", "soft"), "'params' is no number"),
        ({"params": 0.0}, ("harsh", "soft"), "has params = 0"),
        ({"harsh": 7.0}, ("harsh", "soft"), "must go from 0 to 1"),
        ({"soft": [np.nan] + [1.0] * 7}, ("harsh", "soft"), "has soft = nan"),
        ({"harsh": [0.0, 0, 1, 2, 9, 40, 60, 61.5]}, ("harsh", "soft"), "from 0 to 1: of percentages take a hundredth"),
        ({"soft_chance": "two bits"}, ("harsh", "soft"), "'soft_chance' is no number.*two bits"),
        ({"harsh_se": [0.1] * 7 + [np.inf]}, ("harsh", "soft"), "has harsh_se = inf"),
        ({"soft_se": -1.0}, ("harsh", "soft"), "has soft_se = -1"),
    ],
)
def test_errors_say_what_is_wrong(change, names, message):
    with pytest.raises(audit.AuditError, match=message):
        audit.audit(table(SHARP, SHARP).assign(**change), *names)
    with pytest.raises(audit.AuditError, match=r"lacks 'params': .*\(--sizes FILE adds them\)"):
        audit.audit(table(SHARP, SHARP).drop(columns="params"), "harsh", "soft")


@pytest.fixture
def folder(tmp_path):
    """Logs of the harness, and a file of sizes."""
    with tarfile.open(published.DATA / "audit_logs.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    digits = [re.search(r"-([\d.]+)([km])", name).groups() for name in names]
    sizes = [float(number) * {"k": 1e3, "m": 1e6}[unit] for number, unit in digits]
    pd.DataFrame({"model": names, "params": sizes}).to_csv(tmp_path / "sizes.csv", index=False)
    table(SHARP, SHARP).to_csv(tmp_path / "jump.csv", index=False)
    table([0.5], [0.5]).to_csv(tmp_path / "one.csv", index=False)
    table(SHARP, SHARP).drop(columns="params").to_csv(tmp_path / "unsized.csv", index=False)
    (tmp_path / "empty").mkdir()
    return tmp_path


def mirage(*words):
    return CliRunner().invoke(cli.app, ["audit", *map(str, words)])


def test_command_from_logs_to_a_page_that_needs_no_other_host(folder):
    result = mirage(folder / "logs", "--sizes", folder / "sizes.csv", "--out", folder / "report.html")
    assert result.exit_code == 0, result.output
    assert "no jump" in result.output and "exact_match" in result.output
    page = (folder / "report.html").read_text()
    assert "no jump" in page and page.count("<dt>") == 5 and "params,exact_match" in page
    assert not re.search(r"<(script|img|link|iframe)|@import|src=", page)
    assert re.findall(r"url\((?!#)", page) == []
    names = re.findall(r' id="([^"]+)"', page)
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', page)) <= set(names) and "$parts" not in page


def test_command_prints_json_and_ends_with_a_status_for_pipelines(folder):
    words = [folder / "jump.csv", "--harsh", "harsh", "--soft", "soft"]
    (row,) = json.loads(mirage(*words, "--json").stdout)
    assert row["verdict"] == "the model" and row["next"] == report.next_step(row)
    assert mirage(*words, "--fail-on", "the metric").exit_code == 0
    assert mirage(*words, "--fail-on", "the metric,the model").exit_code == 3


def test_sizes_of_the_harness_are_noted(folder):
    assert "count the embeddings" in mirage(folder / "logs").stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["empty"], "holds no log"),
        (["nowhere"], "is not there"),
        (["one.csv", "--harsh", "harsh", "--soft", "soft"], "one size only"),
        (["jump.csv"], "name two columns"),
        (["unsized.csv", "--harsh", "harsh", "--soft", "soft"], "no size is known"),
        (["jump.csv", "--sizes", "jump.csv", "--fail-on", "perhaps"], "there is no verdict 'perhaps'"),
        (["logs", "--task", "other"], "no log has the task 'other'"),
    ],
)
def test_command_says_what_is_wrong(folder, monkeypatch, words, message):
    monkeypatch.chdir(folder)
    result = mirage(*words)
    assert result.exit_code == (2 if "--fail-on" in words else 1), result.output
    assert message in " ".join(result.stderr.split()), result.output


def test_one_bad_benchmark_is_reported_and_the_others_are_audited(folder):
    """Named with the cause, in the page and the status too."""
    good = pd.read_csv(folder / "jump.csv")
    bad = good.assign(benchmark="percent", harsh=100 * good["harsh"])
    pd.concat([bad, good]).to_csv(folder / "both.csv", index=False)
    words = [folder / "both.csv", "--harsh", "harsh", "--soft", "soft"]
    result = mirage(*words, "--out", folder / "both.html")
    assert result.exit_code == 1 and "the model" in result.stdout
    assert "Not audited: on 'percent', family 'f' the harsh score 'harsh' must go from 0 to 1" in result.stderr
    assert "Not audited:</strong> on &#x27;percent&#x27;" in (folder / "both.html").read_text()
    row, error = json.loads(mirage(*words, "--json").stdout)
    assert row["verdict"] == "the model" and "take a hundredth" in error["error"]
    assert mirage(*words, "--fail-on", "the model").exit_code == 3


def test_a_task_that_cannot_be_read_is_reported_and_the_others_are_audited(folder):
    for run in sorted((folder / "logs").iterdir()):
        file = next(run.glob("samples_*.jsonl"))
        results = next(run.glob("results_*.json"))
        about = json.loads(results.read_text())
        (name,) = about["results"]
        for part in ("results", "configs", "n-samples"):
            about[part]["broken"] = about[part][name]
        results.write_text(json.dumps(about))
        file.with_name(file.name.replace(name, "broken")).write_text("{")
    result = mirage(folder / "logs", "--sizes", folder / "sizes.csv")
    assert result.exit_code == 1 and "no jump" in result.stdout, result.output
    assert "Not audited: 'broken' has no soft score" in result.stderr and "is no JSON" in result.stderr


def test_sizes_count_for_a_folder_of_a_sweep_too(tmp_path):
    items = answers(60)
    write(tmp_path / "sweep" / "one.parquet", items)
    sizes = pd.DataFrame({"model": [f"m{i}" for i in range(8)], "params": SIZE[::-1], "family": "turned"})
    sizes.to_csv(tmp_path / "sizes.csv", index=False)
    result = mirage(tmp_path / "sweep", "--sizes", tmp_path / "sizes.csv", "--json")
    assert json.loads(result.stdout)[0]["family"] == "turned", result.output
    found = cli.audited_table([tmp_path / "sweep"], sizes=tmp_path / "sizes.csv")
    assert found.groupby("model")["params"].first().tolist() == SIZE[::-1].tolist()


def test_a_tokenizer_gives_generated_answers_their_edit_distance(monkeypatch):
    """What `logs.read` is given: the tokenizer of a folder, or of the hub."""
    seen = {}
    monkeypatch.setattr(cli.logs, "read", lambda *paths, **how: seen.update(how) or answers(40))
    cli.audited_table([published.DATA / "audit_logs.tar.xz"], tokenizer=f"{families.LADDER}/arithmetic-3k-seed0")
    assert seen["tokenizer"]("12+3", add_special_tokens=False)["input_ids"]


def test_figures_take_any_name_and_stay_in_the_range_of_a_share():
    nothing = table([0.0] * 8, np.linspace(0.2, 0.8, 8)).rename(columns={"params": "cost in $", "harsh": "$ right"})
    figure = report.draw(audit.curves(nothing, "$ right", "soft", "cost in $")[0])
    (bars,) = figure.axes[0].containers
    assert min(end[1] for line in bars[2][0].get_segments() for end in line) == 0
    assert "<svg" in report.svg(figure)  # formulae that do not end would be errors
    assert figure.axes[1].get_xlabel() == r"cost in \$ (log scale)"
    curves = audit.curves(nothing, "$ right", "soft", "cost in $") * 2
    page = report.page(curves, pd.DataFrame([audit.decide(each) for each in curves]))
    names = re.findall(r' id="([^"]+)"', page)
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', page)) <= set(names) and len(set(names)) == len(names)


def test_metrics_draws_the_curves_of_a_sweep(tmp_path):
    items = pd.concat([answers(60), answers(60).assign(family="g", model="x" + answers(60)["model"])])
    write(tmp_path / "sweep" / "one.parquet", items)
    result = CliRunner().invoke(cli.app, ["metrics", str(tmp_path / "sweep"), "--plot", str(tmp_path / "curves.svg")])
    assert result.exit_code == 0 and "<svg" in (tmp_path / "curves.svg").read_text(), result.output
    scored = cli.scored(items)
    figure = report.plot(scored)
    assert [ax.get_ylabel() for ax in figure.axes] == ["exact match", "expected accuracy", "cross entropy"]
    line = figure.axes[2].containers[1][0]
    mine = scored.query("family == 'g'")
    assert line.get_xdata().tolist() == mine["params"].tolist()
    assert line.get_ydata().tolist() == mine["cross_entropy"].tolist()
    with pytest.raises(ValueError, match="nothing to plot against"):
        report.plot(scored.query("params == params.min()"))


def test_tasks_that_do_not_have_the_pair_are_named():
    other = answers(40).drop(columns="logprob").assign(task="text only")
    mixed = pd.concat([answers(40), other], ignore_index=True)
    with pytest.raises(audit.AuditError, match="'text only' has no soft score"):
        audit.audit(mixed)


def test_what_cannot_be_told_apart_is_an_error_and_what_counts_as_one_is_noted(folder, monkeypatch):
    """Rows that repeat, families that nothing names, models that no file of sizes names: none goes without a word."""
    monkeypatch.chdir(folder)
    table = pd.read_csv("jump.csv")
    with pytest.raises(audit.AuditError, match="has several rows"):
        audit.audit(pd.concat([table, table]), "harsh", "soft")
    with pytest.raises(audit.AuditError, match="benchmark"):
        audit.audit(table.assign(benchmark=[np.nan, *table["benchmark"][1:]]), "harsh", "soft")
    assert audit.audit(table.assign(harsh=1 - table["harsh"]), "-harsh", "soft")["verdict"].equals(
        audit.audit(table, "harsh", "soft")["verdict"]
    )
    assert "nothing names the families" in mirage("logs", "--sizes", "sizes.csv").stderr
    sizes = pd.read_csv("sizes.csv")
    sizes.assign(family="a").to_csv("families.csv", index=False)
    assert "nothing names the families" not in mirage("logs", "--sizes", "families.csv").stderr
    sizes.iloc[1:].to_csv("fewer.csv", index=False)
    assert "does not name" in mirage("logs", "--sizes", "fewer.csv").stderr
    pd.concat([sizes, sizes.assign(params=1.0)]).to_csv("doubled.csv", index=False)
    assert "twice: which size counts?" in " ".join(mirage("logs", "--sizes", "doubled.csv").stderr.split())

"""The audit against planted truths and results of the book; its command, its page and its errors."""

import json
import re
import tarfile

import audit_power
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import isotonic_regression
from typer.testing import CliRunner

from mirage_lib import audit, cli, compare, metrics, published, report
from mirage_lib.items import items_table

SIZE = np.geomspace(1e7, 1e10, 8)


def table(harsh, soft, **more):
    named = {"benchmark": "b", "family": "f", "model": list("abcdefgh"[: len(harsh)]), "params": SIZE[: len(harsh)]}
    return pd.DataFrame({**named, "n_items": 2000, "harsh": harsh, "soft": soft, **more})


SHARP = [0.0, 0, 0, 0, 0.02, 0.5, 0.6, 0.6]


@pytest.mark.parametrize("truth", audit_power.TRUTHS)
def test_planted_truths(truth):
    """A cheap version of tools/audit_power.py: the right verdict most often, a wrong one hardly ever."""
    said = [audit_power.said(truth, seed, 10, 2000) for seed in range(12)]
    open_ = {"undecided", "too few sizes", "test set too small"}
    assert sum(verdict in {audit_power.TRUTHS[truth]} | open_ for verdict in said) >= 11, said
    if not truth.endswith("blind to it"):  # there no verdict is all that is wanted
        assert said.count(audit_power.TRUTHS[truth]) >= 8, said


def test_the_count_that_is_kept_is_of_the_truths_and_has_few_wrong_verdicts():
    kept = pd.read_csv(audit_power.OUT)
    assert set(kept["truth"]) == set(audit_power.TRUTHS)
    for truth, right in audit_power.TRUTHS.items():
        rows = kept[kept["truth"] == truth].groupby("verdict")["count"].sum()
        wrong = set(rows.index) - {right, "undecided", "too few sizes", "test set too small"}
        assert rows[list(wrong)].sum() <= 0.05 * rows.sum(), truth


def test_never_falling_and_shapes_are_those_of_compare():
    curves = np.random.default_rng(0).normal(size=(30, 8)) + np.linspace(0, 2, 8)
    ours = audit.never_falling(curves)
    assert np.allclose(ours, [isotonic_regression(curve).x for curve in curves])
    for curve, (early, half, late) in zip(curves, audit.shapes(np.log10(SIZE), curves).T, strict=True):
        place, width = compare.rise(SIZE, curve)
        assert half == pytest.approx((np.log10(place) - 7) / 3, abs=1e-6)
        assert late - early == pytest.approx(width / 3, abs=1e-6)


def test_published_results_have_the_verdicts_of_their_chapters():
    pythia = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000")
    n, said = pythia["n_items"], {}
    for k in (1, 10):
        right = metrics.subset_probability((pythia["acc"] * n).round(), n, k)
        error = k * right * np.sqrt((1 - pythia["acc"]) / pythia["acc"] / n)
        rows = pythia.assign(benchmark="lambada", family="Pythia", harsh=right, harsh_se=error)
        said[k] = audit.audit(rows, "harsh", "cross_entropy")["verdict"].item()
    assert said == {1: "no jump", 10: "the metric"}
    letters = published.olmo_letters().query("benchmark in ['arc_easy', 'csqa']")
    letters = letters.rename(columns={"blind_bits": "mc_letter_bits_chance"})
    letters["flops"] = 6 * letters["params"] * letters["tokens"]
    assert set(audit.audit(letters, "mc_acc", "-mc_letter_bits", "flops")["verdict"]) == {"the model"}


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
        ({"params": "1.4B"}, ("harsh", "soft"), "is no number"),
        ({"params": 0.0}, ("harsh", "soft"), "has params = 0"),
        ({"harsh": 7.0}, ("harsh", "soft"), "must go from 0 to 1"),
        ({"soft": [np.nan] + [1.0] * 7}, ("harsh", "soft"), "has soft = nan"),
    ],
)
def test_errors_say_what_is_wrong(change, names, message):
    with pytest.raises(audit.AuditError, match=message):
        audit.audit(table(SHARP, SHARP).assign(**change), *names)
    with pytest.raises(audit.AuditError, match="lacks 'params'"):
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

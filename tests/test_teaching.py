"""The course: its minutes, its numbers, its labs with their checks, its quizzes; and what students do not get."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from itertools import combinations
from pathlib import Path

import nbformat
import notebooks
import numpy as np
import pages
import pytest
import sample_book

import teaching
from mirage_lib import metrics, published, stats
from mirage_lib.claims import kept
from mirage_lib.items import first_tokens

ROOT = sample_book.ROOT
COURSE = ROOT / "teaching"
sys.path.insert(0, str(COURSE / "labs"))
import mirage_labs  # noqa: E402

LABS = teaching.labs()
browser_needed = pytest.mark.skipif(
    not pages.CHROMIUM, reason="Chromium is not installed; CHROMIUM=/path/to/it names one"
)
TEXTS = [file for file in sorted(COURSE.rglob("*")) if file.suffix in (".md", ".toml")]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The lecturer's pages."""
    folder = tmp_path_factory.mktemp("course") / "teaching"
    teaching.build(folder, student=False)
    return folder


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """The students' part."""
    folder = tmp_path_factory.mktemp("students") / "teaching"
    teaching.build(folder, student=True)
    return folder


# ---- minutes


def minutes(text: str) -> list[int]:
    """The sum of each table whose first column is minutes."""
    tables = re.findall(r"^\| minutes \|.*\n\|[ |-]+\n((?:\|.*\n?)+)", text, re.MULTILINE)
    return [sum(int(row.split("|")[1]) for row in table.strip().splitlines()) for table in tables]


@pytest.mark.parametrize(
    ("file", "sums"),
    [("README.md", [60, 270, 360])] + [(f"{lesson}.md", [90]) for lesson in teaching.LESSONS],
)
def test_minutes_add_up(file, sums):
    assert minutes((COURSE / file).read_text()) == sums


def test_a_missing_minute_is_noticed():
    text = (COURSE / "lesson-1.md").read_text()
    assert minutes(text.replace("| 20 |", "| 19 |", 1)) == [89]


@pytest.mark.parametrize("lesson", teaching.LESSONS)
def test_plans_name_slides_that_are_there(lesson):
    rows = re.findall(r"^\| \d+ \|.*?\| ([\d, to]+) \|", (COURSE / f"{lesson}.md").read_text(), re.MULTILINE)
    named = [int(number) for row in rows for number in re.findall(r"\d+", row)]
    assert max(named) == len(teaching.slides_of((COURSE / "slides" / f"{lesson}.md").read_text()))


def test_every_misconception_that_is_named_is_known_and_each_is_met():
    known = set(teaching.misconceptions())
    plans = "\n".join((COURSE / f"{lesson}.md").read_text() for lesson in teaching.LESSONS)
    met = {name for name in known if name in plans}
    columns = re.findall(r"^\| \d+ \|.*\| ([^|]+) \|$", plans, re.MULTILINE)
    named = {name for column in columns for name in re.findall(r"[a-z]+(?:-[a-z]+)+", column)}
    assert named <= known
    assert met == known


# ---- numbers


# chosen, defined or counted by the course itself, and measured by nobody
CHOSEN = {
    "80 %",
    "95 %",
    "5 %",
    "60 %",
    "30 %",
    "0.9",
    "0.95",
    "0.99",
    "0.05",
    "0.1",
    "0.5",
    "−0.35",
    "−0.08",
    "−0.1",
    "0.25",
    "0.75",
    "0.12",
    "12 %",
    "0.4",
}
NUMBER = re.compile(r"[−-]?\d+(?:\.\d+)?\s?%|[−-]?\d*\.\d+")


def typed(text: str) -> list[str]:
    """Percentages and decimals that a text types and nobody chose; what is computed and code do not count."""
    text = re.sub(
        r"\{\{.*?\}\}|```.*?```|`[^`]*`|\]\([^)]*\)|colab\.research\S*|Python 3\.\d+", "", text, flags=re.DOTALL
    )
    return [number for number in NUMBER.findall(text) if number not in CHOSEN]


SPOKEN = [file for file in TEXTS if file.parent.name != "labs" and file.name not in ("labs.md", "answers.md")]


@pytest.mark.parametrize("file", SPOKEN, ids=lambda file: str(file.relative_to(COURSE)))
def test_no_measured_number_is_typed(file):
    assert typed(file.read_text()) == []


def test_a_typed_number_is_noticed():
    assert typed("It is {{ first_1:.0%}} of 95 %, and 19 % in `0.3`, or 0.188.") == ["19 %", "0.188"]


def test_every_number_is_computed_and_every_computed_one_is_shown():
    named = {match[1] for file in TEXTS for match in teaching.FIELD.finditer(file.read_text())}
    assert named - set(teaching.numbers()) == set()
    assert set(teaching.numbers()) - named == set()


def test_an_unknown_number_is_told():
    with pytest.raises(teaching.TeachingError, match="no number 'nothing'"):
        teaching.filled("{{ nothing:.2f }}")
    with pytest.raises(teaching.TeachingError, match="no chapter 'nowhere'"):
        teaching.filled("[[nowhere]]")


def test_numbers_agree_with_the_data():
    """A few of them by another way."""
    numbers = teaching.numbers()
    final = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000")
    best = final[final["model"].str.startswith("pythia-12b")]
    assert numbers["best_1"] == pytest.approx(best["acc"].mean(), abs=1e-4)
    assert numbers["best_20"] == pytest.approx((best["acc"] ** 20).mean(), rel=0.03)
    assert numbers["need_1"] == np.ceil(np.log(0.05) / np.log(0.99))
    assert numbers["shift_20"] == pytest.approx(np.log10(20) / 0.35)
    assert numbers["toy_moved"] == pytest.approx(numbers["toy_harsh"], rel=1e-6)


def test_what_the_lessons_say_of_the_numbers_is_so():
    n = teaching.numbers()
    assert n["toy_soft"] < n["toy_moved"]  # the window
    assert n["width_20"] < 0.5 < n["width_5"] < n["width_1"] < 0.8  # only twenty words are sharp
    assert abs(abs(n["miss_1"]) - abs(n["miss_5"])) < 0.05 and abs(n["miss_20"]) > 0.5  # missed alike; missed by far
    assert 0.15 < n["first_1"] < 0.25  # "about a fifth"
    assert abs(n["letter_1b"] - n["letter_blind"]) < 0.1 < n["letter_blind"] - n["letter_7b"]
    assert n["text_1b"] < 0.7 * n["text_first"]  # by text the loss falls all along
    assert n["gpt3_off"] < 0.02 < n["gpt3_by_size"] < n["gpt3_naive"]
    assert (
        n["train_after_high"] > 0.9 and n["train_after_low"] > 2 * n["train_before_high"]
    )  # all above all, two near the top
    assert n["train_loss_after"] < n["train_loss_before"] / 2
    assert n["seen_50000"] == n["n_rungs"] > 3 * n["seen_20"]
    assert n["lenet_first_50"] < 0.05 < n["lenet_last_50"] and n["lenet_last"] > 0.9
    assert n["seeds_high"] - n["seeds_low"] > 0.3


def test_no_field_is_left_in_a_page(course, students):
    for folder in (course, students):
        left = [file.name for file in folder.rglob("*.html") if re.search(r"\{\{|\[\[|\(figure:", _words(file))]
        assert left == []


def _words(file: Path) -> str:
    return re.sub(r"<(script|style)\b.*?</\1>", "", file.read_text(), flags=re.DOTALL)


def test_links_of_the_pages_lead_somewhere(course, students):
    for folder in (course, students):
        for file in folder.rglob("*.html"):
            for link in re.findall(r'href="([^"#]+)', _words(file)):
                if "://" in link:
                    continue
                target = (file.parent / link).resolve()
                if "html" in target.relative_to(folder.resolve().parent).parts[:1]:  # of the book
                    target = ROOT / target.relative_to(folder.resolve().parent / "html").with_suffix(".md")
                assert target.exists(), f"{file.name}: {link}"


# ---- quizzes


def quiz_faults(questions: list[dict], keys: dict, ideas: dict) -> list[str]:
    """What is wrong with a lesson's questions and their keys."""
    found = [] if len(questions) == 8 else [f"{len(questions)} questions"]
    found += [f"{name}: no question" for name in set(keys) - {question["id"] for question in questions}]
    for question in questions:
        name, options, key = question["id"], question["options"], keys.get(question["id"], {})
        wrong = set(options) - {key.get("right")}
        if list(options) != ["a", "b", "c", "d"] or len(set(options.values())) != 4:
            found.append(f"{name}: not four options")
        if key.get("right") not in options or not key.get("because"):
            found.append(f"{name}: no right answer, or no reason")
        for letter in sorted(wrong):
            idea, reply = key.get(letter, ("", ""))
            if idea not in ideas or not reply:
                found.append(f"{name}: {letter} names no misconception, or has no reply")
    if len({keys[q["id"]]["right"] for q in questions if q["id"] in keys}) < 4:
        found.append("some letter is never right")
    return found


@pytest.mark.parametrize("lesson", teaching.LESSONS)
def test_quiz_is_whole(lesson):
    assert quiz_faults(teaching.quiz(lesson), teaching.keys(lesson), teaching.misconceptions()) == []


def test_faults_of_a_quiz_are_noticed():
    questions, ideas = teaching.quiz("lesson-1"), teaching.misconceptions()
    keys = teaching.keys("lesson-1")
    assert quiz_faults(questions[1:], keys, ideas)[:2] == ["7 questions", "zero: no question"]
    broken = keys | {"zero": keys["zero"] | {"a": ["nonsense", "So."]}}
    assert quiz_faults(questions, broken, ideas) == ["zero: a names no misconception, or has no reply"]


def test_each_misconception_has_a_wrong_option():
    keys = [key for lesson in teaching.LESSONS for key in teaching.keys(lesson).values()]
    used = {key[letter][0] for key in keys for letter in "abcd" if letter in key}
    assert used == set(teaching.misconceptions())


def test_right_answers_of_computed_questions():
    """The keys' numbers, each computed by hand."""
    n, keys = teaching.numbers(), teaching.keys("lesson-1") | teaching.keys("lesson-2")
    options = {q["id"]: q["options"] for lesson in teaching.LESSONS for q in teaching.quiz(lesson)}
    for question, value in {
        "power": f"{0.95**20:.0%}",
        "nats": f"{np.exp(-2):.0%}",
        "fishing": f"{1 - 0.95**39:.0%}",
        "halves": f"{(1 + np.exp(-4)) / 2:.0%}",
        "need": "299",
    }.items():
        right = teaching.filled(options[question][keys[question]["right"]])
        assert value.replace("%", " %") in right, question
    assert n["rule_20"] == pytest.approx(3 / 20, abs=0.02)


@browser_needed
def test_quiz_is_answered_in_the_browser(course):
    lesson = "lesson-2"
    with pages.browser() as browser:
        page = browser.new_page()
        page.goto((course / "quizzes" / f"{lesson}.html").as_uri())
        for question in teaching.quiz(lesson):
            for letter in question["options"]:
                name = f"{lesson}-{question['id']}"
                page.check(f"input[data-key='{name}-{letter}']")
                said = page.locator(f"fieldset:has(input[name='{name}']) output").inner_text()
                wanted = teaching.feedback(lesson, question["id"], letter)
                assert said == ("Right. " if wanted[0] == "+" else "Not so. ") + wanted[1:]
        # a, b, c, d were clicked in turn, and the first answer counts
        first = sum(key["right"] == "a" for key in teaching.keys(lesson).values())
        assert page.locator("#score").inner_text() == f"{first} right at the first try, of 8 answered."


# ---- labs and their checks


def pythia():
    table = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000 and not deduped")
    table = table.sort_values("params")
    return table["params"].to_numpy(float), table["acc"].to_numpy(), table["n_items"].to_numpy()


def answers() -> dict[str, tuple[list, list]]:
    """By check: two right forms, and five typical wrong answers with words of the reply; by hand from the data."""
    sizes, p, n = pythia()
    log = np.log10(sizes)
    right = np.rint(p * n)
    score = metrics.subset_probability(right, n, 20)
    way = (score - score[0]) / (score[-1] - score[0])
    low, half, high = np.interp([0.1, 0.5, 0.9], way, log)
    window = log[-1] - log[0]
    line = np.polyval(np.polyfit(log[:5], p[:5], 1), log[-1])
    miss = (line - p[-1]) / (p[-1] - p[0])
    text = kept.load("ladder-text-continuation")
    text = text[text["params"] == text["params"].max()]
    logprob = np.array(text["logprob"].tolist())
    ce = -logprob[:, :4].sum(1)
    exam = kept.load("ladder-text-exam")
    exam = exam[exam["params"] == exam["params"].max()]["right_for"]
    one, four = (exam >= 1).mean(), (exam >= 4).mean()
    gpt3 = published.gpt3().query("benchmark == 'lambada' and setting == 'zero'").iloc[-1]
    scores = [stats.emergence_score(p[list(chosen)]) for chosen in combinations(range(8), 4)]
    noise = stats.emergence_null(8)
    empty, many, words = (..., "Still empty"), ([0.1, 0.2], "here are 2"), ("about a third", "is no number")
    return {
        "all-twenty": (
            [score[-1], p[-1] ** 20],
            [
                (p[-1], "one word"),
                (20 * p[-1], "added"),
                (p[-1] / 20, "divided"),
                (1 - (1 - p[-1]) ** 20, "at least one"),
                (100 * score[-1], "percent"),
                (score, "here are 8"),
                empty,
            ],
        ),
        "place": (
            [10**half, f"{10**half:.4g}"],
            [
                (half, "logarithm"),
                (10**half / 1e9, "billions"),
                (np.interp(0.5, way, sizes), "logarithmic"),
                (sizes[6], "one of the sizes"),
                (10 ** np.interp(0.5, (p - p[0]) / (p[-1] - p[0]), log), "single words"),
                empty,
            ],
        ),
        "width": (
            [(high - low) / window, f"{100 * (high - low) / window:.1f} %"],
            [
                (high - low, "factors of ten"),
                (1.0, "whole window"),
                ((10**high - 10**low) / (sizes[-1] - sizes[0]), "linear"),
                (-(high - low) / window, "sign"),
                (np.ptp(np.interp([0.25, 0.75], way, log)) / window, "middle half"),
                words,
            ],
        ),
        "line-misses": (
            [miss, f"{100 * miss:.1f} %"],
            [
                (line - p[-1], "units of the score"),
                ((line - p[-1]) / p[-1], "largest score"),
                (-miss, "sign"),
                (100 * miss, "percent"),
                (float("nan"), "nan"),
                many,
            ],
        ),
        "at-most": (
            [3 / 20, 1 - 0.05 ** (1 / 20)],
            [
                (0, "not a rate of zero"),
                (1 / 20, "step of the scale"),
                (0.95**20, "Find the rate"),
                (15, "percent"),
                (1 - 0.95**20, "at least one right"),
                words,
            ],
        ),
        "sampled": (
            [np.exp(-ce).mean(), f"{100 * np.exp(-ce).mean():.2f} %"],
            [
                (np.exp(-ce.mean()), "mean first"),
                (np.exp(-ce.mean() / 4), "losses add up"),
                (ce.mean(), "in nats"),
                (np.exp(logprob.sum(1)).mean(), "first_tokens"),
                (metrics.exact_match(first_tokens(text, 4)).mean(), "greedy"),
                (np.exp(-ce), "here are 1000"),
            ],
        ),
        "four-from-one": (
            [one**4, f"{100 * one**4:.1f} %"],
            [
                (4 * one, "added"),
                (one / 4, "divided"),
                (one**0.25, "fourth root"),
                (four, "measured"),
                (one, "one character"),
            ],
        ),
        "gpt3": (
            [_curve_at(gpt3["cross_entropy"], small_only=True), _curve_at(gpt3["cross_entropy"], small_only=False)],
            [
                (np.exp(-gpt3["cross_entropy"]), "exp(−m)"),
                (gpt3["cross_entropy"], "loss itself"),
                (p[-1], "best Pythia"),
                (np.exp, "call it"),
                ("", "Still empty"),
            ],
        ),
        "hidden": (
            [(1 - 0.0016) ** 100, np.exp(100 * np.log1p(-0.0016))],
            [
                (0.16, "expect"),
                (1 - (1 - 0.0016) ** 100, "at least one"),
                (1 - 0.0016, "one item"),
                (0.0016, "rate itself"),
                (99.84, "added"),
            ],
        ),
        "best-subset": (
            [max(scores), f"{max(scores):.2f}"],
            [
                (stats.emergence_score(p), "all eight"),
                (min(scores), "lowest"),
                (np.median(scores), "median"),
                (np.mean(scores), "mean"),
                (scores, "here are 70"),
            ],
        ),
        "any-of-39": (
            [1 - 0.95**39, "86.5 %"],
            [
                (0.05, "one metric"),
                (39 * 0.05, "do not add up"),
                (0.95**39, "keep quiet"),
                (0.05**39, "all 39 raise"),
                (86.5, "percent"),
            ],
        ),
        "noise-above-line": (
            [(noise >= 7).mean(), (noise > 7).sum() / len(noise)],
            [
                ((noise < 7).mean(), "scores less"),
                ((abs(noise) >= 7).mean(), "fall, too"),
                ((noise >= 8).mean(), "scores 7"),
                (np.quantile(noise, 0.95), "a share is asked"),
                (int((noise >= 7).sum()), "number of curves"),
                (noise, "here are 20000"),
            ],
        ),
    }


def _curve_at(m: float, small_only: bool) -> float:
    """The repaired curve at a loss, fitted by a line of ln(−ln accuracy) in ln m: another fit than the check's."""
    table = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step >= 1000")
    table = table.query("params < 4e8") if small_only else table
    g, a = np.polyfit(np.log(table["cross_entropy"]), np.log(-np.log(table["acc"])), 1, w=1 / table["cross_entropy"])
    return float(np.exp(-np.exp(a) * m**g))


ANSWERS = answers()


def check_faults(name: str) -> list[str]:
    """What a check says that it should not: of right forms, and of typical wrong answers."""
    right, wrong = ANSWERS[name]
    found = [f"{form!r} is refused" for form in right if not mirage_labs.check(name, form).right]
    for answer, words in wrong:
        reply = mirage_labs.check(name, answer)
        if reply.right or words not in reply.said:
            found.append(f"{words!r} expected, said {reply.said!r}")
    return found


@pytest.mark.parametrize("name", mirage_labs.CHECKS)
def test_check_takes_right_forms_and_knows_mistakes(name):
    right, wrong = ANSWERS[name]
    assert len(right) >= 2 and len(wrong) >= 5
    assert check_faults(name) == []


@pytest.mark.parametrize("name", mirage_labs.CHECKS)
def test_a_fault_planted_in_a_check_is_noticed(name, monkeypatch):
    """Once it takes a mistake for the truth; once it knows no mistake."""
    sound = mirage_labs.CHECKS[name]
    first = next(iter(sound.mistakes().values()))
    monkeypatch.setitem(mirage_labs.CHECKS, name, sound._replace(truths=lambda: [float(first)]))
    assert check_faults(name) != []
    monkeypatch.setitem(mirage_labs.CHECKS, name, sound._replace(mistakes=dict))
    assert check_faults(name) != []


def test_an_unknown_check_is_an_error():
    with pytest.raises(KeyError):
        mirage_labs.check("nothing", 1)


def test_the_rate_of_lab_3_is_that_of_its_data():
    exam = kept.load("ladder-text-exam")
    least = (exam["right_for"] >= 8).groupby(exam["params"]).mean().min()
    assert round(least, 4) == mirage_labs.RATE
    assert f"{mirage_labs.RATE}" in (COURSE / "labs" / "lab-3-how-to-fool-oneself.md").read_text()


def run_lab(text: str) -> list:
    """Run a lab's cells, as one kernel would; what the checks replied."""
    replies, space = [], {"__name__": "__lab__"}
    for cell in nbformat.reads(text, as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, "lab", "exec"), space)
            for line in re.findall(r"^check\(.*\)$", cell.source, re.MULTILINE):
                replies.append(eval(line, space))
    return replies


@pytest.mark.parametrize("file", LABS, ids=lambda file: file.stem)
def test_lab_runs_as_it_is_given_and_solved(file, monkeypatch):
    import matplotlib.pyplot as plt

    monkeypatch.setattr("mirage_lib.claims.kept.live", lambda: False)
    start = time.process_time()
    given, done = run_lab(teaching.lab_notebook(file)), run_lab(teaching.lab_notebook(file, solution=True))
    plt.close("all")
    assert time.process_time() - start < 120  # both; each has a minute
    assert len(given) == len(done) == len(teaching.STUB.findall(file.read_text())) == 4
    assert all("Still empty" in reply.said for reply in given)
    assert all(reply.right for reply in done), done


@pytest.mark.parametrize("file", LABS, ids=lambda file: file.stem)
def test_lab_has_minutes_levels_and_three_hints_each(file):
    text = file.read_text()
    sections = [part for part in re.split(r"^## ", text, flags=re.MULTILINE) if teaching.STUB.search(part)]
    assert len(sections) == 4
    for section in sections:
        assert re.search(r"\*\d+ minutes, (easy|medium|hard)\.\*", section)
        assert re.findall(r"Hint (\d)", section) == ["1", "2", "3"]
    assert "**Predict**" in text and "**Run.**" in text and "**Explain**" in text
    assert re.search(r"^\*About \d+ minutes, (easy|medium|hard)\.", text, re.MULTILINE)


def test_notebooks_of_the_labs_are_those_of_their_sources():
    assert notebooks.stale(teaching.written()) == []


def test_built_lab_runs_in_a_kernel_of_its_own(course):
    """In the folder that is handed out, the checks beside it; and its first cell is the chapters'."""
    from nbclient import NotebookClient

    file = course / "instructor" / f"{LABS[-1].stem}-solved.ipynb"
    notebook = nbformat.read(file, as_version=4)
    assert notebook.cells[0].source == notebooks.install_cell(*notebooks.configured(ROOT))
    NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(file.parent)}}).execute()
    said = [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    assert sum(words.startswith("Right.") for words in said) == 4


def test_colab_gets_the_checks_with_the_library():
    settings = (ROOT / "pyproject.toml").read_text()
    assert '"mirage_labs" = "teaching/labs/mirage_labs"' in settings and '"mirage_labs"]' in settings


# ---- slides


@pytest.mark.parametrize("lesson", teaching.LESSONS)
def test_every_slide_has_a_note_and_every_figure_words(lesson):
    text = (COURSE / "slides" / f"{lesson}.md").read_text()
    assert all(said for _, said in teaching.slides_of(text))
    assert all(len(words) > 40 for words, _ in teaching.FIGURE.findall(text))
    assert len(teaching.FIGURE.findall(text)) >= 4


def test_a_figure_without_words_is_told(monkeypatch):
    monkeypatch.setattr(teaching, "slides_of", lambda text: [("## A\n\n![](figure:chain)", "")])
    with pytest.raises(teaching.TeachingError, match="no alternative text"):
        teaching.deck("lesson-1", student=False)


def test_every_figure_is_shown_and_is_the_same_every_time():
    shown = {
        name
        for lesson in teaching.LESSONS
        for _, name in teaching.FIGURE.findall((COURSE / "slides" / f"{lesson}.md").read_text())
    }
    assert shown == set(teaching.module("drawings").FIGURES)
    once = teaching.drawn("chain")
    teaching.drawn.cache_clear()
    assert teaching.drawn("chain") == once


OVER = """() => [...Reveal.getCurrentSlide().querySelectorAll(":scope > :not(aside), td, li")].map(
  part => part.getBoundingClientRect()).some(box => box.bottom > innerHeight || box.right > innerWidth)"""


@browser_needed
@pytest.mark.parametrize("lesson", teaching.LESSONS)
def test_slides_open_with_the_network_cut(course, students, lesson):
    count = len(teaching.slides_of((COURSE / "slides" / f"{lesson}.md").read_text()))
    with pages.browser() as browser:
        for folder in (course, students):
            found = []
            page = browser.new_page()
            page.set_viewport_size({"width": 1280, "height": 720})
            page.on(
                "request",
                lambda r, f=found: f.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None,
            )
            page.on("pageerror", lambda error, f=found: f.append(str(error)))
            page.on("console", lambda m, f=found: f.append(m.text) if m.type == "error" else None)
            page.goto((folder / "slides" / f"{lesson}.html").as_uri())
            page.wait_for_function("window.Reveal && Reveal.isReady()")
            assert page.evaluate("Reveal.getTotalSlides()") == count
            for number in range(count):
                page.evaluate(f"Reveal.slide({number})")
                assert not page.evaluate(OVER), f"slide {number + 1} runs over"
            assert page.locator("aside.notes").count() == (count if folder == course else 0)
            assert found == []
            page.close()


@browser_needed
def test_notes_open_beside_the_slides(course):
    with pages.browser() as browser:
        page = browser.new_page()
        page.goto((course / "slides" / "lesson-3.html").as_uri())
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        popup.value.wait_for_function("document.body.innerText.includes('Today we make some')")


@browser_needed
def test_slides_print_one_to_a_page(course, tmp_path):
    file = tmp_path / "slides.pdf"
    teaching.printed({file: f"{(course / 'slides' / 'lesson-3.html').as_uri()}?print-pdf"}, prefer_css_page_size=True)
    count = len(teaching.slides_of((COURSE / "slides" / "lesson-3.md").read_text()))
    assert len(re.findall(rb"/Type\s*/Page\b", file.read_bytes())) == count


@browser_needed
def test_pages_can_be_read_by_everybody(course):
    with pages.browser() as browser:
        for name in ("index.html", "quizzes/lesson-1.html", "instructor/keys.html", "lesson-2.html"):
            page = browser.new_page()
            page.goto((course / name).as_uri())
            assert pages.violations(page, {}) == [], name
            page.set_viewport_size(pages.PHONE)
            assert page.evaluate("document.documentElement.scrollWidth") <= pages.PHONE["width"], name
            page.close()


# ---- what students do not get


def secrets() -> list[str]:
    """Sentences that only a lecturer is to see: of keys, answers, solutions, plans and notes; tags do not hide them."""
    found = [code.strip().splitlines()[-1] for code in teaching.solutions().values()]
    for lesson in teaching.LESSONS:
        for key in teaching.keys(lesson).values():
            found += [key["because"], *(key[letter][1] for letter in "abcd" if letter in key)]
        found += [
            said.splitlines()[0] for _, said in teaching.slides_of((COURSE / "slides" / f"{lesson}.md").read_text())
        ]
        found += re.findall(r"^- \*.*?\* (.{30})", (COURSE / f"{lesson}.md").read_text(), re.MULTILINE)
    found += re.findall(r"^\d+\. (.{40})", (COURSE / "instructor" / "answers.md").read_text(), re.MULTILINE)
    plain = [re.split(r"\{\{", text.strip())[0].strip() for text in found]
    return [text.splitlines()[0] for text in plain if len(text) > 25]


def leaks(folder: Path) -> list[str]:
    """Files of a folder that hold something of `secrets`, or are named as the lecturer's."""
    said = secrets()
    found = [
        str(path.relative_to(folder)) for path in folder.rglob("*") if "instructor" in path.relative_to(folder).parts
    ]
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".html", ".ipynb", ".md", ".toml", ".txt", ".js", ".py"):
            text = path.read_text(errors="ignore")
            text = html.unescape(text) + (json.dumps(text) if path.suffix == ".ipynb" else "")
            found += [f"{path.name}: {secret}" for secret in said if secret in text]
    return found


def test_students_get_nothing_of_the_lecturers(students):
    assert len(secrets()) > 100
    assert leaks(students) == []
    assert (students / "quizzes" / "lesson-1.html").exists() and (students / "labs" / f"{LABS[0].stem}.ipynb").exists()
    assert not (students / "lesson-1.html").exists()
    # the checks of the book's exercises come with the library; a folder to hand out would show how each is solved
    assert [file.name for file in (students / "labs" / "mirage_labs").iterdir()] == ["__init__.py"]


def test_a_leak_is_noticed(course, students, tmp_path):
    assert any("keys.html" in line for line in leaks(course))
    assert any("lesson-1.html" in line for line in leaks(course))
    shutil.copytree(students, tmp_path / "leaking")
    said = teaching.keys("lesson-3")["order"]["because"]
    (tmp_path / "leaking" / "quizzes" / "lesson-3.html").write_text(f"<p>{said}</p>")
    assert leaks(tmp_path / "leaking") == [f"lesson-3.html: {said}"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A book with the course beside it, as a student's: built with the project's own tools."""
    folder = sample_book.lay_out(tmp_path_factory.mktemp("sample") / "sample")
    shutil.copytree(COURSE, folder / "teaching", ignore=shutil.ignore_patterns("__pycache__"))
    code, log = sample_book.make(folder, "book", "STUDENT=1")
    assert code == 0, log
    return folder


def test_the_students_book_has_nothing_of_the_course(sample):
    built = sample / "_build" / "student" / "_build" / "html"
    assert leaks(built) == []
    assert not any("teaching" in path.relative_to(built).parts for path in built.rglob("*"))


@browser_needed
def test_the_book_is_one_pdf(sample):
    run = subprocess.run(
        [sys.executable, "tools/teaching.py", "pdf", "student"],
        cwd=sample, capture_output=True, text=True, check=False, env=os.environ | {"CHROMIUM": pages.CHROMIUM},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    content = (sample / "_build" / "student" / "_build" / "mirage-book.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 5  # each page of the book begins a new one
    assert b"/Outlines" in content
    assert b"(file:" not in content  # links lead inside, or to the published book


def test_a_chart_on_paper_says_where_it_moves(sample, monkeypatch):
    monkeypatch.setattr(teaching, "ROOT", sample)
    paper = teaching.one_page(sample / "_build" / "student" / "_build" / "html")
    assert paper.count('class="mirage-chart"') == paper.count("On paper this chart stands still") > 0


@browser_needed
def test_the_zip_opens_with_the_network_cut(sample, monkeypatch, tmp_path):
    monkeypatch.setattr(teaching, "built", lambda student: sample / "_build" / "student" / "_build")
    with zipfile.ZipFile(teaching.offline(student=True)) as packed:
        packed.extractall(tmp_path)
    folder = tmp_path / "mirage-book"
    assert leaks(folder / "teaching") == []
    asked = []
    with pages.browser() as browser:
        page = browser.new_page()
        page.on("request", lambda r: asked.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None)
        page.goto((folder / "START.html").as_uri())
        page.wait_for_url("**/teaching/index.html")
        page.click("text=the book")
        page.wait_for_url("**/html/book/index.html")
        for name in ("slides/lesson-1.html", "quizzes/lesson-1.html"):
            page.goto((folder / "teaching" / name).as_uri())
    assert asked == []


# ---- the rest


def test_projects_have_four_rubrics_of_four_levels():
    text = (COURSE / "projects.md").read_text()
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(parts) == 4
    for part in parts:
        rows = [row.strip("| ").split(" | ") for row in part.splitlines() if row.startswith("| **")]
        assert "| 0 | 1 | 2 | 3 |" in part and len(rows) == 4
        assert all(len(row) == 5 and all(cell.strip() for cell in row) for row in rows)


def test_discussion_has_ten_questions_each_answered_and_a_debate():
    asked = re.findall(r"^(\d+)\. ", (COURSE / "discussion.md").read_text(), re.MULTILINE)
    answered = re.findall(r"^(\d+)\. ", (COURSE / "instructor" / "answers.md").read_text(), re.MULTILINE)
    assert asked == answered == [str(number) for number in range(1, 11)]
    assert "| role |" in (COURSE / "discussion.md").read_text()


def test_readme_says_how_to_give_the_first_lesson():
    text = (ROOT / "README.md").read_text()
    lines = re.search(r"## Teach with it\n\n(.*?)\n\n## ", text, re.DOTALL)[1].splitlines()
    assert len([line for line in lines if line.startswith(("- ", "1", "2", "3", "4", "5"))]) == 5
    assert "make slides" in text and "teaching/README.md" in text

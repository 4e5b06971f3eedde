"""Tasks: the questions are what they say, no answer stands in a prompt, and the same call gives the same table."""

import json
import re
from pathlib import Path

import ladder
import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from mirage_lib import tasks
from mirage_lib.tasks import TaskError

OPERATIONS = {"+": int.__add__, "*": int.__mul__, "plus": int.__add__, "times": int.__mul__}
PROBLEM = re.compile(r"(\d+) ?(\+|\*|plus|times) ?(\d+)\?? ?(?:A:|=) ?(\d+)\n")


def problems(text: str) -> list[tuple[int, str, int, int]]:
    """Every problem of a prompt with its answer, in any layout, read back from the text."""
    text = re.sub(r"(?<=\d) (?=\d)", "", text.replace("Q:What is ", ""))
    found = PROBLEM.findall(text)
    assert PROBLEM.sub("", text) == ""
    return [(int(a), symbol, int(b), int(answer)) for a, symbol, b, answer in found]


ALL = [(operation, digits, layout) for operation in tasks.SYMBOLS for digits in (1, 2, 4) for layout in tasks.LAYOUTS]


@pytest.mark.parametrize(("operation", "digits", "layout"), ALL)
def test_arithmetic_is_right_and_asks_what_it_shows_nobody(operation, digits, layout):
    table = tasks.arithmetic(operation, digits, n=20, shots=3, shot_sets=4, layout=layout)
    assert list(table.columns) == tasks.COLUMNS
    assert table["task"].unique().tolist() == [f"{operation}-{digits}" + (layout != "plain") * f"-{layout}"]
    assert table[["shot_set", "item"]].to_numpy().tolist() == [[s, i] for s in range(4) for i in range(20)]
    asked, shown = set(), set()
    for row in table.itertuples():
        *examples, question = problems(row.prompt + row.target)
        assert len(examples) == 3
        for a, symbol, b, answer in [*examples, question]:
            assert answer == OPERATIONS[symbol](a, b)
            assert digits == 1 or len(str(a)) == len(str(b)) == digits
        assert row.digits == len(str(question[3]))
        asked.add((question[0], question[2]))
        shown |= {(a, b) for a, _, b, _ in examples}
    assert len(asked) == 20
    assert not asked & (shown | {(b, a) for a, b in shown})
    # the prompts of a set begin alike, those of two sets do not
    begin = {set_: {p[: p.rindex("\n") + 1] for p in rows["prompt"]} for set_, rows in table.groupby("shot_set")}
    assert [len(texts) for texts in begin.values()] == [1] * 4
    assert len(set.union(*begin.values())) == 4


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("plain", "12 + 34 = 46\n"),
        ("compact", "12+34=46\n"),
        ("spaced", "1 2 + 3 4 = 4 6\n"),
        ("question", "Q:What is 12 plus 34? A: 46\n"),
    ],
)
def test_layouts(layout, text):
    assert "".join(tasks.line(12, 34, "addition", layout)) == text
    assert tasks.line(12, 34, "multiplication", layout)[1].replace(" ", "") == "408\n"


def test_without_examples_the_prompt_is_the_question():
    table = tasks.arithmetic("addition", 2, n=5, shots=0)
    assert table["prompt"].str.fullmatch(r"\d\d \+ \d\d =").all()


MAKERS = {
    "arithmetic": lambda seed: tasks.arithmetic("addition", 3, n=30, shot_sets=2, seed=seed),
    "continuation": lambda seed: tasks.continuation(n=30, seed=seed),
    "choice": lambda seed: tasks.multiple_choice(tasks.arithmetic("addition", 3, n=30), seed=seed),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_a_seed_fixes_the_table_and_another_changes_it(maker):
    pd.testing.assert_frame_equal(MAKERS[maker](3), MAKERS[maker](3))
    assert not MAKERS[maker](3).equals(MAKERS[maker](4))


def test_more_shot_sets_leave_the_questions_alone():
    one, three = tasks.arithmetic("addition", 2, n=30), tasks.arithmetic("addition", 2, n=30, shot_sets=3)
    assert one["target"].tolist() * 3 == three["target"].tolist()
    assert one["prompt"].tolist() == three["prompt"].tolist()[:30]


def test_one_problem_in_four_is_held_out_in_either_order():
    a, b = np.meshgrid(np.arange(100), np.arange(100))
    kept = tasks.held_out(a, b)
    assert (kept == kept.T).all()
    # below six standard errors of a fair draw
    assert abs(kept.mean() - 0.25) < 6 * np.sqrt(0.25 * 0.75 / 5050)


def test_no_question_stands_in_what_the_ladder_learned():
    for seed, chunk in [(0, 0), (0, 7), (2, 3)]:
        ids, _ = ladder.sequences("arithmetic", seed, chunk, n=400)
        text = ["".join(ladder.VOCABULARY["arithmetic"][i] for i in row) for row in ids.tolist()]
        lines = [line for row in text for line in row.split("\n")[:-1]]
        pairs = np.array([[int(x) for x in re.split(r"[+*]", line.split("=")[0])] for line in lines])
        assert not tasks.held_out(*pairs.T).any()
        # and the questions are of those
        table = tasks.arithmetic("addition", 2, n=50, layout="compact")
        questions = {prompt.split("\n")[-1] for prompt in table["prompt"]}
        assert not questions & {line[: line.index("=") + 1] for line in lines}


PYTHIA = Path(__file__).parent.parent.parent / "shared" / "data" / "gpt_neox_20b_tokenizer.json"


@pytest.mark.skipif(not PYTHIA.exists(), reason="the tokenizer of Pythia is not here")
def test_pythia_reads_spaced_digits_one_by_one_and_joins_plain_ones():
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(PYTHIA))
    plain, spaced = (tasks.arithmetic("addition", 4, n=50, layout=layout) for layout in ("plain", "spaced"))
    for row in spaced.itertuples():
        assert len(tokenizer.encode(row.target).ids) == row.digits + 1
    tokens = [len(tokenizer.encode(target).ids) for target in plain["target"]]
    assert np.mean(tokens) < plain["digits"].mean()
    assert plain["digits"].tolist() == spaced["digits"].tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tasks.arithmetic("subtraction", 2), "no task 'subtraction'.*addition, multiplication"),
        (lambda: tasks.arithmetic("addition", 2, layout="loud"), "layout 'loud'.*plain, compact"),
        (lambda: tasks.arithmetic("addition", 0), "1 to 18 digits"),
        (lambda: tasks.arithmetic("addition", 19), "1 to 18 digits"),
        (lambda: tasks.arithmetic("addition", 2, n=0), "at least 1"),
        (lambda: tasks.arithmetic("addition", 2, shots=-1), "at least 0"),
        (lambda: tasks.arithmetic("addition", 1, n=100), r"only \d+ problems of 1 digit.*shot_sets"),
        (lambda: tasks.arithmetic("addition", 2, n=5000), r"only \d{4} problems of 2 digit"),
        (lambda: tasks.continuation(length=0), "at least 1"),
        (lambda: tasks.continuation(n=10**6), r"has \d{3},\d{3} such places"),
        (lambda: tasks.multiple_choice(tasks.arithmetic("addition", 2, n=1), options=1), "1 options cannot"),
        (lambda: tasks.multiple_choice(tasks.arithmetic("addition", 1, n=9), options=99), "2 to .* can"),
    ],
)
def test_what_cannot_be_made_is_said(make, message):
    with pytest.raises(TaskError, match=message):
        make()


def test_every_held_out_problem_can_be_asked():
    pairs = [(a, b) for a in range(10) for b in range(10) if tasks.held_out(a, b)]
    table = tasks.arithmetic("multiplication", 1, n=len(pairs), shots=0)
    assert set(table["prompt"]) == {f"{a} * {b} =" for a, b in pairs}


# ---------------------------------------------------------------- multiple choice


def test_options_are_distinct_one_is_right_and_its_place_is_fair():
    table = tasks.multiple_choice(tasks.arithmetic("addition", 3, n=1000), options=4)
    assert table["task"].unique().tolist() == ["addition-3-choice"]
    for row in table.itertuples():
        assert len(set(row.choices)) == 4
        assert row.choices[row.answer] == row.target
        for option in row.choices:
            # a number as long as the answer, with at most one other digit
            assert len(option) == len(row.target)
            assert sum(x != y for x, y in zip(option, row.target, strict=True)) == (option != row.target)
            assert str(int(option)) == option.strip()
    assert chisquare(np.bincount(table["answer"], minlength=4)).pvalue > 0.01


# ---------------------------------------------------------------- text


def test_a_text_goes_on_on_its_line_without_runs():
    table, text = tasks.continuation(n=2000, length=12, context=50), tasks.library_text()
    for row in table.itertuples():
        assert (len(row.prompt), len(row.target)) == (50, 12)
        assert row.prompt + row.target in text
        assert "\n" not in row.target
        assert not re.search(r"  |(.)\1\1", row.target)
    assert table["item"].is_unique and table.duplicated(["prompt", "target"]).mean() < 0.01


def test_what_is_held_out_was_not_read():
    read, held = ladder.training_text(), tasks.library_text()
    assert set(read + held) == set(ladder.VOCABULARY["text"][1:])
    # lines such as "return self" stand in many files; long ones seldom
    lines = [line for line in held.splitlines() if len(line) > 60]
    assert np.mean([line in read for line in lines[:300]]) < 0.1


# ---------------------------------------------------------------- memo trap


def test_memo_trap_asks_for_another_word_than_the_usual():
    table = tasks.memo_trap()
    starts = table["prompt"].str.split(": ").str[1]
    assert len(table) >= 20 and starts.is_unique
    for row in table.itertuples():
        asked, usual = row.choices
        assert row.answer == 0 and row.target == asked != usual
        assert f'ends in the word "{asked.strip()}"' in row.prompt
        assert usual.strip() not in row.prompt.split(": ")[1].split()[-1]
        assert row.prompt[-1] not in " \n" and asked[0] == " " and asked[-1] == "\n"


# ---------------------------------------------------------------- a task of your own


def write(tmp_path, *lines):
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), "utf-8")
    return file


def test_a_file_comes_back_as_it_was_written(tmp_path):
    texts = [("What is 2+2?\nA:", " 4\n"), ("Grüße, 世\u2028界:", " 10 été\n"), ("x:", "y")]
    file = write(tmp_path, *({"prompt": p, "target": t} for p, t in texts), "", "   ")
    table = tasks.from_jsonl(file)
    assert list(table.columns) == tasks.COLUMNS
    assert list(zip(table["prompt"], table["target"], strict=True)) == texts
    assert table["task"].tolist() == ["mine"] * 3
    assert table["item"].tolist() == [0, 1, 2]
    assert table["digits"].tolist() == [1, 2, 0]
    assert tasks.from_jsonl(file, "other")["task"].unique().tolist() == ["other"]


def test_a_file_may_hold_raw_unicode(tmp_path):
    file = write(tmp_path, '{"prompt": "a\u2028b:", "target": "\u00e9\u0085"}')
    assert tasks.from_jsonl(file).loc[0, ["prompt", "target"]].tolist() == ["a\u2028b:", "\u00e9\u0085"]


def test_a_file_with_choices(tmp_path):
    file = write(tmp_path, {"prompt": "p:", "target": " b", "choices": [" a", " b"]})
    table = tasks.from_jsonl(file)
    assert table.loc[0, ["choices", "answer"]].tolist() == [[" a", " b"], 1]


GOOD = {"prompt": "p:", "target": " b"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([GOOD, "{"], "mine.jsonl, line 2: every line needs"),
        ([GOOD, "", {"prompt": "p"}], "line 3: every line needs .*target"),
        (["[1, 2]"], "line 1: every line needs"),
        (["7"], "line 1: every line needs"),
        ([GOOD, {"prompt": "p", "target": 4}], "line 2: prompt and target must be texts"),
        ([{"prompt": "p", "target": ""}], "line 1: .*target not empty"),
        ([GOOD | {"choices": ["a", "c"]}], "line 1: .* none of the choices"),
        ([GOOD | {"choices": None}], "line 1: choices must be"),
        ([GOOD | {"choices": "a b"}], "line 1: choices must be"),
        ([GOOD | {"choices": [" b", 2]}], "line 1: choices must be"),
        ([GOOD | {"choices": [" b", " b"]}], "line 1: choices must be"),
        ([GOOD | {"choices": [" b"]}], "line 1: choices must be"),
        ([GOOD, GOOD | {"choices": [" b", " a"]}], "some lines have choices and some have none"),
        ([], "no lines"),
    ],
)
def test_the_line_that_is_wrong_is_named(tmp_path, lines, message):
    with pytest.raises(TaskError, match=message):
        tasks.from_jsonl(write(tmp_path, *lines))


RAW = '{"prompt": "Q: caf\u00e9\\nA:", "target": " x\\n"}\n'


def test_a_mark_at_the_beginning_of_a_file_is_read(tmp_path):
    (tmp_path / "bom.jsonl").write_bytes(RAW.encode("utf-8-sig"))
    assert tasks.from_jsonl(tmp_path / "bom.jsonl").loc[0, ["prompt", "target"]].tolist() == ["Q: café\nA:", " x\n"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (RAW.encode("utf-16"), "f.jsonl, line 1: this is UTF-16, and has to be UTF-8"),
        (
            b'{"prompt": "a", "target": "b"}\n' + RAW.encode("latin-1"),
            "line 2: this is another encoding, such as Latin-1",
        ),
        (rb'{"prompt": "Q: \ud83d:", "target": "x"}', "line 1: half a character"),
        (rb'{"prompt": "Q:", "target": "x", "choices": ["x", "\udc00"]}', "line 1: half a character"),
        (b'{"prompt": "Q:", "target": "x", "choices": ["x", ""]}', "line 1: choices must be .* none empty"),
    ],
)
def test_a_file_in_another_encoding_is_named_with_its_line(tmp_path, data, message):
    (tmp_path / "f.jsonl").write_bytes(data)
    with pytest.raises(TaskError, match=message):
        tasks.from_jsonl(tmp_path / "f.jsonl")


def test_a_whole_pair_is_a_character(tmp_path):
    (tmp_path / "f.jsonl").write_bytes(rb'{"prompt": "\ud83d\ude00:", "target": "x"}')
    assert tasks.from_jsonl(tmp_path / "f.jsonl").loc[0, "prompt"] == "\U0001f600:"


def test_no_wrong_option_has_the_value_of_the_right_one():
    """Full-width digits are digits, and their values those of ASCII."""
    asked = pd.DataFrame({"task": "t", "target": ["\uff14\uff12\n", "\uff146\n", "7\u0663\n"]})
    with pytest.raises(TaskError, match="it has none to change"):
        tasks.multiple_choice(asked.head(1))
    for seed in range(50):
        for target, options in zip(
            *(tasks.multiple_choice(asked[1:], 4, seed)[c] for c in ("target", "choices")), strict=True
        ):
            assert [int(option) for option in options].count(int(target)) == 1
            assert len({int(option) for option in options}) == 4


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TaskError, match=r"there is no file .*none\.jsonl"):
        tasks.from_jsonl(tmp_path / "none.jsonl")

"""The checks of the book's exercises: they take right answers in two forms, name mistakes, and give nothing away."""

import json
import math
import re
import sys
from functools import cache

import notebooks
import numpy as np
import pandas as pd
import pytest
import sample_book
from scipy.stats import gamma, rankdata

from mirage_lib import claims, items, published, stats
from mirage_lib.claims import kept

ROOT = sample_book.ROOT
sys.path.insert(0, str(ROOT / "teaching" / "labs"))
import mirage_labs  # noqa: E402
from mirage_labs import check, part_1, part_2, part_3  # noqa: E402

PARTS = (part_1, part_2, part_3)
CHECKS = {name: part for part in PARTS for name in part.CHECKS}
# exercises whose answer is a text, a proof, or the reader's own
UNCHECKED = {"which-jump", "bends-expect", "pythia-bound", "measuring-own", "choice", "audit-sizes"}


# ---- answers by hand, and as the solutions print them


@cache
def printed(chapter: str, pattern: str) -> list[str]:
    """Numbers that a solution prints, from the chapter's notebook."""
    (file,) = (ROOT / "book").rglob(f"{chapter}.ipynb")
    cells = json.loads(file.read_text())["cells"]
    text = " ".join(" ".join("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")
    found = re.search(pattern, text)
    assert found, f"{chapter} prints nothing like {pattern!r}"
    return [number.replace(",", "").rstrip(".") for number in found.groups()]


def lambada() -> pd.DataFrame:
    return published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000")


def two_fewer() -> float:
    """With powers in place of the exact chance."""
    score = (lambada()["acc"] ** 20).groupby(lambada()["params"]).mean().iloc[:-2]
    return 10 ** np.interp(0.5, (score - score.iloc[0]) / np.ptp(score), np.log10(score.index.to_numpy(float)))


def solution(chapter: str, function: str):
    """A function of a solution, from the chapter's text."""
    (file,) = (ROOT / "book").rglob(f"{chapter}.md")
    code = next(c for c in re.findall(r"```python\n(.*?)```", file.read_text(), re.DOTALL) if f"def {function}(" in c)
    space = {"np": np, "stats": stats, "optimize": __import__("scipy.optimize").optimize}
    exec(code.split("\n\n\nprint")[0], space)
    return space[function]


def sum_of_rates() -> float:
    table = published.pythia_math()
    last = table[(table["model"] == "pythia-160m") & (table["step"] == table["step"].max())]
    return sum(c / n for c, n in zip(last["correct"], last["samples"], strict=True))


def largest() -> pd.DataFrame:
    text = kept.load("ladder-text-continuation")
    return text[text["params"] == text["params"].max()]


def back_on_its_way() -> list[float]:
    missed = [row for row in largest().itertuples() if not row.is_greedy[0]]
    forced = np.mean([hit for row in missed for hit in list(row.is_greedy)[1:]])
    long = [row for row in missed if len(row.output) == 16]
    return [forced, np.mean([a == b for row in long for a, b in zip(row.output[1:], row.target[1:], strict=True)])]


def without_stop() -> float:
    table = kept.load("smollm2-two-digits")
    return np.mean([np.exp(sum(list(logprob)[:-1])) for logprob in table["logprob"]])


def multirc() -> list[float]:
    rows = published.gpt3().query("benchmark == 'multirc' and setting == 'few'")
    return [rows[name].max() / rows[name].iloc[0] for name in ("acc", "f1a")]


def disorder(shots: int) -> float:
    rows = published.pythia_arithmetic().query("benchmark == 'times' and shots == @shots")
    means = rows.assign(share=[np.mean(right[10:]) / 50 for right in rows["right"]]).groupby("size")["share"].mean()
    return means["2.8b"] - means["6.9b"]


def forecasts() -> list[float]:
    table = published.olmo_letters().query("benchmark == 'arc_easy'")
    x, large = np.log(table["params"] * table["tokens"]), table["size"] == "7B"
    lines = [np.polyval(np.polyfit(x[~large], table[c][~large], 1), x[large]) for c in ("mc_letter_bits", "rc_bpb")]
    return [
        float(line[0]) - table[c][large].item() for line, c in zip(lines, ("mc_letter_bits", "rc_bpb"), strict=True)
    ]


def without_exact() -> float:
    table = published.open_models_emergent().query("benchmark == 'ipa' and acc == 0").dropna(subset=["bleu", "flops"])
    return np.corrcoef(rankdata(table["flops"]), rankdata(table["bleu"]))[0, 1]


def gamma_error() -> float:
    """With scipy's own quantiles, on a grid instead of nodes."""
    decide = claims.deciders("pythia-as-published")
    points, q = decide.lambada(), (np.arange(4000) + 0.5) / 4000
    m, s = (points[name].to_numpy()[:, None] for name in ("cross_entropy", "cross_entropy_sd"))
    odds = np.minimum(0, -np.log(np.expm1(gamma.ppf(q, (m / s) ** 2, scale=s**2 / m))))
    small, large = points["params"].to_numpy() < 4e8, points["params"].to_numpy() > 2e9
    acc = points["acc"].to_numpy()

    def misfit(alpha):
        off = np.exp(alpha * odds[small]).mean(1) - acc[small]
        return (off**2 / (acc * (1 - acc))[small]).sum()

    grid = np.linspace(0.2, 1.5, 261)
    alpha = grid[np.argmin([misfit(a) for a in grid])]
    return float(np.sqrt(np.mean((np.exp(alpha * odds[large]).mean(1) - acc[large]) ** 2)))


def bigbench_shares() -> list[float]:
    tasks = published.bigbench_tasks()
    has = tasks["preferred_metric"] == "multiple_choice_grade"
    return [tasks.loc[has, "emergent"].mean(), tasks.loc[~has, "emergent"].mean()]


def reads_one() -> float:
    hit = claims.deciders("digits-all-or-nothing").hits()[1]
    return hit.reshape(len(hit), -1).mean(1).max()


def names_one() -> float:
    decide = claims.deciders("sequences-of-characters")
    table = decide.vision.stored("omniglot", decide.DATA[0])
    table = table[(table["width"] == table["width"].min()) & (table["seed"] == table["seed"].min())]
    return np.mean([hit for each in table["is_greedy"] for hit in each])


def within_ten() -> list[float]:
    errors = claims.deciders("autoencoders").errors()[0]
    return [(errors.iloc[place] < 10).mean() for place in (0, -1)]


def eight_right() -> float:
    """As often the eight first characters of the text ladder's best model are all right."""
    text = items.first_tokens(kept.load("ladder-text-continuation"), 8)
    return pd.Series([all(each) for each in text["is_greedy"]]).groupby(text["params"].to_numpy()).mean().max()


A, B = math.log(5 / 3) / math.log(2), -0.076


def answers() -> dict[str, tuple[list, list]]:
    """By check: right forms, and wrong answers, each with words of the reply."""
    track = [0.75**t for t in range(4)]
    token = np.mean([0.75 * t + 0.1 * (1 - t) for t in track])
    p = 0.5 ** (1 / 200)
    words, one = printed, reads_one()
    return {
        "hockey-stick": (
            [[9, 8, 7, 6, 5] + 4 * [np.inf], np.r_[9:4:-1, 4 * [math.inf]]],
            [(9 * [9], "mean step"), ([9, 8, 7, 6, 5, 4, 3, 2, 1], "Number 6 of 9: Steps of zero")],
        ),
        "two-fewer": (
            [two_fewer(), 1e9 * float(words("emergence", r"It moves down to ([\d.]+) billion")[0])],
            [(6.592e9, "all eight"), (1.415, "In billions")],
        ),
        "nats": (
            [
                [math.log(5e4), "0.002 %", 20],
                [*words("accuracy-is-exp-minus-ce", r"or ([\d.]+) nats, and"), 2e-5, "20"],
            ],
            [([15.61, 2e-5, 20], "bits"), ([10.82, 2e-5, 0.0498], "Number 3 of 3: That is the chance")],
        ),
        "cost": (
            [
                [A ** (-1 / 0.35), A ** (1 / B)],
                words("accuracy-is-exp-minus-ce", r"power \$1/\\alpha\$: ([\d.]+) times .*?, (\d+) times"),
            ],
            [([0.737, 55], "the loss falls"), ([2.39, 11.01], "ratio of the accuracies")],
        ),
        "linear": (
            [
                np.exp([-1 - 1 / 0.35, -1 + 1 / B]),
                words("accuracy-is-exp-minus-ce", r"\(accuracy ([\d.]+)\).*?\(accuracy ([\de.-]+)\)"),
            ],
            [([3.857, 14.16], "That is the loss"), ([0.368, 0.368], "ln N")],
        ),
        "good": (
            [[p, 200 * (1 - p)], words("longer-answers", r"which is ([\d.]+): one wrong token.*?p\)\$, is ([\d.]+)")],
            [([0.9975, 0.69], "by adding"), ([0.9965, 0.00346], "That is one token")],
        ),
        "subset": (
            [[0.8**k for k in range(1, 11)], [0.802, 0.643, 0.52, 0.41, 0.33, 0.27, 0.21, 0.17, 0.137, 0.11]],
            [(10 * [0.8], "Number 2 of 10"), ([0.8] + [1 - 0.2**k for k in range(2, 11)], "at least one")],
        ),
        "window": (
            [[part_1._window(20), part_1._window(1)], ["398.7", "9.7"]],
            [([9.7, 9.7], "one token"), ([398.7, 398.7], "not moved")],
        ),
        "at-least": (
            [
                [3.815, 1.37, 1.314, 0.456],
                words(
                    "longer-answers",
                    r"takes ([\d.]+) factors of .*?, ([\d.]+) for five, ([\d.]+) for one, and ([\d.]+) for 50",
                ),
            ],
            [([8.784, 1, 1, 1], "factors of e"), ([3.8, 3.8, 1, 1], "That is the width of all")],
        ),
        "resolution-zero": (
            [
                ["6 %", 299],
                [1 - 0.05**0.02, math.log(0.05) / math.log(0.99)],
                [0.06, *words("resolution", r"0\.99\$, or (\d+), items")],
            ],
            [([0, 299], "rate of zero"), ([0.06, 100], "A hundred")],
        ),
        "resolution-half": (
            [1.2, float(words("resolution", r"that is ([\d.]+) over \$a\^2")[0]) / 3],
            [(3.6, "n for a = 1"), (0.3, "z once")],
        ),
        "resolution-smaller": (
            [
                [[43, 1250], [12, 15]],
                [math.log(0.05) / math.log(1 - 0.3**d**a) for a in (0.35, 0.076) for d in (10, 100)],
            ],
            [([99, 998, 99, 998], "divides the accuracy. The"), ([43, 1250, 7, 6], "larger model")],
        ),
        "resolution-null": (
            [solution("resolution", "smooth_null"), lambda right, sizes, n: part_1.smooth_null(right, sizes, n)],
            [
                (lambda *exam: 1 - part_1.smooth_null(*exam), "scores less"),
                (lambda *exam: part_1.smooth_null(*exam, at_least=False), "Ties count"),
            ],
        ),
        "bends-two": (
            [
                [0.50002, 0.00674, 0.50337, 0.0821],
                words(
                    "where-the-formula-bends",
                    r"or ([\d.]+), while \$e\^\{-5\}\$ is ([\d.]+)\..*?or ([\d.]+), and .{10}, or ([\d.]+)",
                ),
            ],
            [([0.006738, 0.0067, 0.5034, 0.082], "mean first"), ([0.5, 0.00674, 0.5, 0.082], "add half")],
        ),
        "bends-derailed": (
            [
                [token, token**4, "31.6 %"],
                [
                    token,
                    *words(
                        "where-the-formula-bends",
                        r"fourth power is ([\d.]+)\. Exact match is \$0\.75\^4\$, or ([\d.]+)",
                    ),
                ],
            ],
            [([0.75, 0.316, 0.316], "a token on track"), ([token, 0.316, 0.316], "That is the exact match")],
        ),
        "bends-greedy": (
            [lambda m: 1 - 0.5 ** (1 / m), lambda m: -math.expm1(-math.log(2) / m)],
            [(lambda m: math.exp(-m), "sampling from the mean"), (lambda m: 1 - math.exp(-1 / m), "ln 2, and not 1")],
        ),
        "arithmetic-floor": (
            ["150,000", *words("arithmetic-as-published", r"gives ([\d,]+)\.")],
            [(50_000, "third of the tests"), (34_657, "a half")],
        ),
        "arithmetic-gap": (
            [[0.318, 0.1683], words("arithmetic-as-published", r"([\d.]+) and ([\d.]+)\. Without the largest")],
            [([1.001, 0.168], "factors of ten"), ([0.318, 0.1079], "shorter")],
        ),
        "arithmetic-multirc": (
            [
                [*multirc(), 0.808, 0.767],
                [*words("arithmetic-as-published", r"Accuracy, ([\d.]+)-fold"), 1.662, 0.81, 0.77],
            ],
            [([0.264, 0.298, 0.8, 0.77], "difference"), ([multirc()[1], 1.66, 0.8, 0.77], "other order")],
        ),
        "arithmetic-times": (
            [[disorder(2), disorder(16)], ["3.53 %", "-3.74 %"]],
            [([disorder(16), disorder(2)], "other order"), ([0.131, 0.093], "for plus")],
        ),
        "measuring-open": (
            [without_stop(), *words("measuring-a-model", r"It is now ([\d.]+), the chance")],
            [(0.187, "with the stop"), (0.37, "exact match")],
        ),
        "measuring-trap": (
            [4 / 24, *words("measuring-a-model", r"word asked for in ([\d.]+) of")],
            [(20 / 24, "usual word"), (0.5, "a coin")],
        ),
        "soft-metric": (
            [0.489**10, part_2.CHECKS["soft-metric"].truths()[0]],
            [(0.489, "one answer"), (0.0489, "divided by ten")],
        ),
        "spread": (
            [back_on_its_way(), ["61 %", "7.4 %"]],
            [(back_on_its_way()[::-1], "other order"), ([0.637, 0.07], "all answers")],
        ),
        "pythia-exponential": (
            [
                1 / (1 + lambada().groupby("params")["cross_entropy"].mean().iloc[-1]),
                *words("pythia-as-published", r"for 12b ([\d.]+)\."),
            ],
            [(math.exp(-1.361), "the losses"), (1.361, "mean loss itself")],
        ),
        "pythia-shape": (
            [gamma_error(), *words("pythia-as-published", r"large models is ([\d.]+), against")],
            [(0.00806, "Weibull"), (1.364, "percent points")],
        ),
        "bigbench-other": (
            [bigbench_shares(), [f"{x} %" for x in words("bigbench", r"(\d+)% and (\d+)%\. The odds")]],
            [([0.761, 0.239], "other direction"), ([51, 16], "number of tasks")],
        ),
        "bigbench-null": (
            [17, *words("bigbench", r"(\d+) of \d+, more than above")],
            [(7, "straight line"), (28, "do not stand out")],
        ),
        "bigbench-power": (
            [2000, *words("bigbench", r"About ([\d,]+)\. No task")],
            [(28, "above 0.25"), (205, "largest task")],
        ),
        "choice-modesty": (
            [lambda q: (1 - q) ** 2 / 4 + (2 + q) ** 2 / 12, lambda q: ((1 - q) ** 2 + 3 * (1 - (1 - q) / 3) ** 2) / 4],
            [
                (lambda q: (1 - q) ** 2, "At 0.4: That is where the favourite is right"),
                (lambda q: (1 - (1 - q) / 3) ** 2, "favourite is wrong"),
            ],
        ),
        "choice-forecast": (
            [forecasts(), [words("multiple-choice", r"letter's loss is ([\d.]+) bits lower")[0], "-0.30"]],
            [(forecasts()[::-1], "other order"), ([1.464, 0.2957], "the sign is not")],
        ),
        "choice-zeros": (
            [without_exact(), *words("multiple-choice", r"rank correlation ([\d.]+)\.")],
            [(0.9156, "have an exact one"), (0.00577, "p-value")],
        ),
        "predictable-answers": (
            [math.log(20) / sum_of_rates(), *words("is-smooth-predictable", r"p_i\$, about (\d+)\.")],
            [(1 / sum_of_rates(), "a third"), (sum_of_rates(), "sum of the rates")],
        ),
        "autoencoders-read": (
            [within_ten(), [0, "70 %"]],
            [(within_ten()[::-1], "other order"), ([0.996, 0.3], "the share above")],
        ),
        "autoencoders-fewer": (
            [[47.5, 71.5], words("autoencoders", r"From (\d+) to (\d+)\. Without photograph")],
            [([0.475, 0.715], "how many pictures"), ([71.5, 47.5], "other order")],
        ),
        "autoencoders-fool": (
            [
                [10**0.375, 18.6, 52.0],
                [2.37, *words("autoencoders", r"odd ones: (\d+) %, and on the even ones (\d+) %")],
            ],
            [([0.375, 18.6, 52], "power of ten"), ([2.37, 0.186, 0.52], "a share")],
        ),
        "omniglot-kinds": (
            [[0.5, 1 / 32, 0.5], ["50 %", "3.125 %", "50 %"]],
            [([0.5, 0.1, 0.5], "divided by five"), ([0.5, 1 / 32, 1 / 32], "One drawing")],
        ),
        "omniglot-many": (
            [
                math.log(0.05) / math.log(1 - names_one() ** 5),
                *words("sequences-of-characters", r"It takes ([\d,]+) sequences"),
            ],
            [(names_one() ** -5, "third of the tests"), (16, "one image")],
        ),
        "omniglot-four": (
            [lambda p: 5 * p**4 - 4 * p**5, lambda p: p**4 * (p + 5 * (1 - p))],
            [(lambda p: p**4, "first four"), (lambda p: 5 * p**4 * (1 - p), "exactly four")],
        ),
        "lenet-half": (
            [math.log(0.5, 0.99), *words("digits-all-or-nothing", r"0\.99\)\$ = (\d+)\.")],
            [(50, "adds the errors"), (100, "37 %")],
        ),
        "lenet-cheque": (
            [
                [one**5, one**16, 0.99937],
                [
                    f"{x} %"
                    for x in words("digits-all-or-nothing", r"reads (\d+)% of the postcodes and (\d+)% of the cheques")
                ]
                + words("digits-all-or-nothing", r"16\}\$ = ([\d.]+), about"),
            ],
            [([one, one**16, 0.999], "one digit"), ([one**5, one**16, 0.99**16], "16th power")],
        ),
        "lenet-emerge": (
            [lambda a, b: math.log(a / b) / (a - b), lambda a, b: (np.log(a) - np.log(b)) / (a - b)],
            [(lambda a, b: 1 / a, "larger error"), (lambda a, b: 1 / (a - b), "difference of the errors")],
        ),
        "directions-stretch": (
            [eight_right(), *words("both-directions", r"Its best score is ([\d.]+)\.")],
            [(1, "Stretched"), (0.948, "fails")],
        ),
        "inverse": (
            [[0.002**0.2, 0.33**0.2], [0.29, 0.8]],
            [([0.0004, 0.066], "do not divide"), ([0.2885, 0.33**5], "fifth power")],
        ),
        "directions-metric": (
            [
                lambda p: p**18 * (p**2 + 20 * p * (1 - p) + 190 * (1 - p) ** 2),
                lambda p: sum(math.comb(20, j) * (1 - p) ** j * p ** (20 - j) for j in range(3)),
            ],
            [(lambda p: p**20, "all twenty"), (lambda p: 190 * (1 - p) ** 2 * p**18, "exactly two")],
        ),
        "audit-items": (
            [120, *words("audit", r"and (\d+) items would do")],
            [(30, "how many there are"), (500, "all questions")],
        ),
        "jury-seeds": (
            [lambda q: 0.9 * q, lambda q: q * 0.9 + (1 - q) * 0],
            [(lambda q: q, "share of seeds"), (lambda q: 0.9, "one seed")],
        ),
    }


ANSWERS = answers()


def told(name: str) -> dict[str, bool]:
    """By mistake that a check knows: whether it says so where a right answer has the wrong value at some place."""
    known = CHECKS[name].CHECKS[name]
    truth, found = np.ravel(known.truths()[0]).astype(float), {}
    for said, values in known.mistakes().items():
        places = (
            values.items() if isinstance(values, dict) else enumerate(np.broadcast_to(np.ravel(values), len(truth)))
        )
        answers = [[*truth[:place], value, *truth[place + 1 :]] for place, value in places]
        found[said] = any(said in check(name, _as_asked(known, answer)).said for answer in answers)
    return found


def _as_asked(known, values):
    """Values as an answer: of a function, one that gives them in turn."""
    if known.at:
        given = {
            json.dumps(np.array(at, object).tolist(), default=list): v for at, v in zip(known.at, values, strict=True)
        }
        return lambda *at: given[json.dumps(np.array(at, object).tolist(), default=list)]
    return values if len(values) > 1 else values[0]


def faults(name: str) -> list[str]:
    """What a check says that it should not, of right forms and of wrong answers by hand."""
    right, wrong = ANSWERS[name]
    found = [f"{form!r} is refused: {reply.said}" for form in right if not (reply := check(name, form)).right]
    for answer, words in wrong:
        reply = check(name, answer)
        if reply.right or words not in repr(reply):
            found.append(f"{words!r} expected, said {reply.said!r}")
    return found


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_takes_two_right_forms_and_knows_typical_mistakes(name):
    assert len(ANSWERS[name][0]) >= 2 and faults(name) == []
    mistakes, known = told(name), CHECKS[name].CHECKS[name]
    assert len(mistakes) >= 2 and all(mistakes.values()), mistakes
    assert "Still empty" in check(name, ...).said
    several = known.at or len(np.ravel(known.truths()[0])) > 1
    asked = "A function is asked" if known.at else "numbers are asked" if several else "That is a function"
    assert asked in check(name, 0.5 if several else math.exp).said


@pytest.mark.parametrize("name", CHECKS)
def test_a_fault_planted_in_a_check_is_noticed(name, monkeypatch):
    """Once it takes a mistake for the truth; once it knows no mistake."""
    checks = CHECKS[name].CHECKS
    sound, wrong = checks[name], ANSWERS[name][1][0][0]
    wrong = [wrong(*at) for at in sound.at] if sound.at else wrong
    monkeypatch.setitem(checks, name, sound._replace(truths=lambda: [wrong]))
    assert faults(name) != []
    monkeypatch.setitem(checks, name, sound._replace(mistakes=dict))
    assert faults(name) != []


def test_forms_that_are_no_answer_are_told():
    assert "2 numbers are asked" in check("inverse", 0.29).said
    assert check("inverse", [0.2885, ...]).said == "Number 2 of 2: Still empty: put your answer in place of the dots."
    assert check("inverse", ["a third", 0.8]).said.startswith("Number 1 of 2: 'a third' is no number")
    assert "ZeroDivisionError" in check("omniglot-four", lambda p: 1 / 0).said
    with pytest.raises(KeyError):
        check("nothing", 1)


# ---- in the chapters


def exercises(text: str) -> list[tuple[str, str]]:
    """Label of each exercise, and what stands between it and the next directive."""
    pattern = r"^:::\{exercise\}[^\n]*\n:label: ex-([\w-]+)\n.*?^:::\s*$(.*?)(?=^:::|^#)"
    return re.findall(pattern, text, re.MULTILINE | re.DOTALL)


def test_every_exercise_that_can_be_checked_is_and_its_chapter_proves_the_check():
    seen = set()
    for chapter in notebooks.chapters(ROOT):
        text = chapter.read_text()
        hidden = "".join(cell[0] for cell in notebooks.CODE_CELL.finditer(text) if notebooks.solves(cell[0]))
        for name, after in exercises(text):
            if name in UNCHECKED:
                assert "check(" not in after, name
                continue
            assert re.search(rf'^check\("{name}", \.\.\.\)  # \S', after, re.MULTILINE), name
            assert f'assert check("{name}", ' in hidden or name == "resolution-null", name
            seen.add(name)
    assert seen == set(CHECKS)


def test_a_check_gives_nothing_away_before_its_solution():
    """What a student's chapter has of the checks is their names."""
    for chapter in notebooks.chapters(ROOT):
        text = notebooks.without_solutions(chapter.read_text())
        asked = re.findall(r"^.*\bcheck\(.*$", text, re.MULTILINE)
        assert all(
            re.match(r'check\("[\w-]+", \.\.\.\)', line) or "mirage_lib" in line or "claims." in line for line in asked
        )


def test_a_notebook_has_the_check_between_exercise_and_solution():
    file = next((ROOT / "book").rglob("emergence.md"))
    labels = dict.fromkeys(re.findall(r"(?:ex|fig|eq|ch)-[\w-]+", file.read_text()))
    found = {label: {"page": "p", "target": label, "title": label, "number": f"Exercise {label}"} for label in labels}
    text = file.read_text()
    part = text[text.index("## Exercises") : text.index("## Claims settled")]
    glued = {"ex_place_less": "1.4"}
    known = notebooks.Page(
        "p", "https://github.com/a/b", "main", {"labels": found, "terms": {}, "titles": {}}, glued, {}, True
    )
    head = text[: text.index("\n# ")]
    cells = notebooks.to_notebook(head + "\n\n" + part, known).cells
    at = [k for k, cell in enumerate(cells) if cell.source.startswith('check("two-fewer"')]
    assert at and "Two models fewer" in cells[at[0] - 1].source and "Solution" in cells[at[0] + 1].source
    assert not mirage_labs.check("two-fewer", ...).right

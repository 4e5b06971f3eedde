"""Checks for labs and exercises: `check("name", answer)` says that it is right, or which known mistake it is.

No answer is kept here: each is computed from the data that the lab reads. So are the mistakes, each by the wrong way
that leads to it. Whoever opens this file finds how; what counts in a lab is the explanation.
"""

import re
from collections.abc import Callable
from functools import cache, partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from mirage_lib import metrics, published, stats
from mirage_lib.claims import kept
from mirage_lib.items import first_tokens


class Reply(NamedTuple):
    """What `check` found. A notebook shows it as a line."""

    right: bool
    said: str

    def __repr__(self) -> str:
        return f"{'Right.' if self.right else 'Not yet.'} {self.said}"


class Check(NamedTuple):
    """How one answer is checked: a number, several numbers in the order of the question, or a function.

    truths : the right answer, and others that are as good; the first is the best
    mistakes : what to say, and the wrong value that it is said of: one for each number, place -> one, or one for any
    praise : what to say to a right answer
    tolerance : relative; one, or one for each number
    share : the answer lies between 0 and 1
    at : of a function, the arguments that it is called with, each a tuple
    """

    truths: Callable[[], list]
    mistakes: Callable[[], dict]
    praise: str
    tolerance: float | tuple[float, ...] = 0.02
    share: bool = True
    at: tuple[tuple, ...] = ()


NAN = float("nan")  # in a list of wrong values: no such mistake with this number
Exercise = partial(Check, share=False)  # of numbers, most of which are no shares


def each(function: Callable, at) -> list[float]:
    """What a function gives, argument by argument."""
    return [float(function(*np.atleast_1d(one))) for one in at]


def check(name: str, answer) -> Reply:
    """Say whether an answer is right, or which known mistake it is.

    answer : a number, or a text such as "12 %" or "0.12"; where several are asked, a list of them; or a function

    Raises KeyError for a name that no lab and no exercise asks.

    >>> check("any-of-39", 0.05 * 39)
    Not yet. Chances of alarms do not add up, and none is above 1. All quiet is 0.95 to the power of 39.
    >>> check("any-of-39", ...)
    Not yet. Still empty: put your answer in place of the dots.
    >>> check("good", [0.5 / 200, ...])
    Not yet. Number 1 of 2: 200 chances that must all come true multiply: take the 200th root, do not divide.
    """
    known = _known(name)
    if answer is ... or answer is None or (isinstance(answer, str) and not answer.strip()):
        return Reply(False, "Still empty: put your answer in place of the dots.")
    places = [""]
    if known.at:
        if not callable(answer):
            return Reply(False, "A function is asked: give its name, without brackets.")
        try:
            answer = [answer(*arguments) for arguments in known.at]
        except Exception as error:
            return Reply(False, f"Your function stops: {type(error).__name__}, {error}.")
        called = [", ".join(map(str, arguments)) for arguments in known.at]
        places = [f"At {words}: " if len(words) < 30 else f"Call {k}: " for k, words in enumerate(called, 1)]
    elif callable(answer):
        return Reply(False, "That is a function: call it, with brackets, and give what it returns.")
    truths, values = [np.ravel(truth).astype(float) for truth in known.truths()], np.ravel(np.array(answer, object))
    n = len(truths[0])
    if len(values) != n:
        asked = "One number is asked" if n == 1 else f"{n} numbers are asked, in the order of the question"
        return Reply(
            False,
            f"{asked}, and here are {len(values)}" + (": choose one, or take what sums them up." if n == 1 else "."),
        )
    if n > 1 and not known.at:
        places = [f"Number {place} of {n}: " for place in range(1, n + 1)]
    for place, value in enumerate(values):
        said = _wrong(known, value, place, [truth[place] for truth in truths])
        if said:
            return Reply(False, places[place] + said)
    return Reply(True, known.praise)


def _known(name: str) -> Check:
    if name not in CHECKS:  # of an exercise: those come with the library, and what is handed out has the labs' alone
        from . import part_1, part_2, part_3

        return (part_1.CHECKS | part_2.CHECKS | part_3.CHECKS)[name]
    return CHECKS[name]


def _wrong(known: Check, answer, place: int, truths: list[float]) -> str:
    """What is wrong with one number; empty if nothing is."""
    value = _number(answer)
    if isinstance(value, str):
        return value
    tolerance = float(np.ravel(known.tolerance)[place if np.ndim(known.tolerance) else 0])
    if any(_near(value, truth, tolerance) for truth in truths):
        return ""
    if not np.isfinite(value):
        return f"That is {value}: look for a logarithm of zero or a division by zero."
    for said, wrong in known.mistakes().items():
        if isinstance(wrong, dict):
            wrong = wrong.get(place, np.nan)
        if _near(value, np.ravel(wrong)[place if np.ndim(wrong) else 0], min(tolerance, 0.01)):
            return said
    if any(_near(value, 100 * truth, tolerance) for truth in truths if abs(truth) <= 1):
        return "That is in percent: give a share, from 0 to 1, or write the percent sign in a text."
    if _near(value, -truths[0], tolerance):
        return "The size is right and the sign is not."
    if any(_near(value, truth, 0.1) for truth in truths):
        return f"{value:.4g} is close: give more digits, or look for a small slip."
    if known.share and not 0 <= value <= 1:
        return f"A share lies between 0 and 1, and this is {value:.4g}."
    return f"{value:.4g} is too {'small' if value < truths[0] else 'large'}, by no mistake known here. Take a hint."


def _near(value: float, other: float, tolerance: float) -> bool:
    return value == other or (np.isfinite(other) and abs(value - other) <= tolerance * abs(other) + 1e-12)


def _number(answer) -> float | str:
    """An answer as a number, or what is wrong with its form."""
    if answer is ...:
        return "Still empty: put your answer in place of the dots."
    if isinstance(answer, str):
        text = re.fullmatch(r"\s*([-+]?[\d.,]+(?:e[-+]?\d+)?)\s*(%?)\s*", answer, re.IGNORECASE)
        try:
            return float(text[1].replace(",", "")) / (100 if text[2] else 1)
        except (TypeError, ValueError):
            return f"{answer!r} is no number: give one, such as 0.12 or '12 %'."
    try:
        return float(answer)
    except (TypeError, ValueError):
        return f"{type(answer).__name__} is no number: give one, such as 0.12 or '12 %'."


# ---- lab 1: three rules


@cache
def _pythia():
    """Pythia on LAMBADA at the end of training, standard text: smallest size first."""
    table = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000 and not deduped")
    return table.sort_values("params").reset_index(drop=True)


def _curve(words: int) -> tuple[np.ndarray, np.ndarray]:
    table = _pythia()
    right = np.rint(table["acc"] * table["n_items"])
    return table["params"].to_numpy(float), metrics.subset_probability(right, table["n_items"], words)


def _way(words: int) -> np.ndarray:
    score = _curve(words)[1]
    return (score - score[0]) / (score[-1] - score[0])


def _at(shares, words: int = 20, log: bool = True) -> np.ndarray:
    """The sizes at which these shares of the way are done."""
    x = _curve(words)[0]
    return 10 ** np.interp(shares, _way(words), np.log10(x)) if log else np.interp(shares, _way(words), x)


def _width(words: int = 20, ends=(0.1, 0.9), log: bool = True) -> float:
    low, high = _at(ends, words, log)
    x = _curve(words)[0]
    return float(np.log10(high / low) / np.log10(x[-1] / x[0]))


def _miss(words: int = 1, of_way: bool = True, log: bool = True) -> float:
    x, score = _curve(words)
    x = np.log10(x) if log else x
    off = np.polyval(np.polyfit(x[:5], score[:5], 1), x[-1]) - score[-1]
    return float(off / (score[-1] - score[0])) if of_way else float(off)


def _all_twenty() -> dict[str, float]:
    p = _pythia()["acc"].iloc[-1]
    return {
        "That is one word. Twenty words must all be right.": p,
        "Chances that must all come true multiply; you have added them.": 20 * p,
        "Chances that must all come true multiply; you have divided one by twenty.": p / 20,
        "That is the chance that at least one of twenty is right.": 1 - (1 - p) ** 20,
        "That is the chance that all twenty are wrong.": (1 - p) ** 20,
        "That is the smallest model; the largest is asked.": _curve(20)[1][0],
    }


def _places() -> dict[str, float]:
    half = _at(0.5)
    return {
        "You have interpolated on sizes; the axis is logarithmic: interpolate on log10(size).": _at(0.5, log=False),
        "That is the logarithm of the place: take 10 to that power.": np.log10(half),
        "In billions it would be right: give parameters.": half / 1e9,
        "That is one of the sizes; the place lies between two of them: interpolate.": _curve(20)[0][-2],
        "That is where single words have gone half of their way; twenty words are asked.": _at(0.5, words=1),
        "There the score has gone nine tenths of its way; a half is asked.": _at(0.9),
    }


def _widths() -> dict[str, float]:
    low, high = _at((0.1, 0.9))
    x = _curve(20)[0]
    return {
        "Those are factors of ten. Divide by those of the whole window.": np.log10(high / low),
        "That is the whole window: take from a tenth of the way to nine tenths.": 1.0,
        "That is the width of single words; twenty words are asked.": _width(words=1),
        "That is on linear sizes. Sizes are bought by the factor: take logarithms.": (high - low) / (x[-1] - x[0]),
        "That is the middle half of the way: take from a tenth to nine tenths.": _width(ends=(0.25, 0.75)),
        "You have interpolated on sizes; interpolate on log10(size).": _width(log=False),
    }


def _misses() -> dict[str, float]:
    score = _curve(1)[1]
    return {
        "That is in units of the score: divide by the way, last less first.": _miss(of_way=False),
        "You have divided by the largest score: divide by the way, last less first.": _miss(of_way=False) / score[-1],
        "That is for five words; one word is asked.": _miss(5),
        "That is for twenty words; one word is asked.": _miss(20),
        "That line is in sizes: draw it in the logarithm of size.": _miss(log=False),
    }


# ---- lab 2: the loss decides


@cache
def _text():
    """The text ladder's largest model: answers of 16 characters."""
    table = kept.load("ladder-text-continuation")
    return table[table["params"] == table["params"].max()]


@cache
def _exam() -> tuple[float, float]:
    """Of the largest model on 50,000 places: one character right, four characters right."""
    table = kept.load("ladder-text-exam")
    right = table[table["params"] == table["params"].max()]["right_for"]
    return float((right >= 1).mean()), float((right >= 4).mean())


def _at_most() -> dict[str, float]:
    return {
        "A model with a rate of 5 % fails all twenty in a third of the tests: zero right is not a rate of zero.": 0.0,
        "1/20 is the step of the scale. With that rate all twenty fail in a third of the tests.": 1 / 20,
        "That is the chance that a rate of 5 % shows at least one right answer in twenty.": 1 - 0.95**20,
        "That is the chance that a rate of 5 % fails all twenty. Find the rate for which this chance is 5 %.": 0.95**20,
        "That is the rate for which all twenty are right once in twenty tests. None is right here.": 0.05 ** (1 / 20),
    }


def _sampled() -> dict[str, float]:
    four = first_tokens(_text(), 4)
    ce = metrics.cross_entropy(four).astype(float)
    return {
        "You took the mean first. Take exp(−CE) of each item, then the mean.": np.exp(-ce.mean()),
        "That is exp(−the mean loss of a character). An item is four characters: its losses add up.": np.exp(
            -ce.mean() / 4
        ),
        "Those are all 16 characters: cut the answers with first_tokens(answers, 4).": metrics.expected_accuracy(
            _text()
        ).mean(),
        "That is how often the greedy answer is right. Asked is a sampled one.": metrics.exact_match(four).mean(),
        "That is the mean loss of an item, in nats.": ce.mean(),
    }


def _four() -> dict[str, float]:
    one, four = _exam()
    return {
        "Chances that must all come true multiply; you have added them.": 4 * one,
        "Chances that must all come true multiply; you have divided by four.": one / 4,
        "That is the fourth root: longer answers are harder, not easier.": one ** (1 / 4),
        "That is what was measured. Asked is what the formula says from one character.": four,
        "That is the chance that at least one of four is right.": 1 - (1 - one) ** 4,
        "That is one character.": one,
    }


@cache
def _fit() -> tuple[float, float]:
    """accuracy = exp(-a m^g), fitted to the checkpoints of Pythias up to 410m from step 1,000 on."""
    table = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step >= 1000 and params < 4e8")
    found = least_squares(lambda p: np.exp(-p[0] * table["cross_entropy"] ** p[1]) - table["acc"], [0.3, 1.0])
    return tuple(found.x)


def _largest_gpt3(setting: str = "zero"):
    return published.gpt3().query("benchmark == 'lambada' and setting == @setting").iloc[-1]


def _gpt3() -> dict[str, float]:
    big = _largest_gpt3()
    m, (a, g) = big["cross_entropy"], _fit()
    six = _pythia().query("params < 4e8")
    line = np.polyval(np.polyfit(np.log(six["params"]), six["acc"], 1), np.log(big["params"]))
    return {
        "That is exp(−m). It misses every model here: items differ, and decoding is greedy.": np.exp(-m),
        "That is a line in size. Use the loss.": line,
        "That is the loss itself, in nats.": m,
        "That is the exponent, a times m to the g: take exp of minus that.": a * m**g,
        "That is GPT-3 with a few examples, another format: take setting == 'zero'.": np.exp(
            -a * _largest_gpt3("few")["cross_entropy"] ** g
        ),
        "That is the best Pythia: nothing was predicted.": _pythia()["acc"].iloc[-1],
    }


# ---- lab 3: how to fool oneself

RATE, ITEMS = 0.0016, 100  # of the lab's text


def _hidden() -> dict[str, float]:
    p, n = RATE, ITEMS
    return {
        "That is the number of right answers to expect.": n * p,
        "That is the chance to see at least one; asked is the chance to see none.": 1 - (1 - p) ** n,
        "That is one item; there are a hundred.": 1 - p,
        "That is the rate itself.": p,
        "That is the chance that all are right.": p**n,
        "Chances that must all come true multiply; you have added them.": n * (1 - p),
    }


@cache
def _subsets(keep: int) -> np.ndarray:
    score = _curve(1)[1]
    scores = [stats.emergence_score(score[list(chosen)]) for chosen in combinations(range(len(score)), keep)]
    return np.array([each for each in scores if np.isfinite(each)])


def _best() -> dict[str, float]:
    return {
        "That is all eight sizes: choose four.": stats.emergence_score(_curve(1)[1]),
        "That is the lowest. One who wants to be fooled takes the highest.": _subsets(4).min(),
        "That is the median of all choices: take the highest.": np.median(_subsets(4)),
        "That is the mean of all choices: take the highest.": _subsets(4).mean(),
        "That is with five sizes: choose four.": _subsets(5).max(),
        "That is the number of choices: score each and take the highest.": 70.0,
    }


def _any() -> dict[str, float]:
    return {
        "That is one metric; the best of 39 is looked at.": 0.05,
        "Chances of alarms do not add up, and none is above 1. All quiet is 0.95 to the power of 39.": 39 * 0.05,
        "That is the chance that all 39 keep quiet.": 0.95**39,
        "That is the chance that all 39 raise an alarm.": 0.05**39,
        "That is the chance that not all of them raise an alarm.": 1 - 0.05**39,
    }


def _above() -> dict[str, float]:
    eight = stats.emergence_null(8)
    return {
        "That is the share that scores less.": (eight < 7).mean(),
        "Those are curves that fall, too: a negative score is no emergence.": (abs(eight) >= 7).mean(),
        "That is with 20 models: take 8.": (stats.emergence_null(20) >= 7).mean(),
        "That is against 8. A straight line of 8 models has 7 equal steps, and scores 7.": (eight >= 8).mean(),
        "That is a score, exceeded by one curve in twenty; a share is asked.": np.quantile(eight, 0.95),
        "That is a number of curves: divide by how many there are.": float((eight >= 7).sum()),
    }


def _truth(value: Callable[[], float]) -> Callable[[], list[float]]:
    return lambda: [float(value())]


CHECKS = {
    "all-twenty": Check(
        lambda: [float(_curve(20)[1][-1]), float(_pythia()["acc"].iloc[-1] ** 20)],
        _all_twenty,
        "Next to nothing, and the same model gets seven single words of ten right.",
    ),
    "place": Check(
        _truth(lambda: _at(0.5)), _places, "At the far end of the window: twenty words come late.", 0.01, share=False
    ),
    "width": Check(_truth(_width), _widths, "Less than half of the window: sharp, as this book uses the word.", 0.01),
    "line-misses": Check(
        _truth(_miss), _misses, "The smooth curve bends, and the line overshoots: smooth is not foreseen."
    ),
    "at-most": Check(
        lambda: [1 - 0.05 ** (1 / 20), 3 / 20, float(stats.wilson(0, 20).high)],
        _at_most,
        "About three over the number of items.",
    ),
    "sampled": Check(
        _truth(lambda: metrics.expected_accuracy(first_tokens(_text(), 4)).mean()),
        _sampled,
        "More than exp(−mean loss): the easy items lift the mean.",
    ),
    "four-from-one": Check(
        _truth(lambda: _exam()[0] ** 4), _four, "Now hold it against what was measured, in the lab's next cell.", 0.01
    ),
    "gpt3": Check(
        _truth(lambda: np.exp(-_fit()[0] * _largest_gpt3()["cross_entropy"] ** _fit()[1])),
        _gpt3,
        "Hold it against what was measured. No size entered, only a loss.",
        0.03,
    ),
    "hidden": Check(
        _truth(lambda: (1 - RATE) ** ITEMS),
        _hidden,
        "Three tests of four show nothing at all of what the model can do.",
    ),
    "best-subset": Check(
        _truth(lambda: _subsets(4).max()),
        _best,
        "Same models, same soft score: the choice of sizes did it.",
        0.005,
        False,
    ),
    "any-of-39": Check(_truth(lambda: 1 - 0.95**39), _any, "Who looks at enough metrics finds a jump."),
    "noise-above-line": Check(
        _truth(lambda: (stats.emergence_null(8) >= 7).mean()),
        _above,
        "Noise hardly ever scores as a straight line does. So significance shows a rise, and no jump.",
        0.05,
    ),
}

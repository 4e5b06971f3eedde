"""Checks for the exercises of Part I, derivation, each named like its exercise."""

from functools import cache

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.stats import binom

from mirage_lib import compare, metrics, published, stats, theory

from . import NAN, Check, Exercise

TOY = {"c": 5e8, "alpha": -0.35}
ALPHAS = (TOY["alpha"], -0.076)  # of the toy, of web text
HOCKEY = [np.r_[np.zeros(m), np.linspace(0, 1, 11 - m)[1:]] for m in range(1, 10)]
LAW_SIZES = np.logspace(7, 12, 11)
PYTHIA_SIZES = np.array([0.07, 0.16, 0.41, 1.0, 1.4, 2.8, 6.9, 12.0]) * 1e9


@cache
def _lambada() -> pd.DataFrame:
    return published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000")


def _words(words: int) -> pd.Series:
    table = _lambada()
    score = metrics.subset_probability(np.rint(table["acc"] * table["n_items"]), table["n_items"], words)
    return table.assign(score=score).groupby("params")["score"].mean()


def _place(words: int, less: int = 0) -> float:
    curve = _words(words)
    return compare.rise(curve.index[: len(curve) - less], curve.iloc[: len(curve) - less])[0]


def _p(sizes) -> np.ndarray:
    return theory.token_probability(theory.scaling_law(sizes, **TOY))


def _window(tokens: int, factor: float = 1) -> float:
    return stats.emergence_score(theory.accuracy(_p(LAW_SIZES * factor), tokens))


def _at_least(least: int, of: int) -> float:
    fine = np.logspace(0, 20, 8001)
    return compare.rise(fine, binom.sf(least - 1, of, _p(fine)))[1]


RULES = ((10, 10), (5, 10), (1, 10), (50, 100))


def smooth_null(right, params, n, at_least=True) -> float:
    """Share of 2,000 exams, drawn from the likeliest smooth law, that score at least as high as these counts."""
    right, z = np.asarray(right), np.log(np.asarray(params) / 1e9)

    def surprise(line):
        ce = np.exp(line[1] + line[0] * z)
        return (right * ce - (n - right) * np.log(-np.expm1(-ce))).sum()

    slope, height = optimize.minimize(surprise, (-0.3, 1.0), method="Nelder-Mead").x
    p = np.exp(-np.exp(height + slope * z))
    null = stats.emergence_score(np.random.default_rng(0).binomial(n, p, size=(2000, len(p))) / n)
    seen = stats.emergence_score(right / n)
    return float(np.mean(null >= seen if at_least else null > seen))


EXAMS = (([0, 0, 0, 0, 0, 1, 4, 6], PYTHIA_SIZES, 20), ([0, 0, 0, 0, 0, 0, 0, 18], PYTHIA_SIZES, 20))
SMALLER = [(alpha, d) for alpha in (0.35, 0.076) for d in (10, 100)]
MEANS = (4.0, 1.5, 0.25)
RATIO = np.log(0.6) / np.log(0.5)  # of the losses at 60 % and at 50 %
ON_TRACK = 0.75 ** np.arange(4)
TOKENS = (0.75 * ON_TRACK + 0.1 * (1 - ON_TRACK)).mean()

CHECKS = {
    "hockey-stick": Exercise(
        lambda: [[stats.emergence_score(y) for y in HOCKEY]],
        lambda: {
            "That divides by the mean step. The score divides by the root of the median squared step.": 9.0,
            "Steps of zero count, too: where they are more than half, the median is zero.": {5: 4, 6: 3, 7: 2, 8: 1},
            "That is the width, in factors of ten.": [compare.rise(np.geomspace(1, 1e9, 10), y)[1] for y in HOCKEY],
        },
        "The number of steps of the rise, until most steps are zero; then infinite.",
        0.001,
    ),
    "two-fewer": Exercise(
        lambda: [_place(20, 2)],
        lambda: {
            "That is with all eight sizes: leave two out.": _place(20),
            "That is one word; twenty are asked.": _place(1, 2),
            "You have left out one size: leave two.": _place(20, 1),
            "In billions it would be right: give parameters.": _place(20, 2) / 1e9,
            "That is the logarithm of the place: take 10 to that power.": np.log10(_place(20, 2)),
        },
        "It moves with the end of the window: the jump is of the window, not of the thing.",
    ),
    "nats": Exercise(
        lambda: [[np.log(50_000), 1 / 50_000, np.exp(3)]],
        lambda: {
            "That is in bits: nats are natural logarithms.": {0: np.log2(50_000)},
            "That logarithm is to base ten: nats are natural logarithms.": {0: np.log10(50_000)},
            "Once in how many tries? Give the chance, one over that.": {1: 50_000},
            "That is the chance to be right. Among how many tokens is an even guess as good? One over it.": {
                2: np.exp(-3)
            },
            "Those would be 3 bits. Nats go with e.": {2: 8},
        },
        "exp of a loss in nats is a number of guesses, called perplexity.",
        0.03,
    ),
    "cost": Exercise(
        lambda: [[RATIO ** (1 / alpha) for alpha in ALPHAS]],
        lambda: {
            "That is by what factor the loss falls. By what factor must the model grow?": RATIO,
            "That is below 1: the exponent is negative, and so is 1/α.": [RATIO ** (-1 / a) for a in ALPHAS],
            "You have raised the ratio to α; N goes with the loss to the power 1/α.": [RATIO**a for a in ALPHAS],
            "That takes the ratio of the accuracies. The power law is of the loss, −ln p.": [
                1.2 ** (-1 / a) for a in ALPHAS
            ],
        },
        "The same ten points, and a cost that hangs on the exponent.",
    ),
    "linear": Exercise(
        lambda: [[np.exp(1 / alpha - 1) for alpha in ALPHAS]],
        lambda: {
            "That is the loss there, in nats. The accuracy is exp of minus it.": [1 - 1 / a for a in ALPHAS],
            "That is the steepest place on the axis of ln N. On linear N it is another.": np.exp(-1),
            "Mind the sign: α is negative, so 1 − 1/α is above 1.": [np.exp(-1 - 1 / a) for a in ALPHAS],
            "That is without the 1: the factor 1/N adds to the exponent, and does not replace it.": [
                np.exp(1 / a) for a in ALPHAS
            ],
        },
        "Almost at the bottom: to the eye it rises at once.",
        0.06,
    ),
    "good": Exercise(
        lambda: [[0.5 ** (1 / 200), 200 * (1 - 0.5 ** (1 / 200))]],
        lambda: {
            "200 chances that must all come true multiply: take the 200th root, do not divide.": {0: 0.5 / 200},
            "That shares the wrong half out by adding. Chances multiply: take the 200th root.": {0: 1 - 0.5 / 200},
            "That is the 200th power. p to the 200th is a half, so p is a root.": {0: 0.5**200},
            "That is one token. How many of 200 are wrong, on average?": {1: 1 - 0.5 ** (1 / 200)},
            "That is how many are right.": {1: 200 * 0.5 ** (1 / 200)},
        },
        "Less than one wrong token in a program, and every second program fails.",
        (0.0004, 0.02),
    ),
    "subset": Exercise(
        lambda: [0.8 ** np.arange(1, 11)],
        lambda: {
            "That does not depend on k: all k must be right.": [NAN, *[0.8] * 9],
            "That is the chance that at least one is right.": np.r_[NAN, 1 - 0.2 ** np.arange(2, 11)],
            "Chances that must all come true multiply; you have divided by k.": np.r_[NAN, 0.8 / np.arange(2, 11)],
            "That is the chance that all k are wrong.": 0.2 ** np.arange(1, 11),
        },
        "All of K is p to the K, whatever the K are: tokens, words, digits.",
        tuple(0.01 + 0.02 * np.arange(1, 11)),
    ),
    "window": Exercise(
        lambda: [[_window(20), _window(20, 20 ** (-1 / TOY["alpha"]))]],
        lambda: {
            "That is one token. Twenty are asked.": {0: _window(1)},
            "That window has moved the wrong way: twenty tokens come later.": {
                1: _window(20, 20 ** (1 / TOY["alpha"]))
            },
            "That window has moved by L. L times the loss is a factor L^(−1/α) in size.": {1: _window(20, 20)},
            "The window has not moved.": {1: _window(20)},
        },
        "In a window that moves along, the score is that of one token.",
        0.01,
    ),
    "at-least": Exercise(
        lambda: [[_at_least(*rule) for rule in RULES]],
        lambda: {
            "That is for more than m right; sf(m, …) leaves m itself out.": [_at_least(m + 1, of) for m, of in RULES],
            "Those are factors of e: compare.rise gives factors of ten.": [_at_least(*r) * np.log(10) for r in RULES],
            "That is a share of the sizes: give factors of ten.": [_at_least(*rule) / 20 for rule in RULES],
            "That is the width of all of ten. This rule is another.": [NAN] + [_at_least(10, 10)] * 3,
        },
        "All delays; a threshold in the middle sharpens.",
        (0.03, 0.03, 0.03, 0.1),
    ),
    "resolution-zero": Exercise(
        lambda: [[3 / 50, stats.items_needed(0.01)], [1 - 0.05 ** (1 / 50), 300], [stats.wilson(0, 50).high, 299]],
        lambda: {
            "None of fifty does not make a rate of zero: which rates would show none once in twenty?": {0: 0},
            "That is the step of the scale. A rate of 1/50 shows none in more than a third of such tests.": {0: 0.02},
            "That is a number of right answers: divide by 50.": {0: 3},
            "A hundred show none of 1 % in more than a third of the tests: ask for one in twenty.": {1: 100},
            "That is one test of fifty.": {1: 50},
        },
        "Absent is a statement about n as much as about the model.",
        (0.05, 0.004),
    ),
    "resolution-half": Exercise(
        lambda: [4 * 1.645**2 / 9],
        lambda: {
            "That is n for a = 1. Set it equal to 3/a.": 4 * 1.645**2 / 3,
            "That is the level of chance.": 0.25,
            "You have left out the factor (1 − q): p − q is a share of what is not guessed.": 4 * 1.645**2 * 0.25 / 3,
            "That is z once. Both errors, 5 % of alarms and 5 % of misses, make 2 z.": 1.645**2 / 9,
            "That is with both of (1 − q): one of them is the variance's.": 4 * 1.645**2 * 0.25 / 0.75**2 / 3,
        },
        "Above 1: for every share that can be, the choice among options costs more.",
        0.03,
    ),
    "resolution-smaller": Exercise(
        lambda: [
            [stats.items_needed(0.3 ** (d**alpha)) for alpha, d in SMALLER],
            [np.log(0.05) / np.log1p(-(0.3 ** (d**alpha))) for alpha, d in SMALLER],  # not rounded up
        ],
        lambda: {
            "That divides the accuracy. The loss grows by d^|α|, and accuracy is exp of minus it.": [
                stats.items_needed(0.3 / d) for _, d in SMALLER
            ],
            "That divides the accuracy by d^|α|. The loss is multiplied by it.": [
                stats.items_needed(0.3 / d**alpha) for alpha, d in SMALLER
            ],
            "That is for a larger model: the smaller one has the larger loss.": [
                stats.items_needed(0.3 ** (d**-alpha)) for alpha, d in SMALLER
            ],
            "That is for the model that solves 30 %.": stats.items_needed(0.3),
            "That is 1 over the accuracy: one right answer on average, and none in a third of the tests.": [
                0.3 ** -(d**alpha) for alpha, d in SMALLER
            ],
        },
        "A slow law is easy to see early and hard to grow.",
        0.01,
    ),
    "resolution-null": Check(
        lambda: [[smooth_null(*exam) for exam in EXAMS]],
        lambda: {
            "That is the share that scores less.": [1 - smooth_null(*exam) for exam in EXAMS],
            "Ties count: take >=, at least as large. Infinity is not larger than infinity.": [
                smooth_null(*exam, at_least=False) for exam in EXAMS
            ],
        },
        "Neither stands out: with 20 items the score cannot tell steep from smooth.",
        0.08,
        at=EXAMS,
    ),
    "bends-two": Exercise(
        lambda: [[v for ce in (10, 5) for v in ((1 + np.exp(-ce)) / 2, np.exp(-ce / 2))]],
        lambda: {
            "You took the mean first. Take exp(−CE) of each item, then the mean.": {0: np.exp(-5), 2: np.exp(-2.5)},
            "That is the mean of exp(−CE). Asked is exp of minus the mean.": {
                1: 0.5 * (1 + np.exp(-10)),
                3: 0.5 * (1 + np.exp(-5)),
            },
            "That is of a hard item alone; the mean loss is over all.": {1: np.exp(-10), 3: np.exp(-5)},
            "The hard items have a chance, too: add half of theirs.": {2: 0.5},
        },
        "The mean loss says twelve times better, and the accuracy hardly moves.",
        (0.005, 0.05, 0.005, 0.02),
    ),
    "bends-derailed": Exercise(
        lambda: [[TOKENS, TOKENS**4, 0.75**4]],
        lambda: {
            "That is a token on track. After an error it is 10 %: take the mean over the four tokens.": {0: 0.75},
            "That is the mean of 75 % and 10 %: how often is the answer still on track at each token?": {0: 0.425},
            "You have forgotten the tokens that are right after an error.": {0: 0.75 * ON_TRACK.mean()},
            "That is the exact match. Take the fourth power of the token accuracy.": {1: 0.75**4},
            "An answer that is right has never been off track: the fourth power of 75 %.": {2: TOKENS**4},
        },
        "After an error tokens are easy to lose, and exact match does not see them.",
    ),
    "bends-greedy": Check(
        lambda: [[1 - 2 ** (-1 / m) for m in MEANS]],
        lambda: {
            "That is the chance to be wrong: the share of losses above ln 2.": [2 ** (-1 / m) for m in MEANS],
            "That is sampling from the mean loss. Greedy asks whether the loss is below ln 2.": np.exp(
                -np.array(MEANS)
            ),
            "The threshold is ln 2, and not 1.": 1 - np.exp(-1 / np.array(MEANS)),
            "The mean is m, not 1/m.": [1 - 2**-m for m in MEANS],
            "That is sampling, averaged over the items.": [1 / (1 + m) for m in MEANS],
        },
        "Its width is that of exp(−m), to the digit.",
        at=tuple((m,) for m in MEANS),
    ),
}

"""Checks for the exercises of Part II, language models, each named like its exercise."""

from functools import cache

import numpy as np
import pandas as pd
from scipy import optimize, special
from scipy.stats import linregress, pearsonr, spearmanr

from mirage_lib import claims, compare, items, metrics, published, stats
from mirage_lib.claims import kept, planting
from mirage_lib.claims.emergence import emergence_test

from . import NAN, Check, Exercise


def _share(params, score) -> float:
    """Width of a rise as a share of the window."""
    return compare.rise(params, score)[1] / np.log10(params[-1] / params[0])


@cache
def _lambada() -> pd.DataFrame:
    return published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000")


def _few(benchmark: str, column: str = "acc", questions: float = 2000) -> tuple[np.ndarray, np.ndarray]:
    rows = published.gpt3().query("setting == 'few' and benchmark == @benchmark")
    return rows["params"].to_numpy(float), (rows[column] * questions).round().to_numpy() / questions


def _gap(less: int) -> float:
    params, score = _few("three_digit_subtraction")
    return _share(params[: len(params) - less], score[: len(score) - less])


def _multirc(column: str) -> np.ndarray:
    return _few("multirc", column, 1e9)[1]


@cache
def _leads(operation: str, shots: int, every: bool = False) -> float:
    """Right answers of 2.8b less those of 6.9b, a share, mean over checkpoints; two-digit first operands."""
    table, differ = published.pythia_arithmetic().query("benchmark == @operation and shots == @shots"), []
    for _, cell in table.groupby("step"):
        right = cell.set_index("size")["right"]
        differ.append((np.array(right["2.8b"], float) - right["6.9b"])[0 if every else 10 :].mean() / 50)
    return float(np.mean(differ))


@cache
def _two_digits(stop: bool) -> pd.DataFrame:
    table = kept.load("smollm2-two-digits")
    return table if stop else pd.concat([items.first_tokens(part, n - 1) for n, part in table.groupby("length")])


@cache
def _trap() -> pd.DataFrame:
    return kept.load("smollm2-memo-trap")


@cache
def _largest() -> pd.DataFrame:
    text = kept.load("ladder-text-continuation")
    return text[text["params"] == text["params"].max()]


@cache
def _spread() -> dict[str, float]:
    big = _largest()
    forced = items.ragged(big, "is_greedy").values.reshape(-1, 16)
    missed = ~forced[:, 0]
    written = zip(big["output"], big["target"], missed, strict=True)
    free = [np.equal(o[1:], t[1:]).mean() for o, t, m in written if m and len(o) == 16]
    return {
        "forced": forced[missed, 1:].mean(),
        "free": np.mean(free),
        "hit": forced[~missed, 1:].mean(),
        "all": forced.mean(),
        "first": forced[missed].mean(),
    }


def _twelve() -> float:
    return float(_lambada().query("params == params.max()")["cross_entropy"].mean())


@cache
def _gamma_error(shape: str = "gamma", of: str = "large") -> float:
    """RMS error of the item model, its losses of this shape, fitted to Pythias up to 410m."""
    decide = claims.deciders("pythia-as-published")
    points = decide.lambada()
    nodes, weights = np.polynomial.legendre.leggauss(100)

    def model(rows, alpha):
        m, s = (rows[name].to_numpy()[:, None] for name in ("cross_entropy", "cross_entropy_sd"))
        if shape == "weibull":
            return decide.item_model(m[:, 0], s[:, 0], alpha)
        losses = special.gammaincinv((m / s) ** 2, (nodes + 1) / 2) * s**2 / m
        return np.exp(alpha * np.minimum(0, -np.log(np.expm1(losses)))) @ (weights / 2)

    small, part = points.query("params < 4e8"), points.query({"small": "params < 4e8", "large": "params > 2e9"}[of])
    error = np.sqrt(small["acc"] * (1 - small["acc"]))
    alpha = optimize.least_squares(lambda q: (model(small, q[0]) - small["acc"]) / error, [1.0]).x[0]
    return decide.rms(model(part, alpha) - part["acc"])


@cache
def _crossed() -> pd.DataFrame:
    tasks = published.bigbench_tasks()
    return pd.crosstab(tasks["preferred_metric"] == "multiple_choice_grade", tasks["emergent"])


@cache
def _stand_out() -> tuple[int, int, int]:
    """Tasks that stand out from a model that never improves; from a straight line; all tasks."""
    table = claims.deciders("bigbench").curves()
    right = published.bigg_items().groupby(["task", "params"])["is_greedy"].agg(["sum", "size"])
    parts = [right.loc[name] for name in table["task"]]
    p = [emergence_test(part["sum"] / part["size"], n_items=part["size"]).p_value for part in parts]
    return sum(each <= 0.05 for each in p), int((table["p"] <= 0.05).sum()), len(table)


@cache
def _power_items() -> float:
    """Items that show a rise from 0.25 to 0.5 in the last step with a power of 80 %, by doubling."""
    flat, rng = [0.25] * 11 + [0.5], np.random.default_rng(8)
    for n in 100 * 2 ** np.arange(10):
        null = stats.emergence_score(planting.counts(planting.line(flat), n, 1000, rng))
        seen = stats.emergence_score(planting.counts(flat, n, 1000, rng))
        if (seen > np.quantile(null, 0.95)).mean() >= 0.8:
            return float(n)
    return NAN


def _brier(q: float) -> float:
    return (1 - q) ** 2 / 4 + 3 / 4 * (1 - (1 - q) / 3) ** 2


@cache
def _foretold(column: str, log: bool = True, ends: bool = False) -> float:
    """A straight line through OLMo up to 1B on ARC-Easy, at 7B, less what was measured."""
    table = published.olmo_letters().query("benchmark == 'arc_easy'")
    compute = 6 * table["params"] * table["tokens"]
    x, known = np.log10(compute) if log else compute, table["size"] != "7B"
    line = linregress(x[known], table.loc[known, column])
    off = line.intercept + line.slope * x[~known].item()
    return off if ends else off - table.loc[~known, column].item()


def _ipa(all_models: bool = False) -> pd.DataFrame:
    table = claims.deciders("multiple-choice").ipa()
    return table if all_models else table[table["acc"] == 0]


@cache
def _rates() -> pd.Series:
    ends = published.pythia_math().query("model == 'pythia-160m' and step == 143000")
    return ends["correct"] / ends["samples"]


LOSSES = ("mc_letter_bits", "rc_bpb")
QS = (0.25, 0.4, 1.0)

CHECKS = {
    "arithmetic-floor": Exercise(
        lambda: [stats.items_needed(1 / 50_000), 3 * 50_000],
        lambda: {
            "With as many a third of the tests show none: ask for one in twenty.": 50_000,
            "95 % of the questions is not 95 % of the tests: the chance to see none is (1 − p)^n.": 0.95 * 50_000,
            "With as many the chance is a half.": np.log(2) * 50_000,
            "That is a chance of 99 %.": np.log(100) * 50_000,
            "Divide 3 by the rate, do not multiply.": 3 / 50_000,
        },
        "The rule of three.",
        0.003,
    ),
    "arithmetic-gap": Exercise(
        lambda: [[_gap(0), _gap(1)]],
        lambda: {
            "Those are factors of ten: divide by those of the window.": [
                compare.rise(*_few("three_digit_subtraction"))[1],
                compare.rise(*(part[:-1] for part in _few("three_digit_subtraction")))[1],
            ],
            "The window is shorter without the largest: divide by what is left.": {
                1: _gap(1) * np.log10(13 / 0.125) / np.log10(175 / 0.125)
            },
            "That is four-digit addition.": _share(*_few("four_digit_addition")),
            "You have left out the two largest: leave one.": {1: _gap(2)},
        },
        "As sharp without it: the rise had begun at 13 billion.",
    ),
    "arithmetic-multirc": Exercise(
        lambda: [
            [_multirc(c)[-1] / _multirc(c)[0] for c in ("acc", "f1a")]
            + [_share(_few("multirc")[0], _multirc(c)) for c in ("acc", "f1a")]
        ],
        lambda: {
            "That is a difference. By what factor does it rise?": [
                *(_multirc(c)[-1] - _multirc(c)[0] for c in ("acc", "f1a")),
                NAN,
                NAN,
            ],
            "That is one over the factor: divide the largest by the smallest.": [
                *(_multirc(c)[0] / _multirc(c)[-1] for c in ("acc", "f1a")),
                NAN,
                NAN,
            ],
            "Those are factors of ten: divide by those of the window.": [
                NAN,
                NAN,
                *(compare.rise(_few("multirc")[0], _multirc(c))[1] for c in ("acc", "f1a")),
            ],
            "The two metrics are in the other order: first acc.": [
                *(_multirc(c)[-1] / _multirc(c)[0] for c in ("f1a", "acc")),
                NAN,
                NAN,
            ],
        },
        "One rises by the larger factor, and neither is sharp.",
        0.01,
    ),
    "arithmetic-times": Exercise(
        lambda: [[_leads("times", 2), _leads("times", 16)]],
        lambda: {
            "That is for plus.": [_leads("plus", 2), _leads("plus", 16)],
            "The first ten first operands have one digit: leave them out.": [
                _leads("times", 2, True),
                _leads("times", 16, True),
            ],
            "Two examples and sixteen are in the other order.": [_leads("times", 16), _leads("times", 2)],
            "Of 50 answers: divide by 50.": [50 * _leads("times", 2), 50 * _leads("times", 16)],
        },
        "The sign turns with the number of examples.",
    ),
    "measuring-open": Check(
        lambda: [metrics.expected_accuracy(_two_digits(False)).mean()],
        lambda: {
            "That is with the stop: cut it.": metrics.expected_accuracy(_two_digits(True)).mean(),
            "That is exact match. Asked is the expected accuracy.": metrics.exact_match(_two_digits(False)).mean(),
            "You took the mean loss first. Take exp(−CE) of each item.": np.exp(
                -metrics.cross_entropy(_two_digits(False)).mean()
            ),
            "Those are single tokens: an answer needs all of its own.": metrics.token_accuracy(
                _two_digits(False)
            ).mean(),
        },
        "The chance that an answer begins with the number.",
    ),
    "measuring-trap": Check(
        lambda: [metrics.multiple_choice_grade(_trap()).mean()],
        lambda: {
            "That is how often it prefers the usual word.": 1 - metrics.multiple_choice_grade(_trap()).mean(),
            "That is exact match with the stop. Asked is the multiple-choice grade.": metrics.exact_match(
                _trap()
            ).mean(),
            "That is a coin.": 0.5,
            "That is a number of sayings: divide by all.": metrics.multiple_choice_grade(_trap()).sum(),
            "That is how probable the word is.": metrics.expected_accuracy(_trap()).mean(),
        },
        "Below a coin's half: it has read the web.",
        0.03,
    ),
    "soft-metric": Check(
        lambda: [metrics.subset_accuracy(items.first_tokens(_largest(), 2), 10)],
        lambda: {
            "That is one answer; ten must be right.": metrics.exact_match(items.first_tokens(_largest(), 2)).mean(),
            "That is two answers; ten must be right on two characters.": metrics.subset_accuracy(
                items.first_tokens(_largest(), 2), 2
            ),
            "That is one character; two must be right.": metrics.subset_accuracy(items.first_tokens(_largest(), 1), 10),
            "That is four characters; two are asked.": metrics.subset_accuracy(items.first_tokens(_largest(), 4), 5),
            "Chances that must all come true multiply; you have divided by ten.": metrics.exact_match(
                items.first_tokens(_largest(), 2)
            ).mean()
            / 10,
        },
        "Even the largest model gets next to nothing. The answers have not changed.",
        0.05,
    ),
    "spread": Check(
        lambda: [[_spread()["forced"], _spread()["free"]]],
        lambda: {
            "That is after a right first character: take the answers whose first is wrong.": {0: _spread()["hit"]},
            "That is all answers: take those whose first is wrong.": {0: _spread()["all"]},
            "That has the first character in it, which is wrong by choice: leave it out.": {0: _spread()["first"]},
            "The two are in the other order: first teacher-forced.": [_spread()["free"], _spread()["forced"]],
        },
        "Teacher-forced it is back on its way at once.",
    ),
    "pythia-exponential": Check(
        lambda: [1 / (1 + _twelve())],
        lambda: {
            "That is exp of minus the mean loss. Take the mean over the losses.": np.exp(-_twelve()),
            "That is one over the mean loss: the integral has a 1, too.": 1 / _twelve(),
            "That is the chance to be wrong.": 1 - 1 / (1 + _twelve()),
            "That is the mean loss itself.": _twelve(),
            "That is what greedy decoding gets.": float(_lambada().query("params == params.max()")["acc"].mean()),
        },
        "Close to the Weibull model: there the spread is close to the mean.",
        0.01,
    ),
    "pythia-shape": Exercise(
        lambda: [_gamma_error()],
        lambda: {
            "That is with Weibull losses.": _gamma_error("weibull"),
            "That is on the small models, to which it was fitted.": _gamma_error(of="small"),
            "That is the mean square: take the root.": _gamma_error() ** 2,
            "That is in percent points.": 100 * _gamma_error(),
        },
        "The shape matters, and two moments cannot settle it.",
        0.03,
    ),
    "bigbench-other": Check(
        lambda: [[_crossed().loc[has, True] / _crossed().loc[has].sum() for has in (True, False)]],
        lambda: {
            "That is the other direction: of the emergent tasks, those with the metric.": [
                _crossed().loc[has, True] / _crossed()[True].sum() for has in (True, False)
            ],
            "That is a share of all tasks: divide by those with that metric.": [
                _crossed().loc[has, True] / _crossed().to_numpy().sum() for has in (True, False)
            ],
            "Those are odds: divide by all, not by the others.": [
                _crossed().loc[has, True] / _crossed().loc[has, False] for has in (True, False)
            ],
            "That is a number of tasks: divide by how many there are.": [
                _crossed().loc[has, True] for has in (True, False)
            ],
        },
        "And the odds ratio is the same in both directions.",
    ),
    "bigbench-null": Exercise(
        lambda: [_stand_out()[0]],
        lambda: {
            "That is against a straight line.": _stand_out()[1],
            "That is how many do not stand out.": _stand_out()[2] - _stand_out()[0],
            "That is a share: how many tasks?": _stand_out()[0] / _stand_out()[2],
            "That is what luck would give.": 0.05 * _stand_out()[2],
        },
        "A steady rise stands out, too: it improves, and need not jump.",
        0.04,
    ),
    "bigbench-power": Exercise(
        lambda: [_power_items()],
        lambda: {
            "That many show that 0.5 is above 0.25, and not that the rise is in one step.": stats.items_needed(
                0.5, power=0.8, chance=0.25
            ),
            "That is the largest task of this set: draw tests, and double n until four of five are seen.": int(
                claims.deciders("bigbench").curves()["n"].max()
            ),
        },
        "More than any task of this set has.",
        0.6,
    ),
    "choice-modesty": Check(
        lambda: [[_brier(q) for q in QS]],
        lambda: {
            "That is where the favourite is right. It is, once in four.": [(1 - q) ** 2 for q in QS],
            "That is where the favourite is wrong. It is, three times in four.": [(1 - (1 - q) / 3) ** 2 for q in QS],
            "The two cases are in the other order: the favourite is right with 1/4.": [
                3 / 4 * (1 - q) ** 2 + (1 - (1 - q) / 3) ** 2 / 4 for q in QS
            ],
            "The right option, where it is no favourite, has a third of the rest.": [
                (1 - q) ** 2 / 4 + 3 / 4 * q**2 for q in QS
            ],
        },
        "Lowest where nothing is claimed: at q = 1/4.",
        at=tuple((q,) for q in QS),
    ),
    "choice-forecast": Exercise(
        lambda: [[_foretold(column) for column in LOSSES]],
        lambda: {
            "That is on linear compute: take the logarithm.": [_foretold(column, log=False) for column in LOSSES],
            "That is the forecast: take the measured loss from it.": [
                _foretold(column, ends=True) for column in LOSSES
            ],
            "The two losses are in the other order: first the letter's.": [
                _foretold(column) for column in LOSSES[::-1]
            ],
        },
        "The letter's line is too high, the text's too low.",
        0.03,
    ),
    "choice-zeros": Check(
        lambda: [spearmanr(_ipa()["flops"], _ipa()["bleu"]).statistic],
        lambda: {
            "That is with the models that have an exact one.": spearmanr(
                _ipa(True)["flops"], _ipa(True)["bleu"]
            ).statistic,
            "That is the p-value.": spearmanr(_ipa()["flops"], _ipa()["bleu"]).pvalue,
            "That is a correlation on linear compute: take ranks.": pearsonr(_ipa()["flops"], _ipa()["bleu"]).statistic,
            "That is a correlation on log compute: take ranks.": pearsonr(
                np.log(_ipa()["flops"]), _ipa()["bleu"]
            ).statistic,
        },
        "What the harsh score calls nothing is not nothing.",
    ),
    "predictable-answers": Exercise(
        lambda: [np.log(20) / _rates().sum(), 3 / _rates().sum()],
        lambda: {
            "That is for one problem at the mean rate; the test has 128.": np.log(20) / _rates().mean(),
            "With as many a third of the tests show nothing: ask for one in twenty.": 1 / _rates().sum(),
            "The sum of the rates is 128 times the mean already: do not divide by 128 again.": np.log(20)
            / _rates().sum()
            / 128,
            "That is the sum of the rates.": _rates().sum(),
        },
        "However the rate is shared out.",
    ),
}

"""Metrics: what happened, scored. Each is a pure function of an items table (see `mirage_lib.items`).

A metric gives one score an item, as a Series with the table's index; the score of a model is the mean, and the
interval around it is `mirage_lib.stats`' business. The exceptions say so: `subset_accuracy` is about K items at
once and gives one number. Every metric names the columns it needs in its first line; a table without them,
with gaps, empty or of the wrong type raises `ItemsError`.
"""

import numpy as np
import pandas as pd
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein
from scipy.stats import hypergeom

from mirage_lib.items import ItemsError, items_table, ragged, validate  # noqa: F401 (items_table: for the examples)


def cross_entropy(items: pd.DataFrame) -> pd.Series:
    """CE_i: negative log-likelihood of the whole target, summed over its tokens, in nats an item. Needs `logprob`.

    >>> cross_entropy(items_table(logprob=[[-1.0, -0.5], [-0.25]])).tolist()
    [1.5, 0.25]
    """
    logprob = ragged(items, "logprob")
    # 0 - x, not -x: a certain token has cross-entropy 0.0, not -0.0
    return _scores(items, 0.0 - np.add.reduceat(logprob.values, logprob.starts), "cross_entropy")


def expected_accuracy(items: pd.DataFrame) -> pd.Series:
    """exp(-CE_i): the probability that sampling at temperature 1 gives exactly the target. Needs `logprob`.

    Exact by the chain rule, however the tokens depend on each other (Schaeffer et al. 2023, section 2).

    >>> expected_accuracy(items_table(logprob=[np.log([0.5, 0.5])])).round(6).tolist()
    [0.25]
    """
    return np.exp(-cross_entropy(items)).rename("expected_accuracy")


def exact_match(items: pd.DataFrame) -> pd.Series:
    """1 if every token of the target was hit, else 0 ("accuracy", "exact string match"). Needs `is_greedy`.

    >>> exact_match(items_table(is_greedy=[[True, True], [True, False]])).tolist()
    [1.0, 0.0]
    """
    hit = ragged(items, "is_greedy")
    return _scores(items, np.logical_and.reduceat(hit.values, hit.starts), "exact_match")


def sampled_accuracy(items: pd.DataFrame) -> pd.Series:
    """Share of an item's sampled answers that are exactly the target. Needs `samples` and `target`.

    Its expectation is `expected_accuracy` when samples were drawn at temperature 1 and targets end with their stop.

    >>> sampled_accuracy(items_table(samples=[[[4, 2], [4, 1]]], target=[[4, 2]])).tolist()
    [0.5]
    """
    validate(items, "samples", "target")
    shares = [
        np.mean([list(sample) == list(target) for sample in samples])
        for samples, target in zip(items["samples"], items["target"], strict=True)
    ]
    return _scores(items, shares, "sampled_accuracy")


def token_accuracy(items: pd.DataFrame) -> pd.Series:
    """Share of the target's tokens that were hit, each with the true tokens before it. Needs `is_greedy`.

    >>> token_accuracy(items_table(is_greedy=[[True, True], [True, False]])).tolist()
    [1.0, 0.5]
    """
    hit = ragged(items, "is_greedy")
    return _scores(items, np.add.reduceat(hit.values.astype(float), hit.starts) / hit.lengths, "token_accuracy")


def token_edit_distance(items: pd.DataFrame) -> pd.Series:
    """Levenshtein distance between answer and reference, in tokens. Needs `output` and `target`.

    At equal lengths it is at most the number of wrong tokens, L(1 - p) on average (Schaeffer et al. 2023, section 2).

    >>> token_edit_distance(items_table(output=[[4, 0, 7], [0, 8, 4]], target=[[4, 0, 8], [4, 0, 8]])).tolist()
    [1.0, 2.0]
    """
    validate(items, "output", "target")
    output, target = ragged(items, "output").lists(), ragged(items, "target").lists()
    distance = process.cpdist(output, target, scorer=Levenshtein.distance, dtype=np.int64)
    return _scores(items, distance, "token_edit_distance")


def multiple_choice_grade(items: pd.DataFrame) -> pd.Series:
    """1 if the correct option has the most mass, else 0; 1/m if m options tie. Needs `choice_logprob`, `answer`.

    >>> multiple_choice_grade(items_table(choice_logprob=[[-1.0, -2.0], [-1.0, -2.0]], answer=[0, 1])).tolist()
    [1.0, 0.0]
    """
    _, logprob, answer, item_of, starts = _choices(items)
    best = np.maximum.reduceat(logprob, starts)
    ties = np.add.reduceat((logprob == best[item_of]).astype(float), starts)
    return _scores(items, (logprob[answer] == best) / ties, "multiple_choice_grade")


def brier_choices(items: pd.DataFrame) -> pd.Series:
    """Brier (1950) score over all options, sum_j (p_j - y_j)^2, p normalised over the options; 0 best, 2 worst.

    Needs `choice_logprob` and `answer`.

    >>> brier_choices(items_table(choice_logprob=[np.log([0.5, 0.5])], answer=[0])).round(6).tolist()
    [0.5]
    """
    probability, _, answer, _, starts = _choices(items)
    error = probability.copy()
    error[answer] -= 1
    return _scores(items, np.add.reduceat(error**2, starts), "brier_choices")


def brier_target(items: pd.DataFrame) -> pd.Series:
    """Target-choice Brier score (1 - p_correct)^2, p normalised over the options; 0 best, 1 worst.

    The convention of Wu & Lo (2024). Needs `choice_logprob` and `answer`.

    >>> brier_target(items_table(choice_logprob=[np.log([0.5, 0.5])], answer=[0])).round(6).tolist()
    [0.25]
    """
    probability, _, answer, _, _ = _choices(items)
    return _scores(items, (1 - probability[answer]) ** 2, "brier_target")


def _choices(items: pd.DataFrame):
    """The options laid end to end: probabilities, log-probabilities, index of the answers, item of each, starts."""
    validate(items, "choice_logprob", "answer")
    logprob, lengths = ragged(items, "choice_logprob")
    starts = np.cumsum(lengths) - lengths
    answer = ragged(items, "answer").values
    wrong = (answer < 0) | (answer >= lengths)
    if wrong.any():
        row = items.index[np.flatnonzero(wrong)[0]]
        raise ItemsError(f"column 'answer' points outside the options in row {row!r}: options are counted from 0")
    item_of = np.repeat(np.arange(len(items)), lengths)
    best = np.maximum.reduceat(logprob, starts)
    if np.isneginf(best).any():
        row = items.index[np.flatnonzero(np.isneginf(best))[0]]
        raise ItemsError(
            f"column 'choice_logprob' gives every option of row {row!r} probability 0: nothing to normalise"
        )
    mass = np.exp(logprob - best[item_of])
    return mass / np.add.reduceat(mass, starts)[item_of], logprob, starts + answer, item_of, starts


def reconstruction_within(items: pd.DataFrame, c: float) -> pd.Series:
    """1 if the squared error is below c, else 0 (Schaeffer et al. 2023, figure 7). Needs `squared_error`.

    >>> reconstruction_within(items_table(squared_error=[0.2, 0.7]), c=0.5).tolist()
    [1.0, 0.0]
    """
    return _scores(items, ragged(items, "squared_error").values < c, "reconstruction_within")


def subset_accuracy(items: pd.DataFrame, k: int) -> float:
    """Probability that K different items, drawn at random, are all right: one number, exact. Needs `is_greedy`.

    NaN when there are fewer than K items (Schaeffer et al. 2023, figures 8 and 10).

    >>> round(subset_accuracy(items_table(is_greedy=[[True], [True], [False]]), k=2), 6)
    0.333333
    """
    right = exact_match(items)
    return float(subset_probability(right.sum(), len(right), k))


def subset_probability(correct, n, k):
    """C(correct, k) / C(n, k): probability that k of n items, drawn without replacement, are all among the correct.

    Arrays broadcast. The hypergeometric probability of k right in k draws; NaN where k > n. About (correct/n)^k.

    >>> subset_probability([9, 10], 10, 2).round(3).tolist()
    [0.8, 1.0]
    """
    correct, n, k = np.broadcast_arrays(*(np.asarray(value, float) for value in (correct, n, k)))
    counts = [np.rint(value) for value in (correct, n, k)]
    if not np.allclose(counts, [correct, n, k], rtol=1e-9, atol=1e-6):
        raise ValueError("subset_probability counts items: correct, n and k must be whole numbers")
    correct, n, k = counts
    if (k < 1).any() or (correct < 0).any() or (correct > n).any():
        raise ValueError("subset_probability needs k >= 1 and 0 <= correct <= n")
    return np.where(k > n, np.nan, hypergeom.pmf(k, n, correct, k))[()]


def _scores(items: pd.DataFrame, values, name: str) -> pd.Series:
    return pd.Series(np.asarray(values, float), index=items.index, name=name)

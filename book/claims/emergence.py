"""Claims of the chapter emergence, and the test of an emergence score."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mirage_lib import compare, metrics, published, stats
from mirage_lib.claims import Finding

from . import holds
from .planting import rates


class EmergenceTest(NamedTuple):
    """An emergence score and the chance that a curve of the null scores as high."""

    score: float
    p_value: float


def emergence_test(scores, noise=None, n_items=None) -> EmergenceTest:
    """The emergence score with its p-value against curves of as many points that have no jump.

    noise : standard error of one score. If given, the null is a straight line of the same rise with that noise;
        otherwise pure noise, which asks the weaker question whether there is more than chance at all: a straight line
        passes, too.
    n_items : right-or-wrong items, of every model or one number a model. If given, the null is counts: as many right
        answers, dealt to all models' items at random, so the test is exact (Fisher 1935). Gaussian noise never scores
        infinity, counts of few items often do. For other scores from 0 to 1 it errs on the safe side.

    >>> emergence_test([0.0, 0.0, 0.01, 0.0, 0.01, 0.0, 0.6, 0.9], noise=0.01).p_value < 0.01
    True
    """
    scores = np.asarray(scores, float)
    score = stats.emergence_score(scores)
    if noise is not None and not noise > 0:
        raise ValueError("noise is the standard error of one score: above 0")
    if n_items is not None:
        n_items = np.broadcast_to(np.asarray(n_items, int), scores.shape)
        if (n_items < 1).any() or (scores < 0).any() or (scores > 1).any():
            raise ValueError("counts need at least one item a model, and scores from 0 to 1")
        null = _count_null(tuple(n_items.tolist()), round((scores * n_items).sum()))
    else:
        trend = 0.0 if noise is None else (scores[-1] - scores[0]) / (len(scores) - 1) / noise
        null = stats.emergence_null(len(scores), trend)
    # one added above and below: the observed curve is itself a draw under the null (Davison & Hinkley 1997, 4.11)
    as_high = (null >= score) | np.isclose(null, score, rtol=1e-9)
    return EmergenceTest(score, float((1 + as_high.sum()) / (1 + len(null))))


@lru_cache
def _count_null(n_items: tuple[int, ...], right: int) -> np.ndarray:
    """Emergence scores of models that share so many right answers at random, each with its number of items."""
    rng = np.random.default_rng(0)
    return stats.emergence_score(rng.multivariate_hypergeometric(n_items, right, 10_000, method="marginals") / n_items)


def score_needs_null(tolerance: float) -> Finding:
    """95th percentile of the emergence score of pure noise with 4 and with 20 models."""
    few, many = (np.quantile(stats.emergence_null(n), 0.95) for n in (4, 20))
    return holds(many / few > 1 + tolerance, f"noise alone reaches {few:.1f} with 4 models and {many:.1f} with 20")


def the_rule_moves_the_jump(tolerance: float) -> Finding:
    """Decades between the places of "one word" and "20 words all right", Pythia on LAMBADA; p against planted jumps.

    A planted jump is one of the thing: accuracy is that of the smallest size, then that of the largest, from some size
    on. The other truth is the same rise over two gaps: one size, any, lies half way. Models scatter as the two of each
    size do, which holds the noise of the items.
    """
    rows = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000")
    sizes, share = np.sort(rows["params"].unique()), rows.sort_values("params")["acc"].to_numpy().reshape(-1, 2)
    n, spread = int(rows["n_items"].iloc[0]), np.sqrt((np.diff(share) ** 2).mean() / 2)
    mean, rng = share.mean(1), np.random.default_rng(0)

    def places(share):
        right = np.rint(share * n)
        return np.array([compare.rise(sizes, metrics.subset_probability(right, n, k).mean(1))[0] for k in (1, 20)])

    def moved(share):
        one, twenty = places(share)
        return np.log10(twenty / one)

    def draw(p):
        return np.clip(rng.normal(p[:, None], spread, share.shape), 0, 1)

    def planted(gaps):
        """The rise from first to last in this many equal steps, one after the other, anywhere."""
        first = rng.integers(len(sizes) - gaps)
        return draw(np.interp(np.arange(len(sizes)), [first, first + gaps], mean[[0, -1]]))

    null = np.array([moved(planted(1)) for _ in range(1000)])

    def p_value(drawn):
        return (1 + (null >= moved(drawn)).sum()) / (1 + len(null))

    found = rates(lambda drawn: p_value(drawn) < tolerance, lambda _: planted(1), lambda _: planted(2))
    one, twenty = places(share) / 1e9
    told = f"from {one:.2f} to {twenty:.1f} billion parameters, p {p_value(share):.1g}; {found.words()}"
    return holds(p_value(share) < tolerance, told) if found.decides else Finding("not testable here", told)

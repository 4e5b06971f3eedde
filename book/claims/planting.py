"""Planted truths: how often a test of curves of counts says something where nothing is, and where something is.

`counts` draws right answers with or without items that are hard for
every model; `line` and `jump` are the two truths; `rates` counts what a test says of each.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, isotonic_regression
from scipy.stats import multivariate_normal, norm

from mirage_lib import stats


class Rates(NamedTuple):
    """How often a test says yes: to a truth that has nothing to find, and to one that has; Wilson intervals, 95 %."""

    false_alarms: stats.Estimate
    power: stats.Estimate

    @property
    def decides(self) -> bool:
        """At most 5 % false alarms (within the error of counting them) and at least 80 % power."""
        return bool(self.false_alarms.low <= 0.05 and self.power.value >= 0.8)

    def words(self) -> str:
        return f"false alarms {self.false_alarms.value:.2f}, power {self.power.value:.2f}"


def counts(p, n_items, draws, rng, rho=0.0) -> np.ndarray:
    """Shares right, shape (draws, models), where model j gets an item right with probability p[j].

    rho : correlation of one item's difficulty between models (a Gaussian copula, its correlation); 0 is independent.

    >>> counts([0.1, 0.9], 1000, 2, np.random.default_rng(0)).round(1).tolist()
    [[0.1, 0.9], [0.1, 0.9]]
    """
    p = np.asarray(p, float)
    if rho == 0:
        return rng.binomial(n_items, p, (draws, len(p))) / n_items
    cut = norm.ppf(p)
    shares = np.empty((draws, len(p)))
    for i in range(draws):
        hard = np.sqrt(rho) * rng.standard_normal((n_items, 1))
        shares[i] = (hard + np.sqrt(1 - rho) * rng.standard_normal((n_items, len(p))) < cut).mean(0)
    return shares


def item_correlation(hits) -> float:
    """The rho of `counts` under which neighbouring models agree on as many items as these do; hits (items, models).

    >>> same = np.random.default_rng(0).random((500, 1)) < 0.4
    >>> item_correlation(np.hstack([same, same])) > 0.95
    True
    """
    hits = np.asarray(hits, float)
    p = hits.mean(0)
    pairs = [(a, a + 1) for a in range(len(p) - 1) if 0 < p[a] < 1 and 0 < p[a + 1] < 1]
    if not pairs:
        return 0.0
    both = sum(float((hits[:, a] * hits[:, b]).mean()) for a, b in pairs)
    cuts = [norm.ppf(p[[a, b]]) for a, b in pairs]

    def excess(rho):
        cov = [[1, rho], [rho, 1]]
        return sum(multivariate_normal.cdf(cut, [0, 0], cov) for cut in cuts) - both

    if excess(0.0) >= 0:
        return 0.0
    return 0.98 if excess(0.98) <= 0 else float(brentq(excess, 0, 0.98, xtol=1e-3))


def ends(scores) -> tuple[float, float]:
    """First and last value of the closest curve that never falls.

    >>> ends([0.2, 0.1, 0.3, 0.9])
    (0.15..., 0.9)
    """
    way = isotonic_regression(np.asarray(scores, float)).x
    return float(way[0]), float(way[-1])


def line(scores) -> np.ndarray:
    """The truth with no jump: as many models, the same rise, equal steps."""
    return np.linspace(*ends(scores), len(scores))


def jump(scores, before=1) -> np.ndarray:
    """The truth with a jump: the same rise, all of it in one step, `before` models from the end."""
    floor, top = ends(scores)
    return np.where(np.arange(len(scores)) < len(scores) - before, floor, top)


def rates(decide, nothing, something, draws=400) -> Rates:
    """What `decide(curve)` says of curves drawn by nothing(i) and by something(i), i = 0 ... draws - 1.

    >>> rng = np.random.default_rng(0)
    >>> found = rates(lambda x: x > 2, lambda i: rng.normal(), lambda i: rng.normal(4))
    >>> found.decides
    True
    """
    alarms = sum(bool(decide(nothing(i))) for i in range(draws))
    found = sum(bool(decide(something(i))) for i in range(draws))
    return Rates(stats.wilson(alarms, draws), stats.wilson(found, draws))

"""The toy model of the paper in closed form, and items drawn from the same model.

N parameters give a cross-entropy of CE nats a token, CE gives a probability p a token, and p decides every score
(Schaeffer et al. 2023, section 2 and figure 2). Most functions take arrays and broadcast. Every closed form has its
Monte Carlo twin: `draw_items` writes an items table that the metrics read, and so does `draw_choices`, beside the
chapter on longer answers (mirage_lib.claims.longer_answers).
"""

import numpy as np
import pandas as pd

from mirage_lib.items import Ragged, items_table


def scaling_law(params, c=8.8e13, alpha=-0.076, irreducible=0.0):
    """CE(N) = E + (N / c)^alpha, in nats a token: loss falls as a power of the number of parameters.

    c and alpha default to Kaplan et al. (2020), equation 1.1; E, the loss no model can remove, to 0 as in
    Schaeffer et al. (2023), section 2. Raises ValueError unless c > 0 and alpha < 0.

    >>> print(scaling_law(1e9).round(3))
    2.376
    """
    if not (np.all(np.asarray(c) > 0) and np.all(np.asarray(alpha) < 0)):
        raise ValueError("the scaling law needs c > 0 and alpha < 0: loss falls as models grow")
    return irreducible + (np.asarray(params, float) / c) ** alpha


def token_probability(ce):
    """p = exp(-CE): the probability of the right token, in closed form (figure 2B). CE in nats, at least 0.

    >>> print(token_probability(np.log(2)).round(6))
    0.5
    """
    ce = np.asarray(ce, float)
    if (ce < 0).any():
        raise ValueError(f"a cross-entropy is at least 0 nats, not {ce.min():g}")
    return np.exp(-ce)


def _probability(p) -> np.ndarray:
    p = np.asarray(p, float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"probabilities lie in [0, 1], and there are some from {p.min():g} to {p.max():g}")
    return p


def accuracy(p, length):
    """p^L: the probability that L independent tokens are all right (figure 2C).

    >>> accuracy(0.5, [1, 2, 3]).tolist()
    [0.5, 0.25, 0.125]
    """
    return _probability(p) ** np.asarray(length)


def token_edit_distance(p, length):
    """L (1 - p): expected number of wrong tokens among L, an upper bound on the edit distance (figure 2E).

    The paper prints L(1 - eps) with eps the error probability; L eps is meant.

    >>> print(token_edit_distance(0.75, 4))
    1.0
    """
    return np.asarray(length) * (1 - _probability(p))


def multiple_choice_grade(p, options):
    """P(the correct option of K has the most mass) when K - 1 competitors split 1 - p as a flat Dirichlet (figure 2D).

    Every split is as likely as any other: a stick broken at K - 2 uniform points. The grade is 0 below p = 1/K, 1 above
    p = 1/2, in between the chance that no piece is longer than x = p / (1 - p):
    sum_j (-1)^j C(K-1, j) (1 - j x)_+^(K-2) (Feller 1971, section I.9). With K the size of the vocabulary it is also
    the chance that greedy decoding finds a token of probability p.

    >>> multiple_choice_grade([0.2, 0.4, 0.6], options=4).round(3).tolist()
    [0.0, 0.667, 1.0]
    """
    if options < 2:
        raise ValueError("a multiple-choice item needs at least 2 options")
    p = _probability(p)[..., None]
    with np.errstate(divide="ignore"):
        x = p / (1 - p)
    j = np.arange(options)
    log_binomial = np.concatenate([[0.0], np.cumsum(np.log((options - j[1:]) / j[1:]))])
    with np.errstate(all="ignore"):
        size = np.where(j * x < 1, np.exp(log_binomial + (options - 2) * np.log1p(-j * x)), 0.0)
        # large alternating terms cancel down to less than 1e-6: call that 0 rather than print the rounding error
        inside = np.where(size.max(-1) > 1e6, 0.0, (size * (-1.0) ** j).sum(-1)).clip(0, 1)
    return np.where(x[..., 0] >= 1, 1.0, np.where(x[..., 0] * (options - 1) <= 1, 0.0, inside))[()]


def brier_choices(p, options):
    """Expected Brier score over all K options in the same toy: (1 - p)^2 (1 + 2/K) (figure 2F).

    The correct option errs by 1 - p; K - 1 pieces of a randomly broken stick have squares summing to 2/K on average.

    >>> print(brier_choices(0.5, 4))
    0.375
    """
    return (1 - _probability(p)) ** 2 * (1 + 2 / options)


def brier_target(p):
    """Target-choice Brier score (1 - p)^2, p the share of the correct option (Wu & Lo 2024).

    >>> print(brier_target(0.5))
    0.25
    """
    return (1 - _probability(p)) ** 2


def draw_items(p, length, n_items, rng, vocabulary=10, greedy=False, **columns) -> pd.DataFrame:
    """Draw an items table from the toy model: every target token has probability p, tokens are independent.

    p : one number, one an item (n_items,), or one a token (n_items, length); draw it from a Beta, or as exp(-Gamma),
        for items of unequal difficulty.
    length : tokens a target, one number or one an item.
    vocabulary : a wrong token is any of the other `vocabulary` - 1, equally likely.
    greedy : False samples at temperature 1 (a token is right with probability p). True takes the most likely token,
        the competitors splitting 1 - p as a flat Dirichlet (see `multiple_choice_grade`).
    columns : further columns, such as params=1e9.

    Raises ValueError for probabilities outside (0, 1] or of another shape, no token to a target, and fewer than two to
    choose from.

    >>> table = draw_items(0.9, length=3, n_items=2, rng=np.random.default_rng(0), params=1e9)
    >>> list(table.columns)
    ['params', 'item', 'length', 'logprob', 'is_greedy', 'output', 'target']
    """
    lengths = np.broadcast_to(np.asarray(length, int), n_items)
    p = np.asarray(p, float)
    if (lengths < 1).any() or vocabulary < 2:
        raise ValueError(f"a target has at least 1 token, chosen of at least 2: not {length} of {vocabulary}")
    if p.ndim == 2 and (p.shape[0] != n_items or (lengths != p.shape[1]).any()):
        raise ValueError(f"p for each token has the shape (n_items, length), not {p.shape}")
    p = p.ravel() if p.ndim == 2 else np.repeat(np.broadcast_to(p, n_items), lengths)
    if not ((p > 0) & (p <= 1)).all():
        raise ValueError("token probabilities must lie in (0, 1]")
    chance = multiple_choice_grade(p, vocabulary) if greedy else p
    hit = rng.random(len(p)) < chance
    target = rng.integers(vocabulary, size=len(p))
    output = np.where(hit, target, (target + rng.integers(1, vocabulary, size=len(p))) % vocabulary)
    return items_table(
        **columns,
        item=np.arange(n_items),
        length=lengths,
        logprob=Ragged(np.log(p), lengths),
        is_greedy=Ragged(hit, lengths),
        output=Ragged(output, lengths),
        target=Ragged(target, lengths),
    )

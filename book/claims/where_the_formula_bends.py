"""Claims of the chapter where-the-formula-bends, and the corrected formulas that it shares with them."""

import numpy as np
from scipy.special import betaln, expit, logsumexp

from mirage_lib import forecast, metrics, theory
from mirage_lib.claims import Finding
from mirage_lib.items import items_table

from . import holds
from .rises import decades


def gamma_accuracy(shape, scale):
    """E[exp(-CE_i)] = (1 + scale)^-shape when CE_i ~ Gamma(shape, scale) over items, mean shape * scale nats."""
    return (1 + np.asarray(scale, float)) ** -np.asarray(shape, float)


def beta_accuracy(a, b, length):
    """E[p^L] = B(a + L, b) / B(a, b) when an item's per-token p ~ Beta(a, b): falls as L^-b, not as a power of p."""
    return np.exp(betaln(np.asarray(a) + length, b) - betaln(a, b))


def poisson_length_accuracy(p, mean_extra):
    """E[p^L] = p exp(-m (1 - p)) when the length L is 1 + Poisson(m): more than p^E[L] (Jensen)."""
    return p * np.exp(-np.asarray(mean_extra) * (1 - p))


def renyi_entropy(probs, order):
    """Renyi entropy of the distributions in the last axis of `probs`, in nats; order 1 is Shannon's, inf is -ln max p.

    Falls with the order, so exp(-H_1) <= sum p^2 = exp(-H_2) <= max p = exp(-H_inf). ValueError for a negative order.
    """
    if order < 0:
        raise ValueError("the order of a Renyi entropy is 0 or more")
    probs = np.asarray(probs, float)
    # what cannot happen is left out: zero to the power of zero would count it
    logs = np.log(probs, where=probs > 0, out=np.full_like(probs, -np.inf))
    if order == 1:
        return -(probs * np.where(probs > 0, logs, 0)).sum(-1)
    if np.isinf(order):
        return -logs.max(-1)
    # powers of a high order are too small for numbers, their logarithms are not
    return logsumexp(np.where(probs > 0, order * np.where(probs > 0, logs, 0), -np.inf), axis=-1) / (1 - order)


def decoding_distribution(probs, temperature=1.0, top_p=1.0):
    """What sampling really draws from: p^(1/T) / Z, cut to the nucleus and renormalised. Last axis: tokens.

    The nucleus is the smallest set of most likely tokens with mass >= top_p (Holtzman et al. 2020).
    temperature > 0, 0 < top_p <= 1, else ValueError.
    """
    if not (temperature > 0 and 0 < top_p <= 1):
        raise ValueError("temperature must be > 0 and top_p in (0, 1]; for greedy decoding take the argmax")
    probs = np.asarray(probs, float)
    scaled = (probs / probs.max(-1, keepdims=True)) ** (1 / temperature)
    scaled /= scaled.sum(-1, keepdims=True)
    order = np.argsort(-scaled, axis=-1, kind="stable")
    ranked = np.take_along_axis(scaled, order, -1)
    mass_before = ranked.cumsum(-1) - ranked
    kept = np.where(mass_before < top_p - 1e-12, ranked, 0.0)
    cut = np.zeros_like(scaled)
    np.put_along_axis(cut, order, kept, -1)
    return cut / cut.sum(-1, keepdims=True)


def unequal_items_fall_slower_than_geometrically(tolerance: float) -> Finding:
    """Items of unequal difficulty, p ~ Beta(2, 1): accuracy over p^L with the mean p, at L = 20, above this factor."""
    accuracy, naive = beta_accuracy(2, 1, 20), theory.accuracy(2 / 3, 20)
    ratio = accuracy / naive
    return holds(ratio > tolerance, f"accuracy at L = 20 is {accuracy:.3f}, {ratio:.0f} times p^L")


def unequal_items_exceed_exp_of_the_mean_loss(tolerance: float) -> Finding:
    """Accuracy over exp(-mean CE) when item losses are Gamma with mean 2 nats and scale 4, above this factor."""
    rng = np.random.default_rng(7)
    items = theory.draw_items(np.exp(-rng.gamma(0.5, 4.0, 100_000)), 1, 100_000, rng)
    accuracy, naive = metrics.exact_match(items).mean(), np.exp(-metrics.cross_entropy(items).mean())
    return holds(accuracy / naive > tolerance, f"accuracy {accuracy:.3f}, exp(-mean CE) {naive:.3f}")


def chain_rule_exact(tolerance: float) -> Finding:
    """Answers sampled from a Markov chain over tokens against the mean of exp(-CE_i), in standard errors."""
    rng, n, length = np.random.default_rng(5), 20_000, 4
    chain = rng.dirichlet(np.full(11, 0.1), size=11)

    def write():
        tokens = np.full((n, 1), 10)
        for _ in range(length):
            draw = (chain[tokens[:, -1]].cumsum(1) < rng.random((n, 1))).sum(1).clip(max=10)
            tokens = np.column_stack([tokens, draw])
        return tokens

    target, output = write(), write()
    logprob = np.log(chain[target[:, :-1], target[:, 1:]])
    items = items_table(logprob=logprob, is_greedy=output[:, 1:] == target[:, 1:])
    expected, seen = metrics.expected_accuracy(items).mean(), metrics.exact_match(items)
    gap = abs(seen.mean() - expected) / (seen.std() / np.sqrt(n))
    return holds(gap < tolerance, f"mean exp(-CE_i) {expected:.4f}, sampled {seen.mean():.4f}")


def grade_needs_the_competitors(tolerance: float) -> Finding:
    """Distance of the grades of two items whose correct option is as probable and whose competitors differ."""
    options = [[0.1, 0.05, 0.05, 0.05], [0.1, 0.13, 0.01, 0.01]]
    grades = metrics.multiple_choice_grade(items_table(choice_logprob=np.log(options), answer=[0, 0]))
    return holds(np.ptp(grades) > tolerance, f"at one CE the grades are {grades[0]:.0f} and {grades[1]:.0f}")


def greedy_sharpens_items_smooth(tolerance: float) -> Finding:
    """Decades of N from 10 % to 90 %: the plain formula, greedy decoding, unequal items (Gamma), and both."""
    params = np.logspace(3, 17, 2801)
    ce = theory.scaling_law(params, c=5e8, alpha=-0.35)
    difficulty = -np.log1p(-(np.arange(400) + 0.5) / 400)  # quantiles of an exponential
    plain = decades(params, np.exp(-4 * ce))
    greedy = decades(params, theory.multiple_choice_grade(np.exp(-ce), 10) ** 4)
    unequal = decades(params, gamma_accuracy(1, 4 * ce))
    both = decades(
        params, np.mean([theory.multiple_choice_grade(np.exp(-d * ce), 10) ** 4 for d in difficulty], axis=0)
    )
    return holds(
        greedy < tolerance * plain and unequal > (1 + tolerance) * plain and abs(both / plain - 1) < tolerance,
        f"{plain:.1f} decades; greedy {greedy:.1f}, unequal items {unequal:.1f}, both {both:.1f}",
    )


def smooth_can_surprise(tolerance: float) -> Finding:
    """Error, above this, of forecasting a smooth curve, two skills in turn, by a sigmoid fitted to smaller models."""
    params = np.logspace(8, 12, 17)
    curve = (expit(2.5 * (np.log10(params) - 9)) + expit(4 * (np.log10(params) - 11))) / 2
    error = forecast.error(params, curve, forecast.s_curve, held_out=6)
    return holds(error > tolerance, f"error {error:.2f} for the six largest of 17 models, without any noise")


def sampling_below_greedy(tolerance: float) -> Finding:
    """exp(-H) <= sum p^2 <= max p on random distributions, of 2 to 1,000 tokens, flat to spiky."""
    rng = np.random.default_rng(8)
    worst = 0.0
    for size in (2, 10, 1000):
        for concentration in (0.05, 1.0, 20.0):
            probs = rng.dirichlet(np.full(size, concentration), size=500)
            orders = [np.exp(-renyi_entropy(probs, order)) for order in (1, 2, np.inf)]
            worst = max(worst, (orders[0] - orders[1]).max(), (orders[1] - orders[2]).max())
    return holds(worst < tolerance, f"largest violation {worst:.0e} in 4,500 distributions")

"""Claims of the chapter where-the-formula-bends."""

import numpy as np
from scipy.special import expit

from mirage_lib import metrics, stats, theory
from mirage_lib.claims import Finding
from mirage_lib.items import items_table

from . import decades, holds


def geometric_when_items_differ(tolerance: float) -> Finding:
    """The same for items of unequal difficulty, p ~ Beta(2, 1): p^L with the mean p, at L = 20."""
    accuracy, naive = theory.beta_accuracy(2, 1, 20), theory.accuracy(2 / 3, 20)
    ratio = accuracy / naive
    return holds(abs(np.log(ratio)) < tolerance, f"accuracy at L = 20 is {accuracy:.3f}, {ratio:.0f} times p^L")


def mean_loss_gives_accuracy(tolerance: float) -> Finding:
    """Accuracy against exp(-mean CE) when item losses are Gamma with mean 2 nats and scale 4."""
    rng = np.random.default_rng(7)
    items = theory.draw_items(np.exp(-rng.gamma(0.5, 4.0, 100_000)), 1, 100_000, rng)
    accuracy, naive = metrics.exact_match(items).mean(), np.exp(-metrics.cross_entropy(items).mean())
    return holds(abs(accuracy / naive - 1) < tolerance, f"accuracy {accuracy:.3f}, exp(-mean CE) {naive:.3f}")


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


def grade_from_loss(tolerance: float) -> Finding:
    """Grades of two items whose correct option has the same probability and whose competitors differ."""
    options = [[0.1, 0.05, 0.05, 0.05], [0.1, 0.13, 0.01, 0.01]]
    grades = metrics.multiple_choice_grade(items_table(choice_logprob=np.log(options), answer=[0, 0]))
    return holds(np.ptp(grades) < tolerance, f"at one CE the grades are {grades[0]:.0f} and {grades[1]:.0f}")


def greedy_sharpens_items_smooth(tolerance: float) -> Finding:
    """Decades of N from 10 % to 90 %: the plain formula, greedy decoding, unequal items (Gamma), and both."""
    params = np.logspace(3, 17, 2801)
    ce = theory.scaling_law(params, c=5e8, alpha=-0.35)
    difficulty = -np.log1p(-(np.arange(400) + 0.5) / 400)  # quantiles of an exponential
    plain = decades(params, np.exp(-4 * ce))
    greedy = decades(params, theory.multiple_choice_grade(np.exp(-ce), 10) ** 4)
    unequal = decades(params, theory.gamma_accuracy(1, 4 * ce))
    both = decades(
        params, np.mean([theory.multiple_choice_grade(np.exp(-d * ce), 10) ** 4 for d in difficulty], axis=0)
    )
    return holds(
        greedy < tolerance * plain and unequal > (1 + tolerance) * plain and abs(both / plain - 1) < tolerance,
        f"{plain:.1f} decades; greedy {greedy:.1f}, unequal items {unequal:.1f}, both {both:.1f}",
    )


def smooth_is_predictable(tolerance: float) -> Finding:
    """Forecast error of a smooth curve (two skills, one after the other) by a sigmoid fitted to the smaller models."""
    params = np.logspace(8, 12, 17)
    curve = (expit(2.5 * (np.log10(params) - 9)) + expit(4 * (np.log10(params) - 11))) / 2
    error = stats.forecast_error(params, curve, stats.fit_sigmoid, held_out=6)
    return holds(error < tolerance, f"error {error:.2f} for the six largest of 17 models, without any noise")


def mean_log_accuracy(tolerance: float) -> Finding:
    """Mean logarithm of the 0/1 score of items that are right with probability 0.99."""
    with np.errstate(divide="ignore"):
        mean = np.log(metrics.exact_match(theory.draw_items(0.99, 1, 1000, np.random.default_rng(5)))).mean()
    return holds(abs(mean - np.log(0.99)) <= tolerance, f"mean logarithm {mean}")


def sampling_below_greedy(tolerance: float) -> Finding:
    """exp(-H) <= sum p^2 <= max p on random distributions, of 2 to 1,000 tokens, flat to spiky."""
    rng = np.random.default_rng(8)
    worst = 0.0
    for size in (2, 10, 1000):
        for concentration in (0.05, 1.0, 20.0):
            probs = rng.dirichlet(np.full(size, concentration), size=500)
            orders = [np.exp(-theory.renyi_entropy(probs, order)) for order in (1, 2, np.inf)]
            worst = max(worst, (orders[0] - orders[1]).max(), (orders[1] - orders[2]).max())
    return holds(worst < tolerance, f"largest violation {worst:.0e} in 4,500 distributions")

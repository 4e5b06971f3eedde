"""Claims of the chapter measuring-a-model."""

import numpy as np
from scipy.stats import binom

from mirage_lib import kept, metrics
from mirage_lib.claims import Finding

from . import holds
from .planting import rates


def smallest_seen(differs, nothing, something, sizes) -> tuple[float, str]:
    """The first of `sizes` that the test tells from nothing, and its false alarms and power there, in words.

    differs(draw) is the test; nothing(rng) draws answers without a difference, something(rng, size) with one.
    """
    for size in sizes:
        rng = np.random.default_rng(0)
        found = rates(differs, lambda _, rng=rng: nothing(rng), lambda _, rng=rng, size=size: something(rng, size))
        if found.decides:
            return size, found.words()
    return np.nan, found.words()


def samples_follow_the_loss(tolerance: float) -> Finding:
    """Eight samples an item at temperature 1 against exp(-CE_i), SmolLM2 on sums of two digits; standard errors."""
    table = kept.load("smollm2-two-digits")
    sampled, expected = (metric(table).to_numpy() for metric in (metrics.sampled_accuracy, metrics.expected_accuracy))
    n, each = len(table), len(table["samples"][0])

    def differs(sampled):
        gap = sampled - expected
        return abs(gap.mean()) >= tolerance * gap.std(ddof=1) / np.sqrt(n)

    def draw(rng, fewer=0.0):
        return rng.binomial(each, (1 - fewer) * expected) / each

    seen, how = smallest_seen(differs, draw, draw, np.arange(0.1, 1, 0.02))
    return holds(
        not differs(sampled),
        f"{sampled.mean():.3f} sampled, {expected.mean():.3f} from the loss, "
        f"{sampled.mean() / expected.mean() - 1:+.0%}; smallest shortfall seen: {seen:.0%} ({how})",
    )


def mean_loss_gives_smollm2s_accuracy(tolerance: float) -> Finding:
    """Greedy accuracy of SmolLM2 on sums of two digits against exp(-mean CE); standard errors, over items."""
    table = kept.load("smollm2-two-digits")
    right, loss = metrics.exact_match(table).to_numpy(), metrics.cross_entropy(table).to_numpy()
    naive, n = np.exp(-loss.mean()), len(table)

    def differs(drawn):
        right, loss = drawn
        claimed = np.exp(-loss.mean())
        # the delta method: an item's loss moves exp(-mean CE) by -exp(-mean CE) / n
        return abs(right.mean() - claimed) >= tolerance * (right + claimed * loss).std(ddof=1) / np.sqrt(n)

    def draw(rng, above=0.0):
        return rng.binomial(1, naive + above, n), rng.choice(loss, n)

    seen, how = smallest_seen(differs, draw, draw, np.arange(0.1, 1 - naive, 0.02))
    return holds(
        not differs((right, loss)),
        f"accuracy {right.mean():.2f}, exp(-mean CE) {naive:.2f}; smallest difference seen: {seen:.2f} ({how})",
    )


def layout_takes_the_score(tolerance: float) -> Finding:
    """Exact match of SmolLM2 in three layouts against the plain one, same sums: the largest exact p of the three."""
    others = np.array([metrics.exact_match(kept.load(f"smollm2-{name}")) for name in ("spaced", "compact", "question")])
    n = others.shape[1]
    plain = metrics.exact_match(kept.load("smollm2-two-digits")).to_numpy()[:n]  # the same sums

    def largest_p(drawn):
        plain, others = drawn
        lost, won = (plain > others).sum(1), (plain < others).sum(1)
        return binom.sf(lost - 1, lost + won, 0.5).max()

    def draw(rng, *shares):
        return rng.random(n) < plain.mean(), rng.random((3, n)) < plain.mean() * np.array(shares)[:, None]

    seen, how = smallest_seen(
        lambda drawn: largest_p(drawn) < tolerance,
        lambda rng: draw(rng, 1, 0, 0),  # two of three fall
        lambda rng, less: draw(rng, *[1 - less] * 3),
        np.arange(0.3, 1.01, 0.05),
    )
    p, scores = largest_p((plain, others)), ", ".join(f"{share:.2f}" for share in others.mean(1))
    return holds(
        p < tolerance,
        f"accuracy {plain.mean():.2f}, elsewhere {scores}, largest p {p:.1g}; smallest fall seen: {seen:.0%} ({how})",
    )

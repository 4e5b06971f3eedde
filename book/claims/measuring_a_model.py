"""Claims of the chapter measuring-a-model."""

import numpy as np
from scipy.stats import binom

from mirage_lib import metrics
from mirage_lib.claims import Finding

from . import kept
from .planting import rates

UNTESTABLE = "not testable here"


def samples_follow_the_loss(tolerance: float) -> Finding:
    """Eight samples an item at temperature 1 against exp(-CE_i), SmolLM2 on sums of two digits; standard errors.

    The other truth: a quarter of the right answers is missing.
    """
    table = kept.load("smollm2-two-digits")
    sampled, expected = (metric(table).to_numpy() for metric in (metrics.sampled_accuracy, metrics.expected_accuracy))
    n, each, rng = len(table), len(table["samples"][0]), np.random.default_rng(0)

    def differs(sampled):
        gap = sampled - expected
        return abs(gap.mean()) >= tolerance * gap.std(ddof=1) / np.sqrt(n)

    def draw(share):
        return lambda _: rng.binomial(each, share * expected) / each

    rate = rates(differs, draw(1), draw(0.75))
    found = f"{sampled.mean():.3f} sampled, {expected.mean():.3f} from the loss, "
    found += f"{sampled.mean() / expected.mean() - 1:+.0%}; were a quarter missing: {rate.words()}"
    verdict = "fails" if differs(sampled) else "holds"
    return Finding(verdict if rate.decides else UNTESTABLE, found)


def smollm2_exceeds_exp_of_its_mean_loss(tolerance: float) -> Finding:
    """Greedy accuracy of SmolLM2 on sums of two digits over exp(-mean CE), by so many standard errors, over items.

    The other truth: right in a fifth of the items more than exp(-mean CE) says.
    """
    table = kept.load("smollm2-two-digits")
    right, loss = metrics.exact_match(table).to_numpy(), metrics.cross_entropy(table).to_numpy()
    naive, n, rng = np.exp(-loss.mean()), len(table), np.random.default_rng(0)

    def exceeds(drawn):
        right, loss = drawn
        claimed = np.exp(-loss.mean())
        # the delta method: an item's loss moves exp(-mean CE) by -exp(-mean CE) / n
        return right.mean() - claimed > tolerance * (right + claimed * loss).std(ddof=1) / np.sqrt(n)

    def draw(above):
        return lambda _: (rng.binomial(1, naive + above, n), rng.choice(loss, n))

    rate = rates(exceeds, draw(0), draw(0.2))
    found = f"accuracy {right.mean():.2f}, exp(-mean CE) {naive:.2f}; were it 0.2 above: {rate.words()}"
    verdict = "holds" if exceeds((right, loss)) else "fails"
    return Finding(verdict if rate.decides else UNTESTABLE, found)


def layout_takes_the_score(tolerance: float) -> Finding:
    """Exact match of SmolLM2 in three layouts against the plain one, same sums: the largest exact p of the three.

    Planted: two layouts that take all and one that takes nothing; and three that take nine tenths.
    """
    others = np.array([metrics.exact_match(kept.load(f"smollm2-{name}")) for name in ("spaced", "compact", "question")])
    n, rng = others.shape[1], np.random.default_rng(0)
    plain = metrics.exact_match(kept.load("smollm2-two-digits")).to_numpy()[:n]  # the same sums

    def largest_p(drawn):
        plain, others = drawn
        lost, won = (plain > others).sum(1), (plain < others).sum(1)
        return binom.sf(lost - 1, lost + won, 0.5).max()

    def draw(*shares):
        left = plain.mean() * np.array(shares)[:, None]
        return lambda _: (rng.random(n) < plain.mean(), rng.random((3, n)) < left)

    rate = rates(lambda drawn: largest_p(drawn) < tolerance, draw(1, 0, 0), draw(0.1, 0.1, 0.1))
    p, scores = largest_p((plain, others)), ", ".join(f"{share:.2f}" for share in others.mean(1))
    found = f"accuracy {plain.mean():.2f}, elsewhere {scores}, largest p {p:.1g}; were nine tenths lost: {rate.words()}"
    return Finding(("holds" if p < tolerance else "fails") if rate.decides else UNTESTABLE, found)

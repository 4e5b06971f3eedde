"""Claims of the chapter accuracy-is-exp-minus-ce."""

import numpy as np

from mirage_lib import compare, forecast, metrics, theory
from mirage_lib.claims import Finding

from . import holds
from .planting import rates
from .rises import decades


def one_token(tolerance: float) -> Finding:
    """Sampled tokens against exp(-CE), from nearly sure to nearly hopeless; the largest gap of five."""
    rng, n = np.random.default_rng(2), 50_000
    chance = theory.token_probability(np.array([0.05, 0.5, 1.0, 2.0, 4.0]))
    share = np.array([metrics.exact_match(theory.draw_items(p, 1, n, rng)).mean() for p in chance])

    def gap(share):
        return float(np.abs(share - chance).max())

    off = 0.015
    found = rates(
        lambda share: gap(share) >= tolerance,
        lambda _: rng.binomial(n, chance) / n,
        lambda _: rng.binomial(n, chance - off) / n,
    )
    words = f"largest gap {gap(share):.4f} at {n:,} samples each; had they been {off} off: {found.words()}"
    return holds(gap(share) < tolerance, words)


def late_and_sharp(tolerance: float) -> Finding:
    """Accuracy of five tokens, loss a power law, in every window of three decades in which a model gets a tenth right.

    Sharp: its middle 80 % takes less than the tolerance, a share of the window. Unpredictable: a straight line through
    the smaller half misses the largest model by more than half of the way. Planted in every window: all of the rise
    between two sizes, anywhere in the upper half, and a straight line.
    """

    def jumps_in(params, accuracy):
        line = forecast.straight_line(params[:7], accuracy[:7]).predict(params[-1:])[0]
        miss = abs(line - accuracy[-1]) / (accuracy[-1] - accuracy[0])
        return compare.rise(params, accuracy)[1] < 3 * tolerance and miss > 0.5

    jumps, sharp_loss, starts = [], [], np.arange(6.0, 11.01, 0.1)
    for start in starts:
        params = np.geomspace(10**start, 10 ** (start + 3), 13)
        ce = theory.scaling_law(params, c=5e8, alpha=-0.35)
        accuracy = theory.accuracy(theory.token_probability(ce), 5)
        if accuracy[-1] < 0.1:
            continue
        jumps.append(jumps_in(params, accuracy))
        sharp_loss.append(compare.rise(params, -ce)[1] < 3 * tolerance)
    params = np.geomspace(1, 1e3, 13)
    step = np.mean([jumps_in(params, (np.arange(13) >= first).astype(float)) for first in range(7, 13)])
    straight = float(jumps_in(params, np.linspace(0, 1, 13)))
    found = f"sharp and unpredictable in {sum(jumps)} of {len(jumps)} windows, the loss sharp in {sum(sharp_loss)}; "
    found += f"false alarms {straight:.2f} of a straight line, power {step:.2f} for a step"
    verdict = "holds" if all(jumps) else "holds in part" if any(jumps) else "fails"
    return Finding(verdict if straight <= 0.05 and step >= 0.8 else "not testable here", found)


def one_token_makes_no_jump(tolerance: float) -> Finding:
    """The sizes of language models, 10 million to 10 trillion, as a share of one token's way from 10 % to 90 %."""
    params = np.logspace(0, 40, 40_001)
    width = decades(params, theory.token_probability(theory.scaling_law(params)))
    share = 6 / width
    return holds(
        share < tolerance, f"10 % to 90 % takes {width:.1f} factors of ten in N; models span {share:.0%} of it"
    )

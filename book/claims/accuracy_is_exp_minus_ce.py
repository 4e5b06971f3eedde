"""Claims of the chapter accuracy-is-exp-minus-ce."""

import numpy as np

from mirage_lib import metrics, theory
from mirage_lib.claims import Finding

from . import decades, holds, late_share


def one_token(tolerance: float) -> Finding:
    """Sampled tokens against exp(-CE), from nearly sure to nearly hopeless."""
    rng = np.random.default_rng(2)
    ce = np.array([0.05, 0.5, 1.0, 2.0, 4.0])
    share = [metrics.exact_match(theory.draw_items(p, 1, 50_000, rng)).mean() for p in theory.token_probability(ce)]
    gap = np.abs(share - theory.token_probability(ce)).max()
    return holds(gap < tolerance, f"largest gap {gap:.4f} at 50,000 samples each")


def late_and_sharp(tolerance: float) -> Finding:
    """Of p^5 where CE falls as a power law: share of the rise in the last half of ln N, and decades of all of it."""
    params = np.geomspace(1e7, 1e12, 101)
    ce = theory.scaling_law(params, c=1e10, alpha=-0.3)
    late_score = late_share(theory.accuracy(theory.token_probability(ce), 5))
    late_loss = late_share(-ce)
    wide = np.geomspace(1e5, 1e17, 12_001)
    width = decades(wide, theory.accuracy(theory.token_probability(theory.scaling_law(wide, c=1e10, alpha=-0.3)), 5))
    late = late_score > 1 - tolerance and late_loss < 0.5
    return Finding(
        ("fails", "holds in part", "holds")[int(late) + int(late and width < 3)],
        f"{late_score:.0%} of the rise of accuracy, {late_loss:.0%} of the fall of CE, in the last half of ln N; "
        f"from 10 % to 90 % takes {width:.1f} factors of ten",
    )


def one_token_jumps(tolerance: float) -> Finding:
    """Decades of N in which one token's accuracy goes from 10 % to 90 % under Kaplan's scaling law."""
    params = np.logspace(0, 40, 40_001)
    width = decades(params, theory.token_probability(theory.scaling_law(params)))
    return holds(width < tolerance, f"from 10 % to 90 % takes {width:.1f} factors of ten in N")

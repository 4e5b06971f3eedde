"""Claims of the chapter resolution."""

import numpy as np

from mirage_lib import stats, theory
from mirage_lib.claims import Finding

from . import holds


def more_items_smooth(tolerance: float) -> Finding:
    """Models that score zero under one smooth law, measured with 50 and with 100,000 items a model."""
    p = theory.token_probability(theory.scaling_law(np.geomspace(1e8, 1e12, 9), c=6e8, alpha=-0.3))
    rng = np.random.default_rng(6)
    # only whether an item is right matters here, and that is one draw with probability p^5
    few, many = ((rng.binomial(n, theory.accuracy(p, 5)) == 0).sum() for n in (50, 100_000))
    return holds(few >= 2 and many <= tolerance, f"of 9 models {few} score zero with 50 items, {many} with 100,000")


def zero_of_n(tolerance: float) -> Finding:
    """Upper 95 % bounds after no success in n, exact, against 3/n."""
    n = np.array([20, 100, 1000, 10_000])
    exact = 1 - 0.05 ** (1 / n)
    gap = np.abs(exact * n / 3 - 1).max()
    return holds(gap < tolerance, f"largest relative gap {gap:.1%} from n = 20 to 10,000")


def resolution_sharpens(tolerance: float) -> Finding:
    """Share of infinite emergence scores of one smooth law, examined with 20 and with 2,000 items, eight sizes."""
    rng = np.random.default_rng(4)
    p = theory.token_probability(theory.scaling_law(np.geomspace(7e7, 1.2e10, 8), c=5e8, alpha=-0.35))
    few, many = (
        np.mean([np.isinf(stats.emergence_score(exam / n)) for exam in rng.binomial(n, p**4, size=(500, 8))])
        for n in (20, 2000)
    )
    return holds(few > tolerance and many == 0, f"infinite in {few:.0%} of exams of 20 items, in {many:.0%} of 2,000")


def zeros_flatten_law(tolerance: float) -> Finding:
    """Slope fitted on ln(-ln accuracy) axes with zeros left out, median of 200 exams of 200 items."""
    rng, n, alpha, params = np.random.default_rng(4), 200, -0.35, np.logspace(7.5, 9, 7)
    p = theory.token_probability(theory.scaling_law(params, c=5e8, alpha=alpha))
    slopes = []
    for share in rng.binomial(n, p**4, size=(200, 7)) / n:
        seen = share > 0
        if seen.sum() > 2:
            slopes.append(stats.fit_power_law(params[seen], -np.log(share[seen])).parameters["alpha"].value)
    slope = np.median(slopes)
    return holds(slope - alpha > tolerance, f"median slope {slope:.3f} where the law has {alpha}")


def choice_costs_the_square(tolerance: float) -> Finding:
    """Items needed for half of an ability: free answers, and a choice of four in which the rest is guessed."""
    free = stats.items_needed(0.02) / stats.items_needed(0.04)
    four = stats.items_needed(0.25 + 0.02 * 0.75, chance=0.25) / stats.items_needed(0.25 + 0.04 * 0.75, chance=0.25)
    return holds(
        abs(free / 2 - 1) < tolerance and abs(four / 4 - 1) < tolerance,
        f"{free:.2f} times as many for free answers, {four:.2f} times for a choice of four",
    )

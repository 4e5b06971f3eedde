"""Claims of the chapter resolution."""

import numpy as np

from mirage_lib import forecast, stats, theory
from mirage_lib.claims import Finding

from . import holds
from .planting import Rates, rates


def more_items_smooth(tolerance: float) -> Finding:
    """Models that score zero under one smooth law, measured with 50 and with 100,000 items a model."""
    p = theory.token_probability(theory.scaling_law(np.geomspace(1e8, 1e12, 9), c=5e8, alpha=-0.35))
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
    """Share of exams of 20 items that score more, as emergence, than the law examined: eight sizes, 4 and 8 tokens."""
    rng = np.random.default_rng(4)
    p = theory.token_probability(theory.scaling_law(PYTHIA_SIZES, c=5e8, alpha=-0.35))
    above = {}
    for tokens in (4, 8):
        accuracy = theory.accuracy(p, tokens)
        scored = [stats.emergence_score(exam / 20) for exam in rng.binomial(20, accuracy, (500, 8))]
        above[tokens] = np.mean(np.array(scored) > stats.emergence_score(accuracy))
    told = ", ".join(f"{share:.0%} at {tokens} tokens" for tokens, share in above.items())
    verdict = ("fails", "holds in part", "holds")[sum(share > tolerance for share in above.values())]
    return Finding(verdict, f"of exams of 20 items, more than the law itself scores {told}")


PYTHIA_SIZES = np.array([0.07, 0.16, 0.41, 1.0, 1.4, 2.8, 6.9, 12.0]) * 1e9  # as in the chapter
PAPER_SIZES = np.array([0.35, 1.3, 6.7, 175]) * 1e9  # of GPT-3, as in figures 3 and 4


def largest_step(curves) -> np.ndarray:
    """The largest step between neighbouring models as a share of the range; curves (draws, models); 1 for none.

    >>> largest_step([[0, 0, 0.5], [0, 0.1, 0.4]]).round(2).tolist()
    [1.0, 0.75]
    """
    curves = np.asarray(curves, float)
    high = np.ptp(curves, axis=1)
    return np.where(high > 0, np.diff(curves, axis=1).max(1) / np.where(high > 0, high, 1), 1.0)


def jump_found(sizes, n_items: int) -> Rates:
    """How often models of these sizes, each asked n_items of ten tokens, tell a jump from the toy's law.

    A jump has the law's first and last accuracy and lies anywhere between the last two of the paper's sizes. A curve is
    called one if its largest step is above the 95 % quantile of exams of the law.
    """
    rng, sizes = np.random.default_rng(8), np.asarray(sizes, float)
    p = theory.accuracy(theory.token_probability(theory.scaling_law(sizes, c=5e8, alpha=-0.35)), 10)
    cut = np.quantile(largest_step(rng.binomial(n_items, p, (5000, len(p))) / n_items), 0.95)

    def jump(_):
        place = np.exp(rng.uniform(*np.log(PAPER_SIZES[2:])))
        return rng.binomial(n_items, np.where(sizes < place, p[0], p[-1])) / n_items

    return rates(
        lambda curve: largest_step(curve[None])[0] > cut, lambda _: rng.binomial(n_items, p) / n_items, jump, 1000
    )


def few_models_hide_a_jump(tolerance: float) -> Finding:
    """Power, at 100 items, of the paper's four sizes and of eight spread evenly between their ends."""
    few = jump_found(PAPER_SIZES, 100)
    many = jump_found(np.geomspace(*PAPER_SIZES[[0, -1]], 8), 100)
    told = f"four sizes: {few.words()}; eight: {many.words()}"
    if not (few.false_alarms.low <= 0.05 and many.decides):
        return Finding("not testable here", told)
    return holds(few.power.value < tolerance, told)


def zeros_flatten_law(tolerance: float) -> Finding:
    """Slope fitted on ln(-ln accuracy) axes with zeros left out, median of 200 exams of 200 items."""
    rng, n, alpha, params = np.random.default_rng(4), 200, -0.35, np.logspace(7.5, 9, 7)
    p = theory.token_probability(theory.scaling_law(params, c=5e8, alpha=alpha))
    slopes = []
    for share in rng.binomial(n, p**4, size=(200, 7)) / n:
        seen = share > 0
        if seen.sum() > 2:
            slopes.append(forecast.power_law(params[seen], -np.log(share[seen])).parameters["alpha"].value)
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

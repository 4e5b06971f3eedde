"""Claims of the chapter emergence."""

import numpy as np

from mirage_lib import compare, metrics, published, stats
from mirage_lib.claims import Finding

from . import holds
from .planting import rates


def score_needs_null(tolerance: float) -> Finding:
    """95th percentile of the emergence score of pure noise with 4 and with 20 models."""
    few, many = (np.quantile(stats.emergence_null(n), 0.95) for n in (4, 20))
    return holds(many / few > 1 + tolerance, f"noise alone reaches {few:.1f} with 4 models and {many:.1f} with 20")


def the_rule_moves_the_jump(tolerance: float) -> Finding:
    """Decades between the places of "one word" and "20 words all right", Pythia on LAMBADA; p against planted jumps.

    A planted jump is one of the thing: accuracy is that of the smallest size, then that of the largest, from some size
    on. The other truth is the same rise over two gaps: one size, any, lies half way. Models scatter as the two of each
    size do, which holds the noise of the items.
    """
    rows = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000")
    sizes, share = np.sort(rows["params"].unique()), rows.sort_values("params")["acc"].to_numpy().reshape(-1, 2)
    n, spread = int(rows["n_items"].iloc[0]), np.sqrt((np.diff(share) ** 2).mean() / 2)
    mean, rng = share.mean(1), np.random.default_rng(0)

    def places(share):
        right = np.rint(share * n)
        return np.array([compare.rise(sizes, metrics.subset_probability(right, n, k).mean(1))[0] for k in (1, 20)])

    def moved(share):
        one, twenty = places(share)
        return np.log10(twenty / one)

    def draw(p):
        return np.clip(rng.normal(p[:, None], spread, share.shape), 0, 1)

    def planted(gaps):
        """The rise from first to last in this many equal steps, one after the other, anywhere."""
        first = rng.integers(len(sizes) - gaps)
        return draw(np.interp(np.arange(len(sizes)), [first, first + gaps], mean[[0, -1]]))

    null = np.array([moved(planted(1)) for _ in range(1000)])

    def p_value(drawn):
        return (1 + (null >= moved(drawn)).sum()) / (1 + len(null))

    found = rates(lambda drawn: p_value(drawn) < tolerance, lambda _: planted(1), lambda _: planted(2))
    one, twenty = places(share) / 1e9
    told = f"from {one:.2f} to {twenty:.1f} billion parameters, p {p_value(share):.1g}; {found.words()}"
    return holds(p_value(share) < tolerance, told) if found.decides else Finding("not testable here", told)

"""Claims of the chapter longer-answers."""

import numpy as np
import pandas as pd

from mirage_lib import metrics, scores, theory
from mirage_lib.claims import Finding
from mirage_lib.items import Ragged, items_table

from . import holds
from .rises import decades


def draw_choices(p, options, n_items, rng, **columns) -> pd.DataFrame:
    """Draw multiple-choice items from the toy: mass p on the answer, 1 - p split as a flat Dirichlet among the rest.

    p : one number or one an item, in (0, 1).

    >>> draw_choices(0.4, options=4, n_items=2, rng=np.random.default_rng(0))["choice_logprob"].map(len).tolist()
    [4, 4]
    """
    p = np.broadcast_to(np.asarray(p, float), n_items)
    if not ((p > 0) & (p < 1)).all():
        raise ValueError("option probabilities must lie in (0, 1)")
    rest = rng.dirichlet(np.ones(options - 1), size=n_items) * (1 - p[:, None])
    answer = rng.integers(options, size=n_items)
    place = (answer[:, None] + np.arange(options)) % options
    mass = np.empty((n_items, options))
    np.put_along_axis(mass, place, np.column_stack([p, rest]), axis=1)
    return items_table(
        **columns,
        item=np.arange(n_items),
        choice_logprob=Ragged(np.log(mass).ravel(), np.full(n_items, options)),
        answer=answer,
    )


def late_share(scores: np.ndarray) -> float:
    return float((scores[-1] - scores[len(scores) // 2]) / (scores[-1] - scores[0]))


def linear_metric_smooth(tolerance: float) -> Finding:
    """Share of the change in the last half of eight sizes, of drawn exact match and edit distance, ten tokens."""
    rng, params = np.random.default_rng(9), np.geomspace(1e6, 1e11, 8)
    p = theory.token_probability(theory.scaling_law(params, c=5e8, alpha=-0.35))
    items = pd.concat([theory.draw_items(q, 10, 5000, rng, params=n) for n, q in zip(params, p, strict=True)])
    harsh, soft = (
        late_share(scores.curve(items, metric)["value"].to_numpy())
        for metric in (metrics.exact_match, metrics.token_edit_distance)
    )
    return holds(
        harsh > 0.95 and abs(soft - 0.5) < tolerance,
        f"of the change over 8 sizes the last 4 bring {harsh:.0%} for accuracy, {soft:.0%} for edit distance",
    )


def length_delays_and_does_not_narrow(tolerance: float) -> Finding:
    """Factors of ten in N from 10 % to 90 % accuracy, for 1, 4 and 20 tokens: alike to this share, and each later."""
    params = np.logspace(0, 20, 20_001)
    p = theory.token_probability(theory.scaling_law(params, c=5e8, alpha=-0.35))
    curves = [theory.accuracy(p, length) for length in (1, 4, 20)]
    widths = [decades(params, curve) for curve in curves]
    later = [float(np.log10(np.interp(0.5, curve, params))) for curve in curves]
    return holds(
        abs(widths[-1] / widths[0] - 1) < tolerance and (np.diff(later) > 0).all(),
        f"from 10 % to 90 % takes {', '.join(f'{width:.2f}' for width in widths)} factors of ten for 1, 4, 20 tokens; "
        f"half is right {later[1] - later[0]:.1f} and {later[2] - later[0]:.1f} factors of ten later than with one",
    )


def geometric_in_length(tolerance: float) -> Finding:
    """Slope of ln accuracy in L for drawn items against ln p."""
    rng, p, lengths = np.random.default_rng(3), 0.8, np.arange(1, 6)
    accuracy = [metrics.exact_match(theory.draw_items(p, L, 50_000, rng)).mean() for L in lengths]
    slope = np.polyfit(lengths, np.log(accuracy), 1)[0]
    return holds(abs(slope / np.log(p) - 1) < tolerance, f"slope {slope:.4f}, ln p {np.log(p):.4f}")


def edit_distance_linear(tolerance: float) -> Finding:
    """Measured Levenshtein distance against L(1 - p), largest relative gap over lengths 1 to 5."""
    rng = np.random.default_rng(4)
    gaps = []
    for p in (0.3, 0.6, 0.9):
        for length in range(1, 6):
            distance = metrics.token_edit_distance(theory.draw_items(p, length, 20_000, rng)).mean()
            gaps.append(1 - distance / theory.token_edit_distance(p, length))
    return holds(max(map(abs, gaps)) < tolerance, f"largest relative gap {max(gaps, key=abs):.1%}")


def grade_steps_brier_does_not(tolerance: float) -> Finding:
    """Grade and Brier score of four options at p = 1/4 and 1/2: items that share p, then p_i ~ Beta with that mean."""
    rng, options, n = np.random.default_rng(5), 4, 20_000
    low, high = (draw_choices(p, options, n, rng) for p in (1 / options, 0.5 + 1e-6))
    step = metrics.multiple_choice_grade(high).mean() - metrics.multiple_choice_grade(low).mean()
    brier = (metrics.brier_choices(low).mean() - metrics.brier_choices(high).mean()) / theory.brier_choices(0, options)
    unequal = []
    for mean in (1 / options, 0.5):
        p = np.clip(rng.beta(options * mean, options * (1 - mean), n), 1e-12, 1 - 1e-12)
        unequal.append(metrics.multiple_choice_grade(draw_choices(p, options, n, rng)).mean())
    rounded = unequal[1] - unequal[0]
    parts = int(step > 1 - tolerance and brier < 0.5) + int(rounded > 1 - tolerance)
    return Finding(
        ("fails", "holds in part", "holds")[parts],
        f"from p = 1/4 to 1/2 the grade rises by {step:.2f} for equal items, by {rounded:.2f} for unequal ones; "
        f"the Brier score by {brier:.2f} of its whole way",
    )

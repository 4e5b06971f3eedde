"""Claims of the chapter harsh-to-soft."""

import numpy as np
import pandas as pd

from mirage_lib import metrics, scores, stats, theory
from mirage_lib.claims import Finding
from mirage_lib.items import first_tokens

from . import holds, ladder_answers, steepest_step


def _by_size(family: str, metric, length: int) -> pd.Series:
    """A metric of the first digits against size, mean over seeds."""
    return scores.curve(first_tokens(ladder_answers(family), length), metric).set_index("x")["value"]


def _early(curve: pd.Series) -> float:
    """Share of the change from the smallest to the largest size that is reached at the middle one."""
    return float((curve.iloc[len(curve) // 2] - curve.iloc[0]) / (curve.iloc[-1] - curve.iloc[0]))


def accuracy_comes_late(tolerance: float) -> Finding:
    """Share of the change reached at the middle of the ladder: accuracy on eight digits of the chain, over the loss."""
    late, loss = (_early(_by_size("ladder-chain", m, 8)) for m in (metrics.exact_match, metrics.cross_entropy))
    return holds(late < tolerance * loss, f"half-way up accuracy has gone {late:.0%} of its way, the loss {loss:.0%}")


def edit_distance_keeps_pace(tolerance: float) -> Finding:
    """Share of the change reached at the middle of the ladder: edit distance on the same answers, over the loss."""
    edit, loss = (_early(_by_size("ladder-chain", m, 8)) for m in (metrics.token_edit_distance, metrics.cross_entropy))
    found = f"half-way up the edit distance has gone {edit:.0%} of its way, the loss {loss:.0%}"
    return holds(edit > loss / (1 + tolerance), found)


def edit_distance_softens_addition(tolerance: float) -> Finding:
    """Steepest step between neighbouring sizes, edit distance over accuracy, sums of four digits."""
    harsh, soft = (steepest_step(_by_size("ladder", m, 4)) for m in (metrics.exact_match, metrics.token_edit_distance))
    return holds(
        soft < tolerance * harsh,
        f"the steepest step makes {harsh:.0%} of the range of accuracy and {soft:.0%} of that of the edit distance",
    )


def _loss_step(family: str, length: int, tolerance: float) -> Finding:
    loss = _by_size(family, metrics.cross_entropy, length) / length
    step = float(-loss.diff().min() / np.ptp(loss))
    return holds(
        step < tolerance,
        f"from {loss.max():.2f} to {loss.min():.2f} nats a digit; the steepest fall makes {step:.0%} of it",
    )


def loss_of_the_chain_is_smooth(tolerance: float) -> Finding:
    """Steepest fall of the cross-entropy of the chain between neighbouring sizes, as a share of its range."""
    return _loss_step("ladder-chain", 8, tolerance)


def loss_of_addition_is_smooth(tolerance: float) -> Finding:
    """Steepest fall of the cross-entropy of four-digit sums between neighbouring sizes, as a share of its range."""
    return _loss_step("ladder", 4, tolerance)


def seeds_agree(tolerance: float) -> Finding:
    """Range of accuracy on four-digit sums among models of one size that differ in their seed only."""
    by_seed = scores.seed_scores(first_tokens(ladder_answers("ladder"), 4), metrics.exact_match, "params")
    size = (by_seed.max(axis=1) - by_seed.min(axis=1)).idxmax()
    low, high = by_seed.loc[size].min(), by_seed.loc[size].max()
    return holds(high - low < tolerance, f"at {size:,.0f} parameters from {low:.3f} to {high:.3f}")


def more_items_lift_the_ladder(tolerance: float) -> Finding:
    """Sizes with a right answer on five digits of the chain, in 20 questions and in all; intervals above chance."""
    part = first_tokens(ladder_answers("ladder-chain"), 5)
    hit = metrics.exact_match(part)
    few = hit[part["item"] < 20].groupby(part["params"]).sum() > 0
    right = hit.groupby(part["params"]).agg(["sum", "size"])
    seen, above = right["sum"] > 0, stats.wilson(right["sum"], right["size"]).low > tolerance
    asked = part["item"].nunique()
    found = f"right answers at {few.sum()} of {len(few)} sizes with 20 questions a model, {seen.sum()} with {asked:,}"
    return Finding(["fails", "holds in part", "holds"][int(seen.sum() > few.sum()) + int(above.all())], found)


def geometric_on_the_ladder(tolerance: float) -> Finding:
    """Largest factor between accuracy and p^L, 1 to 8 digits of the chain, where 20 answers or more are right."""
    p = _by_size("ladder-chain", metrics.token_accuracy, 8)
    factors = []
    for length in range(1, 9):
        part = first_tokens(ladder_answers("ladder-chain"), length)
        right = metrics.exact_match(part).groupby(part["params"]).agg(["sum", "mean"])
        factors.append(np.log((right["mean"] / theory.accuracy(p, length))[right["sum"] >= 20]).abs())
    off = np.exp(pd.concat(factors, axis=1).max(axis=1))
    near = off < tolerance
    return Finding(
        ("fails", "holds in part", "holds")[int(near.any()) + int(near.all())],
        f"within a factor of {tolerance:g} of p^L at {near.sum()} of {len(off)} sizes, within {off.max():.2f} at all",
    )


def edit_distance_linear_on_the_ladder(tolerance: float) -> Finding:
    """Edit distance of eight digits of the chain over L(1 - p), the three largest sizes."""
    linear = theory.token_edit_distance(_by_size("ladder-chain", metrics.token_accuracy, 8), 8)
    ratio = (_by_size("ladder-chain", metrics.token_edit_distance, 8) / linear).iloc[-3:]
    return holds(abs(ratio - 1).max() < tolerance, f"{ratio.min():.1f} to {ratio.max():.1f} times L(1 - p)")

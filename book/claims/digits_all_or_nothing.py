"""Claims of the chapter digits-all-or-nothing."""

import numpy as np

from mirage_lib import compare, metrics, stats, theory, vision
from mirage_lib.claims import Finding
from mirage_lib.scores import seed_scores

from . import all_of, at_seeds, decades_of_rise, steepest_step


def digit_accuracy_smooth(tolerance: float) -> Finding:
    """Steepest step between neighbouring widths of the log of the error on digits, as a share of its range."""
    error = np.log(1 - seed_scores(vision.stored("lenet"), metrics.exact_match))
    steps = [steepest_step(error[seed]) for seed in error]
    found = f"of the fall of the log error the steepest step makes {min(steps):.0%} to {max(steps):.0%}"
    return at_seeds(sum(step < tolerance for step in steps), found)


def five_of_five_seems_to_emerge(tolerance: float) -> Finding:
    """Figure 10C: share of right five-of-fives with the smallest LeNet, which has to lie below this to leave a rise.

    The power is 0 where the smallest network reads so well that p^5 is above it: then no width of ours could show it.
    """
    one, five = all_of(1), all_of(5)
    window = np.log10(one.index[-1] / one.index[0])
    widths = [decades_of_rise(five[seed]) / window for seed in five]
    absent = five.iloc[0] < tolerance
    found = (
        f"the smallest network reads {one.iloc[0].mean():.2f} of the digits, so {five.iloc[0].mean():.2f} of the fives"
        f" where {tolerance:g} would be a floor: power {float((one.iloc[0] ** 5 < tolerance).mean()):.0f}; "
        f"the rise takes {min(widths):.2f} to {max(widths):.2f} of the window"
    )
    if not absent.any():
        return Finding("not testable here", found)
    return at_seeds(int((absent & (np.array(widths) < compare.SHARP)).sum()), found)


def five_of_five_rises_as_widely(tolerance: float) -> Finding:
    """Decades that the rise of five-of-five takes over those that the accuracy itself takes: above this."""
    one, five = all_of(1), all_of(5)
    ratios = [decades_of_rise(five[seed]) / decades_of_rise(one[seed]) for seed in one]
    found = f"five of five take {min(ratios):.2f} to {max(ratios):.2f} times the decades of one"
    return at_seeds(sum(ratio > tolerance for ratio in ratios), found)


def more_digits_come_later(tolerance: float) -> Finding:
    """How much larger the network is at which fifty of fifty has gone half of its way, than at which one has."""
    one, fifty = all_of(1), all_of(50)
    later = [compare.rise(fifty.index, fifty[s])[0] / compare.rise(one.index, one[s])[0] for s in one]
    found = f"half of the way is gone at {min(later):.1f} to {max(later):.1f} times the parameters"
    return at_seeds(sum(ratio > tolerance for ratio in later), found)


def harder_lowers_the_emergence_score(tolerance: float) -> Finding:
    """The paper's emergence score of fifty-of-fifty over that of the accuracy itself: below this."""
    one, fifty = ({seed: stats.emergence_score(curves[seed]) for seed in curves} for curves in map(all_of, (1, 50)))
    ratios = [fifty[seed] / one[seed] for seed in one]
    found = f"fifty of fifty scores {min(ratios):.2f} to {max(ratios):.2f} times what one digit does"
    return at_seeds(sum(ratio < tolerance for ratio in ratios), found)


def image_accuracy_exceeds_exp_ce(tolerance: float) -> Finding:
    """Least gap between the accuracy of a LeNet and exp(-CE), CE its mean cross-entropy on the right label."""
    table = vision.stored("lenet")
    accuracy, loss = (seed_scores(table, m) for m in (metrics.exact_match, metrics.cross_entropy))
    gap = accuracy - theory.token_probability(loss)
    least, most = gap.min(), gap.max()
    found = f"higher by {least.min():.2f} to {most.max():.2f} over widths and seeds"
    return at_seeds(int((least > tolerance).sum()), found)

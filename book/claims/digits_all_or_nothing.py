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


def all_of_five_jumps(tolerance: float) -> Finding:
    """Decades that the rise of five-of-five takes over those that the accuracy itself takes."""
    one, five = all_of(1), all_of(5)
    ratios = [decades_of_rise(five[seed]) / decades_of_rise(one[seed]) for seed in one]
    found = f"five of five take {min(ratios):.2f} to {max(ratios):.2f} times the decades of one"
    return at_seeds(sum(ratio < tolerance for ratio in ratios), found)


def more_digits_come_later(tolerance: float) -> Finding:
    """How much larger the network is at which fifty of fifty has gone half of its way, than at which one has."""
    one, fifty = all_of(1), all_of(50)
    later = [compare.rise(fifty.index, fifty[s])[0] / compare.rise(one.index, one[s])[0] for s in one]
    found = f"half of the way is gone at {min(later):.1f} to {max(later):.1f} times the parameters"
    return at_seeds(sum(ratio > tolerance for ratio in later), found)


def harder_raises_the_emergence_score(tolerance: float) -> Finding:
    """The paper's emergence score of fifty-of-fifty over that of the accuracy itself."""
    one, fifty = ({seed: stats.emergence_score(curves[seed]) for seed in curves} for curves in map(all_of, (1, 50)))
    ratios = [fifty[seed] / one[seed] for seed in one]
    found = f"fifty of fifty scores {min(ratios):.2f} to {max(ratios):.2f} times what one digit does"
    return at_seeds(sum(ratio > 2 - min(tolerance, 2) for ratio in ratios), found)


def image_accuracy_is_exp_ce(tolerance: float) -> Finding:
    """Largest gap between the accuracy of a LeNet and exp(-CE), CE its mean cross-entropy on the right label."""
    table = vision.stored("lenet")
    accuracy, loss = (seed_scores(table, m) for m in (metrics.exact_match, metrics.cross_entropy))
    gap = (accuracy - theory.token_probability(loss)).abs().max()
    return at_seeds(int((gap < tolerance).sum()), f"the largest gap is {gap.min():.2f} to {gap.max():.2f}")

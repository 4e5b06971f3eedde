"""Claims of the chapter measuring-a-model."""

import numpy as np

from mirage_lib import kept, metrics
from mirage_lib.claims import Finding
from mirage_lib.items import first_tokens

from . import holds


def samples_follow_the_loss(tolerance: float) -> Finding:
    """Eight samples an item at temperature 1 against exp(-CE_i), SmolLM2 on sums of two digits; standard errors."""
    table = kept.load("smollm2-two-digits")
    sampled, expected = metrics.sampled_accuracy(table), metrics.expected_accuracy(table)
    gap = sampled - expected
    return holds(
        abs(gap.mean()) / (gap.std() / np.sqrt(len(gap))) < tolerance,
        f"{sampled.mean():.3f} sampled, {expected.mean():.3f} from the loss",
    )


def mean_loss_gives_smollm2s_accuracy(tolerance: float) -> Finding:
    """Greedy accuracy of SmolLM2 on sums of two digits over exp(-mean CE)."""
    table = kept.load("smollm2-two-digits")
    accuracy, naive = metrics.exact_match(table).mean(), np.exp(-metrics.cross_entropy(table).mean())
    return holds(abs(accuracy / naive - 1) < tolerance, f"accuracy {accuracy:.2f}, exp(-mean CE) {naive:.2f}")


def _six_digits(metric) -> np.ndarray:
    """A metric of the first 1 to 6 digits of SmolLM2's answers to six-digit sums; a space stands before them."""
    table = kept.load("smollm2-6-digits")
    return np.array([metric(first_tokens(table, 1 + length)).mean() for length in range(1, 7)])


def geometric_on_the_same_answers(tolerance: float) -> Finding:
    """Largest factor between the expected accuracy of L digits and a straight line of its logarithm, L = 1 to 6."""
    length, log = np.arange(1, 7), np.log(_six_digits(metrics.expected_accuracy))
    off = np.exp(np.abs(log - np.polyval(np.polyfit(length, log, 1), length)).max())
    fall = (log[0] - log[-1]) / np.log(10)
    return holds(off < tolerance, f"off a line by a factor of {off:.2f} at most, in a fall of {fall:.1f} decades")


def edit_distance_linear_on_a_model(tolerance: float) -> Finding:
    """Largest distance of the edit distance of L digits from a straight line, as a share of its range."""
    length, edits = np.arange(1, 7), _six_digits(metrics.token_edit_distance)
    off = np.abs(edits - np.polyval(np.polyfit(length, edits, 1), length)).max()
    return holds(off < tolerance * np.ptp(edits), f"off a line by {off:.2f} of {np.ptp(edits):.2f} edits")


def ability_survives_the_layout(tolerance: float) -> Finding:
    """Exact match of SmolLM2 on the same sums, without spaces between numbers and signs over with."""
    compact = kept.load("smollm2-compact")
    plain = kept.load("smollm2-two-digits").head(len(compact))  # the same problems
    plain, compact = (metrics.exact_match(table).mean() for table in (plain, compact))
    return holds(compact > tolerance * plain, f"accuracy {plain:.2f} with spaces, {compact:.2f} without")

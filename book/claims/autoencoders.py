"""Claims of the chapter autoencoders. Patches of a photograph are one draw: intervals are over photographs."""

from functools import cache

import numpy as np
import pandas as pd

from mirage_lib import compare, images
from mirage_lib.claims import Finding

from . import vision
from .planting import rates
from .rises import rise, steepest_step
from .vision import at_seeds, seed_scores

WIDTHS = np.array(vision.WIDTHS["autoencoder"], float)
CS = tuple(np.geomspace(1, 100, 21))  # thresholds, from few patches within to most


@cache
def errors() -> tuple[pd.DataFrame, np.ndarray]:
    """Squared error of every patch, a row a width and a column a seed and patch; the photograph of each column."""
    table = vision.stored("autoencoder")
    wide = table.pivot(index="width", columns=["seed", "item"], values="squared_error").astype(float)
    return wide, images.patches().test_labels[wide.columns.get_level_values("item").to_numpy(int)]


def drawn(draws: int, seed: int = 0) -> np.ndarray:
    """How often each photograph is drawn when all are drawn again: (draws, photographs)."""
    k = errors()[1].max() + 1
    return np.random.default_rng(seed).multinomial(k, np.full(k, 1 / k), draws)


@cache
def _sums(c: float | None) -> tuple[np.ndarray, np.ndarray]:
    """By photograph: what a score sums to at each width, (photograph, width), and out of how much, (photograph,)."""
    error, photograph = errors()[0].to_numpy(), errors()[1]
    one = np.eye(photograph.max() + 1)[photograph]
    if c is not None:
        return ((error < c) @ one).T, one.sum(0)
    data = images.patches()
    whole = ((data.test - data.train.mean(0)) ** 2).sum((1, 2, 3), dtype=float)
    whole = whole[errors()[0].columns.get_level_values("item").to_numpy(int)]
    return ((whole - error) @ one).T, whole @ one


def within(c: float, times=None) -> np.ndarray:
    """Share of patches with an error below c, all seeds, each photograph counted so often: (..., width)."""
    sums, whole = _sums(c)
    times = np.ones(len(whole)) if times is None else times
    return times @ sums / (times @ whole)[..., None]


def explained(times=None) -> np.ndarray:
    """The soft score, 0 to 1: share of the squared distance from the mean picture that is explained, (..., width)."""
    return within(None, times)


def tallest(curves: np.ndarray) -> tuple[float, float]:
    """Height of the tallest sharp rise, and of the tallest of all; a curve a row."""
    heights = curves[:, -1] - curves[:, 0]
    sharp = [height for height, curve in zip(heights, curves, strict=True) if rise(WIDTHS, curve).width < compare.SHARP]
    return max(sharp, default=0.0), float(heights.max())


def squared_error_smooth(tolerance: float) -> Finding:
    """Steepest step between neighbouring widths, as a share of the range of the log of the mean squared error.

    Planted, with the spread of the seeds, are equal steps, and half of the fall in one.
    """
    error = np.log(seed_scores(vision.stored("autoencoder"), lambda table: table["squared_error"]))
    steps = [steepest_step(error[seed]) for seed in error]
    line = np.linspace(error.iloc[0].mean(), error.iloc[-1].mean(), len(error))
    jump = np.where(np.arange(len(error)) < 5, line[0], line[-1]) / 2 + line / 2
    rng, spread = np.random.default_rng(0), error.std(axis=1).to_numpy()

    def smooth(curve):
        return steepest_step(pd.Series(curve)) < tolerance

    power = rates(
        smooth,
        lambda i: jump + spread * rng.normal(size=len(line)),
        lambda i: line + spread * rng.normal(size=len(line)),
    )
    found = (
        f"of the fall of the log error the steepest step makes {min(steps):.0%} to {max(steps):.0%}; {power.words()}"
    )
    if not power.decides:
        return Finding("not testable here", found)
    return at_seeds(sum(step < tolerance for step in steps), found)


def reconstruction_jumps(tolerance: float) -> Finding:
    """Figure 7C: a longer floor and a narrower rise than the soft score's, on the same photographs drawn again.

    tolerance : the floor is longer by this share of the window, at the lower end of its interval over photographs.
        Planted are patches scored at c = 50, without a floor, and at c = 2.
    """
    times = drawn(400)
    soft = np.array([rise(WIDTHS, curve) for curve in explained(times)])
    late, narrow = [], []
    for c in CS:
        apart = np.array([rise(WIDTHS, curve) for curve in within(c, times)]) - soft
        low, high = np.nanquantile(apart, [0.025, 0.975], axis=0)
        late += [c] if low[0] > tolerance else []
        narrow += [c] if low[0] > tolerance and high[2] < 0 else []

    inner = drawn(60, seed=2)

    def longer(population, c):
        """Whether seven photographs drawn from the seven say that the floor at c is longer."""
        again = inner @ np.eye(7)[np.repeat(np.arange(7), population)]  # photographs of the photographs
        floors = [
            rise(WIDTHS, harsh).floor - rise(WIDTHS, soft).floor
            for harsh, soft in zip(within(c, again), explained(again), strict=True)
        ]
        return np.nanquantile(floors, 0.025) > tolerance

    outer = drawn(60, seed=1)
    power = rates(lambda yes: yes, lambda i: longer(outer[i], 50), lambda i: longer(outer[i], 2), draws=60)
    found = (
        f"with a longer floor than the soft score: {len(late)} of {len(CS)} thresholds, c = {min(late, default=0):.1f} "
        f"to {max(late, default=0):.1f}; of these with a narrower rise, told apart over photographs: {len(narrow)}; "
        + power.words()
    )
    if not power.decides:
        return Finding("not testable here", found)
    return Finding("fails" if not late else "holds" if narrow else "holds in part", found)


def tall_rises_are_gradual(tolerance: float) -> Finding:
    """The tallest sharp rise over all thresholds is lower than this: interval over photographs.

    Planted are photographs drawn from the seven, where the tallest sharp rise is lower, and from the six without the
    one whose absence makes it highest.
    """

    def highest(times):
        return np.array([tallest(np.array(curves))[0] for curves in zip(*(within(c, times) for c in CS), strict=True)])

    low, high = np.quantile(highest(drawn(200)), [0.025, 0.975])
    without = 1 - np.eye(7)
    worst = without[highest(without).argmax()]
    inner = drawn(40, seed=2)

    def lower(population):
        return np.quantile(highest(inner @ np.eye(7)[population]), 0.975) < tolerance

    rng = np.random.default_rng(3)
    power = rates(
        lambda yes: yes,
        lambda i: lower(rng.choice(7, 7, p=worst / worst.sum())),
        lambda i: lower(rng.choice(7, 7)),
        draws=30,
    )
    seen = highest(np.ones((1, 7)))[0]
    found = f"the tallest sharp rise is of {seen:.2f}, over photographs {low:.2f} to {high:.2f}; {power.words()}"
    if not power.decides:
        return Finding("not testable here", found)
    return Finding("holds" if high < tolerance else "fails", found)


def the_threshold_chooses_the_size(tolerance: float) -> Finding:
    """Gaps between neighbouring widths at which a threshold can be set that half of the images pass just there."""
    table = vision.stored("autoencoder")
    median = table.groupby(["seed", "width"])["squared_error"].median().unstack("seed").astype(float)
    falls = (median.diff().dropna() < 0).mean().to_list()
    count = sum(share > 1 - tolerance for share in falls)
    return at_seeds(count, f"the median error falls at {min(falls):.0%} or more of the steps to a wider network")

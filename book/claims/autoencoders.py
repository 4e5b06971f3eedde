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


def drawn(draws: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """How often each photograph is drawn when all are drawn again, and at each width each seed.

    Returns (draws, photographs) and (draws, widths, seeds).
    """
    rng, k, s = np.random.default_rng(seed), errors()[1].max() + 1, len(vision.SEEDS)
    return rng.multinomial(k, np.full(k, 1 / k), draws), rng.multinomial(s, np.full(s, 1 / s), (draws, len(WIDTHS)))


@cache
def _sums(c: float | None) -> tuple[np.ndarray, np.ndarray]:
    """What a score sums to at each width, (width, seed, photograph), and out of how much, (photograph,)."""
    error = errors()[0].to_numpy().reshape(len(WIDTHS), len(vision.SEEDS), -1)
    photograph = errors()[1][: error.shape[2]]
    one = np.eye(photograph.max() + 1)[photograph]
    if c is not None:
        return (error < c) @ one, one.sum(0)
    data = images.patches()
    whole = ((data.test - data.train.mean(0)) ** 2).sum((1, 2, 3), dtype=float)
    whole = whole[errors()[0].columns.get_level_values("item").to_numpy(int)[: error.shape[2]]]
    return (whole - error) @ one, whole @ one


def within(c: float | None, times=None, seeds=None) -> np.ndarray:
    """Share of patches with an error below c, (..., width), each photograph and each seed counted so often.

    times : (..., photograph); seeds : (..., width, seed)
    """
    sums, whole = _sums(c)
    times = np.ones(len(whole)) if times is None else times
    seeds = np.ones(sums.shape[:2]) if seeds is None else seeds
    hits = np.einsum("...p,wsp,...ws->...w", times, sums, seeds, optimize=True)
    return hits / (times @ whole)[..., None] / seeds.sum(-1)


def explained(times=None, seeds=None) -> np.ndarray:
    """The soft score, 0 to 1: share of the squared distance from the mean picture that is explained, (..., width)."""
    return within(None, times, seeds)


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
    """Figure 7C: a longer floor and a narrower rise than the soft score's, on the same photographs and seeds.

    tolerance : the floor is longer by this share of the window, at the lower end of its interval.
        Planted at each threshold, with its noise: the soft curve, as high as the harsh one, and a jump at the place of
        the harsh one. Thresholds where a test for both marks does not tell them apart decide nothing.
    """
    times, soft = drawn(400), rise(WIDTHS, explained())
    apart_soft = np.array([rise(WIDTHS, curve) for curve in explained(*times)])
    sure, late, narrow = [], [], []
    for c in CS:
        curve, again = within(c), within(c, *times)
        harsh = rise(WIDTHS, curve)
        apart = np.array([rise(WIDTHS, each) for each in again]) - apart_soft
        low, high = np.nanquantile(apart, [0.025, 0.975], axis=0)
        down, up = harsh.floor - soft.floor - low[0], high[2] - (harsh.width - soft.width)

        def jumps(drawn, down=down, up=up):
            """Both marks, with as wide intervals as the data have."""
            found = rise(WIDTHS, drawn)
            return found.floor - soft.floor - down > tolerance and found.width - soft.width + up < 0

        gradual = curve[0] + np.ptp(curve) * (explained() - explained()[0]) / np.ptp(explained())
        step = curve[0] + np.ptp(curve) * (np.log(WIDTHS / WIDTHS[0]) / np.log(WIDTHS[-1] / WIDTHS[0]) > harsh.place)
        noise = again - curve
        power = rates(jumps, (gradual + noise).__getitem__, (step + noise).__getitem__)
        sure += [c] if power.decides else []
        late += [c] if power.decides and low[0] > tolerance else []
        narrow += [c] if power.decides and low[0] > tolerance and high[2] < 0 else []
    found = (
        f"{len(sure)} of {len(CS)} thresholds can decide; there a longer floor than the soft score's at {len(late)}, "
        f"c = {min(late, default=0):.1f} to {max(late, default=0):.1f}, and a narrower rise too at {len(narrow)}"
    )
    if not sure:
        return Finding("not testable here", found)
    return Finding("fails" if not late else "holds" if narrow else "holds in part", found)


def tall_rises_are_gradual(tolerance: float) -> Finding:
    """The tallest sharp rise over all thresholds is lower than this: interval over photographs and seeds.

    Planted are photographs drawn from the seven, their scores stretched until the tallest sharp rise is as tall as
    that, and pressed to two thirds of it.
    """

    def highest(times, seeds):
        curves = zip(*(within(c, times, seeds) for c in CS), strict=True)
        return np.array([tallest(np.array(each))[0] for each in curves])

    seen = highest(np.ones((1, 7)), np.ones((1, len(WIDTHS), len(vision.SEEDS))))[0]
    low, high = np.quantile(highest(*drawn(200)), [0.025, 0.975])
    inner, seeds = drawn(40, seed=2)
    # upper ends over photographs of the photographs, as shares of the tallest that is true
    ends = [
        np.quantile(highest(inner @ np.eye(7)[np.repeat(np.arange(7), times)], seeds), 0.975) / seen
        for times in drawn(40, seed=1)[0]
    ]
    power = rates(lambda end: end < 1, ends.__getitem__, lambda i: ends[i] * 2 / 3, draws=40)
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

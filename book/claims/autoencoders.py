"""Claims of the chapter autoencoders."""

from functools import cache, partial

import numpy as np
import pandas as pd

from mirage_lib import compare, metrics, vision
from mirage_lib.claims import Finding
from mirage_lib.scores import seed_scores

from . import at_seeds, decades_of_rise, holds, steepest_step


def _each_seed(scores: pd.DataFrame, decide) -> int:
    """At how many seeds `decide` is true of the curve: `scores` has a row a size and a column a seed."""
    return sum(bool(decide(scores[seed])) for seed in scores)


def _sharp(curve: pd.Series, share: float = compare.SHARP) -> bool:
    """Whether the middle 80 % of the rise takes less than this share of the range of sizes, in decades."""
    return decades_of_rise(curve) < share * np.log10(curve.index[-1] / curve.index[0])


def squared_error_smooth(tolerance: float) -> Finding:
    """Steepest step between neighbouring widths, as a share of the range of the log of the mean squared error."""
    error = np.log(seed_scores(vision.stored("autoencoder"), lambda table: table["squared_error"]))
    steps = [steepest_step(error[seed]) for seed in error]
    found = f"of the fall of the log error the steepest step makes {min(steps):.0%} to {max(steps):.0%}"
    return at_seeds(_each_seed(error, lambda curve: steepest_step(curve) < tolerance), found)


@cache
def _reconstructed() -> dict[float, pd.DataFrame]:
    """Share of images within c, by width and seed, for thresholds c from few images within to most."""
    table = vision.stored("autoencoder")
    within = {c: partial(metrics.reconstruction_within, c=c) for c in np.geomspace(1, 100, 21)}
    return {c: seed_scores(table, metric) for c, metric in within.items()}


def reconstruction_jumps(tolerance: float) -> Finding:
    """Figure 7C: thresholds c whose share of images within c rises within this share of the window, at every seed."""
    seeds = {c: _each_seed(scores, lambda curve: _sharp(curve, tolerance)) for c, scores in _reconstructed().items()}
    sharp = [c for c, count in seeds.items() if count == len(vision.SEEDS)]
    found = f"sharp at every seed for {len(sharp)} of {len(seeds)} thresholds from 1 to 100"
    if sharp:
        tall = max(np.ptp(_reconstructed()[c], axis=0).min() for c in sharp)
        found += f": {', '.join(f'{c:.3g}' for c in sharp)}; the tallest of these rises is of {tall:.2f}"
    return Finding("holds" if sharp else "holds in part" if any(seeds.values()) else "fails", found)


def most_thresholds_make_no_jump(tolerance: float) -> Finding:
    """Share of thresholds c at which the share of images within c rises sharply at any seed: below this."""
    sharp = [c for c, scores in _reconstructed().items() if _each_seed(scores, _sharp)]
    share = len(sharp) / len(_reconstructed())
    return holds(share < tolerance, f"sharp at any seed for {len(sharp)} of {len(_reconstructed())} thresholds")


def tall_rises_are_gradual(tolerance: float) -> Finding:
    """Over all thresholds c, means over seeds: the tallest sharp rise is lower than this, the tallest of all is not."""
    curves = [scores.mean(axis=1) for scores in _reconstructed().values()]
    sharp, tall = (max(np.ptp(curve) for curve in curves if keep(curve)) for keep in (_sharp, lambda curve: True))
    found = f"the tallest sharp rise is of {sharp:.2f}, the tallest of all of {tall:.2f}"
    return holds(sharp < tolerance < tall, found)


def the_threshold_chooses_the_size(tolerance: float) -> Finding:
    """Gaps between neighbouring widths at which a threshold can be set that half of the images pass just there."""
    table = vision.stored("autoencoder")
    median = table.groupby(["seed", "width"])["squared_error"].median().unstack("seed").astype(float)
    falls = (median.diff().dropna() < 0).mean().to_list()
    count = sum(share > 1 - tolerance for share in falls)
    return at_seeds(count, f"the median error falls at {min(falls):.0%} or more of the steps to a wider network")

"""Claims of the chapter both-directions."""

from functools import cache

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from mirage_lib import compare
from mirage_lib.claims import Finding

from . import autoencoders, digits_all_or_nothing, sequences_of_characters
from .kept import ladder_scores
from .planting import rates
from .rises import moved, redrawn, rise

DRAWS = 1000
# the source, its side, and how harsh its metric is made: so many all right, or an error below c
HARSHNESS = {
    "text": ("language", (1, 2, 3, 4, 5, 6, 7, 8)),
    "addition": ("language", (1, 2, 3, 4)),
    "invented characters": ("vision", (1, 2, 3, 4, 5)),
    "Omniglot": ("vision", (1, 2, 3, 4, 5)),
    "digits": ("vision", (1, 2, 3, 4, 5, 10, 20, 50)),
    "autoencoder": ("vision", (50, 20, 10, 5, 2)),
}
PAIRED = {"text": 8, "addition": 4, "invented characters": 5, "Omniglot": 5, "digits": 5, "autoencoder": 2}


@cache
def single(source: str, harshness: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sizes, share of the first L answers right and whether all are, for sources with measured runs of L answers.

    The scores are (size, seed, item), NaN where a size has not that seed.
    """
    if source in ("text", "addition"):
        return ladder_scores("ladder-text" if source == "text" else "ladder", harshness)
    size, hit = sequences_of_characters.hits(sequences_of_characters.DATA[source == "Omniglot"])
    return size, hit[..., :harshness].mean(-1), hit[..., :harshness].all(-1)


@cache
def curves(source: str, harshness: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sizes, the soft curve and the harsh one of the same answers: as they are in the first row, then drawn anew.

    Seeds and items are drawn again together (`rises.redrawn`); the items of autoencoders are photographs.
    The soft score is the share of single tokens or images right, or for autoencoders the share of variance explained.
    """
    if source == "autoencoder":
        drawn = autoencoders.drawn(DRAWS)
        scores = (autoencoders.explained, lambda *times: autoencoders.within(harshness, *times))
        return autoencoders.WIDTHS, *(np.concatenate([score()[None], score(*drawn)]) for score in scores)
    if source == "digits":
        size, right = digits_all_or_nothing.hits()
        counts = np.concatenate([right.sum(2)[None], digits_all_or_nothing.again(DRAWS)])
        return size, *(digits_all_or_nothing.chance(counts, right.shape[2], k) for k in (1, harshness))
    size, *scores = single(source, harshness)
    return size, *(np.vstack([np.nanmean(each.mean(2), 1), redrawn(each, DRAWS)]) for each in scores)


def expected(source: str, harshness: int) -> np.ndarray:
    """The metric put on the soft score, nothing fitted: the mean over networks of p^L.

    For autoencoders one distribution, of the log errors of all networks around their means, moved to that of each.
    """
    if source == "autoencoder":
        log_error = np.log(autoencoders.errors()[0].to_numpy())
        mean = log_error.mean(1)
        spread = np.sort((log_error - mean[:, None]).ravel())
        return np.searchsorted(spread, np.log(harshness) - mean) / spread.size
    p = digits_all_or_nothing.hits()[1].mean(2) if source == "digits" else single(source, harshness)[1].mean(2)
    return np.nanmean(p**harshness, 1)


def both_directions() -> pd.DataFrame:
    """Every harsh curve of this book's own models, beside what the soft curve and the metric say of it.

    A row a curve: `direction`, `source`, `metric`, `harshness` (L, K or c), the measured `place` and `width` of the
    rise (`compare.rise`) and those of the metric on the soft curve, `place_expected` and `width_expected`. A width is
    in decades of parameters, or of hidden units for autoencoders.
    """
    rows = []
    for source, (direction, all_harshness) in HARSHNESS.items():
        for harshness in all_harshness:
            if harshness == 1:
                continue
            words = f"error below {harshness}" if source == "autoencoder" else f"all of {harshness}"
            row = {"direction": direction, "source": source, "metric": words, "harshness": harshness}
            size, _, harsh = curves(source, harshness)
            for suffix, curve in (("", harsh[0]), ("_expected", expected(source, harshness))):
                row[f"place{suffix}"], row[f"width{suffix}"] = compare.rise(size, curve)
            rows.append(row)
    return pd.DataFrame(rows)


def still_rising(size, score) -> float:
    """Share of the way that is done in the last quarter of the window: a straight line has 0.25, a curve at rest 0."""
    way = isotonic_regression(np.asarray(score, float)).x
    log = np.log(np.asarray(size, float))
    at = np.interp(log[-1] - np.ptp(log) / 4, log, way)
    return float((way[-1] - at) / (way[-1] - way[0]))


@cache
def six() -> pd.DataFrame:
    """Soft against harsh on the same answers, a row a source: floor, place and width in shares of the window.

    `<what>_soft`, `<what>_harsh`, and `<what>_more`, harsh less soft, each with `_low` and `_high`, 95 %;
    `rising_soft` and `rising_harsh` (`still_rising`).
    """
    rows = []
    for source, harshness in PAIRED.items():
        size, soft, harsh = curves(source, harshness)
        both = [np.array([rise(size, curve) for curve in each]) for each in (soft, harsh)]
        row = {"source": source}
        for name, values in (("soft", both[0]), ("harsh", both[1]), ("more", both[1] - both[0])):
            low, high = np.nanquantile(values[1:], [0.025, 0.975], axis=0)
            for column, what in enumerate(("floor", "place", "width")):
                row |= {
                    f"{what}_{name}": values[0, column],
                    f"{what}_{name}_low": low[column],
                    f"{what}_{name}_high": high[column],
                }
        row |= {"rising_soft": still_rising(size, soft[0]), "rising_harsh": still_rising(size, harsh[0])}
        rows.append(row)
    return pd.DataFrame(rows).set_index("source")


def off(size, curve, truth) -> float:
    """Factor between the place, or the width, of two curves: the larger of the two factors."""
    pairs = zip(compare.rise(size, curve), compare.rise(size, truth), strict=True)
    return max(max(a / b, b / a) for a, b in pairs)


@cache
def judged(tolerance: float) -> pd.DataFrame:
    """Curves under p^L: `off`, the factor by which one misses the rule, and `decides`, whether a test of it does.

    Digits are not judged: all of K is computed from p there. Planted are the rule itself, and answers so alike that
    half of the L come for free; soft and harsh score are drawn together, as answers and seeds of one curve.
    """
    rows = []
    for row in both_directions().query("source not in ['autoencoder', 'digits']").itertuples():
        size, _, harsh = curves(row.source, row.harshness)
        noise, truth = harsh[1:] - harsh[0], expected(row.source, row.harshness)
        rule = redrawn(single(row.source, row.harshness)[1], DRAWS, lambda p, row=row: p**row.harshness)

        def near(pair, size=size):
            return off(size, *pair) < tolerance

        nothing, something = (list(zip(each + noise, rule, strict=True)) for each in (truth**0.5, truth))
        power = rates(near, nothing.__getitem__, something.__getitem__)
        rows.append((row.direction, row.source, row.harshness, off(size, harsh[0], truth), power.decides))
    return pd.DataFrame(rows, columns=["direction", "source", "harshness", "off", "decides"])


def one_rule_in_both_directions(tolerance: float) -> Finding:
    """Curves whose metric is p^L and whose noise lets a test decide: place and width are those of p^L within this."""
    table = judged(tolerance)
    sure = table[table["decides"]]
    sides = ", ".join(f"{part['decides'].sum()} of {len(part)} of {side}" for side, part in table.groupby("direction"))
    if set(sure["direction"]) != {"language", "vision"}:
        return Finding("not testable here", f"curves that can decide: {sides}")
    share = (sure["off"] < tolerance).groupby(sure["direction"]).mean()
    found = f"curves that can decide: {sides}; of these are within a factor of {tolerance:g} "
    found += ", ".join(f"{value:.0%} of {side}" for side, value in share.items())
    if share.min() == 1 and table["decides"].all():
        return Finding("holds", found)
    return Finding("holds in part" if share.min() > 0.5 else "fails", found)


def harsher_comes_later(tolerance: float) -> Finding:
    """Soft against harsh on the same answers: how much longer the floor is, lower end of its interval, in each family
    where a test decides. Planted is the soft curve with the noise of the harsh one, as it is and later by a sixth.
    """
    table, decides = six(), {}
    for source, harshness in PAIRED.items():
        size, soft, harsh = curves(source, harshness)
        noise, row = harsh[1:] - harsh[0], table.loc[source]
        slack = row["floor_more"] - row["floor_more_low"]

        def longer(curve, size=size, row=row, slack=slack):
            return rise(size, curve).floor - row["floor_soft"] - slack > tolerance

        noise = noise * np.ptp(soft[0]) / np.ptp(harsh[0])
        same, later = (moved(size, soft[0], shift) + noise for shift in (0, tolerance + 1 / 6))
        decides[source] = rates(longer, same.__getitem__, later.__getitem__).decides
    sure = table[pd.Series(decides)]
    if len(sure) < 2:
        return Finding("not testable here", f"{len(sure)} of {len(table)} families can be decided")
    longer, narrower = sure["floor_more_low"] > tolerance, table["width_more_high"] < 0
    found = (
        f"{len(sure)} of {len(table)} families can be decided; a longer floor in {longer.sum()}, by "
        f"{sure['floor_more'].min():.2f} to {sure['floor_more'].max():.2f} of the window; a narrower rise in "
        f"{narrower.sum()} of {len(table)}, {(narrower & (table['rising_harsh'] > 0.25)).sum()} still rising at the end"
    )
    return Finding({0: "fails", len(sure): "holds"}.get(int(longer.sum()), "holds in part"), found)

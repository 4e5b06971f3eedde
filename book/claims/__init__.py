"""What decides the claims: a module a chapter, a function a claim; here is what several of them use."""

from functools import cache

import numpy as np
import pandas as pd

from mirage_lib import kept, metrics, scores, vision
from mirage_lib.claims import Finding
from mirage_lib.items import first_tokens


def holds(condition: bool, found: str) -> Finding:
    return Finding("holds" if condition else "fails", found)


def late_share(scores: np.ndarray) -> float:
    return float((scores[-1] - scores[len(scores) // 2]) / (scores[-1] - scores[0]))


def decades(params: np.ndarray, accuracy: np.ndarray) -> float:
    """Decades of N between 10 % and 90 % accuracy."""
    return float(np.diff(np.interp((0.1, 0.9), accuracy, np.log10(params)))[0])


@cache
def ladder_answers(family: str) -> pd.DataFrame:
    """Kept answers of the last checkpoint of every model of a family of the ladder.

    family : "ladder-text" (held-out text), or "ladder" and "ladder-8000" (sums of four digits)
    """
    return kept.load("ladder-text-continuation" if family == "ladder-text" else f"{family}-addition")


def ladder_scores(family: str, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sizes; share of the first tokens right, and whether all are: (size, seed, item), NaN where a seed is not."""
    part = first_tokens(ladder_answers(family), length)
    keys = [part[name] for name in ("params", "seed", "item")]
    found = [
        metric(part).astype(float).groupby(keys).mean().unstack(["seed", "item"]).sort_index(axis=1)
        for metric in (metrics.token_accuracy, metrics.exact_match)
    ]
    size, seeds = found[0].index.to_numpy(float), part["seed"].nunique()
    return size, *(score.to_numpy().reshape(len(size), seeds, -1) for score in found)


def steepest_step(curve: pd.Series) -> float:
    """Largest step between neighbouring sizes, as a share of the curve's range."""
    return float(curve.diff().abs().max() / np.ptp(curve))


def at_seeds(count: int, found: str) -> Finding:
    """Holds at every one of five seeds, in part at some."""
    verdict = {0: "fails", len(vision.SEEDS): "holds"}.get(count, "holds in part")
    return Finding(verdict, f"at {count} of {len(vision.SEEDS)} seeds; {found}")


def all_of(k: int) -> pd.DataFrame:
    """K-of-K accuracy of the LeNets by parameters, one column a seed; K = 1 is the accuracy."""
    table = vision.stored("lenet")
    share, n = scores.seed_scores(table, metrics.exact_match, "params"), table["item"].nunique()
    return share.apply(lambda right: metrics.subset_probability(right * n, n, k))

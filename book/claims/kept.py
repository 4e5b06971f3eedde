"""Answers measured before, and kept with the library: what a chapter shows where it does not measure.

A chapter that runs models or trains networks does so when it runs. Where the environment variable MIRAGE_LIVE is 0 it
takes the same answers from here: for a class, or a slow machine. What is kept is never mixed with what is live, but for
models whose weights the book does not carry (`not_carried`), which the chapter says.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from mirage_lib import items, metrics

FOLDER = Path(items.__file__).with_name("data") / "kept"
NOT_CARRIED = "ladder-not-carried-addition"  # sums of ladder models whose weights the book does not have


def live() -> bool:
    """Whether models run and networks are trained: unless MIRAGE_LIVE is 0."""
    return os.environ.get("MIRAGE_LIVE") != "0"


def answers(name: str, measure: Callable[[], pd.DataFrame], task: str | None = None) -> pd.DataFrame:
    """An items table: what `measure()` gives now, or, where MIRAGE_LIVE is 0, what it gave when it was kept.

    name : of the file that keeps it, without its ending
    measure : makes the items table, as `lambda: lm.measure(model, task)`
    task : what the kept answers must be of; where they are of something else, as of other images, it is measured

    What was measured is also written to the folder that the environment variable MIRAGE_KEEP names, if it names one:
    `make keep` makes what is kept from there, `make check` compares. Raises ItemsError for a name that is not kept.
    """
    if not live():
        table = load(name)
        if task is None or (table["task"] == task).all():
            return table
    table = measure()
    if folder := os.environ.get("MIRAGE_KEEP"):
        items.write(Path(folder) / f"{name}.parquet", table)
    return table


def load(name: str) -> pd.DataFrame:
    """Kept answers by name, an items table. Raises ItemsError for a name that is not kept."""
    file = FOLDER / f"{name}.parquet"
    if not file.exists():
        raise items.ItemsError(f"no answers are kept under the name {name!r}: measure them, with MIRAGE_LIVE=1")
    return items.read(file)


@cache
def ladder_answers(family: str) -> pd.DataFrame:
    """Kept answers of the last checkpoint of every model of a family of the ladder.

    family : "ladder-text" (held-out text), or "ladder", "ladder-8000" and "ladder-16000" (sums of four digits), here
        with the models that are not carried
    """
    if family == "ladder-text":
        return load("ladder-text-continuation")
    return pd.concat([load(f"{family}-addition"), not_carried(family)], ignore_index=True)


def not_carried(family: str) -> pd.DataFrame:
    """Kept answers to sums of those models of a family whose weights the book does not have; perhaps no row."""
    return load(NOT_CARRIED).query("family == @family")


def ladder_scores(family: str, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sizes; share of the first tokens right, and whether all are: (size, seed, item), NaN where a seed is not."""
    part = items.first_tokens(ladder_answers(family), length)
    keys = [part[name] for name in ("params", "seed", "item")]
    found = [
        metric(part).astype(float).groupby(keys).mean().unstack(["seed", "item"]).sort_index(axis=1)
        for metric in (metrics.token_accuracy, metrics.exact_match)
    ]
    size, seeds = found[0].index.to_numpy(float), part["seed"].nunique()
    return size, *(score.to_numpy().reshape(len(size), seeds, -1) for score in found)

"""How often the audit is right: truths planted at realistic sizes, and what `mirage_lib.audit` says of them.

    python tools/audit_power.py [DRAWS [FIRST SEED]]

Without a first seed it takes fresh ones and writes mirage_lib/data/audit_power.csv, which the chapter shows (a quarter
of an hour on one core). Seeds below `FRESH` are for developing: to look at, not to report.

What right means was fixed before it was counted. Each truth has one verdict that names it (`TRUTHS`).

- *Named*: the verdict is that one, and for "undecided" with a power of at least 0.8.
- *Wrong*: another cause is named, the jump that is there denied, or one seen that is not. At most 5 % of any truth.
- *Open*: "undecided", "test set too small" or "too few sizes" where that is not the truth's. It counts as right only
  where the audit states a power below 0.8 and it is so: in draws of this truth with as many sizes, items and blind
  guesses (a cell) fewer than 0.8 were named. An open verdict where power suffices counts against the audit.
- *Right*: named, or open and honest. In 95 of 100 draws of any truth.

Seeds take blind guesses of none, a quarter and a half in turn; a cell mixes soft scores and steepness. Jumps are at
least as high as `audit.MATTERS`: of lower ones the audit says nothing.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from mirage_lib import audit

# truth -> what the audit should say of it
TRUTHS = {
    "metric artefact": "the metric",
    "genuine transition": "the model",
    "format failure": "the model",
    "format failure, soft score blind to it": "undecided",
    "the same, formula unknown": "undecided",
    "straight line": "no jump",
    "pure noise": "no jump",
    "too few items": "test set too small",
    "too few sizes": "too few sizes",
}
OPEN = ("undecided", "too few sizes", "test set too small")
SIZES, ITEMS = (6, 8, 10, 12), (100, 300, 1000, 2000)
FLOORS = (0, 0.25, 0.5)
FRESH = 400_000
OUT = Path(__file__).parents[1] / "mirage_lib" / "data" / "audit_power.csv"


def plant(truth: str, seed: int, sizes: int, n_items: int) -> tuple[pd.DataFrame, str]:
    """A table of scores of one family in which the truth is known, and the name of its soft score.

    Sizes lie over three decades, not quite evenly, and each model is a little better or worse than its size.
    """
    rng = np.random.default_rng([seed, sizes, n_items, len(truth)])
    if truth == "too few items":
        n_items = int(rng.integers(15, 31))
    t = np.linspace(0, 1, sizes) + np.r_[0, rng.uniform(-0.2, 0.2, sizes - 2), 0] / sizes
    if truth == "too few sizes":  # three or four, or six with a hole where it happens
        t = np.linspace(0, 1, rng.integers(3, 5)) if rng.random() < 0.5 else np.r_[0, 0.05, 0.1, 0.15, 0.93, 1]
    lucky = rng.normal(0, 0.02, len(t))
    loss = 3 * 10 ** (-rng.uniform(1.1, 1.3) * t + lucky)  # nats a token, a power law
    late = 1 / (
        1 + np.exp(-(t + lucky - rng.uniform(0.4, 0.65)) / rng.uniform(0.015, 0.03))
    )  # in a tenth of the window
    floor, length = FLOORS[seed % 3], int(rng.integers(6, 10))
    p, soft = np.exp(-loss), rng.choice(["loss", "share", "token_edit_distance"])  # of a right token
    if truth in ("metric artefact", "too few items", "too few sizes"):
        right = p**length
        right = right / right.max() * rng.uniform(0.1, 0.4) if truth == "too few items" else right
    elif truth == "genuine transition":  # in the token itself
        p, length = 0.3 + 0.6 * late, 3
        right = p**3
    elif truth == "format failure":  # letters, or text that cannot be read: the soft score sees it
        floor, length = max(floor, 0.25), 1
        right = rng.uniform(0.4, 0.9) * late
        p = floor + (1 - floor) * right  # a blind guess, at first
    elif "blind" in truth or "unknown" in truth:  # the soft score reads only the right text
        p, length = 0.85 + 0.12 * t + lucky / 5, 3
        right = rng.uniform(0.4, 1) * p**3 * late
    elif truth == "straight line":
        right = 0.1 + 0.5 * (t + lucky)
    else:
        right = np.full(len(t), rng.uniform(0.02, 0.5))
    # the formula, of text, says what the metric makes of the tokens
    no_formula = truth in ("straight line", "pure noise", "too few items", "the same, formula unknown")
    soft = (
        "token_edit_distance" if "blind" in truth else "loss" if no_formula and soft not in ("loss", "share") else soft
    )
    value, spread = {
        "loss": (-np.log(p), 0.7 * -np.log(p)),  # of items
        "share": (p, 0.7 * np.sqrt(p * (1 - p))),
        "token_edit_distance": (length * (1 - p), 0.8 * np.sqrt(length * p * (1 - p))),
    }[soft]
    hits = rng.binomial(n_items, np.clip(floor + (1 - floor) * right, 0, 1)) / n_items
    error = spread / np.sqrt(n_items)
    table = {"benchmark": truth, "family": "planted", "model": [f"m{i}" for i in range(len(t))]}
    table |= {"params": 10 ** (7 + 3 * t), "n_items": n_items, "exact_match": hits, "exact_match_chance": floor}
    table |= {soft: np.clip(rng.normal(value, error), 1e-3, None), f"{soft}_se": error, "length": length}
    return pd.DataFrame(table), "-loss" if soft == "loss" else soft


def said(truth: str, seed: int, sizes: int, n_items: int) -> pd.Series:
    """The audit's row of a planted truth."""
    table, soft = plant(truth, seed, sizes, n_items)
    return audit.audit(table, "exact_match", soft).iloc[0]


def count(seeds) -> pd.DataFrame:
    """A row a draw: truth, number of sizes and items, verdict, and the power that the audit states."""
    rows = [
        (truth, sizes, n_items, FLOORS[seed % 3], row["verdict"], row.get("power"))
        for truth in TRUTHS
        for sizes in SIZES
        for n_items in ITEMS
        for seed in seeds
        for row in [said(truth, seed, sizes, n_items)]
    ]
    return pd.DataFrame(rows, columns=["truth", "sizes", "n_items", "floor", "verdict", "power"])


def judged(found: pd.DataFrame) -> pd.DataFrame:
    """The same with what is `named`, `wrong` and `right` of each draw, as the top of this file says."""
    meant = found["truth"].map(TRUTHS)
    short, open_ = ~(found["power"] >= audit.POWER), found["verdict"].isin(OPEN)
    # "undecided" names a truth only where power suffices
    named = (found["verdict"] == meant) & ~((meant == "undecided") & short)
    seldom = (
        named.groupby([found[name] for name in ("truth", "sizes", "n_items", "floor")]).transform("mean") < audit.POWER
    )
    return found.assign(named=named, wrong=~named & ~open_, right=named | (open_ & short & seldom))


def summed(told: pd.DataFrame) -> pd.DataFrame:
    """A row a truth, number of sizes and of items: how many were drawn, named, right, wrong; those of stated power."""
    sure = told["power"] >= audit.POWER
    told = told.assign(draws=1, sure=sure, sure_named=sure & told["named"])
    counts = ["draws", "named", "right", "wrong", "sure", "sure_named"]
    return told.groupby(["truth", "sizes", "n_items"], sort=False)[counts].sum().reset_index()


if __name__ == "__main__":
    draws, start = map(int, [*sys.argv[1:3], *[30, FRESH][len(sys.argv) - 1 :]])
    found = count(range(start, start + draws))
    told = judged(found)
    if start == FRESH:
        summed(told).to_csv(OUT, index=False)
    print(pd.crosstab(found["truth"], found["verdict"]).to_string())
    print((100 * told.groupby("truth")[["named", "right", "wrong"]].mean()).round(1).to_string())
    print((100 * told.pivot_table(index=["truth", "sizes"], columns="n_items", values="named")).round().to_string())
    bins = pd.cut(told["power"], [0, 0.2, 0.5, 0.8, 0.95, 1], include_lowest=True)
    print((100 * told.groupby(bins, observed=True)["named"].mean()).round(1).to_string())

"""How often the audit is right: truths planted at realistic sizes, and what `mirage_lib.audit` says of them.

python tools/audit_power.py [DRAWS]     writes mirage_lib/data/audit_power.csv, which the chapter shows
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
    "straight line": "no jump",
    "pure noise": "no jump",
    "too few items": "test set too small",
    "too few sizes": "too few sizes",
}
SIZES, ITEMS = (6, 8, 10, 12), (500, 1000, 2000, 5000)
OUT = Path(__file__).parents[1] / "mirage_lib" / "data" / "audit_power.csv"


def plant(truth: str, rng, sizes: int, n_items: int) -> pd.DataFrame:
    """A table of scores of one family in which the truth is known: shares of right answers, a soft score, its error.

    Sizes lie over three decades, not quite evenly, and each model is a little better or worse than its size.
    """
    if truth == "too few items":
        n_items = int(rng.integers(15, 31))
    t = np.linspace(0, 1, sizes) + np.r_[0, rng.uniform(-0.2, 0.2, sizes - 2), 0] / sizes
    if truth == "too few sizes":  # three or four, or six with a hole where it happens
        t = np.linspace(0, 1, rng.integers(3, 5)) if rng.random() < 0.5 else np.r_[0, 0.05, 0.1, 0.15, 0.93, 1]
    lucky = rng.normal(0, 0.02, len(t))
    loss = 3 * 10 ** (-0.9 * t + lucky)  # nats a token, a power law
    middle = rng.uniform(0.45, 0.65)
    late = 1 / (1 + np.exp(-(t + lucky - middle) / 0.025))  # 10 to 90 % in a tenth of the window
    spread = 0.7  # of items
    if truth in ("metric artefact", "too few items", "too few sizes"):
        harsh, soft, sd, name = np.exp(-rng.uniform(6, 9) * loss), loss, spread * loss, "loss"
        harsh = harsh / harsh.max() * rng.uniform(0.1, 0.4) if truth == "too few items" else harsh
    elif truth == "genuine transition":
        p = 0.3 + 0.6 * late
        harsh, soft, sd, name = p**3, -np.log(p), spread * -np.log(p), "loss"
    elif truth == "format failure":  # letters: two bits are a blind guess
        harsh, soft, sd, name = 0.25 + 0.45 * late, 2 - 1.1 * late + 0.02 * rng.random(len(t)), 1.0, "loss"
    elif truth.startswith("format failure"):  # the answer is not found in what small models write
        p = 0.55 + 0.4 * t + lucky / 5
        harsh, soft, sd, name = p**3 * late, 1 - p, 0.4, "token_edit_distance"
        soft, sd = 3 * soft, 3 * sd
    elif truth == "straight line":
        harsh, soft, sd, name = 0.1 + 0.5 * (t + lucky), loss, spread * loss, "loss"
    else:
        harsh, soft, sd, name = np.full(len(t), rng.uniform(0.02, 0.5)), loss, spread * loss, "loss"
    right = rng.binomial(n_items, np.clip(harsh, 0, 1)) / n_items
    error = np.broadcast_to(sd / np.sqrt(n_items), len(t))
    table = {
        "benchmark": truth,
        "family": "planted",
        "model": [f"m{i}" for i in range(len(t))],
        "params": 10 ** (7 + 3 * t),
    }
    table |= {
        "n_items": n_items,
        "exact_match": right,
        name: np.maximum(rng.normal(soft, error), 1e-3),
        f"{name}_se": error,
    }
    return pd.DataFrame(table | {"length": 3})


def said(truth: str, seed: int, sizes: int, n_items: int) -> str:
    """The audit's verdict on a planted truth."""
    table = plant(truth, np.random.default_rng([seed, sizes, n_items, len(truth)]), sizes, n_items)
    soft = "token_edit_distance" if "token_edit_distance" in table else "-loss"
    return audit.audit(table, "exact_match", soft)["verdict"].item()


def count(draws: int) -> pd.DataFrame:
    """How often each verdict was given: a row a truth, number of sizes and items, and verdict."""
    rows = [
        (truth, sizes, n_items, said(truth, seed, sizes, n_items))
        for truth in TRUTHS
        for sizes in SIZES
        for n_items in ITEMS
        for seed in range(draws)
    ]
    table = pd.DataFrame(rows, columns=["truth", "sizes", "n_items", "verdict"])
    return table.value_counts(sort=False).rename("count").reset_index()


if __name__ == "__main__":
    found = count(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
    found.to_csv(OUT, index=False)
    print(found.pivot_table(index="truth", columns="verdict", values="count", aggfunc="sum").fillna(0).to_string())

"""Time metrics on 100,000 items, each beside a plain way to compute the same, in one run: `make bench`.

Each is timed three times and the fastest counts. The plain ways run on a share of the items where they are slow;
their times are scaled up, and both must give the same scores on that share.
"""

import time

import numpy as np
import pandas as pd

from mirage_lib import metrics, theory

ITEMS = 100_000


def edit_distance_by_hand(items: pd.DataFrame) -> pd.Series:
    """Levenshtein distance by dynamic programming, a row at a time."""
    scores = []
    for output, target in zip(items["output"], items["target"], strict=True):
        row = list(range(len(target) + 1))
        for i, a in enumerate(output, 1):
            previous, row[0] = row[0], i
            for j, b in enumerate(target, 1):
                previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
        scores.append(row[-1])
    return pd.Series(scores, index=items.index, dtype=float)


# metric -> (ours, the plain way, on what share of the items the plain way runs)
RIVALS = {
    "token_edit_distance": (metrics.token_edit_distance, edit_distance_by_hand, 0.1),
    "exact_match": (metrics.exact_match, lambda items: items["is_greedy"].apply(lambda hit: float(all(hit))), 1.0),
    "cross_entropy": (metrics.cross_entropy, lambda items: items["logprob"].apply(lambda row: -float(sum(row))), 1.0),
}


def seconds(function, items: pd.DataFrame) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        function(items)
        best = min(best, time.perf_counter() - start)
    return best


def compare(n_items: int) -> pd.DataFrame:
    """Return a table of seconds for n_items, one row a metric; raise if two ways disagree."""
    items = theory.draw_items(0.8, 8, n_items, np.random.default_rng(0))
    rows = []
    for name, (ours, plain, share) in RIVALS.items():
        part = items.iloc[: max(1, int(share * n_items))]
        np.testing.assert_allclose(ours(part), plain(part), atol=1e-9)
        fast, slow = seconds(ours, items), seconds(plain, part) * len(items) / len(part)
        rows.append({"metric": name, "seconds": fast, "plain way": slow, "times faster": slow / fast})
    return pd.DataFrame(rows).set_index("metric")


if __name__ == "__main__":
    print(f"{ITEMS:,} items of 8 tokens; seconds, fastest of three")
    print(compare(ITEMS).to_string(float_format=lambda value: f"{value:.3g}"))

"""Claims of the chapter both-directions."""

import numpy as np
import pandas as pd

from mirage_lib import compare, metrics, scores, theory, vision
from mirage_lib.claims import Finding
from mirage_lib.items import first_tokens

from . import all_of, ladder_answers


def both_directions() -> pd.DataFrame:
    """Every harsh curve of this book's own models, beside what the soft curve and the metric say of it.

    A row a curve: `direction` ("language" or "vision"), `source`, `metric`, `harshness` (L, K or 1/c), the
    measured `place` and `width` of the rise (`compare.rise`) and those of the metric applied to the soft curve,
    `place_expected` and `width_expected`. Curves are means over seeds; a width is in decades of parameters, or of
    hidden units for autoencoders.

    p^L is applied to the accuracy of one token or image, mean over the L. For autoencoders, the share within c is read
    off one distribution of log errors, that of all networks pooled, moved to the mean log error of each.
    """
    rows = []

    def add(direction, source, metric, harshness, measured, expected):
        row = {"direction": direction, "source": source, "metric": metric, "harshness": harshness}
        for suffix, curve in (("", measured), ("_expected", expected)):
            row[f"place{suffix}"], row[f"width{suffix}"] = compare.rise(measured.index, curve)
        rows.append(row)

    sequences = [
        ("language", "text", ladder_answers("ladder-text"), 8),
        ("language", "addition", ladder_answers("ladder"), 4),
    ]
    for data in vision.KEPT["omniglot"]:
        sequences.append(("vision", data.split(",")[0], vision.stored("omniglot", data), vision.LENGTH))
    both = metrics.token_accuracy, metrics.exact_match
    for direction, source, table, longest in sequences:
        for length in range(2, longest + 1):
            part = first_tokens(table, length)
            p, measured = (scores.curve(part, m).set_index("x")["value"] for m in both)
            add(direction, source, f"all of {length}", length, measured, theory.accuracy(p, length))
    p = all_of(1).mean(axis=1)
    for k in (2, 5, 10, 20, 50):
        add("vision", "digits", f"all of {k}", k, all_of(k).mean(axis=1), theory.accuracy(p, k))
    table = vision.stored("autoencoder")
    width = table["width"].astype(float)
    log_error = np.log(table["squared_error"].astype(float))
    mean = log_error.groupby(width).mean()
    spread = np.sort(log_error - width.map(mean))
    for c in (2, 4, 8, 16, 32):
        measured = metrics.reconstruction_within(table, c).groupby(width).mean()
        expected = np.searchsorted(spread, np.log(c) - mean) / len(spread)
        add("vision", "autoencoder", f"error below {c}", 1 / c, measured, expected)
    return pd.DataFrame(rows)


def one_rule_in_both_directions(tolerance: float) -> Finding:
    """Of curves whose metric is p^L: how far place and width are from the metric applied to the soft curve."""
    curves = both_directions().query("source != 'autoencoder'")
    place, width = (np.exp(np.log(curves[f"{c}_expected"] / curves[c]).abs()) for c in ("place", "width"))
    off = np.maximum(place, width)
    share = {side: (off[curves["direction"] == side] < tolerance).mean() for side in ("language", "vision")}
    found = f"within a factor of {tolerance:g}: " + ", ".join(f"{v:.0%} of curves in {k}" for k, v in share.items())
    least = min(share.values())
    return Finding("holds" if least == 1 else "holds in part" if least > 0.5 else "fails", found)

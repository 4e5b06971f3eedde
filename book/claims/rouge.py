"""Claim of the page rouge, and the metric that it is about."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from mirage_lib import stats
from mirage_lib.claims import Finding
from mirage_lib.items import items_table, ragged, validate

from . import holds


def rouge_l_sum(items: pd.DataFrame, newline: int) -> pd.Series:
    """ROUGE-L-sum F1 of the answer, over token ids; the token `newline` ends a line. Needs `output` and `target`.

    Lines are matched by the union of longest common subsequences (Lin 2004), as Google's `rouge_score` does it.

    >>> rouge_l_sum(items_table(output=[[1, 2, 0, 3]], target=[[1, 2, 0, 4]]), newline=0).round(3).tolist()
    [0.667]
    """
    validate(items, "output", "target")
    from rouge_score.rouge_scorer import RougeScorer  # takes half a second to load, and one chapter needs it

    # a word is a token id
    scorer = RougeScorer(["rougeLsum"], tokenizer=SimpleNamespace(tokenize=str.split))
    texts = [
        [
            "".join("\n" if token == newline else f"{token} " for token in tokens)
            for tokens in ragged(items, name).lists()
        ]
        for name in ("target", "output")
    ]
    score = [scorer.score(target, output)["rougeLsum"].fmeasure for target, output in zip(*texts, strict=True)]
    return pd.Series(score, items.index, float, "rouge_l_sum")


def rouge_falls_sharply(tolerance: float) -> Finding:
    """Fall of ROUGE-L-sum from 5 % to 10 % errors a token: 40 texts of ten lines of nine words, newlines err too."""
    rng = np.random.default_rng(9)
    target = rng.integers(1, 1000, (40, 100))
    target[:, 9::10] = 0  # the newline
    wrong = rng.integers(1, 999, target.shape)
    wrong += (wrong >= target) & (target != 0)
    luck = rng.random(target.shape)
    few, many = (
        rouge_l_sum(items_table(output=np.where(luck < error, wrong, target), target=target), newline=0)
        for error in (0.05, 0.1)
    )
    fall = stats.mean_interval(few - many, bounded=False)
    return holds(
        fall.low > tolerance, f"it falls by {fall.value:.3f} (95 % interval {fall.low:.3f} to {fall.high:.3f})"
    )

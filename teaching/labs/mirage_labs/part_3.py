"""Checks for the exercises of Parts III and IV, vision and what follows, each named like its exercise."""

from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import binom

from mirage_lib import claims, families, published, stats
from mirage_lib.claims.rises import rise

from . import Check, Exercise, each


def _auto():
    return claims.deciders("autoencoders")


@cache
def _fewer() -> np.ndarray:
    """The tallest sharp rise, in percent, without each photograph in turn."""
    curves = np.moveaxis([_auto().within(c, 1 - np.eye(7)) for c in 10 ** np.linspace(-0.5, 2, 41)], 1, 0)
    return np.array([100 * _auto().tallest(each)[0] for each in curves])


@cache
def _fool(odd: bool = True) -> list[float]:
    """c of the sharpest rise on half of the photographs; its width there, in percent, and on the other half."""
    table, photograph = _auto().errors()
    errors = table.to_numpy()
    half, found = (photograph % 2 == 1) == odd, []
    for c in 10 ** np.linspace(-0.5, 2, 41):
        chosen, other = ((errors[:, part] < c).mean(1) for part in (half, ~half))
        if chosen[0] < 1 / 3 < chosen[-1]:
            widths = [100 * rise(_auto().WIDTHS, curve).width for curve in (chosen, other)]
            found.append([widths[0], c, widths[1]])
    width, c, other = min(found)
    return [c, width, other]


def _smallest() -> float:
    decide = claims.deciders("sequences-of-characters")
    return float(decide.hits(decide.DATA[0])[1].mean((2, 3))[0, 0])


def _best() -> float:
    decide = claims.deciders("digits-all-or-nothing")
    _, right = decide.hits()
    return float(decide.chance(right.sum(2), right.shape[2], 1).max())


@cache
def _text(length: int) -> np.ndarray:
    """Soft and harsh scores of the text ladder as the chapter draws them, smallest model first."""
    return np.array([curve[0] for curve in claims.deciders("both-directions").curves("text", length)[1:]])


@cache
def _audit(least: int | None) -> pd.Series:
    """The audit of the logs' answers, of their first questions."""
    import tarfile
    import tempfile
    from pathlib import Path

    from mirage_lib import audit, logs

    with tempfile.TemporaryDirectory() as folder, tarfile.open(published.DATA / "audit_logs.tar.xz") as archive:
        archive.extractall(folder, filter="data")
        sizes = families.members("ladder-text").set_index("model")["params"].to_dict()
        table = logs.read(Path(folder) / "logs", sizes=sizes)
    return audit.audit(table[table["item"] < (least or np.inf)]).iloc[0]


PS, ERRORS = (0.3, 0.6, 0.9), ((0.08, 0.02), (8e-6, 2e-6))


CHECKS = {
    "autoencoders-read": Check(
        lambda: [[low, _auto().within(10)[-1]] for low in (_auto().within(10)[0], 0, 0.01)],
        lambda: {
            "That is at another threshold: c = 10.": _auto().within(32)[[0, -1]],
            "That is c = 2: read at 10.": _auto().within(2)[[0, -1]],
            "That is the share above: read below the threshold.": 1 - _auto().within(10)[[0, -1]],
            "The two are in the other order: first one unit.": _auto().within(10)[[-1, 0]],
        },
        "One picture holds the curve of every threshold.",
        (0.6, 0.06),
    ),
    "autoencoders-fewer": Exercise(
        lambda: [[_fewer().min(), _fewer().max()]],
        lambda: {
            "That is a share: of how many pictures in a hundred?": [_fewer().min() / 100, _fewer().max() / 100],
            "The two are in the other order: first the lowest.": [_fewer().max(), _fewer().min()],
            "That is the mean of the seven.": _fewer().mean(),
            "That is the median of the seven.": np.median(_fewer()),
        },
        "If one photograph of seven turns a verdict over, there was none.",
        0.03,
    ),
    "autoencoders-fool": Exercise(
        lambda: [_fool()],
        lambda: {
            "That is chosen on the even photographs: choose on the odd ones.": _fool(odd=False),
            "That is the power of ten: give c.": {0: np.log10(_fool()[0])},
            "That is a share: give percent of the window.": {1: _fool()[1] / 100, 2: _fool()[2] / 100},
            "The two widths are in the other order: first where c was chosen.": {1: _fool()[2], 2: _fool()[1]},
        },
        "On other photographs the rise is another.",
        0.03,
    ),
    "omniglot-kinds": Check(
        lambda: [[1 / 2, 1 / 32, 1 / 2]],
        lambda: {
            "Chances that must all come true multiply; you have divided by five.": {1: 1 / 10},
            "One drawing decides about all five: they are one character.": {2: 1 / 32},
            "That is how often at least one is right.": {1: 31 / 32},
            "That is two images; five are asked.": {1: 1 / 4},
        },
        "With one character the harsh score is the soft one.",
    ),
    "omniglot-many": Exercise(
        lambda: [stats.items_needed(_smallest() ** 5)],
        lambda: {
            "That is for one image; a sequence has five.": stats.items_needed(_smallest()),
            "With as many a third of the tests show none: ask for one in twenty.": 1 / _smallest() ** 5,
            "That divides by five. Chances that must all come true multiply.": stats.items_needed(_smallest() / 5),
            "That is four images; a sequence has five.": stats.items_needed(_smallest() ** 4),
        },
        "Not absent: below the resolution.",
        0.005,
    ),
    "omniglot-four": Check(
        lambda: [each(lambda p: p**5 + 5 * p**4 * (1 - p), PS)],
        lambda: {
            "That is the first four right. The wrong one may stand at any of five places.": each(lambda p: p**4, PS),
            "That is exactly four: all five right counts, too.": each(lambda p: 5 * p**4 * (1 - p), PS),
            "You have multiplied by four fifths; all five must be right, or all but one.": each(
                lambda p: 4 / 5 * p, PS
            ),
            "That is all five.": each(lambda p: p**5, PS),
        },
        "A little forgiveness brings the curve back a good part of its way.",
        at=tuple((p,) for p in PS),
    ),
    "lenet-half": Exercise(
        lambda: [np.log(2) / -np.log(0.99), 69],
        lambda: {
            "That adds the errors up. Chances that must all come true multiply.": 0.5 / 0.01,
            "That is where 37 % are left: one error on average.": 1 / 0.01,
            "That is with a logarithm to base ten below, and a natural one above.": np.log(2) / -np.log10(0.99),
        },
        "About 0.69 over the error.",
        0.02,
    ),
    "lenet-cheque": Check(
        lambda: [[_best() ** 5, _best() ** 16, 0.99 ** (1 / 16)]],
        lambda: {
            "That is one digit.": _best(),
            "Chances that must all come true multiply; you have divided.": [_best() / 5, _best() / 16, 0.99 / 16],
            "That adds the errors up. Chances that must all come true multiply.": {1: 1 - 16 * (1 - _best())},
            "That is the 16th power: how good must one digit be?": {2: 0.99**16},
            "That is the error a digit may have.": {2: 1 - 0.99 ** (1 / 16)},
        },
        "To a bank the harsh score is the one that counts.",
        (0.01, 0.01, 0.0002),
    ),
    "lenet-emerge": Exercise(
        lambda: [each(lambda a, b: np.log(a / b) / (a - b), ERRORS)],
        lambda: {
            "That is one over the larger error.": each(lambda a, b: 1 / a, ERRORS),
            "That is one over the difference of the errors.": each(lambda a, b: 1 / (a - b), ERRORS),
            "That logarithm is to base ten.": each(lambda a, b: np.log10(a / b) / (a - b), ERRORS),
            "That is where the worse network fails half of the time.": each(lambda a, b: np.log(2) / a, ERRORS),
        },
        "The gap there depends on the ratio of the errors alone.",
        0.03,
        at=ERRORS,
    ),
    "directions-stretch": Check(
        lambda: [_text(8)[1].max()],
        lambda: {
            "Stretched to its own height every curve ends at 1: what is its score?": 1.0,
            "That is the soft score of the same models.": _text(8)[0].max(),
            "That is the smallest model.": _text(8)[1][0],
            "That is how often it fails.": 1 - _text(8)[1].max(),
        },
        "The axis has to say where it ends.",
    ),
    "inverse": Check(
        lambda: [[0.002 ** (1 / 5), 0.33 ** (1 / 5)]],
        lambda: {
            "Chances multiply: take the fifth root, do not divide.": [0.002 / 5, 0.33 / 5],
            "That is the fifth power: p to the fifth is given.": [0.002**5, 0.33**5],
            "That is for at least one of five right: all five are.": [1 - (1 - a) ** (1 / 5) for a in (0.002, 0.33)],
            "Chances do not multiply by five.": {0: 5 * 0.002},
        },
        "They are the same models.",
        0.03,
    ),
    "directions-metric": Check(
        lambda: [each(lambda p: binom.cdf(2, 20, 1 - p), PS)],
        lambda: {
            "That is all twenty.": each(lambda p: p**20, PS),
            "That is exactly two wrong: none and one count, too.": each(lambda p: binom.pmf(2, 20, 1 - p), PS),
            "That is fewer than two wrong: two are accepted.": each(lambda p: binom.cdf(1, 20, 1 - p), PS),
            "That is at most two right.": each(lambda p: binom.cdf(2, 20, p), PS),
            "The two may stand anywhere: that is eighteen of eighteen.": each(lambda p: p**18, PS),
        },
        "Steep at a lower p than all of twenty.",
        at=tuple((p,) for p in PS),
    ),
    "audit-items": Exercise(
        lambda: [_audit(30)["items_needed"]],
        lambda: {
            "That is how many there are: how many does the audit ask for?": 30,
            "That is how many all questions of the logs are: keep the first 30.": _audit(None)["n_items"],
            "That is the power.": _audit(30)["power"],
        },
        "Too small a test set: so it says, and not that nothing jumps.",
        0.02,
    ),
    "jury-seeds": Check(
        lambda: [each(lambda q: 0.9 * q, PS)],
        lambda: {
            "That is the share of seeds with the skill; they are right nine times in ten.": PS,
            "That is one seed that has it. The mean is over those that have and those that have not.": 0.9,
            "That is the share without the skill.": each(lambda q: 0.9 * (1 - q), PS),
            "That adds the two.": each(lambda q: 0.9 + q, PS),
        },
        "Smooth as q, and no single model does that.",
        at=tuple((q,) for q in PS),
    ),
}

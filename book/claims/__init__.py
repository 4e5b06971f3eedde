"""Claims: what the paper says, and what this book says beyond it, each decided by a computation.

The file claims.toml states each claim with the verdict this book prints. Beside it a module a chapter has one function
a claim: it computes what decides the claim, from published data, kept answers or draws of the toy model, and returns
the verdict that follows within the claim's tolerance. `check` compares the two, so a verdict that no longer follows
fails the tests and the book. Other modules here are what several chapters share. All are `mirage_lib.claims`.
"""

import importlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pandas as pd

FILE = Path(__file__).with_name("claims.toml")
VERDICTS = ("holds", "holds in part", "fails", "not testable here")
FIELDS = ("id", "figure", "statement", "chapter", "tolerance", "verdict", "why")


class Finding(NamedTuple):
    """What a computation found: the verdict that follows from it, and the numbers in words."""

    verdict: str
    found: str


def holds(condition: bool, found: str) -> Finding:
    return Finding("holds" if condition else "fails", found)


class ClaimChanged(AssertionError):
    """A recomputed verdict is not the one that claims.toml states."""


def load(file: Path = FILE) -> pd.DataFrame:
    """Read the claims, one row each: id, figure, statement, chapter, tolerance, verdict, why.

    Raises ValueError for a claim with a field missing or unknown, a verdict that is none, or an id used twice.

    >>> load().loc[0, ["id", "verdict"]].tolist()
    ['score-needs-null', 'holds']
    """
    rows = tomllib.loads(file.read_text())["claim"]
    for row in rows:
        if set(row) != set(FIELDS):
            raise ValueError(f"claim {row.get('id')!r} has the fields {sorted(row)}, not {sorted(FIELDS)}")
        if row["verdict"] not in VERDICTS:
            raise ValueError(f"claim {row['id']!r}: the verdict {row['verdict']!r} is none of {VERDICTS}")
    claims = pd.DataFrame(rows, columns=list(FIELDS))
    if claims["id"].duplicated().any():
        raise ValueError(f"two claims have the id {claims['id'][claims['id'].duplicated()].iloc[0]!r}")
    return claims


def deciders(chapter: str) -> ModuleType:
    """Return the module here that decides the claims of a chapter, named by its slug.

    >>> deciders("rises").steepest_step([0, 0.25, 0.25, 1])
    0.75
    """
    try:
        return importlib.import_module(f"{__name__}.{chapter.replace('-', '_')}")
    except ModuleNotFoundError as error:
        raise ValueError(f"no file beside {FILE} decides the claims of the chapter {chapter!r}: {error}") from None


def decider(claim: str, chapter: str) -> Callable[[float], Finding]:
    """Return the function that decides a claim, given its tolerance; ValueError if there is none."""
    function = getattr(deciders(chapter), claim.replace("-", "_"), None)
    if function is None:
        raise ValueError(f"no function {claim.replace('-', '_')} decides the claim {claim!r} of {chapter!r}")
    return function


def check(file: Path = FILE) -> pd.DataFrame:
    """Recompute every claim; the table of `load` with a column `found`. Raises ClaimChanged where a verdict differs."""
    claims = load(file)
    findings = [decider(row.id, row.chapter)(row.tolerance) for row in claims.itertuples()]
    changed = [
        f"{row.id}: claims.toml says {row.verdict!r}, recomputed {finding.verdict!r} ({finding.found})"
        for row, finding in zip(claims.itertuples(), findings, strict=True)
        if row.verdict != finding.verdict
    ]
    if changed:
        raise ClaimChanged("a verdict changed; find out why, then correct claims.toml:\n" + "\n".join(changed))
    return claims.assign(found=[finding.found for finding in findings])


def settled(chapter: str) -> "pd.io.formats.style.Styler":
    """The claims of one chapter with their verdicts, to show at its end.

    >>> "exp(-CE)" in settled("accuracy-is-exp-minus-ce").to_html()
    True
    """
    claims = load().query("chapter == @chapter")[["statement", "figure", "verdict", "why"]]
    return claims.rename(columns=str.capitalize).style.hide().set_table_attributes('class="claims"')

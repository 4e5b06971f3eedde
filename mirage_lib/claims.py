"""Claims: what the paper says, and what this book says beyond it, each decided by a computation.

`book/claims/claims.toml` states each claim with the verdict this book prints. Beside it a module a chapter has one
function a claim: it computes what decides the claim, from published data, kept answers or draws of the toy model, and
returns the verdict that follows within the claim's tolerance. `check` compares the two, so a verdict that no longer
follows fails the tests and the book.
"""

import html
import importlib.util
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pandas as pd

FOLDER = Path(__file__).parent.parent / "book" / "claims"
if not FOLDER.exists():  # installed by pip, as on Colab
    FOLDER = Path(__file__).parent / "book_claims"
FILE = FOLDER / "claims.toml"
VERDICTS = ("holds", "holds in part", "fails", "not testable here")
FIELDS = ("id", "figure", "statement", "chapter", "tolerance", "verdict", "why")
# what of the paper is judged
PLACES = (*(f"figure {n}" for n in range(2, 11)), *(f"prediction {n}" for n in range(1, 4)))


class Finding(NamedTuple):
    """What a computation found: the verdict that follows from it, and the numbers in words."""

    verdict: str
    found: str


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
    """Return the module of book/claims that decides the claims of a chapter, named by its slug.

    >>> deciders("both-directions").both_directions().columns[0]
    'direction'
    """
    if "book_claims" not in sys.modules:
        spec = importlib.util.spec_from_file_location("book_claims", FOLDER / "__init__.py")
        sys.modules["book_claims"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["book_claims"])
    try:
        return importlib.import_module(f"book_claims.{chapter.replace('-', '_')}")
    except ModuleNotFoundError as error:
        raise ValueError(f"no file of {FOLDER} decides the claims of the chapter {chapter!r}: {error}") from None


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


def places(figure: str) -> list[str]:
    """Return which of PLACES a claim's field `figure` names; none for a claim of this book's own.

    Raises ValueError for a claim of the paper that names none.

    >>> places("2C, 2E; prediction 1"), places("3 and prediction 3 (text)"), places("ours (3, top)")
    (['figure 2', 'prediction 1'], ['figure 3', 'prediction 3'], [])
    """
    if figure.startswith("ours"):
        return []
    named = re.findall(r"(prediction )?\b(\d+)", re.sub(r"\(.*?\)", "", figure))
    found = dict.fromkeys(f"{kind or 'figure '}{number}" for kind, number in named)
    if not found or set(found) - set(PLACES):
        raise ValueError(f"{figure!r} names no figure and no prediction of the paper")
    return list(found)


def tally(claims: pd.DataFrame) -> str:
    """Say as HTML how many claims have which verdict.

    >>> import re
    >>> re.sub("<.*?>", "", tally(pd.DataFrame({"verdict": ["holds", "fails", "holds"]})))
    '2 holds 1 fails'
    """
    counts = claims["verdict"].value_counts()
    told = [f"<span>{counts[v]} {_word(v)}</span>" for v in VERDICTS if v in counts]
    return f'<p class="tally">{" ".join(told)}</p>'


def cards(claims: pd.DataFrame, unfold: int = 0) -> str:
    """Return claims of the table of `check` as a list of cards, HTML; the reasons of the first `unfold` are open.

    A column `about` says what each is about, after its verdict. In the book its chapter is linked (mirage_book.py).
    """
    shown = []
    for number, row in enumerate(claims.to_dict("records")):
        text = {name: html.escape(str(value)) for name, value in row.items()}
        link = f'<a data-chapter="{text["chapter"]}">{text["chapter"].replace("-", " ")}</a>'
        shown.append(
            f'<li class="claim" data-verdict="{text["verdict"]}" data-chapter="{text["chapter"]}">'
            f'<p>{_word(text["verdict"])} <span class="about">{text["about"]}</span></p>'
            f'<p class="statement">{text["statement"]}</p>'
            f'<p class="found">{text["found"][:1].upper()}{text["found"][1:]}.</p>'
            f"<details{' open' * (number < unfold)}><summary>Why</summary><p>{text['why']}</p></details>"
            f'<p class="chapter">{link}</p></li>'
        )
    return f'<ul class="claims">{"".join(shown)}</ul>'


def menus(claims: pd.DataFrame, *by: str) -> str:
    """Return menus, HTML, with which mirage.js shows a part of a page's claims, by "verdict" or "chapter"."""
    shown = []
    for name in by:
        counts = claims[name].value_counts()
        values = [v for v in VERDICTS if v in counts] if name == "verdict" else claims[name].unique()
        choices = "".join(f'<option value="{v}">{v.replace("-", " ")} ({counts[v]})</option>' for v in values)
        choices = f'<option value="">all ({len(claims)})</option>{choices}'
        shown.append(f'<label>{name.capitalize()} <select name="{name}">{choices}</select></label>')
    return f'<form class="claim-menus" hidden>{" ".join(shown)} <output></output></form>'


def _word(verdict: str) -> str:
    """A verdict; mirage.css draws its mark."""
    return f'<b class="verdict" data-verdict="{verdict}">{verdict}</b>'

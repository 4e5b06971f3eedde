"""Claims as the pages `claims` and `paper` show them: where in the paper they stand, tallies, cards, menus."""

import html
import re

import pandas as pd

from mirage_lib.claims import VERDICTS

PLACES = (*(f"figure {n}" for n in range(2, 11)), *(f"prediction {n}" for n in range(1, 4)))


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

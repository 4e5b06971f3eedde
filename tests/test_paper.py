"""The page on the paper has all of its figures and predictions, and the page of claims has every claim."""

import html
import re
from types import SimpleNamespace

import mirage_book
import pytest
import sample_book
from docutils import nodes
from docutils.utils import new_document

from mirage_lib import claims

BOOK = sample_book.ROOT / "book"
PAPER = (BOOK / "paper.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+ \d+): (.*?)(?=^## |\Z)", PAPER, re.MULTILINE | re.DOTALL))
CARDS = claims.deciders("cards")
CLAIMS = claims.load().assign(found="1.23 (95 % interval < 4)")
FIGURE = (
    '<?xml version="1.0"?><svg id="patch"><metadata>matplotlib</metadata><path id="line" style="fill: #222222"/></svg>'
)


def lacking(sections: dict, built: set) -> list[str]:
    """Say what of the paper a page does not show: no section, no claim, no verdicts, no figure that a chapter makes."""
    found = []
    for place in CARDS.PLACES:
        text = sections.get(place.capitalize(), "")
        figure = re.search(r'<a data-figure="([\w-]+)"></a>', text)
        glued = f"```{{glue:any}} {place.replace(' ', '_')}\n:doc: claims.md\n"
        if "**The claim.**" not in text or glued not in text or not figure or figure[1] not in built:
            found.append(place)
    return found


def made() -> set[str]:
    """The names of the figures that the pages' cells make."""
    text = "\n".join(page.read_text() for page in BOOK.rglob("*.md"))
    return set(re.findall(r"name: (fig-[\w-]+)", text))


def test_every_figure_and_prediction_is_on_the_page():
    assert lacking(SECTIONS, made()) == []
    assert [title.lower() for title in SECTIONS] == list(CARDS.PLACES)


def test_one_that_is_missing_is_noticed():
    less = {title: text for title, text in SECTIONS.items() if title != "Figure 6"}
    assert lacking(less, made()) == ["figure 6"]
    shown = re.search(r'data-figure="([\w-]+)"', SECTIONS["Prediction 3"])[1]
    assert "prediction 3" in lacking(SECTIONS, made() - {shown})


def render(table, monkeypatch) -> tuple[str, dict[str, str]]:
    """Run the code of the page of claims on a table; return what it shows, and what it keeps for the other page."""
    shown, kept = [], {}
    monkeypatch.setattr(claims, "check", lambda: table)
    monkeypatch.setattr("mirage_lib.figures.glue", kept.__setitem__)
    monkeypatch.setattr("IPython.display.HTML", lambda text: shown.append(text) or text)
    exec(mirage_book.code_of((BOOK / "claims.md").read_text()), {})
    kept = {name: value for name, value in kept.items() if name in GLUED}
    return "".join(text for text in shown if text not in kept.values()), kept


GLUED = [place.replace(" ", "_") for place in CARDS.PLACES]


def absent(page: str, table) -> list[str]:
    """The claims of which a page has no card, with verdict, statement, what was found and why."""
    cards = re.findall(r'<li class="claim".*?</li>', page, re.DOTALL)
    told = [("verdict", "statement", "found", "why")] * len(table)
    rows = zip(table.to_dict("records"), told, strict=True)
    return [row["id"] for row, names in rows if not any(all(html.escape(row[n]) in c for n in names) for c in cards)]


def test_every_claim_is_on_its_page(monkeypatch):
    page, kept = render(CLAIMS, monkeypatch)
    assert page.count('<li class="claim"') == len(CLAIMS)
    assert absent(page, CLAIMS) == []
    for place, name in zip(CARDS.PLACES, GLUED, strict=True):
        mine = CLAIMS[[place in CARDS.places(figure) for figure in CLAIMS["figure"]]]
        assert len(mine) > 0
        assert kept[name].count('<li class="claim"') == len(mine)
        assert absent(kept[name], mine) == []


def test_a_claim_that_is_missing_is_noticed(monkeypatch):
    page, _ = render(CLAIMS.drop(index=3), monkeypatch)
    assert absent(page, CLAIMS) == [CLAIMS["id"][3]]


@pytest.mark.parametrize("figure", ["12", "2G to", "", "prediction 4"])
def test_a_claim_about_nothing_in_the_paper_is_refused(figure):
    if figure == "2G to":
        assert CARDS.places(figure) == ["figure 2"]
    else:
        with pytest.raises(ValueError, match="names no figure"):
            CARDS.places(figure)


@pytest.fixture
def app(tmp_path):
    """A book of one chapter, which draws one figure, as far as `show_again` looks at it."""
    (tmp_path / "drawn.svg").write_text(FIGURE)
    chapter = new_document("chapter")
    image = nodes.image(uri="drawn.svg", alt="A line\nthat rises")
    chapter += nodes.figure("", image, ids=["fig-line"])
    std = SimpleNamespace(anonlabels={"fig-line": ("book/part/one", "fig-line")})
    env = SimpleNamespace(
        get_domain=lambda name: std,
        get_doctree=lambda page: chapter,
        found_docs=["book/part/one"],
        titles={"book/part/one": nodes.title("", "Lines & curves")},
        toc_secnumbers={"book/part/one": {"": (7,)}},
    )
    builder = SimpleNamespace(get_relative_uri=lambda page, other: f"{other}.html")
    return SimpleNamespace(env=env, srcdir=tmp_path, builder=builder)


def test_a_figure_of_a_chapter_is_shown_again(app):
    body = mirage_book.show_again(app, "book/paper", '<p><a data-figure="fig-line"></a></p>')
    assert body.startswith('<p><a class="shown-figure" href="book/part/one.html#fig-line"><svg role="img"')
    assert 'aria-label="A line that rises"' in body
    assert "var(--figure-ink)" in body
    body = mirage_book.show_again(app, "book/paper", '<a data-chapter="one">words</a>')
    assert body == '<a class="shown-chapter" href="book/part/one.html">7. Lines &amp; curves</a>'


@pytest.mark.parametrize("what", ['<a data-figure="fig-gone"></a>', '<a data-chapter="gone">words</a>'])
def test_what_no_chapter_has_is_told(app, what, monkeypatch):
    told = []
    monkeypatch.setattr(mirage_book.log, "warning", lambda *words, **_: told.append(words))
    assert mirage_book.show_again(app, "book/paper", what) == what
    assert len(told) == 1

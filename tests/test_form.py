"""The form of a chapter: what a reader can take in at one sitting, and what stands where."""

import re
from collections import Counter

import jupytext
import notebooks
import pytest
import sample_book

ROOT = sample_book.ROOT
CHAPTERS = notebooks.chapters(ROOT)
PAGES = [ROOT / "book" / f"{name}.md" for name in ("index", "paper", "claims", "slips", "rouge", "reproducibility")]
WORDS_A_MINUTE, MINUTES_A_FIGURE = 140, 0.5
EXERCISES = re.compile(r"^(:{3,})\{(?:exercise|solution)\}.*?^\1\s*$", re.S | re.M)


def cells(text: str, kind: str) -> list:
    """The cells of a page, "code" or "markdown"."""
    return [cell for cell in jupytext.reads(text, fmt="md:myst").cells if cell.cell_type == kind]


def captions(text: str) -> list[str]:
    """The captions of a page's figures, explorables among them."""
    shown = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in cells(text, "code")]
    return [figure["caption"] for figure in shown if "caption" in figure]


def words(text: str) -> int:
    """Words that are read: no code, no equations, no marks; a computed number is one word."""
    text = "\n".join([*(cell.source for cell in cells(text, "markdown")), *captions(text)])
    text = re.sub(r"^(`{3,}).*?^\1\s*$", "", text, flags=re.S | re.M)
    text = re.sub(r"^\$\$.*?\$\$[^\n]*$", "", text, flags=re.S | re.M)
    text = re.sub(r"\$[^$\n]+\$|\{(?:glue:text|eq|cite:[pt])\}`[^`]*`", "1", text)
    text = re.sub(r"^:[\w-]+:.*$|^:{3,}.*$|^\(.*\)=$|^\|[-| :]+\|$", "", text, flags=re.M)
    return len(re.findall(r"[^\s|]*\w[^\s|]*", text))


def minutes(text: str) -> float:
    """Minutes that a chapter takes to read, its exercises apart."""
    return words(EXERCISES.sub("", text)) / WORDS_A_MINUTE + MINUTES_A_FIGURE * len(captions(text))


def problems(text: str) -> list[str]:
    """What a chapter has too much of, or lacks."""
    found = []
    body = EXERCISES.sub("", text)
    numbers = re.findall(r"\{glue:text\}`([^:`]+)", body)
    for what, count, most in (
        ("words", words(body), 2000),
        ("figures", len(captions(text)), 5),
        ("computed numbers", len(set(numbers)), 40),
    ):
        if count > most:
            found.append(f"{count} {what}, {most} at most")
    found += [f"{name} is told {n} times" for name, n in Counter(numbers).items() if n > 2]
    code = [(set(cell.metadata.get("tags", ())), cell.source) for cell in cells(text, "code")]
    for tags, source in code:
        if "glue(" in source and not {"hide-input", "hide-cell", "remove-cell", "remove-input"} & tags:
            found.append(f"bookkeeping is shown: {re.search(r'.*glue[(].*', source)[0].strip()}")
    # a fold bar a figure; and for what ran, the claims, the explorable and one table
    bars = sum(bool({"hide-input", "hide-cell", "hide-output"} & tags) for tags, _ in code)
    if bars > (most := len(captions(text)) + 4):
        found.append(f"{bars} fold bars, {most} at most: one a figure and four")
    about = re.search(r"\*\*Time\*\* about (\d+) minutes? to read", text)
    if not about or int(about[1]) != round(minutes(text)):
        found.append(f"**Time** about {round(minutes(text))} minutes to read: that is what its words and figures take")
    found += [f"no section {title!r}" for title in ("Summary", "Exercises") if f"\n## {title}\n" not in text]
    for exercise in re.findall(r"^:::\{exercise\}.*?^:::\s*$", text, re.S | re.M):
        name = exercise.splitlines()[0].removeprefix(":::{exercise}").strip()
        if not re.search(r"\*\d+ minutes, (easy|medium|hard)\.\*", exercise):
            found.append(f"exercise {name!r} does not say its minutes and level")
        if "Hint" not in exercise:
            found.append(f"exercise {name!r} has no hint")
    return found


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_form_of_a_chapter(chapter):
    assert "\n".join(problems(chapter.read_text())) == ""


def test_faults_of_form_are_told():
    head = "# A\n\n- **Time** about {} minutes to read.\n\n"
    tail = "\n\n## Summary\n\n## Exercises\n"
    sound = head.format(1) + "word " * 100 + tail
    assert problems(sound) == []
    assert problems(sound.replace("about 1", "about 3")) == [
        "**Time** about 1 minutes to read: that is what its words and figures take"
    ]
    assert "2009 words, 2000 at most" in problems(head.format(14) + "word " * 2000 + tail)
    assert "no section 'Summary'" in problems(sound.replace("## Summary", ""))
    shown = '```{code-cell} ipython3\nglue("a", 1)\n```\n'
    assert problems(sound + shown) == ['bookkeeping is shown: glue("a", 1)']
    folded = "```{code-cell} ipython3\n:tags: [hide-input]\n\n1\n```\n"
    assert problems(sound + 5 * folded) == ["5 fold bars, 4 at most: one a figure and four"]
    assert problems(sound + ":::{exercise} One\nDo it.\n:::\n") == [
        "exercise 'One' does not say its minutes and level",
        "exercise 'One' has no hint",
    ]
    assert problems(sound + "{glue:text}`a` " * 3)[0] == "a is told 3 times"


def test_the_book_is_short():
    """32,000 words, with appendices and without exercises; 90 minutes for Part I."""
    texts = {path: path.read_text() for path in [*CHAPTERS, *PAGES]}
    assert sum(words(EXERCISES.sub("", text)) for text in texts.values()) <= 32_000
    assert sum(minutes(text) for path, text in texts.items() if path.parent.name == "derivation") <= 90


def test_what_is_cited_is_in_the_bibliography_and_the_other_way_round():
    text = "".join(path.read_text() for path in (ROOT / "book").rglob("*.md"))
    cited = {key.strip() for keys in re.findall(r"\{cite:\w+\}`([^`]+)`", text) for key in keys.split(",")}
    entries = set(re.findall(r"^@\w+\{(\S+),", (ROOT / "book" / "references.bib").read_text(), re.M))
    assert cited == entries


def test_every_term_of_the_glossary_is_used():
    glossary = (ROOT / "book" / "glossary.md").read_text()
    block = re.search(r"^```\{glossary\}$(.*?)^```$", glossary, re.S | re.M)[1]
    terms = {line.strip().lower() for line in re.findall(r"^\S.*$", block, re.M)}
    pages = " ".join(path.read_text() for path in (ROOT / "book").rglob("*.md") if path.stem != "glossary")
    text = " ".join(pages.lower().split())
    assert [term for term in sorted(terms) if term not in text] == []

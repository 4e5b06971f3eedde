"""Build the course from teaching/: pages, slides, quizzes and labs, their numbers computed, their figures drawn.

    python tools/teaching.py slides [student]   into _build/teaching, or the students' part into _build/student/_build
    python tools/teaching.py labs               write the labs' .ipynb and the table of teaching/README.md
    python tools/teaching.py check              fail when one of these no longer matches
    python tools/teaching.py pdf [student]      the whole book, built before, as one PDF
    python tools/teaching.py offline [student]  a zip of the book, built before, and the students' part of the course

What only a lecturer is to see is in LECTURERS and in the notes of the slides; the students' part has neither.
"""

import base64
import html
import importlib.util
import os
import re
import shutil
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path

import notebooks

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ("lesson-1", "lesson-2", "lesson-3")
LECTURERS = ("README.md", "lesson-1.md", "lesson-2.md", "lesson-3.md", "instructor")  # of teaching/
FIELD = re.compile(r"\{\{\s*([\w-]+)(?::([^{}]+))?\s*\}\}")
CHAPTER = re.compile(r"\[\[([\w-]+)\]\]")
NOTE = re.compile(r"^Note:\s*\n", re.MULTILINE)
FIGURE = re.compile(r"!\[([^\]]*)\]\(figure:([\w-]+)\)")
PATIENCE = 1200  # seconds until a page that is never drawn is given up: machines may be slow


class TeachingError(Exception):
    """Something of the course cannot be built; the message names the file."""


# ---- numbers, figures, chapters


@cache
def module(name: str):
    """computed.py or drawings.py of teaching/, which is no package."""
    if str(ROOT / "teaching") not in sys.path:
        sys.path.insert(0, str(ROOT / "teaching"))
    spec = importlib.util.spec_from_file_location(name, ROOT / "teaching" / f"{name}.py")
    found = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@cache
def numbers() -> dict:
    return module("computed").numbers()


@cache
def drawn(name: str) -> str:
    """A figure as SVG, the same every time."""
    import matplotlib

    from mirage_lib import report

    matplotlib.use("agg")
    drawings = module("drawings")
    if name not in drawings.FIGURES:
        raise TeachingError(f"teaching/drawings.py draws no figure {name!r}")
    drawings.use_style()
    return re.sub(r"<metadata>.*?</metadata>", "", report.svg(drawings.FIGURES[name](), f"{name}-"), flags=re.DOTALL)


def chapter_links(text: str, up: str) -> str:
    """[[slug]] as a link to that chapter's page of the built book, with its number and title."""
    if not CHAPTER.search(text):  # to read which chapters there are takes long
        return text
    slugs = {file.stem: (number, file) for number, file in enumerate(notebooks.chapters(ROOT), 1)}

    def link(match: re.Match) -> str:
        if match[1] not in slugs:
            raise TeachingError(f"_toc.yml has no chapter {match[1]!r}")
        number, file = slugs[match[1]]
        return f"[{number}. {notebooks.title(file.read_text())}]({up}html/{notebooks.page_of(file, ROOT)}.html)"

    return CHAPTER.sub(link, text)


def filled(text: str, up: str = "../") -> str:
    """Text with its numbers and chapters filled in; `up` leads to the folder in which the book's html/ is."""

    def value(match: re.Match) -> str:
        name, form = match[1], (match[2] or "").strip()
        if name not in numbers():
            raise TeachingError(f"teaching/computed.py computes no number {name!r}")
        shown = format(numbers()[name], form)
        return shown.replace("-", "−").replace("%", " %")

    return chapter_links(FIELD.sub(value, text), up)


# ---- pages


def rendered(text: str) -> str:
    """Markdown as HTML; links between its files lead to the pages made of them."""
    from markdown_it import MarkdownIt

    text = re.sub(r"\]\((?!\w+:)(labs/[\w-]+)\.md\)", r"](\1.ipynb)", text)
    text = re.sub(r"\]\((?!\w+:)([\w./-]*)README\.md\)", r"](\1index.html)", text)
    text = re.sub(r"\]\((?!\w+:)([\w./-]+)\.(?:md|toml)(#[\w/-]*)?\)", r"](\1.html\2)", text)
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    # a table as wide as it is scrolls by itself on a phone
    return page.replace("<table>", '<div class="scrolls" tabindex="0"><table>').replace("</table>", "</table></div>")


CSS = """
:root { color-scheme: light; --ink: #222; --grey: #595959; --blue: #005a8e; --orange: #a84300; --pale: #f2f5f7 }
* { box-sizing: border-box }
body { font: 17px/1.5 system-ui, "Source Sans 3", "DejaVu Sans", sans-serif; color: var(--ink); background: #fff;
  max-width: 52rem; margin: 0 auto; padding: 1rem 1.2rem 4rem }
a { color: var(--blue) } h1, h2, h3 { line-height: 1.2 } h2 { margin-top: 2em }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .4em .6em;
  border-bottom: 1px solid #ccc } .scrolls { overflow-x: auto }
pre { background: var(--pale); padding: .8em; overflow-x: auto; font-size: 14px } code { font-size: .9em }
blockquote { margin: 0; padding: .1em 1em; border-left: 4px solid var(--blue); background: var(--pale) }
fieldset { border: 1px solid #bbb; border-radius: 6px; margin: 1.5em 0; padding: .8em 1em } legend { font-weight: 600 }
label { display: block; padding: .35em 0 } output { display: block; margin-top: .6em; min-height: 1.5em }
output.right { color: var(--blue) } output.wrong { color: var(--orange) }
@media print { body { max-width: none; font-size: 11pt } fieldset { break-inside: avoid } }
"""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{css}</style></head>
<body><main>
{body}
</main>{script}</body></html>
"""


def page(title: str, body: str, script: str = "") -> str:
    return PAGE.format(title=html.escape(title), css=CSS, body=body, script=script)


def markdown_page(file: Path, up: str) -> str:
    text = filled(file.read_text(), up)
    return page(notebooks.title(text), rendered(text))


# ---- slides


@cache
def reveal(file: str) -> str:
    """A file of reveal.js (MIT), which the package sphinx-revealjs carries; nothing of the package itself runs."""
    spec = importlib.util.find_spec("sphinx_revealjs")
    if spec is None:
        raise TeachingError("the slides need the package sphinx-revealjs: run `make book`, which installs it")
    text = (Path(spec.origin).parent / "_static" / "revealjs" / file).read_text()
    # a script element ends at the first "</script", wherever it stands
    return text.replace("</script", "<\\/script") if file.endswith(".js") else text


SLIDES_CSS = """
.reveal { font: 30px/1.4 system-ui, "Source Sans 3", "DejaVu Sans", sans-serif; color: #222 }
.reveal-viewport { background: #fff } .reveal .slides { text-align: left }
.reveal h1 { font-size: 60px; line-height: 1.15; margin: 0 0 .4em } .reveal h2 { font-size: 44px; margin: 0 0 .4em;
  line-height: 1.15 } .reveal p, .reveal ul, .reveal ol { margin: .4em 0 }
.reveal ul, .reveal ol { padding-left: 1.2em }
.reveal strong { color: #a84300 } .reveal a { color: #005a8e } .reveal em { font-style: italic }
.reveal svg { display: block; width: 100%; height: auto; max-height: 520px; margin: .2em auto }
.reveal table { border-collapse: collapse; margin: .4em 0 } .reveal th, .reveal td { padding: .25em .8em .25em 0;
  border-bottom: 1px solid #bbb; text-align: left } .reveal .slide-number { color: #444; background: none;
  font-size: 18px; left: 16px; right: auto } .reveal section { padding: 0 }
/* a slide of words is read from the last row, a table below a figure needs its room */
.reveal section.words { font-size: 42px } .reveal section.words h2 { font-size: 56px; margin-bottom: .7em }
.reveal section.words li, .reveal section.words p { margin-bottom: .4em }
.reveal section.table svg { max-height: 375px } .reveal section.table table { font-size: 26px }
@media print { aside.notes { display: none } }
"""
DECK = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{css}</style></head>
<body><div class="reveal"><div class="slides">
{slides}
</div></div>
<script>{script}</script>
<script>Reveal.initialize({{width: 1280, height: 720, margin: 0.06, center: false, hash: true, transition: "none",
  slideNumber: "c/t", plugins: {plugins}, pdfMaxPagesPerSlide: 1}});</script>
</body></html>
"""


def slides_of(text: str) -> list[tuple[str, str]]:
    """The slides of a deck, each with what its speaker says."""
    parts = (NOTE.split(slide, maxsplit=1) for slide in re.split(r"^---$", text, flags=re.MULTILINE))
    return [(shown.strip(), "".join(said).strip()) for shown, *said in parts]


def deck(lesson: str, student: bool) -> str:
    """A lesson's slides as one HTML file that asks for nothing else; the students' has no notes."""
    text = filled((ROOT / "teaching" / "slides" / f"{lesson}.md").read_text(), "../../")
    sections = []

    def picture(match: re.Match) -> str:
        if not match[1].strip():
            raise TeachingError(f"{lesson}: the figure {match[2]!r} has no alternative text")
        label = f'<svg role="img" aria-label="{html.escape(match[1], quote=True)}" '
        return "\n" + re.sub(r"\n\s*\n", "\n", drawn(match[2]).replace("<svg ", label, 1)) + "\n"

    for shown, said in slides_of(text):
        # what stands beside a drawing is Markdown; the drawing is no Markdown
        body = "".join(
            picture(FIGURE.match(part)) if FIGURE.match(part) else rendered(part)
            for part in re.split(r"(!\[[^\]]*\]\(figure:[\w-]+\))", shown)
            if part.strip()
        )
        notes = "" if student or not said else f'<aside class="notes">{rendered(said)}</aside>'
        kind = "words" if "<svg" not in body else "table" if "<table" in body else "figure"
        sections.append(f'<section class="{kind}">{body}{notes}</section>')
    css = reveal("dist/reset.css") + reveal("dist/reveal.css") + SLIDES_CSS
    script = reveal("dist/reveal.js") + ("" if student else reveal("plugin/notes/notes.js"))
    plugins = "[]" if student else "[RevealNotes]"
    return DECK.format(
        title=html.escape(notebooks.title(text)), css=css, slides="\n".join(sections), script=script, plugins=plugins
    )


# ---- quizzes


def quiz(lesson: str) -> list[dict]:
    """The questions of a lesson: `id`, `ask`, `options` (letter -> text), without what is right."""
    return tomllib.loads((ROOT / "teaching" / "quizzes" / f"{lesson}.toml").read_text())["question"]


def keys(lesson: str) -> dict[str, dict]:
    """By question: the letter that is `right`, `because`, and of every other letter the misconception and a reply."""
    return tomllib.loads((ROOT / "teaching" / "instructor" / "keys.toml").read_text())[lesson]


def misconceptions() -> dict[str, dict]:
    return tomllib.loads((ROOT / "teaching" / "misconceptions.toml").read_text())


def feedback(lesson: str, question: str, letter: str) -> str:
    """What a page says to an answer; its first character is + where it is right, - where it is not."""
    key = keys(lesson)[question]
    if letter == key["right"]:
        return "+" + filled(key["because"])
    idea, reply = key[letter]
    return f"-{filled(reply)} (The idea behind it: “{misconceptions()[idea]['says']}”)"


def hidden(text: str, key: str) -> str:
    """Text that cannot be read or searched in a page's source. Whoever runs the page's own code has it.

    >>> shown(hidden("+Right – so it is.", "a-1"), "a-1")
    '+Right – so it is.'
    """
    mask = key.encode()
    return base64.b64encode(bytes(b ^ mask[i % len(mask)] for i, b in enumerate(text.encode()))).decode()


def shown(text: str, key: str) -> str:
    mask = key.encode()
    return bytes(b ^ mask[i % len(mask)] for i, b in enumerate(base64.b64decode(text))).decode()


QUIZ_SCRIPT = """
const told = new Map();
for (const input of document.querySelectorAll("input[type=radio]")) input.addEventListener("change", () => {
  const mask = new TextEncoder().encode(input.dataset.key), bytes = Uint8Array.from(atob(input.dataset.said),
    (c, i) => c.charCodeAt(0) ^ mask[i % mask.length]), said = new TextDecoder().decode(bytes), right = said[0] === "+";
  const output = input.closest("fieldset").querySelector("output");
  output.className = right ? "right" : "wrong";
  output.textContent = (right ? "Right. " : "Not so. ") + said.slice(1);
  if (!told.has(input.name)) told.set(input.name, right);  // the first answer counts
  const n = [...told.values()].filter(Boolean).length;
  document.getElementById("score").textContent = `${n} right at the first try, of ${told.size} answered.`;
});
"""


def quiz_page(lesson: str) -> str:
    """A lesson's questions, answerable in the browser."""
    parts = [
        f"<h1>Quiz: {lesson.replace('-', ' ')}</h1>",
        "<p>Choose, and read what it says. Your first answer counts.</p>",
    ]
    parts.append("<noscript><p>Without JavaScript: answer on paper; your lecturer has the key.</p></noscript>")
    for number, question in enumerate(quiz(lesson), 1):
        name = f"{lesson}-{question['id']}"
        rows = []
        for letter, text in question["options"].items():
            said = hidden(feedback(lesson, question["id"], letter), f"{name}-{letter}")
            rows.append(
                f'<label><input type="radio" name="{name}" data-key="{name}-{letter}" data-said="{said}"> '
                f"{letter}) {html.escape(filled(text))}</label>"
            )
        ask = html.escape(filled(question["ask"]))
        parts.append(
            f"<fieldset><legend>{number}. {ask}</legend>{''.join(rows)}<output aria-live='polite'></output></fieldset>"
        )
    parts.append('<p id="score" aria-live="polite"></p>')
    return page(f"Quiz: {lesson.replace('-', ' ')}", "\n".join(parts), f"<script>{QUIZ_SCRIPT}</script>")


def key_page() -> str:
    """All keys, for the lecturer."""
    parts = ["# Keys of the quizzes", ""]
    for lesson in LESSONS:
        parts.append(f"## {lesson.capitalize().replace('-', ' ')}\n")
        for number, question in enumerate(quiz(lesson), 1):
            key = keys(lesson)[question["id"]]
            parts.append(f"{number}. {question['ask']}\n")
            for letter, text in question["options"].items():
                if letter == key["right"]:
                    parts.append(f"   - **{letter}) {text}** {key['because']}")
                else:
                    idea, reply = key[letter]
                    parts.append(f"   - {letter}) {text} — *{misconceptions()[idea]['says']}* {reply}")
            parts.append("")
    return page("Keys of the quizzes", rendered(filled("\n".join(parts), "../../")))


def misconception_page() -> str:
    rows = [f"| {name} | “{m['says']}” | {m['reply']} | {m['meet']} |" for name, m in misconceptions().items()]
    text = "\n".join(
        [
            "# Misconceptions",
            "",
            "| name | what they say | what to answer | where to meet it |",
            "|---|---|---|---|",
            *rows,
        ]
    )
    return page("Misconceptions", rendered(filled(text, "../../")))


# ---- labs


def labs() -> list[Path]:
    return sorted((ROOT / "teaching" / "labs").glob("*.md"))


STUB = re.compile(r"^# stub: ([\w-]+)$", re.MULTILINE)


def solutions() -> dict[str, str]:
    """By stub: the code that takes its place, from the lecturer's file."""
    text = (ROOT / "teaching" / "instructor" / "labs.md").read_text()
    return dict(re.findall(r"^### ([\w-]+)\n.*?^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def solved(source: str) -> str:
    """A lab with its stubs filled in."""
    known = solutions()

    def fill(match: re.Match) -> str:
        stub = STUB.search(match[2])
        if not stub:
            return match[0]
        if stub[1] not in known:
            raise TeachingError(f"teaching/instructor/labs.md solves no stub {stub[1]!r}")
        check = re.search(r"^check\(.*$", match[2], re.MULTILINE)
        code = f"{known[stub[1]]}\n{check[0] if check else ''}\n"
        return match[0].replace(match[2], code)

    return notebooks.CODE_CELL.sub(fill, source)


def lab_notebook(file: Path, solution: bool = False) -> str:
    """A lab as the text of an .ipynb: the chapters' own first cell, which installs the library on Colab."""
    import nbformat

    url, branch = notebooks.configured(ROOT)
    known = notebooks.Page(
        f"teaching/labs/{file.stem}", url, branch, {"labels": {}, "titles": {}, "terms": {}}, {}, {}, True
    )
    source = file.read_text()
    return nbformat.writes(notebooks.to_notebook(solved(source) if solution else source, known)) + "\n"


def written() -> dict[Path, str]:
    """The labs' notebooks, and teaching/README.md with their buttons, as they should be."""
    if not labs():
        return {}
    url, branch = notebooks.configured(ROOT)
    files = {file.with_suffix(".ipynb"): lab_notebook(file) for file in labs()}
    rows = ["| lab: the file, for Jupyter | on Colab |", "| --- | --- |"]
    for file in labs():
        colab = notebooks.colab_url(url, branch, f"teaching/labs/{file.stem}.ipynb")
        rows.append(f"| [{notebooks.title(file.read_text())}](labs/{file.name}) | [open]({colab}) |")
    readme = ROOT / "teaching" / "README.md"
    table = "\n".join(rows)
    text = re.sub(r"(<!-- labs -->\n).*?(<!-- end -->)", rf"\g<1>{table}\n\g<2>", readme.read_text(), flags=re.DOTALL)
    return files | {readme: text}


# ---- all of it


def build(folder: Path, student: bool) -> None:
    """Write the course's pages to a folder; the students' part has nothing of LECTURERS, and no notes."""
    teaching = ROOT / "teaching"
    shutil.rmtree(folder, ignore_errors=True)
    files = {}
    for file in sorted(teaching.rglob("*.md")):
        name = file.relative_to(teaching)
        if name.parts[0] in ("slides", "labs") or (student and name.parts[0] in LECTURERS):
            continue
        place = "index.html" if name.name == "README.md" and len(name.parts) == 1 else str(name.with_suffix(".html"))
        files[place] = markdown_page(file, "../" * len(name.parts))
    for lesson in LESSONS:
        files[f"slides/{lesson}.html"] = deck(lesson, student)
        files[f"quizzes/{lesson}.html"] = quiz_page(lesson)
    for file in labs():
        files[f"labs/{file.stem}.ipynb"] = lab_notebook(file)
        if not student:
            files[f"instructor/{file.stem}-solved.ipynb"] = lab_notebook(file, solution=True)
    # the checks of the labs, without those of the book's exercises
    checks = (teaching / "labs" / "mirage_labs" / "__init__.py").read_text()
    for place in ("labs",) if student else ("labs", "instructor"):
        files[f"{place}/mirage_labs/__init__.py"] = checks
    if student:
        files["index.html"] = student_index()
    else:
        files["instructor/keys.html"] = key_page()
        files["misconceptions.html"] = misconception_page()
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def student_index() -> str:
    """Where a student starts."""
    lines = [
        "# The course",
        "",
        "Read [the book](../html/book/index.html).",
        "",
        "| lesson | slides | quiz |",
        "|---|---|---|",
    ]
    for lesson in LESSONS:
        title = notebooks.title((ROOT / "teaching" / "slides" / f"{lesson}.md").read_text())
        lines.append(f"| {title} | [slides](slides/{lesson}.html) | [quiz](quizzes/{lesson}.html) |")
    lines += ["", "Labs, to open in Jupyter beside an installed `mirage_lib`, or on Colab:", ""]
    url, branch = notebooks.configured(ROOT)
    for file in labs():
        colab = notebooks.colab_url(url, branch, f"teaching/labs/{file.stem}.ipynb")
        lines.append(f"- [{notebooks.title(file.read_text())}](labs/{file.stem}.ipynb) ([on Colab]({colab}))")
    lines += ["", "[Projects](projects.html), with what they are judged by. [Questions to discuss](discussion.html)."]
    return page("The course", rendered("\n".join(lines)))


def built(student: bool) -> Path:
    """The folder in which the book's html/ is."""
    return ROOT / "_build" / "student" / "_build" if student else ROOT / "_build"


def chromium() -> str | None:
    """The file of a browser, from CHROMIUM or the path; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, (os.environ.get("CHROMIUM"), *map(shutil.which, names))), None)


def printed(jobs: dict[Path, str], width: int = 1280, **settings) -> None:
    """Print pages, file of the PDF -> address, with Chromium; no other machine is in reach."""
    from playwright.sync_api import sync_playwright

    executable = chromium()
    if executable is None:
        raise TeachingError("a PDF needs Chromium: install it, or name one with CHROMIUM=/path/to/it")
    with sync_playwright() as playwright:
        args = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files"]
        browser = playwright.chromium.launch(executable_path=executable, args=args)
        try:
            for file, address in jobs.items():
                tab = browser.new_page(reduced_motion="reduce", viewport={"width": width, "height": 900})
                tab.set_default_timeout(1000 * PATIENCE)
                tab.goto(address, wait_until="commit")
                tab.wait_for_function(READY, polling=500)
                tab.pdf(path=str(file), print_background=True, **settings)
                tab.close()
        finally:
            browser.close()


# formulas set, charts drawn, slides laid out
READY = """() => document.readyState === "complete"
  && (!window.MathJax || document.documentElement.dataset.typeset)
  && [...document.querySelectorAll(".mirage-chart")].every(chart => chart.dataset.drawn)
  && (!window.Reveal || Reveal.isReady() && document.querySelector(".pdf-page"))"""


def slides(student: bool) -> None:
    folder = built(student) / "teaching"
    build(folder, student)
    print(f"wrote {folder.relative_to(ROOT)}/index.html, its slides, quizzes and labs")
    if not (built(student) / "html").exists():
        print(f"Its links to chapters lead to the book, which is not built: make book{' STUDENT=1' * student}")
    try:
        jobs = {
            folder / "slides" / f"{name}.pdf": f"{(folder / 'slides' / name).as_uri()}.html?print-pdf"
            for name in LESSONS
        }
        printed(jobs, prefer_css_page_size=True)
    except TeachingError as problem:
        print(f"The slides are HTML only: {problem}")


# ---- the book as one PDF


PRINT_CSS = """
@page { size: A4; margin: 18mm 16mm 20mm }
body { max-width: none; margin: 0; font-size: 10.5pt; line-height: 1.45 }
main h1 { font-size: 24pt; margin: 0 0 .5em } main h2 { font-size: 16pt; margin: 1.1em 0 .4em }
main h3 { font-size: 12.5pt; margin: 1em 0 .3em } p { margin-bottom: .7em }
main, article { display: block; max-width: none; padding: 0 } article { break-before: page }
article:first-child { break-before: avoid } .contents-of-print { break-before: page }
/* a folded cell is code, and an exercise's check asks for an answer: neither is for paper */
a.headerlink, .copybtn, noscript, .mirage-models, details.hide, .tag_remove-output { display: none !important }
.drawn-again svg { display: block; width: 48%; min-width: 0; margin: 0 auto } .still { font-size: .9em; color: #595959 }
figure, .mirage-chart, tr, .admonition, .claim { break-inside: avoid } h1, h2, h3 { break-after: avoid }
main :is(th, th *) { overflow-wrap: normal !important; hyphens: none !important }
.scrolls { overflow: visible !important } .scrolls::before { display: none !important }
.scrolls table { font-size: 7pt !important }
.scrolls :is(th, td) { padding: .15rem .2rem !important; min-width: 0 !important }
img, svg { max-width: 100% !important; height: auto } pre { white-space: pre-wrap; font-size: 8.5pt }
.contents-of-print li { margin: .2em 0 } .contents-of-print .inner { padding-left: 1.2em }
.vega-bindings, .vega-bind, .mirage-chart form { display: none !important }
"""


def one_page(site: Path) -> str:
    """All pages of a built book as one, in the order of _toc.yml: links between pages lead inside."""
    import yaml
    from bs4 import BeautifulSoup

    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    names = [toc["root"]] + [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    numbered = [entry["file"] for part in toc["parts"] if part.get("numbered") for entry in part["chapters"]]
    head = BeautifulSoup((site / f"{names[0]}.html").read_text(), "lxml").head
    head.title.string = head.title.get_text().split(" — ")[-1]  # the book's, without the page's
    site_address = notebooks.site_url(notebooks.configured(ROOT)[0])
    articles, contents = [], []
    for name in names:
        soup = BeautifulSoup((site / f"{name}.html").read_text(), "lxml")
        article = soup.select_one("article.bd-article") or soup.select_one("main article")
        place = name.replace("/", "-")
        for used in article.select("[id]"):
            used["id"] = f"{place}--{used['id']}"
        for link in article.select("a[href], use"):
            for attribute in ("href", "xlink:href"):
                if link.get(attribute):
                    link[attribute] = inside(link[attribute], name, names, site)
        for styled in article.select("[clip-path], [style*='url(#'], [fill^='url(#']"):
            for attribute in ("clip-path", "style", "fill"):
                if styled.get(attribute):
                    styled[attribute] = styled[attribute].replace("url(#", f"url(#{place}--")
        for style in article.select("style"):  # a styled table names its cells by id
            style.string = re.sub(r"#(T_\w+)", rf"#{place}--\1", style.get_text())
        for labelled in article.select("[aria-labelledby], [for], [aria-describedby]"):
            for attribute in ("aria-labelledby", "for", "aria-describedby"):
                if labelled.get(attribute):
                    labelled[attribute] = f"{place}--{labelled[attribute]}"
        for picture in article.select("img[src]"):
            if "://" not in picture["src"] and not picture["src"].startswith("data:"):
                picture["src"] = (site / name).parent.joinpath(picture["src"]).resolve().as_uri()
        for folded in article.select("details:not(.hide)"):  # these hold code: the book on paper is for reading
            folded["open"] = ""
        for moving in article.select(".mirage-chart, .mirage-models"):
            chart = "mirage-chart" in moving["class"]
            words = "On paper this chart stands still: move it on" if chart else "To ask the models, open"
            words = f'<p class="still">{words} <a href="{site_address}{name}.html">the page</a>.</p>'
            moving.insert_after(BeautifulSoup(words, "lxml").p)
        for again in article.select(".shown-figure"):  # of the page that prints itself in two columns
            again["class"] = "drawn-again"
        title = article.h1.get_text().rstrip("#").strip().rstrip("#")
        number = f"{numbered.index(name) + 1}. " if name in numbered and not re.match(r"\d", title) else ""
        article["id"] = place
        articles.append(str(article))
        contents.append(f'<li><a href="#{place}">{number}{html.escape(title)}</a></li>')
    for tag in head.select("script, link"):
        source = tag.get("src" if tag.name == "script" else "href", "")
        # of its scripts a page on paper needs those that set formulas and draw charts
        needed = re.search(r"mathjax/|/mirage\.js", source) or (not source and "MathJax" in tag.get_text())
        if not (needed if tag.name == "script" else "stylesheet" in tag.get("rel", [])):
            tag.decompose()
        elif source and "://" not in source:
            file = (site / names[0]).parent.joinpath(source.split("?")[0]).resolve().as_uri()
            tag["src" if tag.name == "script" else "href"] = file
    listing = (
        f'<nav class="contents-of-print"><h2>Contents</h2><ol style="list-style: none">{"".join(contents)}</ol></nav>'
    )
    done = (
        "<script>addEventListener('load', () => MathJax.startup.promise.then(() => "
        "{ document.documentElement.dataset.typeset = 'yes' }))</script>"
    )
    return (
        f'<!doctype html><html lang="en" data-theme="light" data-mode="light">{str(head)[:-7]}'
        f"<style>{PRINT_CSS}</style></head><body><main>{articles[0]}{listing}{''.join(articles[1:])}</main>{done}</body></html>"
    )


def inside(link: str, page_name: str, names: list[str], site: Path) -> str:
    """Where a link of a page leads in the one that holds all pages.

    >>> inside("../claims.html#which", "book/part/a", ["book/claims", "book/part/a"], Path("/site"))
    '#book-claims--which'
    >>> inside("#here", "book/part/a", ["book/part/a"], Path("/site")), inside("https://x.org", "a", ["a"], Path("/s"))
    ('#book-part-a--here', 'https://x.org')
    """
    if re.match(r"\w+:", link):
        return link
    file, _, anchor = link.partition("#")
    target = page_name
    if file:
        target = os.path.relpath((site / page_name).parent / file, site).removesuffix(".html")
        if target not in names:
            url, _ = notebooks.configured(ROOT)
            return notebooks.site_url(url) + os.path.relpath((site / page_name).parent / link, site)
    place = target.replace("/", "-")
    return f"#{place}--{anchor}" if anchor else f"#{place}"


def pdf(student: bool) -> Path:
    site = built(student) / "html"
    if not (site / "book" / "index.html").exists():
        raise TeachingError("the book is not built: run `make pdf`, which builds it first")
    together = site / "book" / "print.html"
    together.write_text(one_page(site))
    file = built(student) / "mirage-book.pdf"
    number = '<div style="width: 100%; font-size: 11px; text-align: center"><span class="pageNumber"></span></div>'
    try:
        printed(
            {file: together.as_uri()},
            width=700,  # of a sheet: formulas and charts fit what they see on the screen
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=number,
            prefer_css_page_size=True,
            outline=True,
            tagged=True,
        )
    finally:
        together.unlink()
    print(f"wrote {file}")
    return file


def offline(student: bool) -> Path:
    """Pack the built book and the students' part of the course: nothing in it asks for another host."""
    site, course = built(student) / "html", ROOT / "_build" / "offline"
    if not (site / "book" / "index.html").exists():
        raise TeachingError("the book is not built: run `make offline`, which builds it first")
    build(course, student=True)
    file = built(student) / "mirage-book-offline.zip"
    start = (
        '<!doctype html><meta charset="utf-8"><title>The book</title><meta http-equiv="refresh" content="0; url={}">'
    )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr(
            "mirage-book/START.html", start.format("teaching/index.html") + '<a href="teaching/index.html">Start</a>'
        )
        for name, folder in (("html", site), ("teaching", course)):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name != "print.html":  # left by a PDF that was interrupted
                    packed.write(path, f"mirage-book/{name}/{path.relative_to(folder)}")
    shutil.rmtree(course)
    print(f"wrote {file}: open START.html in it")
    return file


def main(command: str = "", *arguments: str) -> None:
    student = "student" in arguments
    if command == "slides":
        slides(student)
    elif command == "labs":
        for path in notebooks.stale(files := written()):
            path.write_text(files[path])
            print(f"wrote {path.relative_to(ROOT)}")
    elif command == "check":
        if stale := notebooks.stale(written()):
            names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
            raise TeachingError(f"no longer as their sources; run `make notebooks`: {names}")
    elif command == "pdf":
        pdf(student)
    elif command == "offline":
        offline(student)
    else:
        raise TeachingError(__doc__)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (TeachingError, notebooks.ConversionError) as error:
        sys.exit(f"\n{error}\n")

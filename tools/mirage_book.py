"""Sphinx extension of the book: what must fail a build fails it, and a page loads nothing from elsewhere.

- In the student's book a chapter is read, and run, without its solutions and the cells that compute them.
- A chapter's cached results are kept only as long as the library, its data and the lock file are what they were.
- Chapters are run side by side before the pages are read (kernels.py).
- Warnings, which fail the build: a figure without alternative text; where MIRAGE_BUDGET is set, a chapter too slow.
- A page can show the figures of chapters again (`show_again`); it is read anew whenever a page is.
- Charts are drawn by Vega from the book's own files; the Colab button and the download give the converted notebook.
- `_build/references.json` keeps what the notebooks need of the pages: titles, numbers of figures and equations.
"""

import ast
import hashlib
import html
import json
import os
import platform
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import kernels
import nbformat
import notebooks
import pack_ladder
import sphinxcontrib.bibtex.plugin
import yaml
from docutils import nodes
from sphinx.util import logging
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

log = logging.getLogger(__name__)
# what decides the numbers of a chapter that runs models or trains networks
LIVE = ("MIRAGE_LIVE", "MIRAGE_FAMILY", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
BUDGET = 60  # seconds of processor time, of a chapter that says nothing
INKS = {"#222222": "ink", "#6b6b6b": "grey", "#0072b2": "blue"}  # of mirage_lib.figures; variables of mirage.css
KERNEL = re.compile(r"\A(---\n(?:[^\n]*\n)*?)kernelspec:\n((?:[ \t]+[^\n]*\n)+)")


# ---- what a chapter's results depend on


def imported(source: str, package: Path) -> set[Path]:
    """Return the modules of `package` that Python source imports itself, inside functions too."""
    name, found = package.name, set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
            # `import mirage_lib` can reach every module through attributes
            if name in paths:
                found |= set(package.glob("*.py"))
        elif isinstance(node, ast.ImportFrom):
            base = name if node.level else node.module or ""
            base += f".{node.module}" if node.level and node.module else ""
            paths = [base] + [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for path in paths:
            parts = path.split(".")
            if parts[0] == name:
                # mirage_lib.claims lies in book
                module = (package.parent / "book" if parts[1:2] == ["claims"] else package).joinpath(*parts[1:])
                found |= {package / "__init__.py", module / "__init__.py", module.with_suffix(".py")}
    return {path for path in found if path.exists()}


def code_of(chapter: str) -> str:
    """Return the Python of a chapter's code cells, without IPython's magics."""
    options = re.compile(r"\A(?:(?::[^\n]*\n)+|---\n.*?\n---\n)", re.DOTALL)
    cells = [options.sub("", body) for _, body in notebooks.CODE_CELL.findall(chapter)]
    lines = "\n".join(cells).splitlines()
    return "\n".join(re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in lines)


def dependencies(chapter: str, root: Path) -> list[Path]:
    """Return the files, beside its own text, that decide what a chapter computes."""
    package = root / "mirage_lib"
    modules, beside = imported(code_of(chapter), package), root / "book" / "claims"
    # other chapters only show what is stated of theirs
    named = {name.replace("-", "_") for name in re.findall(r"\bclaims\.deciders\(\s*[\"']([\w-]+)[\"']", chapter)}
    modules |= {beside / f"{name}.py" for name in named}
    if re.search(r"\bclaims\.(check\(|deciders\(\s*[^\s\"'])", chapter):
        modules |= set(beside.glob("*.py"))
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        found = set().union(*(imported(module.read_text(), place) for place in {package, module.parent})) - modules
        modules |= found
        waiting += found
    data = []
    if modules:
        data = [p for p in package.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")]
        if beside / "kept.py" not in modules:
            data = [p for p in data if p.parent.name != "kept"]
    if package / "families.py" in modules:
        data += [p for p in (root / "models").rglob("*") if p.is_file()]
    if beside / "__init__.py" in modules:
        data.append(beside / "claims.toml")
    if "mirage_labs" in chapter:  # the checks of its exercises
        data += (root / "teaching" / "labs" / "mirage_labs").glob("*.py")
    # the page that shows the benchmarks
    data += [
        root / "benchmarks" / name for name in ("measure.json", "vision.json", "architectures.csv") if name in chapter
    ]
    return sorted([*modules, *data, root / "requirements.txt"])


def digest(paths: list[Path], root: Path) -> str:
    """Return a digest of the names and contents of files, of the Python that runs, of what is live, and of images."""
    total = hashlib.sha256(platform.python_version().encode())
    if root / "book" / "claims" / "kept.py" in paths:
        total.update("".join(f"\n{os.environ.get(name, '')}" for name in LIVE).encode())
    if root / "mirage_lib" / "images.py" in paths:
        given = os.environ.get("MIRAGE_DATA", "")
        there = sorted(path.name for path in Path(given).iterdir()) if given and Path(given).is_dir() else []
        total.update(f"\n{given} {there} {os.environ.get('MIRAGE_OFFLINE', '')}".encode())
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"
        total.update(f"\n{path.relative_to(root)} {content}".encode())
    return total.hexdigest()


def covered(source: str, root: Path) -> str:
    """Put the digest into a chapter's kernelspec, which jupyter-cache's key covers; keep the line numbers.

    Raises SyntaxError for a code cell that is not Python.
    """
    if student():
        source = notebooks.without_solutions(source)
    match = KERNEL.match(source)
    if not match:
        return source
    kernel = yaml.safe_load(match[2]) | {"depends": digest(dependencies(source, root), root)}
    comments = "#\n" * match[2].count("\n")
    return f"{match[1]}kernelspec: {json.dumps(kernel)}\n{comments}{source[match.end() :]}"


def student() -> bool:
    """Say whether the student's book is built: make book STUDENT=1."""
    return bool(os.environ.get("MIRAGE_STUDENT"))


def cover_library(app, docname, source):
    """Let a chapter's results depend on the library, and Sphinx read it again when that changes."""
    root = Path(app.srcdir)
    try:
        if KERNEL.match(source[0]):
            for path in dependencies(source[0], root):
                app.env.note_dependency(str(path))
        source[0] = covered(source[0], root)
    except SyntaxError as error:
        log.warning("a code cell is not Python: %s", error, location=docname)


# ---- running the chapters


def run_chapters(app, env, docnames):
    """Run the chapters whose results are not there yet, side by side, before any page is read.

    The results go where MyST-NB looks for them first: into the cache, or, if a cell failed, straight to it.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn
    from jupyter_cache.executors.utils import ExecutionResult
    from myst_nb.core.execute import cache as myst_nb_cache
    from myst_nb.core.read import create_nb_reader

    cache = get_cache(env.mystnb_config.execution_cache_path)
    jobs, failed, formats = [], {}, {}
    if docnames:  # whatever is read again may be what these show
        again = [name for name in env.found_docs if "<a data-figure=" in Path(env.doc2path(name)).read_text()]
        docnames.extend(sorted(set(again) - set(docnames)))
    for docname in docnames:
        file = Path(env.doc2path(docname))
        with suppress(SyntaxError):  # told when the page is read
            text = covered(file.read_text(), Path(app.srcdir))
            reader = create_nb_reader(str(file), env.myst_config, env.mystnb_config, text)
            notebook = reader.read(text) if reader else nbformat.v4.new_notebook()
            if not any(cell.cell_type == "code" for cell in notebook.cells):
                continue
            with suppress(KeyError):
                cache.match_cache_notebook(notebook)
                continue
            formats[docname] = reader.read_fmt
            jobs.append(kernels.Job(docname, file.parent, notebook))
    # the longest first: none of the others takes as long
    jobs.sort(key=lambda job: -budget(Path(env.doc2path(job.name)).read_text()))

    def keep(done: kernels.Done) -> None:
        if done.error:
            failed[key(done.notebook)] = done
            return
        uri = env.doc2path(done.name)
        # what Sphinx calls run time is processor time
        data = {"execution_seconds": done.cpu, "seconds": done.seconds, "megabytes": done.memory}
        cache.add_nb_to_project(uri, read_data=formats[done.name])
        cache.cache_notebook_bundle(CacheBundleIn(done.notebook, uri, data=data), check_validity=False, overwrite=True)

    def key(notebook) -> str:
        return json.dumps([cell.source for cell in notebook.cells])

    def result(notebook, cwd, **settings):
        """In place of the function that would run it: what came out, of one that failed."""
        done = failed.get(key(notebook))
        if done is None:  # a cell is no Python, or a file changed while the chapters ran
            ended = []
            kernels.run([kernels.Job(env.docname, Path(cwd), notebook)], log.info, ended.append)
            (done,) = ended
        notebook.update(done.notebook)
        return ExecutionResult(notebook, cwd, done.cpu, done.error, done.report)

    myst_nb_cache.single_nb_execution = result
    kernels.run(jobs, log.info, keep)


# ---- what fails a build


def check_times(app, env):
    """Where MIRAGE_BUDGET is set: warn of a chapter that took more processor time than it may."""
    if not os.environ.get("MIRAGE_BUDGET"):
        return
    for docname, data in getattr(env, "nb_metadata", {}).items():
        seconds = (data.get("exec_data") or {}).get("runtime") or 0
        limit = budget(Path(env.doc2path(docname)).read_text())
        if seconds > limit:
            log.warning("took %.0f s of processor time, more than its %.0f s", seconds, limit, location=docname)
            forget(app, docname)


def forget(app, docname):
    """Drop a chapter's cached results, so that the next build measures its time again."""
    from jupyter_cache import get_cache

    cache = get_cache(app.env.mystnb_config.execution_cache_path)
    for record in cache.list_cache_records():
        if Path(record.uri) == Path(app.env.doc2path(docname)):
            cache.remove_cache(record.pk)


def budget(chapter: str) -> float:
    """Return the seconds of processor time that a chapter may take: `cpu_seconds` of its front matter, else 60."""
    front = re.match(r"\A---\n(.*?)\n---\n", chapter, re.DOTALL)
    return (yaml.safe_load(front[1]) or {}).get("cpu_seconds", BUDGET) if front else BUDGET


def check_alternative_texts(app, doctree, docname):
    """Warn of every picture and every chart that a reader who cannot see it is not told about."""
    for image in doctree.findall(nodes.image):
        if not image.get("alt", "").strip():
            log.warning(
                "no alternative text for a figure: give the cell `mystnb: {image: {alt: ...}}`, "
                "or the image `:alt:` or ![text](file)",
                location=image if image.line else docname,
            )
    for raw in doctree.findall(nodes.raw):
        for tag in re.findall(r"<(?:img|div class=\"mirage-chart\")[^>]*>", raw.astext()):
            if not re.search(r"(?:alt|aria-label)=\"[^\"]*\S[^\"]*\"", tag):
                log.warning("no alternative text for a chart: .properties(description=...)", location=docname)


# ---- the pages


def parentheses():
    return BracketStyle(left="(", right=")")


@dataclass
class Citations(AuthorYearReferenceStyle):
    """Author (year), which no reader takes for a link's or a formula's brackets."""

    bracket_parenthetical: BracketStyle = field(default_factory=parentheses)
    bracket_textual: BracketStyle = field(default_factory=parentheses)
    bracket_author: BracketStyle = field(default_factory=parentheses)
    bracket_label: BracketStyle = field(default_factory=parentheses)
    bracket_year: BracketStyle = field(default_factory=parentheses)


def configure(app, config):
    """Take the addresses from the repository; show no source in the student's book."""
    # when one of these changes Sphinx reads every page again, and what depends on it runs again
    config.mirage_environment = [os.environ.get(name, "") for name in (*LIVE, "MIRAGE_DATA", "MIRAGE_OFFLINE")]
    url, _ = notebooks.repository(Path(app.srcdir))
    config.html_theme_options = config.html_theme_options | {"repository_url": url}
    config.html_baseurl = notebooks.site_url(url)
    # every book built here shares the cached results
    config.nb_execution_cache_path = str(Path(app.srcdir) / "_build" / ".jupyter_cache")
    # the source shows the solutions
    config.html_copy_source = not student()
    # the sidebar has the search already
    config.html_theme_options = config.html_theme_options | {"navbar_persistent": []}
    if student():
        config.html_theme_options = config.html_theme_options | {"launch_buttons": {}}


def link_notebook(app, pagename, templatename, context, doctree):
    """Let the page's buttons give the chapter's notebook, converted, and not the MyST source as a notebook."""
    chapter = Path(app.srcdir) / f"{pagename}.md"
    download = Path(app.outdir) / "_sources" / f"{pagename}.ipynb"
    is_chapter = chapter in notebooks.chapters(Path(app.srcdir))
    groups = context.get("header_buttons", [])
    for group in groups:
        if group.get("label") == "launch-buttons":
            for button in group["buttons"]:
                button["url"] = re.sub(r"\.md$", ".ipynb", button.get("url", ""))
        if group.get("label") == "download-buttons" and not is_chapter:
            group["buttons"] = [b for b in group["buttons"] if not b.get("url", "").endswith(".ipynb")]
    if not is_chapter:
        context["header_buttons"] = [g for g in groups if g.get("label") != "launch-buttons"]
        download.unlink(missing_ok=True)


def figure_ink(svg: str) -> str:
    """Let a still figure's ink, grey, blue and ground follow the page; its pictures and other colours stay."""
    svg = re.sub("|".join(INKS), lambda match: f"var(--figure-{INKS[match[0]]})", svg)
    # the ground of the figure and of its axes; what else is white was meant to be
    return re.sub(r'(<g id="patch_\d+">\s*<path [^>]*style="fill: )#ffffff"', r'\1var(--figure-ground)"', svg)


def drawing(file: Path, alt: str) -> str:
    """Return a drawing of a code cell as part of a page, where its style sheet reaches it; empty if it is none."""
    svg = file.read_text() if file.suffix == ".svg" and file.exists() else ""
    if "matplotlib" not in svg:
        return ""
    # drawings on one page may give one id to different things
    name = file.stem[:12]
    inked = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>f{name}-", figure_ink(svg[svg.index("<svg") :]))
    label = f'<svg role="img" aria-label="{alt}" class="still" '
    return re.sub(r"<metadata>.*?</metadata>", "", inked, flags=re.DOTALL).replace("<svg ", label, 1)


def lighter(svg: str) -> str:
    """Return a drawing without what a small one does without: unused names, room between tags, far decimals.

    >>> lighter('<g id="a">\\n  <path id="b" d="M 1.234 5"/>\\n <use href="#b" x="2.345"/></g>')
    '<g><path id="b" d="M 1.2 5"/><use href="#b" x="2.3"/></g>'
    """
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", svg)
    svg = re.sub(r' (?:d|x|y)="[^"]*"', lambda match: re.sub(r"(\.\d)\d+", r"\1", match[0]), svg)
    return re.sub(r">\s+<", "><", svg)


def inline_figures(app, body: str) -> str:
    """Put the drawings of code cells into the page itself."""
    files = {name: app.srcdir / file for file, name in app.builder.images.items()}

    def inline(match: re.Match) -> str:
        alt = re.search(r'\balt="([^"]*)"', match[0])
        return drawing(files.get(match[1], Path()), alt[1] if alt else "") or match[0]

    return re.sub(r'<img [^>]*?src="[^"]*?_images/([^"/]+\.svg)"[^>]*>', inline, body)


def show_again(app, pagename: str, body: str) -> str:
    """Fill what a page shows of others, and link it: data-figure="fig-..." and data-chapter="slug" of its <a>.

    A figure is the chapter's own drawing, and nothing runs for it; a chapter is its number and title.
    """
    labels = app.env.get_domain("std").anonlabels
    chapters = {name.rpartition("/")[2]: name for name in app.env.found_docs}

    def link(match: re.Match) -> str:
        kind, name, words = match.groups()
        page, target = labels.get(name, ("", "")) if kind == "figure" else (chapters.get(name, ""), "")
        if page and kind == "chapter":
            number = ".".join(map(str, app.env.toc_secnumbers.get(page, {}).get("", ())))
            words = f"{number}. {html.escape(app.env.titles[page].astext())}".removeprefix(". ")
        elif page:
            figure = next((n for n in app.env.get_doctree(page).findall(nodes.figure) if target in n["ids"]), None)
            image = next(figure.findall(nodes.image), {}) if figure else {}
            alt = html.escape(" ".join(image.get("alt", "").split()))
            words = lighter(drawing(Path(app.srcdir) / image.get("uri", ""), alt))
        if not page or not words:
            log.warning("no %s %r is drawn in this book", kind, name, location=pagename)
            return match[0]
        anchor = f"#{target}" if target else ""
        return f'<a class="shown-{kind}" href="{app.builder.get_relative_uri(pagename, page)}{anchor}">{words}</a>'

    return re.sub(r'<a data-(figure|chapter)="([\w-]+)">([^<]*)</a>', link, body)


def mend(app, pagename, templatename, context, doctree):
    """Repair what the theme and its extensions get wrong on every page; give those that ask models their script."""
    if 'class="mirage-models"' in context.get("body", ""):
        app.add_js_file("ladder.js", loading_method="defer")  # to this page alone
    # Thebe runs no code here, declares its constants twice and names another host
    context["script_files"] = [script for script in context["script_files"] if "thebe" not in str(vars(script)).lower()]
    # its children are entries of a bibliography, not items of a list
    body = context.get("body", "").replace('role="list" class="citation-list"', 'class="citation-list"')
    # the table of run times marks success with a picture that only some machines have a font for
    body = body.replace("<p>✅</p>", "<p>done</p>")
    # pandas has no setting for what is not there
    body = re.sub(r"<td>(?:NaN|nan|None|NaT)</td>", "<td>&ndash;</td>", body)
    # a long name of a column breaks where its words do
    body = re.sub(r"<th>[^<]*_[^<]*</th>", lambda match: match[0].replace("_", "_<wbr>"), body)
    context["body"] = show_again(app, pagename, inline_figures(app, body))


def finish(app, error):
    """Write what the pages and the notebooks need, once the pages are there."""
    if error or app.builder.format != "html":
        return
    write_vega(Path(app.outdir) / "_static" / "vega.js")
    ladder = Path(app.srcdir) / "models" / "ladder"
    pack_ladder.pack(ladder, Path(app.outdir) / "_static" / "ladder")
    build = Path(app.outdir).parent
    (build / "references.json").write_text(json.dumps(references(app), indent=1, sort_keys=True))
    root = Path(app.srcdir)
    for chapter in notebooks.chapters(root):
        page = notebooks.page_of(chapter, root)
        download = Path(app.outdir) / "_sources" / f"{page}.ipynb"
        if (build / "jupyter_execute" / f"{page}.ipynb").exists():
            download.parent.mkdir(parents=True, exist_ok=True)
            try:
                download.write_text(notebooks.converted(chapter, root, build, solutions=not student()))
            except notebooks.ConversionError as problem:
                log.warning("%s", problem, location=page)
                app.statuscode = 1


def write_vega(path: Path):
    """Write Vega, Vega-Lite and Vega-Embed as one script, unless this version is there already.

    A plain script and no module: a page opened as a file may load no module from beside it.
    """
    import altair
    import vl_convert

    vega_lite = ".".join(altair.SCHEMA_VERSION.split(".")[:2])
    head = f"// vl-convert {vl_convert.__version__}, Vega-Lite {vega_lite}, a script\n"
    if path.exists() and path.read_text().startswith(head):
        return
    path.write_text(f'{head}(() => {{"use strict";\n{vl_convert.javascript_bundle(vl_version=vega_lite)}\n}})();\n')


def references(app) -> dict:
    """Return titles and numbers of everything that a page can refer to, as the pages print them."""
    env, config = app.env, app.config
    std, equations = env.get_domain("std"), env.get_domain("math").equations

    def number(docname, figtype, target):
        digits = env.toc_fignumbers.get(docname, {}).get(figtype, {}).get(target)
        return ".".join(map(str, digits)) if digits else ""

    labels = {}
    for label, (docname, target) in std.anonlabels.items():
        title = str(std.labels.get(label, ("", "", ""))[2])
        text = ""
        for figtype in env.toc_fignumbers.get(docname, {}):
            if digits := number(docname, figtype, target):
                text = str(config.numfig_format.get(figtype, "%s")) % digits
        labels[label] = {"page": docname, "target": target, "title": title, "number": text}
    for label, (docname, _) in equations.items():
        target = nodes.make_id(f"equation-{label}")
        labels[label] = {
            "page": docname,
            "target": target,
            "title": "",
            "number": number(docname, "displaymath", target),
        }
    terms = {name: target for (kind, name), (_, target) in std.objects.items() if kind == "term"}
    return {
        "labels": labels,
        "terms": terms,
        "titles": {docname: title.astext() for docname, title in env.titles.items()},
    }


def setup(app):
    # mirage_lib.figures draws for the page, not for a notebook
    os.environ["MIRAGE_BOOK"] = "1"
    sphinxcontrib.bibtex.plugin.register_plugin(
        "sphinxcontrib.bibtex.style.referencing", "author_year_in_parentheses", Citations
    )
    app.add_js_file("mirage.js", loading_method="defer")
    app.add_config_value("mirage_environment", [], "env")
    app.connect("config-inited", configure)
    app.connect("source-read", cover_library)
    app.connect("env-before-read-docs", run_chapters)
    app.connect("env-updated", check_times)
    app.connect("doctree-resolved", check_alternative_texts)
    app.connect("html-page-context", link_notebook, priority=900)
    app.connect("html-page-context", mend, priority=901)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": False, "parallel_write_safe": True}

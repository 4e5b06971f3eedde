"""A chapter runs again when, and only when, something that it computes with has changed."""

import os
import shutil

import mirage_book
import pytest
import sample_book

LIVE_OR_KEPT = """```{code-cell} ipython3
from mirage_lib.claims import kept

print("live" if kept.live() else "from what is kept")
```
"""
CHAPTER = "```{code-cell} ipython3\n:tags: [hide-input]\n\n%matplotlib inline\nfrom mirage_lib import chart\n```\n"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = sample_book.lay_out(tmp_path_factory.mktemp("cache") / "sample")
    shutil.copy(sample_book.ROOT / "mirage_lib" / "__init__.py", folder / "mirage_lib")
    live = 'import os\n\nlive = lambda: os.environ.get("MIRAGE_LIVE") != "0"\n'
    (folder / "book" / "claims").mkdir()
    for name, text in {"__init__.py": "", "claims.toml": "", "kept.py": live}.items():
        (folder / "book" / "claims" / name).write_text(text)
    sample_book.add_chapter(folder, "sample/live", LIVE_OR_KEPT)
    code, log = sample_book.make(folder, "book")
    assert code == 0, log
    assert sample_book.executed(log) == {"sample/features", "sample/plain", "sample/live"}
    return folder


def test_nothing_runs_again_when_nothing_that_counts_changed(book):
    (book / "mirage_lib" / "unused.py").write_text("SOMETHING = 1\n")
    before = os.times()
    code, log = sample_book.make(book, "book")
    assert (code, sample_book.executed(log)) == (0, set())
    # of processor time, which a busy machine does not lengthen
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 20


@pytest.mark.parametrize(
    ("changed", "runs"),
    [
        ("mirage_lib/numbers.py", {"sample/features"}),  # imported by a module of the library, inside a function
        ("mirage_lib/data/more.json", {"sample/features", "sample/live"}),  # what imports the library may read its data
        ("requirements.txt", {"sample/features", "sample/plain", "sample/live"}),
    ],
)
def test_change_runs_what_depends_on_it(book, changed, runs):
    path = book / changed
    kept = path.read_text()
    try:
        path.write_text(kept + "\n")
        code, log = sample_book.make(book, "book")
    finally:
        path.write_text(kept)
    assert (code, sample_book.executed(log)) == (0, runs), log


def test_switching_between_live_and_kept_answers_runs_what_depends_on_it(book):
    page = book / "_build" / "html" / "book" / "sample/live.html"
    assert "<span></span>live\n" in page.read_text()
    for words, runs, shown in (
        (("MIRAGE_LIVE=0",), {"sample/live"}, "from what is kept\n"),
        ((), set(), "live\n"),
    ):
        code, log = sample_book.make(book, "book", *words)
        assert (code, sample_book.executed(log)) == (0, runs), log
        assert f"<span></span>{shown}" in page.read_text()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import numpy", []),
        ("from mirage_lib import numbers", ["__init__", "numbers"]),
        ("from mirage_lib.numbers import VALUES", ["__init__", "numbers"]),
        ("import mirage_lib.numbers as n", ["__init__", "numbers"]),
        ("def f():\n    from mirage_lib import numbers", ["__init__", "numbers"]),
        ("import mirage_lib", ["__init__", "chart", "numbers", "unused"]),
        ("from .numbers import VALUES", ["__init__", "numbers"]),
        ("from . import numbers", ["__init__", "numbers"]),
    ],
)
def test_imported(source, found):
    package = sample_book.ROOT / "tests" / "sample" / "mirage_lib"
    assert sorted(path.stem for path in mirage_book.imported(source, package)) == found


def test_dependencies_follow_imports_and_take_the_data():
    root = sample_book.ROOT / "tests" / "sample"
    names = [path.name for path in mirage_book.dependencies(CHAPTER, root)]
    assert names == ["__init__.py", "chart.py", "more.json", "numbers.py", "requirements.txt"]
    chapter = "```{code-cell} ipython3\nfrom mirage_labs import check\n```\n"
    names = [path.name for path in mirage_book.dependencies(chapter, sample_book.ROOT)]
    assert names == ["requirements.txt", "__init__.py", "part_1.py", "part_2.py", "part_3.py"]


@pytest.mark.parametrize(
    ("source", "beside"),
    [
        ("from mirage_lib import claims", ["__init__.py", "claims.toml"]),
        ("from mirage_lib.claims import kept", ["__init__.py", "claims.toml", "kept.py"]),
        ('claims.deciders("rouge")', ["__init__.py", "claims.toml", "rouge.py"]),
    ],
)
def test_dependencies_lie_beside_the_claims(source, beside):
    root = sample_book.ROOT
    chapter = f"```{{code-cell}} ipython3\nfrom mirage_lib import claims\n{source}\n```\n"
    found = mirage_book.dependencies(chapter, root)
    assert [path.name for path in found if path.parent == root / "book" / "claims"] == beside
    # a chapter that takes no kept answers does not run again when they change
    kept = {path for path in found if path.parent.name == "kept"}
    assert bool(kept) == ("kept.py" in beside)


def test_digest_depends_on_names_contents_and_python(tmp_path, monkeypatch):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("1")
    digests = {mirage_book.digest([first], tmp_path), mirage_book.digest([second], tmp_path)}
    first.write_text("2")
    digests.add(mirage_book.digest([first], tmp_path))
    monkeypatch.setattr("platform.python_version", lambda: "3.99")
    digests.add(mirage_book.digest([first], tmp_path))
    assert len(digests) == 4


def test_digest_depends_on_where_images_come_from(tmp_path, monkeypatch):
    root = sample_book.ROOT
    module = root / "mirage_lib" / "images.py"
    digests = set()
    for data, offline in (("", "1"), ("", ""), (str(tmp_path), "1")):
        monkeypatch.setenv("MIRAGE_DATA", data)
        monkeypatch.setenv("MIRAGE_OFFLINE", offline)
        digests.add(mirage_book.digest([module], root))
    (tmp_path / "mnist.npz").write_text("")
    digests.add(mirage_book.digest([module], root))
    assert len(digests) == 4


def test_digest_leaves_line_numbers_alone():
    source = [sample_book.FRONT.format(more="", title="T") + CHAPTER]
    before = source[0]

    class App:
        srcdir = str(sample_book.ROOT)

        class env:
            @staticmethod
            def note_dependency(path):
                pass

    mirage_book.cover_library(App, "book/x", source)
    assert "depends" in source[0]
    assert source[0].count("\n") == before.count("\n")
    assert source[0].splitlines().index("# T") == before.splitlines().index("# T")

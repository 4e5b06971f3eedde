"""The library is light to import, and its modules import in one direction."""

import ast
import re
import subprocess
import sys

import mirage_book
import sample_book

PACKAGE = sample_book.ROOT / "mirage_lib"
# Left never imports right; modules of one level do not import each other.
LEVELS = [
    ["items"],
    ["theory", "metrics"],
    ["stats", "published"],
    ["images"],
    ["tasks", "families"],
    ["caches"],
    ["passes"],
    ["lm"],
    ["scores", "compare", "forecast"],
    ["logs"],
    ["sweep", "audit"],
    ["figures", "claims"],
    ["report"],
    ["cli"],
]
LEVEL = {module: number for number, modules in enumerate(LEVELS) for module in modules}
HEAVY = {"torch", "transformers", "matplotlib", "altair", "sklearn"}
LIMIT = 0.3  # seconds


def load(statement: str) -> tuple[float, set[str]]:
    """Run an import in a fresh interpreter; return its seconds and the packages that it loaded."""
    code = (
        f"import sys, time; start = time.perf_counter(); {statement}; seconds = time.perf_counter() - start;"
        "print(seconds, *{name.partition('.')[0] for name in sys.modules})"
    )
    out = run(code).split()
    return float(out[0]), set(out[1:])


def run(code: str) -> str:
    """Run code in a fresh interpreter; return what it printed."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=sample_book.ROOT, capture_output=True, text=True, check=True).stdout


def test_import_is_light():
    # the fastest of three: a busy machine is no fault of the library
    runs = [load("import mirage_lib") for _ in range(3)]
    assert min(seconds for seconds, _ in runs) < LIMIT
    assert HEAVY & runs[0][1] == set()


def test_the_test_of_lightness_can_fail():
    seconds, loaded = load("import torch")
    assert seconds > LIMIT
    assert "torch" in loaded


def test_no_module_loads_torch():
    names = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")
    # all in one interpreter: what none of them loads together, none loads alone
    statement = "".join(f"import mirage_lib.{n}\nprint('{n}', 'torch' in sys.modules)\n" for n in names)
    lines = run(f"import sys\n{statement}").splitlines()
    assert lines == [f"{name} False" for name in names]


def wrong_imports(sources: dict[str, str]) -> list[str]:
    """Return the imports that go the wrong way, among modules given by name and source."""
    wrong = []
    for module, source in sources.items():
        imported = mirage_book.imported(source, PACKAGE)
        for other in {"claims" if path.parent.name == "claims" else path.stem for path in imported}:
            if other not in ("__init__", module) and LEVEL[other] >= LEVEL[module]:
                wrong.append(f"{module} imports {other}")
    return wrong


def test_import_direction():
    sources = {path.stem: path.read_text() for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    assert wrong_imports(sources) == []


def test_wrong_direction_is_found():
    assert wrong_imports({"metrics": "def f():\n    from mirage_lib import stats"}) == ["metrics imports stats"]
    assert wrong_imports({"scores": "from mirage_lib.claims import vision"}) == ["scores imports claims"]
    assert wrong_imports({"theory": "from .metrics import exact_match"}) == ["theory imports metrics"]


def test_docstring_of_the_package_names_every_module():
    text = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text()))
    named = set(re.findall(r"^(\w+)  ", text, re.MULTILINE))
    assert named == {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"} | {"claims"}

"""Faults, planted one at a time in a copy of the library: the unit tests catch each of them."""

import os
import shutil
import subprocess
import sys

import pytest
import sample_book

ROOT = sample_book.ROOT
# what the fault is -> (module, its tests, what stands there, what the fault makes of it)
FAULTS = {
    "sign of the exponent": ("theory", "scaling_law", "/ c) ** alpha", "/ c) ** -alpha"),
    "one token too many": ("theory", "accuracy", "** np.asarray(length)\n", "** (np.asarray(length) + 1)\n"),
    "right taken for wrong": ("theory", "distance", "* (1 - np.asarray(p, float))", "* np.asarray(p, float)"),
    "parameters exchanged": (
        "theory",
        "beta",
        "betaln(np.asarray(a) + length, b)",
        "betaln(np.asarray(b) + length, a)",
    ),
    "sign of the entropy": ("theory", "renyi", ".sum(-1)) / (1 - order)", ".sum(-1)) / (order - 1)"),
    "sign of the cross-entropy": ("metrics", "expected_accuracy", "0.0 - np.add.reduceat", "np.add.reduceat"),
    "any for all": ("metrics", "exact_match", "np.logical_and.reduceat", "np.logical_or.reduceat"),
    "forgotten square": ("metrics", "brier", "(1 - probability[answer]) ** 2", "(1 - probability[answer])"),
    "resolution off by one": ("stats", "resolution", "return 1 / n_items", "return 1 / (n_items - 1)"),
    "swapped axis": ("stats", "emergence_score", "np.diff(curves, axis=1)", "np.diff(curves, axis=0)"),
    "half of the interval": ("stats", "mean_interval", "mean - half, mean + half", "mean - half / 2, mean + half / 2"),
    "questions among the examples": (
        "tasks",
        "arithmetic_is_right",
        "operands(digits, False,",
        "operands(digits, True,",
    ),
    "sign in a rule": ("tasks", "chain_digits", "(u * x + v) % 10", "(u * x - v) % 10"),
    "a look at the target": ("lm", "generate", "device=device) < kept[:, None]", "device=device) <= kept[:, None]"),
    "better for worse": ("swap", "range or rise or places", "(table[column] - worst)", "(best - table[column])"),
    "the label read off": ("vision", "read_without", "body[:, ::2]", "body[:, 1::2]"),
    "the seed forgotten": ("vision", "same_seed", "torch.manual_seed(seed)", "torch.manual_seed(0)"),
    "one item too few": ("stats", "items_needed", "int(n[fails[-1]]) + 1", "int(n[fails[-1]])"),
}


@pytest.fixture
def copy(tmp_path):
    """A copy of the library and its tests."""
    ignored = shutil.ignore_patterns("__pycache__", "sample")
    for name in ("mirage_lib", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    return tmp_path


def run_tests(folder, modules: set[str], tests: set[str]) -> subprocess.CompletedProcess:
    """Run unit tests, named by a word, against the library in a folder, up to the first that fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST"))}
    environment |= {"PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment["CI"] = "true"  # pytest then writes longer reports: they must come to an end too
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", " or ".join(tests)]
    command += [f"tests/test_{module}.py" for module in modules]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)


def test_library_without_faults_passes(copy):
    run = run_tests(copy, {module for module, *_ in FAULTS.values()}, {tests for _, tests, *_ in FAULTS.values()})
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_caught(copy, fault):
    module, tests, sound, faulty = FAULTS[fault]
    path = copy / "mirage_lib" / f"{module}.py"
    source = path.read_text()
    assert source.count(sound) == 1, f"the line for {fault!r} has changed: adapt it in this test"
    path.write_text(source.replace(sound, faulty))
    run = run_tests(copy, {module}, {tests})
    assert run.returncode == 1, run.stdout
    assert "Error" in run.stdout
    # the copy is what was tested
    assert "SyntaxError" not in run.stdout

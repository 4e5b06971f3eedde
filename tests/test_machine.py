"""The message that a machine gets on which the book cannot be built."""

import subprocess
import sys

import machine
import pytest
import sample_book


@pytest.mark.parametrize(
    ("python", "free", "installed", "said"),
    [
        ((3, 11, 7), 20, False, None),
        ((3, 14, 0), 20, False, None),
        ((3, 11, 0), 1, True, None),
        ((3, 10, 9), 20, True, "Python 3.11 or newer is needed, this is Python 3.10"),
        ((2, 7, 18), 20, True, "make book PYTHON="),
        ((3, 11, 7), 2, False, "The disk is full: 2.0 GB are free here"),
        ((3, 11, 7), 0.1, True, "needed to build the book"),
    ],
)
def test_problem(python, free, installed, said):
    found = machine.problem(python, free, installed)
    assert found is None if said is None else said in found


def test_make_stops_on_an_old_python(tmp_path):
    """The message comes before anything is installed."""
    folder = sample_book.lay_out(tmp_path / "sample")
    (folder / "pyproject.toml").touch()
    old = tmp_path / "python3"
    old.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 9, 2); '
        'sys.argv = sys.argv[1:]; exec(open(sys.argv[0]).read())" "$@"\n'
    )
    old.chmod(0o755)
    run = subprocess.run(
        ["make", "book", f"PYTHON={old}"], cwd=folder, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert run.returncode != 0
    assert "Python 3.11 or newer is needed, this is Python 3.9" in run.stderr
    assert not (folder / ".venv").exists()

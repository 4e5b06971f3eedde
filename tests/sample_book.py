"""Build the small book of tests/sample with the project's own tools, in a temporary folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FRONT = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
{more}---

# {title}

"""


def lay_out(folder: Path) -> Path:
    """Copy the sample book, and the project's tools and settings, to a folder."""
    shutil.copytree(ROOT / "tests" / "sample", folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "book" / "_static", folder / "book" / "_static", dirs_exist_ok=True)
    shutil.copy(ROOT / "book" / "references.bib", folder / "book")
    for name in ("_config.yml", "Makefile", "requirements.txt", "README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run make there with the packages installed here; return its exit code and what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MIRAGE", "COV_", "MAKE"))}
    environment |= {"PYTHONPATH": str(folder), "NO_COLOR": "1"}
    command = ["make", *arguments, f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.installed"]
    run = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return run.returncode, re.sub(r"\x1b\[[0-9;]*m", "", run.stdout)


def executed(log: str) -> set[str]:
    """Return the chapters that a build ran, as opposed to took from its cache."""
    return set(re.findall(r"^\[\d+/\d+\] book/(\S+): done", log, re.MULTILINE))


def add_chapter(folder: Path, name: str, body: str, more: str = "", title: str = "A chapter") -> None:
    """Add a chapter to the book and to its table of contents."""
    (folder / "book" / f"{name}.md").write_text(FRONT.format(more=more, title=title) + body)
    contents = folder / "_toc.yml"
    plain = "      - file: book/sample/plain\n"
    contents.write_text(contents.read_text().replace(plain, f"{plain}      - file: book/{name}\n"))

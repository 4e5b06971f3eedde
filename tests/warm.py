"""Runs tests against the library with a planted fault, each time in a fork of one process that has imported all else.

A line of standard input is a job in JSON: `module` and `source`, the fault planted (or no module), `tests`, the
arguments of pytest, and `log`, the file for its output. The answer is a line with pytest's exit code.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
from importlib.machinery import SourceFileLoader

import pytest

HEAVY = [
    "altair",
    "hypothesis.strategies",
    "joblib",
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "rapidfuzz.process",
    "safetensors.torch",
    "scipy.integrate",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.isotonic",
    "statsmodels.stats.proportion",
    "tokenizers",
    "torch",
    "tqdm.auto",
    "transformers.models.gpt_neox.modeling_gpt_neox",
    "transformers.models.llama.modeling_llama",
    "typer.testing",
]
LIMIT = 100  # seconds of processor time, which a busy machine does not lengthen; of the clock ten times as many


def plant(module: str, source: str) -> None:
    """Let `mirage_lib.<module>`, or a tool or a file of book/claims of this name, be made of this source."""
    get_code, names = SourceFileLoader.get_code, (f"mirage_lib.{module}", f"mirage_lib.claims.{module}", module)

    def planted(self, name):
        return compile(source, self.path, "exec") if name in names else get_code(self, name)

    SourceFileLoader.get_code = planted


def run(job: dict) -> None:
    """Run a job, in a process of its own."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    signal.alarm(10 * LIMIT)
    if job.get("module"):
        plant(job["module"], job["source"])
    code = pytest.main(job["tests"])
    sys.stdout.flush()
    os._exit(int(code))


if __name__ == "__main__":
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    assert not any(name.startswith("mirage_lib") for name in sys.modules)
    gc.freeze()  # what is here stays: no fork looks through it again
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)

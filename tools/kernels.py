"""Run the code of chapters side by side, each in a kernel of its own that ends with it.

No clock ends a chapter: a machine may be slow, or busy with something else. A cell is given up only if it hangs, which
is to say if its kernel and all that it started use next to no processor time for minutes. What a chapter took is
counted in processor seconds, which are much the same however busy the machine is.
"""

import asyncio
import os
import re
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

AT_ONCE = 2  # chapters: more would take more than 2 GB of memory
STILL = float(os.environ.get("MIRAGE_STILL") or 240)  # seconds that a cell may stand still
IDLE = 0.01  # share of one core that a kernel uses which waits for nothing
BETWEEN = 30.0  # seconds between two words on how far a chapter is


class Job(NamedTuple):
    """A chapter to run: its name, the folder that it runs in, and its notebook, which is executed in place."""

    name: str
    folder: Path
    notebook: nbformat.NotebookNode


class Done(NamedTuple):
    """What became of it: seconds on the clock and of processors, memory at its peak (MB), what went wrong or None."""

    name: str
    notebook: nbformat.NotebookNode
    seconds: float
    cpu: float
    memory: float
    error: Exception | None = None
    report: str = ""


class CellHangs(RuntimeError):
    """A cell uses no processor time any more."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(jobs: Iterable[Job], say: Callable[[str], None], done: Callable[[Done], None]) -> None:
    """Run chapters, the first ones first; call `done` as soon as one ends, and `say` with a line of progress."""
    asyncio.run(_run([*jobs], say, done))


async def _run(jobs, say, done) -> None:
    room = asyncio.Semaphore(at_once := min(AT_ONCE, cores()))
    # as many threads in all as there are cores: the chapters share them
    alone = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(cores() // at_once), "LOKY_MAX_CPU_COUNT": "1"}

    async def one(number: int, job: Job) -> None:
        async with room:
            done(await _execute(job, alone, lambda words: say(f"[{number}/{len(jobs)}] {job.name}: {words}")))

    await asyncio.gather(*(one(number, job) for number, job in enumerate(jobs, 1)))


async def _execute(job: Job, environment: dict, say) -> Done:
    """Run one chapter to its end, or to its first error."""
    start, used, hanging, running = time.monotonic(), Used(), None, 0
    cells = [cell for cell in job.notebook.cells if cell.cell_type == "code"]

    def begins(cell, cell_index):  # of text, too
        nonlocal running
        running += cell.cell_type == "code"

    client = NotebookClient(
        job.notebook,
        timeout=None,
        # seconds that a busy machine may take to start a kernel, and to hand over an output: the rest would be lost
        startup_timeout=3600,
        iopub_timeout=3600,
        record_timing=False,  # part of what results are found by
        resources={"metadata": {"path": str(job.folder)}},
        extra_arguments=["--Application.log_level=40"],  # it would say every time that its port is on this machine
        on_cell_start=begins,
        on_cell_executed=lambda cell, cell_index, execute_reply: used.look(),
    )

    async def watch() -> None:
        nonlocal hanging
        since, then, told = time.monotonic(), 0.0, start
        while True:
            await asyncio.sleep(min(1.0, STILL / 10))
            if not used.process and client.km and client.km.provisioner and client.km.provisioner.pid:
                with suppress(psutil.NoSuchProcess):  # it may have ended in between
                    used.process = psutil.Process(client.km.provisioner.pid)
            used.look()
            now = time.monotonic()
            if now - told >= BETWEEN:
                told = now
                say(f"cell {running} of {len(cells)}, {now - start:.0f} s so far")
            if used.cpu - then > IDLE * STILL:
                since, then = now, used.cpu
            elif now - since > STILL:
                first = cells[max(running, 1) - 1].source.strip().partition("\n")[0]
                hanging = CellHangs(
                    f"{job.name}: cell {running} of {len(cells)}, which begins with {first!r}, used no processor time "
                    f"for {STILL:.0f} seconds and was ended. Run the chapter's notebook in Jupyter, cell by cell, to "
                    "see what it waits for. If that may take so long, give it more time: make book MIRAGE_STILL=3600"
                )
                await client.km.shutdown_kernel(now=True)
                return

    say("begins")
    watching = asyncio.create_task(watch())
    error, report = None, ""
    try:
        await client.async_execute(env=os.environ | environment)
    except (CellExecutionError, DeadKernelError) as problem:
        told = str(hanging or "") or "".join(traceback.format_exception(problem))
        error, report = hanging or problem, re.sub(r"\x1b\[[0-9;]*m", "", told)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    took = time.monotonic() - start
    say(f"{'failed' if error else 'done'}, {took:.0f} s, {used.cpu:.0f} s of processor, {used.memory:.0f} MB")
    return Done(job.name, job.notebook, took, used.cpu, used.memory, error, report)


class Used:
    """Processor time (seconds) and memory (MB, the most at once) of a process and all that it starts."""

    def __init__(self):
        self.process, self.cpu, self.memory, self._ended = None, 0.0, 0.0, {}

    def look(self) -> None:
        """Read both now. A process that ended counts with what it had used when it was last seen."""
        if self.process is None:
            return
        memory = 0.0
        with suppress(psutil.NoSuchProcess):
            for process in [self.process, *self.process.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    self._ended[process.pid] = times.user + times.system
                    memory += process.memory_info().rss / 1e6
        self.cpu, self.memory = max(self.cpu, sum(self._ended.values())), max(self.memory, memory)

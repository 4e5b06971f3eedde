"""Chapters run side by side; no clock ends them, standing still does; what they took is counted."""

import os
import re
import threading
from contextlib import suppress
from pathlib import Path

import kernels
import nbformat
import psutil
import pytest
import sample_book

COUNT = "n = 0\nwhile n < {:_}: n += 1"  # work that takes processor time


def run(tmp_path, *chapters: list[str]) -> tuple[list[kernels.Done], list[str]]:
    """Run chapters, each a list of cells; return what became of them, in their order, and what was said."""
    cells = [[nbformat.v4.new_code_cell(source) for source in chapter] for chapter in chapters]
    jobs = [
        kernels.Job(f"chapter-{number}", tmp_path, nbformat.v4.new_notebook(cells=part))
        for number, part in enumerate(cells)
    ]
    ended, said = [], []
    kernels.run(jobs, said.append, ended.append)
    return sorted(ended, key=lambda done: done.name), said


def test_chapters_keep_their_outputs_and_their_variables_apart(tmp_path):
    (one, two), said = run(tmp_path, ["x = 1", "x + 1"], ["x = 10", "x + 1"])
    assert [done.notebook.cells[1].outputs[0].data["text/plain"] for done in (one, two)] == ["2", "11"]
    assert one.error is two.error is None
    assert sum("done" in line for line in said) == 2


def test_an_error_ends_its_chapter_alone(tmp_path):
    (failed, sound), _ = run(tmp_path, ["raise ValueError('planted')", "never = 1"], ["1"])
    assert "ValueError: planted" in failed.report
    assert failed.error is not None and sound.error is None
    assert not failed.notebook.cells[1].execution_count


def test_processor_time_is_counted_and_waiting_is_not(tmp_path):
    (done,), _ = run(tmp_path, ["import time\ntime.sleep(3)\n" + COUNT.format(5_000_000)])
    assert done.seconds > 3
    assert 0.05 < done.cpu < done.seconds
    assert done.memory > 10


def test_processes_that_a_chapter_starts_count(tmp_path):
    work = "import time\nwhile time.process_time() < 6: pass"
    (done,), _ = run(
        tmp_path, [f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {work!r}], check=True)"]
    )
    assert done.cpu > 5  # it is looked at now and then; a kernel alone takes a second or two


def test_a_cell_that_stands_still_is_ended_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "STILL", 3.0)
    (hung, sound), said = run(
        tmp_path, ["1", "import threading\nthreading.Event().wait()"], [COUNT.format(60_000_000), "2"]
    )
    assert isinstance(hung.error, kernels.CellHangs)
    for words in ("chapter-0", "cell 2 of 2", "import threading", "MIRAGE_STILL"):
        assert words in hung.report
    assert sound.error is None, sound.report  # it worked for longer than a cell may stand still
    assert any("failed" in line for line in said)


def test_progress_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "BETWEEN", 1.0)
    _, said = run(tmp_path, ["1", "import time\ntime.sleep(4)"])
    assert any("cell 2 of 2" in line and "s so far" in line for line in said)


@pytest.fixture
def busy():
    """What runs chapters is held for three quarters of the time, as on a machine that does other things."""
    over, me = threading.Event(), psutil.Process()

    def hold():
        while not over.wait(0.1):
            held = []
            for process in me.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if "ipykernel_launcher" in process.cmdline():
                        held.append(process)
                        process.suspend()
            over.wait(0.3)
            for process in held:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    holder = threading.Thread(target=hold)
    holder.start()
    yield
    over.set()
    holder.join()


def test_a_chapter_over_its_time_is_built_by_a_busy_machine(tmp_path, busy):
    """No budget and no clock ends a reader's build. That one asked for the budget is told: test_book.py."""
    folder = sample_book.lay_out(tmp_path / "sample")
    cell = "```{code-cell} ipython3\nimport time\n\nwhile time.process_time() < 2:\n    pass\n```\n"
    sample_book.add_chapter(folder, "sample/long", cell, "cpu_seconds: 1\n")
    code, log = sample_book.make(folder, "book")
    assert code == 0, log
    seconds, of_processor = map(int, re.search(r"sample/long: done, (\d+) s, (\d+) s of processor", log).groups())
    assert of_processor > 1 and seconds > 2 * of_processor  # it was over its time, and the machine busy


def test_threads_are_shared_out(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(kernels, "cores", lambda: 8)
    (done,), _ = run(tmp_path, ["import os\nos.environ['OMP_NUM_THREADS'], os.environ['LOKY_MAX_CPU_COUNT']"])
    assert done.notebook.cells[0].outputs[0].data["text/plain"] == "('4', '1')"


def test_kernels_end_with_their_chapters(tmp_path):
    (done,), _ = run(tmp_path, ["import os\nprint(os.getpid())"])
    process = int(done.notebook.cells[0].outputs[0].text)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert not list(Path(tmp_path).iterdir())

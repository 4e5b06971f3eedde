"""A sweep loses nothing and repeats nothing, whatever is done to it."""

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from sample_book import ROOT

from mirage_lib import cli, families, lm, stats, sweep, tasks
from mirage_lib.items import ItemsError, items_table, write

ASKED = tasks.arithmetic("addition", 2, n=3, layout="compact")
KILLS = 20
CELLS = 160


def stand_in(cell, log=None, folder=None, seconds=0.0):
    """Answers made up of the cell's name and seed; a line in `log` says whether they were there before."""
    if log:
        with log.open("a") as stream:
            stream.write(f"{sweep.file_of(cell)} {(folder / sweep.file_of(cell)).exists()}\n")
    time.sleep(seconds)
    rng = np.random.default_rng([*cell.name.encode(), cell.settings.get("seed", 0)])
    right = rng.random((len(cell.task), 2)) < 0.5
    return items_table(model=cell.model, task=cell.task["task"], item=cell.task["item"], shot_set=0, is_greedy=right)


def broken(cell):
    if cell.model == "bad":
        raise families.ModelError("its files are missing")
    return stand_in(cell)


def made_up(n=4, **settings):
    return [sweep.Cell(f"model-{i}", "main", ASKED, settings) for i in range(n)]


def members(*models):
    return families.members(",".join(map(str, models)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A ladder model after two steps."""
    import ladder  # here: the processes of a sweep read this file, and torch would take each of them seconds

    return str(ladder.train(ladder.Cell("arithmetic", "3k", 0, 2), tmp_path_factory.mktemp("models")))


def small_tasks():
    table = tasks.arithmetic("addition", 1, n=4, layout="compact")
    return [table, tasks.multiple_choice(table), tasks.arithmetic("multiplication", 2, n=4, layout="compact")]


def test_every_member_is_asked_every_task():
    two = [ASKED, ASKED.assign(task="other")]
    names = [cell.name for cell in sweep.cells(members("a", "b"), two, samples=1)]
    assert names == [
        "a@main on addition-2-compact",
        "a@main on other",
        "b@main on addition-2-compact",
        "b@main on other",
    ]


def test_a_question_of_several_seeds_has_one_number():
    """Of one digit there are 26 questions: three seeds ask them all, and no more."""
    make = partial(tasks.arithmetic, "addition", 1, 26, shot_sets=2, layout="question")
    tables = sweep.seeded(make, [0, 1, 2])
    table = pd.concat(tables)
    assert table["item"].nunique() == 26 and len(table) == 3 * 2 * 26
    assert [part["shot_set"].unique().tolist() for part in tables] == [[0, 1], [2, 3], [4, 5]]
    asked = table["prompt"].str.rpartition("\n")[2]
    assert asked.groupby(table["item"]).nunique().eq(1).all() and asked.nunique() == 26
    # whatever other seeds are asked
    pd.testing.assert_frame_equal(sweep.seeded(make, [2])[0], tables[2])
    right = items_table(task="t", model="m", item=table["item"], is_greedy=[[True]] * len(table))
    assert cli.scored(right)["low"].item() == stats.wilson(26, 26).low


def test_a_question_may_have_several_lines():
    def make(seed):
        prompts = [f"Q: 1+1?\nA: 2\n{'Q: 5+5?' if seed else 'Q: 3+4?'}\nA: 7\nQ: {n}?\nA:" for n in ("2+2", "1+3")]
        return pd.DataFrame({"task": "t", "item": [0, 1], "shot_set": 0, "prompt": prompts, "target": " 4\n"})

    one, two = sweep.seeded(make, [0, 1])
    assert one["item"].nunique() == 2 and one["item"].tolist() == two["item"].tolist()


def test_the_key_changes_with_every_part_of_it(monkeypatch):
    cell = sweep.Cell("a/model", "main", ASKED, {"samples": 1, "seed": 0})
    others = [
        cell._replace(model="b/model"),
        cell._replace(revision="step0"),
        cell._replace(task=ASKED.assign(task="other")),
        cell._replace(task=ASKED.assign(target=["1\n", *ASKED["target"][1:]])),
        cell._replace(task=ASKED.iloc[::-1]),
        cell._replace(task=tasks.multiple_choice(ASKED)),
        cell._replace(task=tasks.arithmetic("addition", 2, n=3, layout="compact", seed=1)),
        cell._replace(settings={"samples": 2, "seed": 0}),
        cell._replace(settings={"samples": 1, "seed": 1}),
        cell._replace(settings={"samples": 1}),
    ]
    names = {sweep.file_of(each) for each in [cell, *others]}
    monkeypatch.setattr(sweep, "CODE", "newer")
    names.add(sweep.file_of(cell))
    assert len(names) == len(others) + 2
    assert all(name.startswith("model-") and name.endswith(".parquet") for name in names)


def test_the_key_is_the_same_for_the_same():
    again = tasks.arithmetic("addition", 2, n=3, layout="compact")
    again.index = [5, 6, 7]
    one = sweep.Cell("m", "main", ASKED, {"samples": 1, "seed": 0})
    two = sweep.Cell("m", "main", again, {"seed": 0, "samples": 1})
    assert sweep.file_of(one) == sweep.file_of(two)


def test_the_code_version_is_a_digest_of_the_code_that_decides():
    sources = b"".join(
        (ROOT / "mirage_lib" / f"{name}.py").read_bytes() for name in ("families", "items", "caches", "passes", "lm")
    )
    assert hashlib.sha256(sources).hexdigest().startswith(sweep.CODE)


def test_what_was_measured_comes_back(tmp_path):
    cells = made_up()
    files = sweep.run(tmp_path / "new" / "folder", cells, measure=stand_in, progress=True)
    assert [file.name for file in files] == [sweep.file_of(cell) for cell in cells]
    wanted = pd.concat([stand_in(cell) for cell in cells], ignore_index=True)
    pd.testing.assert_frame_equal(sweep.collect(tmp_path / "new" / "folder", cells), wanted)


def test_the_same_cell_twice_is_measured_once(tmp_path):
    cells = made_up(2)
    measure = partial(stand_in, log=tmp_path / "log", folder=tmp_path)
    assert len(sweep.run(tmp_path, [*cells, *cells], measure=measure)) == 2
    sweep.run(tmp_path, cells, measure=measure)
    assert len((tmp_path / "log").read_text().splitlines()) == 2
    assert len(sweep.collect(tmp_path, [*cells, *cells])) == len(sweep.collect(tmp_path)) == 6


def damaged(whole: bytes) -> dict[str, bytes]:
    middle = len(whole) // 2
    return {
        "empty": b"",
        "garbage": np.random.default_rng(0).bytes(len(whole)),
        "text": b"not a table\n",
        "cut by half": whole[:middle],
        "cut by one byte": whole[:-1],
        "zeros at the end": whole[:-100] + bytes(100),
        # found by the checksum of the page alone
        "a flipped bit": whole[:40] + bytes([whole[40] ^ 1]) + whole[41:],
    }


@pytest.mark.parametrize("damage", damaged(bytes(1000)))
def test_a_damaged_file_is_found_and_redone(tmp_path, damage):
    cells = made_up(3)
    before = [file.read_bytes() for file in sweep.run(tmp_path, cells, measure=stand_in)]
    broken = tmp_path / sweep.file_of(cells[1])
    broken.write_bytes(damaged(before[1])[damage])
    assert [sweep.done(tmp_path, cell) for cell in cells] == [True, False, True]
    with pytest.raises(ItemsError, match=f"{broken.name} is missing, cut short or no parquet file: measure it again"):
        sweep.collect(tmp_path)
    log = tmp_path / "log"
    files = sweep.run(tmp_path, cells, measure=partial(stand_in, log=log, folder=tmp_path))
    assert [file.read_bytes() for file in files] == before
    assert [line.split()[0] for line in log.read_text().splitlines()] == [broken.name]


def test_no_cut_of_a_file_passes_for_a_whole_one(tmp_path):
    cells = made_up(1)
    (file,) = sweep.run(tmp_path, cells, measure=stand_in)
    whole = file.read_bytes()
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        assert not sweep.done(tmp_path, cells[0])


def test_an_empty_table_is_no_result(tmp_path):
    (cell,) = made_up(1)
    write(tmp_path / sweep.file_of(cell), stand_in(cell).iloc[:0])
    assert not sweep.done(tmp_path, cell)


def test_half_written_files_do_no_harm_and_go_when_they_are_old(tmp_path):
    cells = made_up(2)
    old, new = (tmp_path / f"{sweep.file_of(cells[0])}.{name}.part" for name in ("old", "new"))
    for part in (old, new):
        part.write_bytes(b"PAR1 half")
    long_ago = time.time() - 2 * sweep.DEAD
    os.utime(old, (long_ago, long_ago))
    sweep.run(tmp_path, cells, measure=stand_in)
    # the younger may belong to another sweep that is just writing it
    assert [part.name for part in tmp_path.glob("*.part")] == [new.name]
    assert len(sweep.collect(tmp_path)) == 6


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(sweep.SweepError, match="no space left"):
        sweep.run(tmp_path, made_up(1), measure=stand_in)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_cell_does_not_stop_the_others(tmp_path):
    cells = [sweep.Cell(name, "main", ASKED, {}) for name in ("a", "bad", "c")]
    with pytest.raises(sweep.SweepError) as caught:
        sweep.run(tmp_path, cells, measure=broken)
    assert "1 of 3 cells failed" in str(caught.value)
    assert "- bad@main on addition-2-compact: ModelError: its files are missing" in str(caught.value)
    assert [sweep.done(tmp_path, cell) for cell in cells] == [True, False, True]
    with pytest.raises(ItemsError, match=r"bad-main.* is missing"):
        sweep.collect(tmp_path, cells)
    sweep.run(tmp_path, cells, measure=stand_in)
    assert len(sweep.collect(tmp_path, cells)) == 9


def killed(cell):
    if cell.model == "model-2":
        os.kill(os.getpid(), signal.SIGKILL)
    return stand_in(cell)


def test_a_process_that_is_killed_is_said_and_its_cells_are_tried_again(tmp_path):
    cells = made_up(6)
    with pytest.raises(sweep.SweepError, match=r"model-2@main on addition-2-compact: not done, because a process was"):
        sweep.run(tmp_path, cells, n_jobs=2, measure=killed)
    sweep.run(tmp_path, cells, measure=stand_in)
    assert len(sweep.collect(tmp_path, cells)) == 18


def test_a_number_of_numpy_is_a_setting_like_another():
    assert sweep.file_of(made_up(1, seed=np.int64(1))[0]) == sweep.file_of(made_up(1, seed=1)[0])


def test_other_settings_in_the_same_folder_are_kept_apart(tmp_path):
    old, new = made_up(2, seed=0), made_up(2, seed=1)
    sweep.run(tmp_path, [*old, *new], measure=stand_in)
    with pytest.raises(ItemsError, match="model-0 to the same questions of addition-2-compact more than once"):
        sweep.collect(tmp_path)
    assert not sweep.collect(tmp_path, old).equals(sweep.collect(tmp_path, new))


def test_an_empty_folder_has_no_table(tmp_path):
    with pytest.raises(ItemsError, match="holds no results"):
        sweep.collect(tmp_path)


def test_a_worker_with_other_code_says_so(tmp_path, monkeypatch):
    (cell,) = made_up(1)
    file = tmp_path / sweep.file_of(cell)
    monkeypatch.setattr(sweep, "CODE", "older")
    assert "another version of mirage_lib" in sweep._work(file, cell, stand_in)
    assert not file.exists()


def waits(condition, seconds=120):
    """Wait until `condition()`; a test that would wait for ever fails instead."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"nothing happened in {seconds} seconds"
        time.sleep(0.001)


def sweep_to_be_killed(folder, log, seconds):
    sweep.run(folder, made_up(CELLS), measure=partial(stand_in, log=log, folder=folder, seconds=seconds))


def test_twenty_kills_lose_nothing_and_repeat_nothing(tmp_path, monkeypatch):
    folder, log = tmp_path / "killed", tmp_path / "log"
    cells = made_up(CELLS)
    rng = np.random.default_rng(0)
    # a fork of this process, which has threads, could wait for ever for a lock that one of them held: children come
    # from a server that has only read the modules
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    # which finds them by PYTHONPATH alone; without them each child would read them anew
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(ROOT / name) for name in ("", "tests", "tools")))
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([__name__])
    finished = 0
    for _ in range(KILLS):
        child = server.Process(target=sweep_to_be_killed, args=(folder, log, 0.005))
        child.start()
        # some progress first, then at any moment: while measuring, while writing, between two cells
        waits(lambda: not child.is_alive() or len(list(folder.glob("*.parquet"))) > finished)  # noqa: B023
        time.sleep(rng.uniform(0, 0.03))
        child.kill()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL  # it was at work, not at its end
        finished = len(list(folder.glob("*.parquet")))
    assert KILLS <= finished < len(cells)
    sweep.run(folder, cells, measure=partial(stand_in, log=log, folder=folder))

    sweep.run(tmp_path / "undisturbed", cells, measure=stand_in)
    assert sweep.collect(folder).equals(sweep.collect(tmp_path / "undisturbed"))
    for cell in cells:
        name = sweep.file_of(cell)
        assert (folder / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    measured = log.read_text().splitlines()
    assert [line for line in measured if line.endswith("True")] == []
    # a kill can cost the one measurement that it interrupts
    assert len(cells) <= len(measured) <= len(cells) + KILLS


def test_a_sweep_on_two_processes_is_killed_and_goes_on(tmp_path):
    code = f"""
import sys; sys.path[:0] = {[str(ROOT / name) for name in ("tests", "tools")]!r}
from pathlib import Path
from test_sweep import *
folder = Path({str(tmp_path / "killed")!r})
measure = partial(stand_in, log=folder.parent / "log", folder=folder, seconds=0.05)
sweep.run(folder, made_up(60), n_jobs=2, measure=measure)
"""
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    folder = tmp_path / "killed"
    waits(lambda: child.poll() is not None or len(list(folder.glob("*.parquet"))) >= 5)
    assert child.poll() is None, "it ended by itself, see its standard error"
    child.kill()  # the parent alone: its workers may finish what they have begun
    assert child.wait(60) == -signal.SIGKILL
    assert len(list(folder.glob("*.parquet"))) < 60
    cells = made_up(60)
    sweep.run(folder, cells, n_jobs=2, measure=partial(stand_in, log=tmp_path / "log", folder=folder))
    assert sweep.collect(folder, cells).equals(pd.concat([stand_in(cell) for cell in cells], ignore_index=True))
    assert "True" not in (tmp_path / "log").read_text()


def test_a_sweep_of_a_real_model_is_what_measure_gives(tmp_path, model):
    cells = sweep.cells(members(model), small_tasks(), samples=2, seed=3)
    sweep.run(tmp_path, cells)
    table = sweep.collect(tmp_path, cells)
    loaded = families.load(model)
    for cell in cells:
        alone = lm.measure(loaded, cell.task, samples=2, seed=3)
        mine = table[table["task"] == cell.task["task"].iloc[0]].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine[alone.columns], alone)
    assert table["commit"].str.startswith("sha256:").all()
    assert table["choice_logprob"].isna().sum() == 8  # of the two tasks without options


def test_no_model_is_taken_for_another(monkeypatch):
    """Each checkpoint and precision is loaded, and asked with its own settings."""
    loaded, asked = [], []
    monkeypatch.setattr(families, "load", lambda *args, **rest: loaded.append((*args, *rest.items())) or loaded[-1])
    monkeypatch.setattr(lm, "measure", lambda model, task, **rest: asked.append((model, rest)))
    which = [("step1", "float32"), ("step2", "float32"), ("step2", "bfloat16"), ("step1", "bfloat16")]
    cells = [
        sweep.Cell("m", revision, ASKED, {"dtype": dtype, "temperature": temperature, "samples": 1})
        for revision, dtype in which
        for temperature in (0.5, 2.0)
    ]
    for cell in cells:
        sweep._measure(cell, "run")
    assert loaded == [("m", revision, ("dtype", dtype)) for revision, dtype in which]
    assert [model[1] for model, _ in asked] == [cell.revision for cell in cells]
    assert [rest for _, rest in asked] == [{"temperature": t, "samples": 1} for t in (0.5, 2.0)] * 4


def test_a_model_is_loaded_once_for_its_cells_and_again_for_another_run(tmp_path, model, monkeypatch):
    loads = []
    load = families.load
    monkeypatch.setattr(families, "load", lambda *args, **rest: loads.append((args, rest)) or load(*args, **rest))
    cells = sweep.cells(members(model), small_tasks(), dtype="float32")
    sweep.run(tmp_path / "one", cells)
    assert loads == [((model, "main"), {"dtype": "float32"})]
    sweep.run(tmp_path / "two", cells)
    assert len(loads) == 2
    assert sweep._loaded == {}


def test_a_model_that_cannot_be_had_does_not_stop_the_sweep(tmp_path, model):
    cells = sweep.cells(members("nobody/nothing", model), small_tasks()[:1])
    with pytest.raises(sweep.SweepError, match=r"nobody/nothing@main on .*ModelError: cannot load 'nobody/nothing'"):
        sweep.run(tmp_path, cells)
    assert len(sweep.collect(tmp_path)) == 4


def same_on(folder, model, **where):
    """Sweep a real model somewhere; check it against a sweep in this process, and return the threads of the workers."""

    def threads(cell):
        import torch

        return items_table(model=cell.model, item=[os.getpid()], params=[float(torch.get_num_threads())])

    cells = sweep.cells(members(model), small_tasks())
    sweep.run(folder / "there", cells, **where)
    sweep.run(folder / "here", cells)
    there, here = sweep.collect(folder / "there", cells), sweep.collect(folder / "here", cells)
    exact = [column for column in here if "logprob" not in column]
    pd.testing.assert_frame_equal(there[exact], here[exact])
    for column in ("logprob", "choice_logprob"):
        one, two = (np.concatenate(table[column].dropna().tolist()) for table in (there, here))
        np.testing.assert_allclose(one, two, atol=1e-5)
    asked = made_up(2)
    sweep.run(folder / "threads", asked, measure=threads, **where)
    told = sweep.collect(folder / "threads", asked)
    assert os.getpid() not in told["item"].tolist()  # it ran where it was told to
    return told["params"].tolist()


def test_two_processes_share_the_cores(tmp_path, model):
    assert max(same_on(tmp_path, model, n_jobs=2)) <= max(1, joblib.cpu_count() // 2)


def test_dask(tmp_path, model):
    distributed = pytest.importorskip("distributed")
    place = {"host": "127.0.0.1", "dashboard_address": None, "local_directory": str(tmp_path / "dask")}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, **place) as cluster,
        distributed.Client(cluster),
    ):
        assert same_on(tmp_path, model, backend="dask") == [1, 1]


def test_ray(tmp_path, model, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=10**8, _node_ip_address="127.0.0.1")
    try:
        assert same_on(tmp_path, model, backend="ray") == [1, 1]
    finally:
        ray.shutdown()

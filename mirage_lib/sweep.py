"""A sweep: every checkpoint of a family asked every task, into a folder with one parquet file a cell.

The name of a file holds a digest of all that decides its content: model, revision, questions, settings and the code
that measures. What is there and whole is never measured again, so a sweep that was killed goes on where it was, and
whatever changes is measured anew, beside the old. Not in the name are the weights themselves: every row records
them as `commit`, but a model that was trained again under the same name needs a new folder.

Each seed of the questions is a task of its own: see `seeded`.
"""

import contextlib
import hashlib
import json
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from mirage_lib import caches, families, items, lm, passes
from mirage_lib.items import ItemsError


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


# of the code that decides the numbers, read with it: later the files may be newer than what runs
CODE = _digest(b"".join(Path(module.__file__).read_bytes() for module in (families, items, caches, passes, lm)))
DEAD = 600  # seconds after which a half-written file has no writer: to write one takes well under one
LOADING = ("dtype", "device_map")
_loaded: dict[tuple, families.Model] = {}


class SweepError(RuntimeError):
    """Some cells could not be measured; the message names them and says why, and the others are done."""


class Cell(NamedTuple):
    """One checkpoint asked one task.

    task : the questions, from `mirage_lib.tasks`; another process, on another machine, needs nothing else.
    settings : arguments of `families.load` (dtype, device_map) and of `lm.measure` (samples, temperature, seed, ...).
    """

    model: str
    revision: str
    task: pd.DataFrame
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.model}@{self.revision} on {self.task['task'].iloc[0]}"


def cells(members: pd.DataFrame, tasks: Iterable[pd.DataFrame], **settings) -> list[Cell]:
    """Every member (rows of `families.members`) asked every task, a model's cells together.

    >>> from mirage_lib import tasks
    >>> [cell.name for cell in cells(families.members("smollm2"), [tasks.memo_trap()])]
    ['smollm2@main on memo-trap']
    """
    tasks = list(tasks)
    return [Cell(row.model, row.revision, task, settings) for row in members.itertuples() for task in tasks]


def seeded(make: Callable[..., pd.DataFrame], seeds: Iterable[int]) -> list[pd.DataFrame]:
    """The task make(seed=...) for each seed, with shot sets of its own; `item` is a number of the question.

    The number is a digest of the question, which is its prompt after what all prompts of a shot set begin with, and
    its target: a question that several seeds ask has one number, whichever seeds are asked beside it, and counts once.

    >>> from mirage_lib import tasks
    >>> one, two = seeded(partial(tasks.arithmetic, "addition", 1, n=15), [0, 1])
    >>> len({*one["item"], *two["item"]}), one["shot_set"].unique().tolist(), two["shot_set"].unique().tolist()
    (20, [0], [1])
    """
    tables = []
    for seed in seeds:
        table = make(seed=seed)
        # examples end with a line
        common = {k: os.path.commonprefix(list(part)) for k, part in table.groupby("shot_set")["prompt"]}  # noqa: RUF071
        cuts = [common[k].rfind("\n") + 1 for k in table["shot_set"]]
        asked = zip(table["prompt"], cuts, table["target"], strict=True)
        numbers = [int(_digest(f"{prompt[cut:]}\0{target}".encode())[:12], 16) for prompt, cut, target in asked]
        sets = table["shot_set"] + seed * (table["shot_set"].max() + 1)
        tables.append(table.assign(item=numbers, shot_set=sets))
    return tables


def key(cell: Cell) -> dict:
    """All that decides a cell's content, as plain data; it is stored in the file too.

    Questions are digested themselves, so `code` need not cover the code that made them.
    """
    questions = _digest(cell.task.to_json(orient="split", index=False).encode())
    task = cell.task["task"].iloc[0]
    settings = {name: value.item() if isinstance(value, np.generic) else value for name, value in cell.settings.items()}
    return cell._asdict() | {"task": task, "settings": settings, "questions": questions, "code": CODE}


def file_of(cell: Cell) -> str:
    """The name of a cell's file: something to read, and a digest of the cell's `key`.

    >>> from mirage_lib import tasks
    >>> file_of(Cell("EleutherAI/pythia-14m", "step0", tasks.memo_trap(), {}))
    'pythia-14m-step0-memo-trap-....parquet'
    """
    title = re.sub(r"[^\w.-]+", "_", f"{Path(cell.model).name}-{cell.revision}-{cell.task['task'].iloc[0]}")
    return f"{title[:100]}-{_digest(json.dumps(key(cell), sort_keys=True).encode())}.parquet"


def done(folder: str | Path, cell: Cell) -> bool:
    """Whether a cell's file is there and whole: it is read to its end, against its checksums."""
    return _whole(Path(folder) / file_of(cell))


def run(
    folder: str | Path,
    cells: Iterable[Cell],
    n_jobs: int | None = None,
    backend: str | None = None,
    measure: Callable[[Cell], pd.DataFrame] | None = None,
    progress: bool = False,
) -> list[Path]:
    """Measure the cells that are not in `folder` yet; return every cell's file, in order.

    n_jobs : processes; by default one here, and all that a cluster has. Each takes its share of the cores, and
        keeps the model of its last cell until the next.
    backend : joblib's: processes here if None; "dask" or "ray" for a cluster that runs already, with a
        `distributed.Client` or `ray.init` made before. Its workers must see `folder`, under the same path.
    measure : what gives the items table of a cell; by default its model is loaded and asked its questions.

    A cell that fails does not stop the others. Raises SweepError in the end, with the cells that failed and why; sooner
    if a process is killed, as for want of memory.
    """
    from joblib import Parallel, delayed, parallel_config
    from tqdm.auto import tqdm

    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for part in folder.glob("*.part"):
        with contextlib.suppress(FileNotFoundError):  # its writer, another sweep, has just moved it into place
            if time.time() - part.stat().st_mtime > DEAD:
                part.unlink()
    wanted = {file_of(cell): cell for cell in cells}
    missing = [(file, cell) for file, cell in wanted.items() if not _whole(folder / file)]
    if backend == "ray":
        from ray.util.joblib import register_ray

        register_ray()
    measure = measure or partial(_measure, run=os.urandom(8).hex())
    failed = []
    with warnings.catch_warnings(), parallel_config(backend=backend or "loky", n_jobs=n_jobs or (-1 if backend else 1)):
        # a larger model than the last one is no leak, and a worker that is replaced loses nothing
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
        # a cell is long: handed out one by one, none waits behind another; Ray gives results back at the end only
        parallel = Parallel(batch_size=1, return_as="list" if backend == "ray" else "generator_unordered")
        try:
            results = parallel(delayed(_work)(folder / file, cell, measure) for file, cell in missing)
            for failure in tqdm(results, total=len(missing), unit="cell", disable=None if progress else True):
                if failure:
                    failed.append(failure)
        except BrokenProcessPool:
            killed = "not done, because a process was killed; is there memory for fewer processes only?"
            failed = [f"- {cell.name}: {killed}" for file, cell in missing if not _whole(folder / file)]
    _loaded.clear()
    if failed:
        raise SweepError(
            f"{len(failed)} of {len(wanted)} cells failed; the others are done, and these are tried again next time:\n"
            + "\n".join(sorted(failed))
        )
    return [folder / file for file in wanted]


def collect(folder: str | Path, cells: Iterable[Cell] | None = None) -> pd.DataFrame:
    """The items of a sweep as one table: of the given cells, or of all files in the folder.

    Raises ItemsError if a file is missing or not whole, and if a model answered the same question twice: then the
    folder holds what older code or other settings gave, and `cells` must say what is wanted.
    """
    folder = Path(folder)
    files = sorted(folder.glob("*.parquet")) if cells is None else [folder / file_of(cell) for cell in cells]
    if not files:
        raise ItemsError(f"{folder} holds no results: run a sweep into it first")
    # a file may be named twice, and a column that only some tasks have is empty in the others
    tables = [items.read_arrow(file) for file in dict.fromkeys(files)]
    table = items.to_pandas(pa.concat_tables(tables, promote_options="default"))
    twice = table.duplicated([name for name in ("model", "task", "shot_set", "item") if name in table])
    if twice.any():
        model, task = table.loc[twice.idxmax(), ["model", "task"]]
        raise ItemsError(
            f"{folder} holds answers of {model} to the same questions of {task} more than once, from other code, other "
            "settings or another seed: take one folder a sweep, or name the cells that you want"
        )
    return table


def _work(file: Path, cell: Cell, measure: Callable[[Cell], pd.DataFrame]) -> str | None:
    """Measure one cell into its file; return what went wrong, if something did."""
    try:
        if file_of(cell) != file.name:
            raise SweepError("this worker has another version of mirage_lib, pandas or the questions")
        # a cluster may hand a cell out again, and another sweep may have been faster
        if not _whole(file):
            items.write(file, measure(cell), key(cell))
    except Exception as error:
        return f"- {cell.name}: {type(error).__name__}: {error}"
    return None


def _measure(cell: Cell, run: str) -> pd.DataFrame:
    """Load a cell's model, unless the cell before in the same run had it, and ask it the cell's questions."""
    loading = {name: value for name, value in cell.settings.items() if name in LOADING}
    asked = {name: value for name, value in cell.settings.items() if name not in LOADING}
    # a worker may outlive the run, and a folder may hold other weights by the next
    which = (run, cell.model, cell.revision, *sorted(loading.items()))
    model = _loaded.get(which)
    if model is None:
        _loaded.clear()  # before the next is loaded: two large models at once may be one too many
        model = _loaded[which] = families.load(cell.model, cell.revision, **loading)
    return lm.measure(model, cell.task, **asked)


def _whole(file: Path) -> bool:
    try:
        return items.read_arrow(file).num_rows > 0
    except ItemsError:
        return False

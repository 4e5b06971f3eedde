"""The command `mirage`: measure a model, sweep a family, score what was measured, audit it, train models."""

import json
import warnings
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import typer
from typer.core import TyperGroup

from mirage_lib import audit, families, images, lm, logs, report, stats, sweep, tasks
from mirage_lib.claims import vision
from mirage_lib.items import ItemsError, read, validate, write

NAMELESS = "nothing names the families, so all models count as one: name them in a column family of --sizes or table"
# what a user can do something about; anything else is a fault of the program and keeps its traceback
ERRORS = (families.ModelError, images.DataError, sweep.SweepError, ValueError, OSError, ImportError)


class _Explaining(TyperGroup):
    """A group of commands that says what is wrong in one message."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except ERRORS as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    help="Measure language models once, and score them in every way.",
    cls=_Explaining,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Task = Annotated[
    str, typer.Option(help="addition, multiplication, continuation, memo-trap, or a file task.jsonl of yours.")
]
Digits = Annotated[str, typer.Option(help="Digits of the numbers to add or multiply.")]
Questions = Annotated[int, typer.Option(help="Questions of each task.")]
Shots = Annotated[int, typer.Option(help="Examples before each question.")]
ShotSets = Annotated[int, typer.Option(help="Sets of examples: each question is asked after each.")]
Layout = Annotated[
    str,
    typer.Option(
        help=f"How a problem is written: {', '.join(tasks.LAYOUTS)}.",
        show_default="compact for the ladder's models, plain for others",
    ),
]
Choices = Annotated[int, typer.Option(help="Also as multiple choice, with so many options.", show_default="no")]
Samples = Annotated[int, typer.Option(help="Answers sampled at temperature 1 beside the greedy one.")]
Dtype = Annotated[
    Literal["float32", "bfloat16", "float16"],
    typer.Option(help="Precision of the model; the short ones are for a GPU."),
]


@app.command("measure")
def measure_model(
    model: Annotated[str, typer.Option(help="A hub id, a folder, smollm2, or of the ladder as text-57k-seed0.")],
    out: Annotated[Path, typer.Option(help="The file to write.", dir_okay=False)],
    revision: Annotated[str, typer.Option(help="Checkpoint: a hub revision, or step250 in the ladder.")] = "main",
    task: Task = "addition",
    digits: Digits = "2",
    questions: Questions = 200,
    shots: Shots = 2,
    shot_sets: ShotSets = 1,
    layout: Layout = "",
    choices: Choices = 0,
    seed: Annotated[int, typer.Option(help="Chooses the questions.")] = 0,
    samples: Samples = 0,
    dtype: Dtype = "float32",
):
    """Ask one model a task and keep its answers in a file.

    Score them with `mirage metrics`, as often and in as many ways as you like.

    \b
    Example:
      mirage measure --model smollm2 --task addition --digits 2 --out smollm2.parquet
    """
    layout = layout or default_layout([model])
    asked = task_tables(task, digits, questions, shots, shot_sets, layout, choices, [seed])
    loaded = families.load(model, revision, dtype)
    answers = pd.concat([lm.measure(loaded, table, samples=samples, progress=True) for table in asked])
    write(out, answers)
    typer.echo(f"{len(answers)} answers are in {out}; score them: mirage metrics {out}")


@app.command("sweep")
def sweep_family(
    out: Annotated[Path, typer.Option(help="The folder to fill.")],
    family: Annotated[
        str, typer.Option(help=f"{', '.join(families.LADDERS)}, smollm2, pythia, pythia-deduped, or ids and folders.")
    ] = "ladder",
    revisions: Annotated[str, typer.Option(help="Training checkpoints: last, all, or their names.")] = "last",
    max_params: Annotated[
        float, typer.Option(help="Leave larger models out, for instance 5e8.", show_default="no limit")
    ] = float("inf"),
    task: Task = "addition",
    digits: Digits = "2",
    questions: Questions = 200,
    shots: Shots = 2,
    shot_sets: ShotSets = 1,
    layout: Layout = "",
    choices: Choices = 0,
    seeds: Annotated[str, typer.Option(help="Seeds: each chooses other questions.")] = "0",
    samples: Samples = 0,
    dtype: Dtype = "float32",
    jobs: Annotated[int, typer.Option(help="Processes.", show_default="1, or the whole cluster")] = 0,
    backend: Annotated[
        Literal["dask", "ray"] | None,
        typer.Option(help="A cluster that runs already: its address in DASK_SCHEDULER_ADDRESS or RAY_ADDRESS."),
    ] = None,
):
    """Ask every model of a family one or several tasks.

    Stop it at any time, and give the same command again to go on: what is there already is not asked again. Several
    tasks, digits or seeds are written with commas.

    \b
    Examples:
      mirage sweep --family ladder --task addition --digits 2,3,4 --out results
      mirage sweep --family pythia --max-params 5e8 --task addition --digits 4 --out results
    """
    members = chosen(families.members(family), revisions, max_params)
    layout = layout or default_layout(members["model"])
    asked = task_tables(task, digits, questions, shots, shot_sets, layout, choices, numbers(seeds))
    cells = sweep.cells(members, asked, samples=samples, dtype=dtype)
    there = sum(sweep.done(out, cell) for cell in cells)
    typer.echo(f"{len(members)} checkpoints, {len(asked)} tasks: {len(cells)} cells, {there} of them done already")
    with _client() if backend == "dask" else nullcontext():
        sweep.run(out, cells, jobs or None, backend, progress=True)
    typer.echo(f"All are in {out}; score them: mirage metrics {out}")


@app.command("metrics")
def score_answers(
    answers: Annotated[
        Path, typer.Argument(exists=True, help="A file of `mirage measure` or a folder of `mirage sweep`.")
    ],
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file too.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves into this file, such as curves.svg.")] = None,
):
    """Score what was measured, in every way it can be.

    For each task and model: exact match with its 95 % interval, and softer metrics of the same answers beside it. A
    question counts once, after however many sets of examples it was asked. The file has standard errors too.

    \b
    Example:
      mirage metrics results --csv scores.csv --plot curves.svg
    """
    table = scored(sweep.collect(answers) if answers.is_dir() else read(answers))
    if csv:
        table.to_csv(csv, index=False)
    if plot:
        report.plot(table).savefig(plot)
    shown = table.loc[:, ~table.columns.str.endswith("_se")]
    whole = dict.fromkeys(("params", "tokens"), "{:,.0f}".format)
    typer.echo(shown.to_string(index=False, float_format="{:.3f}".format, formatters=whole))


@app.command("audit")
def audit_answers(
    paths: Annotated[list[Path], typer.Argument(help="Logs of lm_eval --log_samples or inspect_ai, tables, items.")],
    harsh: Annotated[str, typer.Option(help="Harsh score; -NAME if less is better.", show_default="by the log")] = "",
    soft: Annotated[str, typer.Option(help="Soft score; -NAME if less is better.", show_default="by the log")] = "",
    scale: Annotated[str, typer.Option(help="The column of sizes.")] = "params",
    sizes: Annotated[Path | None, typer.Option(help="CSV with columns model and params, without embeddings.")] = None,
    task: Annotated[str, typer.Option(help="One task of several.", show_default="all")] = "",
    filter: Annotated[str, typer.Option(help="Of the harness, if a task has several.", show_default="the only")] = "",
    tokenizer: Annotated[str, typer.Option(help="For edit distances of generated answers.", show_default="none")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the report, one HTML file, to here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
    fail_on: Annotated[str, typer.Option(help="Verdicts, with commas, to end with 3.", show_default="none")] = "",
):
    """Say whether a jump is the metric's or the model's.

    Sets a harsh score beside a soft one of the same answers, if test set and sizes can tell. Ends with 0 when it has
    audited all, 1 when a benchmark or all could not be, 2 for a wrong option, 3 when a verdict is one of --fail-on.

    \b
    Example:
      mirage audit results --out report.html
    """
    wanted = parts(fail_on)
    if unknown := sorted(set(wanted) - set(audit.SAID)):
        raise typer.BadParameter(f"there is no verdict {unknown[0]!r}: choose of {', '.join(audit.SAID)}")
    curves, wrong = [], []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        harness = all(path.exists() and logs.kind(path) == "lm-eval" for path in paths)
        # a task at a time: one that cannot be read is no reason to leave out the others
        for each in [task] if task or not harness else logs.tasks(*paths):
            try:
                table = audited_table(paths, {harsh, soft}, sizes, each or None, filter or None, tokenizer)
                curves += audit.curves(table, harsh, soft, scale, wrong)
            except ERRORS as error:
                wrong.append(f"{error}")
    notes = [str(each.message) for each in told] + [NAMELESS] * ({each.family for each in curves} == {"logged"})
    for note in dict.fromkeys(notes):
        typer.echo(f"Note: {note}", err=True)
    if not curves:
        raise ValueError("\n".join(dict.fromkeys(wrong)))
    found = pd.DataFrame([audit.decide(each) for each in curves])
    if out:
        out.write_text(report.page(curves, found, wrong), encoding="utf-8")
    if as_json:
        rows = json.loads(found.to_json(orient="records"))
        rows = [row | {"next": report.next_step(row)} for row in rows] + [{"error": each} for each in wrong]
        typer.echo(json.dumps(rows, indent=1))
    else:
        shown = ["benchmark", "family", "verdict", "harsh", "soft", "sizes", "n_items", "height", "width", "soft_width"]
        typer.echo(found.reindex(columns=shown).to_string(index=False, float_format="{:.2f}".format, na_rep="-"))
        for row in found.to_dict("records"):
            typer.echo(f"\n{row['benchmark']}, {row['family']}: {report.sentence(row)} {report.next_step(row)}")
    for each in wrong:
        typer.echo(f"Not audited: {each}", err=True)
    if status := 3 if set(found["verdict"]) & set(wanted) else 1 if wrong else 0:
        raise typer.Exit(status)


def audited_table(paths, names=(), sizes=None, task=None, filter=None, tokenizer="") -> pd.DataFrame:
    """Items where the paths have them and the scores wanted are those of items, else a table of scores."""
    known = {}
    if sizes:
        listed = pd.read_csv(sizes, dtype={"model": str}).drop_duplicates()
        if missing := {"model", "params"} - set(listed):
            raise ValueError(f"{sizes} lacks {', '.join(sorted(missing))}: it needs a column model and a column params")
        if (twice := listed["model"].duplicated()).any():
            raise ValueError(f"{sizes} has {listed['model'][twice].iloc[0]!r} twice: which size counts?")
        if (words := pd.to_numeric(listed["params"], errors="coerce").isna()).any():
            raise ValueError(f"{sizes} has {listed['params'][words].iloc[0]!r} as params: write 1.4e9 for 1.4B")
        listed = listed.set_index("model")
        known = listed["params"].astype(float).to_dict()
    if len(paths) == 1 and paths[0].is_dir() and not logs.kind(paths[0]) and any(paths[0].rglob("*.parquet")):
        table = sweep.collect(paths[0])
        table = table if task is None else table[table["task"] == task]
    else:
        if tokenizer:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(tokenizer)
        table = _logged(paths, names, task=task, filter=filter, sizes=known, tokenizer=tokenizer or None)
    if sizes:
        ends = table["model"].map(lambda name: name if name in known else Path(name).name)
        if lost := sorted(set(table["model"][~ends.isin(list(known))])):
            note = f"{sizes} does not name {', '.join(lost)}: their sizes are those of the log or table"
            warnings.warn(note, stacklevel=2)
        table = table.assign(params=ends.map(known).astype(float).fillna(table["params"].astype(float)))
        if "family" in listed:
            table["family"] = ends.map(listed["family"]).fillna(table["family"].astype(object))
    return table


def _logged(paths, names, **how) -> pd.DataFrame:
    reasons = []
    for reader in (logs.read, logs.table)[
        bool({name.removeprefix("-") for name in names if name} - set(audit.METRICS)) :
    ]:
        try:
            return reader(*paths, **how)
        except (logs.LogError, ItemsError) as error:
            reasons.append(error)
    raise reasons[0]


@app.command("vision")
def train_vision(
    experiment: Annotated[str, typer.Option(help=f"{', '.join(vision.FAMILIES)}.")],
    out: Annotated[Path, typer.Option(help="The folder to write the results into.")],
    seeds: Annotated[str, typer.Option(help="Seeds, with commas.")] = "0,1,2,3,4",
    processes: Annotated[int, typer.Option(help="Networks trained at once, one thread each.")] = 2,
):
    """Train a family of image networks, and keep its answers.

    These are the networks of figures 7, 8 and 10 of the paper. The five seeds take three to ten minutes on two cores.
    Real data are fetched where they can be, or taken from the folder that MIRAGE_DATA names; else others stand in, and
    the file says which.

    \b
    Example:
      mirage vision --experiment omniglot --out results
    """
    if experiment not in vision.FAMILIES:
        raise ValueError(f"there is no experiment {experiment!r}: choose of {', '.join(vision.FAMILIES)}")
    typer.echo(f"The items are in {vision.measure(experiment, out, numbers(seeds), processes)}")


def scored(items: pd.DataFrame) -> pd.DataFrame:
    """An items table, scored: one row a task and model, from the smallest model to the largest.

    What `scores.table` gives for exact match and all other metrics whose columns the table has, and beside the exact
    match the ends `low` and `high` of its 95 % interval. Raises ItemsError for a table without `task`, `model` and
    `is_greedy`.

    >>> from mirage_lib.items import items_table
    >>> scored(items_table(task="t", model="m", is_greedy=[[True, True], [True, False]]))["token_accuracy"].tolist()
    [0.75]
    """
    validate(items, "task", "model", "is_greedy")
    table = logs.score(items if "family" in items else items.assign(family=""))
    right = (table["exact_match"] * table["n_items"]).clip(upper=table["n_items"])
    _, *ends = stats.wilson(right, table["n_items"])
    for name, end in zip(("low", "high"), ends, strict=True):
        table.insert(table.columns.get_loc("exact_match_se"), name, end)
    table = table if "family" in items else table.drop(columns="family")
    return table.sort_values(["benchmark", *table.columns.intersection(["params"]), "model"], ignore_index=True)


def chosen(members: pd.DataFrame, revisions: str = "last", max_params: float = float("inf")) -> pd.DataFrame:
    """Members of a family up to a size, at their last checkpoint, at all, or at those named with commas.

    >>> chosen(families.members("pythia"), "step0,step1000", 2e6)["revision"].tolist()
    ['step0', 'step1000']
    """
    kept = members[~(members["params"] > max_params)]
    if revisions == "last":
        kept = kept.groupby("model", sort=False).tail(1)
    elif revisions != "all":
        unknown = set(parts(revisions)) - set(members["revision"])
        if unknown:
            there = ", ".join(members["revision"].unique()[:5])
            raise ValueError(f"there is no revision {', '.join(sorted(unknown))}; there are {there}, ...")
        kept = kept[kept["revision"].isin(parts(revisions))]
    if kept.empty:
        raise ValueError(
            f"no model is left of {len(members)} checkpoints, from {members['params'].min():,.0f} parameters and named "
            f"{', '.join(members['revision'].unique()[:5])}, ...: choose other revisions or a larger --max-params"
        )
    return kept


def task_tables(
    names: str, digits: str, n: int, shots: int, shot_sets: int, layout: str, choices: int, seeds: list[int]
) -> list[pd.DataFrame]:
    """The tasks named with commas, arithmetic at each number of digits, each once a seed."""
    tables = []
    for name in parts(names):
        if name in tasks.SYMBOLS:
            for size in numbers(digits):
                make = partial(tasks.arithmetic, name, size, n, shots, shot_sets, layout)
                tables += sweep.seeded(make, seeds)
        elif name == "continuation":
            tables += sweep.seeded(partial(tasks.continuation, n), seeds)
        elif name == "memo-trap":
            tables.append(tasks.memo_trap())
        elif name.endswith(".jsonl"):
            tables.append(tasks.from_jsonl(name))
        else:
            known = ", ".join([*tasks.SYMBOLS, "continuation", "memo-trap"])
            raise tasks.TaskError(f"there is no task {name!r}: choose of {known}, or give a file that ends in .jsonl")
    if not tables:
        raise tasks.TaskError("no task is named")
    if choices:
        tables = [tasks.multiple_choice(table, choices) for table in tables]
    return tables


def default_layout(models) -> str:
    """The layout that models know: those of the ladder read nothing but "compact".

    >>> default_layout(["smollm2"])
    'plain'
    """
    places = [(families.LADDER / model, Path(model).expanduser()) for model in models]
    trained = [any((place / "training.json").exists() for place in two) for two in places]
    return "compact" if all(trained) else "plain"


def parts(text: str) -> list[str]:
    """What commas separate, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def numbers(text: str) -> list[int]:
    """Numbers with commas between them. Raises ValueError for anything else.

    >>> numbers("1,2,5")
    [1, 2, 5]
    """
    if not all(part.isdecimal() for part in parts(text)) or not parts(text):
        raise ValueError(f"{text!r} should be a number, or several with commas: 1,2,3")
    return [int(part) for part in parts(text)]


def _client():
    from distributed import Client

    return Client()

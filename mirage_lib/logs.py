"""Logs of other tools, read as items or as scores: lm-evaluation-harness 0.4.x, inspect_ai, plain tables.

`read` gives items: of loglikelihood `logprob` and `is_greedy`, each of the whole answer; of multiple_choice these of
the right option, `choice_logprob` and `answer`; of generate_until `is_greedy`, as the log calls it right, and with a
tokenizer `output`, `target`, `length`; of loglikelihood_rolling the `logprob` of the whole text; of inspect_ai
`is_greedy`, as a scorer calls it right; of a plain table the columns it has. `allowed` says which metrics are exact.

The harness keeps one sum over an answer, in nats, and no tokens. Cross-entropy is right on a list of that one number;
what counts tokens would take the answer for a single one, and `score` refuses it. Logs of inspect_ai are read by
inspect_ai: by hand it was tried in version 0.3.285, and in the tests a stand-in takes its place.
"""

import json
import re
import warnings
from ast import literal_eval
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from mirage_lib import metrics, scores
from mirage_lib.items import COLUMNS, ItemsError, items_table, read_arrow, to_pandas

# what each metric reads, first the one that says right or wrong
METRICS = {
    metrics.exact_match: "is_greedy",
    metrics.expected_accuracy: "logprob",
    metrics.cross_entropy: "logprob",
    metrics.token_edit_distance: "output",
    metrics.multiple_choice_grade: "choice_logprob",
    metrics.brier_choices: "choice_logprob",
    metrics.brier_target: "choice_logprob",
    metrics.token_accuracy: "is_greedy of each token",
    metrics.sampled_accuracy: "samples",
}
_DATED = re.compile(r"(samples_)?(.+)_(\d{4}-\d\d-\d\dT[\d.:+-]+)\.jsonl?")
_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # of inspect_ai: correct, partial, incorrect, no answer


class LogError(ValueError):
    """A log cannot be read as asked; the message names the file or task, the fault and the remedy."""


class _Log(NamedTuple):
    """A model's answers to a task: what the results file says, of all and of the task, and the file of samples."""

    model: str
    task: str
    about: dict
    config: dict
    samples: Path | None


def kind(path: str | Path) -> str:
    """What a file or folder holds, by its names: "lm-eval", "inspect", "table", or "" for none of these.

    >>> kind("scores.csv"), kind("2026-01-31T10-00-00_sums.eval"), kind("samples_sums_2026-01-31T10-00-00.1.jsonl")
    ('table', 'inspect', 'lm-eval')
    """
    path = Path(path)
    names = [each.name for each in (path.rglob("*") if path.is_dir() else [path])]
    if any(map(_DATED.fullmatch, names)):
        return "lm-eval"
    if any(re.fullmatch(r".+\.eval|\d{4}-\d\d-\d\dT.+\.json", name) for name in names):
        return "inspect"
    return "table" if path.suffix in (".csv", ".parquet", ".jsonl") and not path.is_dir() else ""


def read(*paths, task=None, filter=None, right=None, tokenizer=None, columns=None, sizes=None) -> pd.DataFrame:
    """Items of one or more logs: a row a model, task and question (a sample and epoch of inspect_ai).

    paths : folders or files. Of a model's runs of one task the newest counts, with a warning.
    task : leaves all others out.
    filter : of the harness, where it scored a task through several: each question counts once.
    right : the score that says, by 0 or 1, whether a generated answer is right. If None, it is `exact_match`, else
        `acc`; in a log of inspect_ai the only scorer that does.
    tokenizer : of Hugging Face, for `output` and `target` of generated answers: stripped, without their stop.
    columns : of a plain table, its names and ours: {"subject": "task"}.
    sizes : parameters without embeddings, by the model's name or the end of it. For other models the log's number is
        taken, with a warning, as the harness counts the embeddings. The family is "logged" if no table says it.

    Raises LogError for what is no log, an unknown task, models without a size, samples without results or responses,
    results without samples, several filters or scorers to choose from, and answers that items cannot hold.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "mine.csv")
    ...     _ = file.write_text("subject,model,item,is_greedy\\nsums,a,0,1\\nsums,a,1,0\\n")
    ...     read(file, columns={"subject": "task"}, sizes={"a": 1e6})["is_greedy"].tolist()
    [True, False]
    """
    logs = _harness_logs(paths, task)
    parts = [_harness_items(log, filter, right, tokenizer) for log in logs]
    for frame, scorers in _frames(paths, task, columns):
        parts.append(_frame_items(frame.assign(is_greedy=_verdicts(frame, scorers, right)) if scorers else frame))
    arrow = [pa.Table.from_pandas(part, preserve_index=False) for part in parts]
    items = _sized(to_pandas(pa.concat_tables(arrow, promote_options="default")), logs, sizes)
    return items_table(**{name: items[name] for name in COLUMNS if name in items})


def allowed(items: pd.DataFrame) -> list:
    """The metrics that the items of one task allow, of all in `METRICS`.

    >>> [metric.__name__ for metric in allowed(items_table(task="t", model="m", is_greedy=[True, False]))]
    ['exact_match']
    """
    has = set(items.columns[items.notna().any()])  # a column that only other tasks have is empty here
    if "is_greedy" in has and not isinstance(items["is_greedy"].dropna().iloc[0], bool | np.bool_):
        has.add("is_greedy of each token")
    return [metric for metric, column in METRICS.items() if column in has]


def score(items: pd.DataFrame, *wanted) -> pd.DataFrame:
    """A table of scores (`scores.table`), by the metrics wanted or by all that the items of each task allow.

    Raises LogError for a metric that needs tokens where the log has whole answers, or a column that a task lacks.

    >>> log = items_table(task="t", family="F", model="m", item=[0, 1], is_greedy=[True, False], logprob=[[0.0], [-1]])
    >>> score(log)[["exact_match", "cross_entropy"]].values.tolist()
    [[0.5, 0.5]]
    >>> score(log, metrics.token_accuracy)
    Traceback (most recent call last):
        ...
    mirage_lib.logs.LogError: task 't' cannot have token_accuracy: it has no is_greedy of each token (the...
    """
    rows = []
    for task, group in items.groupby("task", sort=False):
        group = group.dropna(axis="columns", how="all")  # a column that only other tasks have is empty here
        known = allowed(group)
        if lacking := [metric for metric in wanted if metric in METRICS and metric not in known]:
            raise LogError(
                f"task {task!r} cannot have {lacking[0].__name__}: it has no {METRICS[lacking[0]]} (the harness "
                f"keeps whole answers, no tokens). It can have {', '.join(metric.__name__ for metric in known)}"
            )
        rows.append(scores.table(group, *(wanted or known)))
    return pd.concat(rows, ignore_index=True)


def table(*paths, task=None, filter=None, right=None, tokenizer=None, columns=None, sizes=None) -> pd.DataFrame:
    """A table of scores of one or more logs: what `score` finds in their items, and beside it the log's own scores.

    Arguments and errors are those of `read`. Own scores keep their names (`acc_norm`; the scorers of inspect_ai, C as
    1, P as 0.5, I and N as 0) and their errors, `<name>_se`; one with a name of ours is left out. A task of the harness
    without samples has own scores only, and so has, with a warning, one whose answers items cannot hold. A plain table
    has items, or scores: `benchmark`, `model`, `n_items` and a column for each.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "mine.csv")
    ...     _ = file.write_text("benchmark,model,params,n_items,grade\\nsums,a,1e6,50,0.1\\n")
    ...     table(file)[["family", "model", "grade"]].values.tolist()
    [['logged', 'a', 0.1]]
    """
    logs, parts = _harness_logs(paths, task), []
    for log in logs:
        own = _own_scores(log, filter)
        try:
            found = score(_harness_items(log, filter, right, tokenizer)) if log.samples else own
            own = found.join(own[own.columns.difference(found.columns)])
        except (LogError, ItemsError) as error:
            warnings.warn(f"only the log's own scores are read: {error}", stacklevel=2)
        parts.append(own)
    for frame, scorers in _frames(paths, task, columns):
        if scorers:
            frame = scores.table(frame, *(lambda items, name=name: items[name] for name in scorers))
        elif "benchmark" not in frame:
            frame = score(_frame_items(frame))
        parts.append(frame)
    return _sized(pd.concat(parts, ignore_index=True), logs, sizes)


def tasks(*paths: str | Path) -> list[str]:
    """Names of the tasks in logs of the harness."""
    return sorted({log.task for log in _harness_logs(paths, None)})


def _harness_logs(paths, task: str | None) -> list[_Log]:
    """The newest log of each model and task, after a look at all paths."""
    if not paths:
        raise LogError("no log is named: give a folder or file, or several")
    results, samples = {}, {}
    for path in map(Path, paths):
        if not path.exists() or not kind(path):
            raise LogError(
                f"{path} {'holds no log' if path.exists() else 'is not there'}: give what lm_eval --output_path FOLDER "
                "--log_samples wrote, logs of inspect_ai (*.eval), or a table (.csv, .parquet, .jsonl)"
            )
        date = _DATED.fullmatch(path.name)
        for file in path.rglob("*.json*") if path.is_dir() else path.parent.glob(f"*_{date[3]}.json*") if date else ():
            if (match := _DATED.fullmatch(file.name)) and not match[1]:
                results[match[3], file.parent] = file
            elif match and (path.suffix != ".jsonl" or path == file):
                samples.setdefault((match[3], file.parent), {})[match[2]] = file
    if orphans := sorted(set(samples) - set(results)):
        date, folder = orphans[0]
        raise LogError(f"{folder} has samples and no results_{date}.json beside them, which says which model answered")
    logs, known = {}, set()
    for run in sorted(results):
        about = next(_lines(results[run], whole=True))
        groups = {name for name, parts in about.get("group_subtasks", {}).items() if parts}
        here = samples.get(run) or dict.fromkeys(about.get("results", {}).keys() - groups)
        known |= here.keys()
        for name in here.keys() & ({task} if task else here.keys()):
            log = _Log(_model(about), name, about, about.get("configs", {}).get(name, {}), here[name])
            if (log.model, name) in logs:
                warnings.warn(f"{log.model} answered {name!r} more than once: the run of {run[0]} counts", stacklevel=3)
            logs[log.model, name] = log
    if known and not logs:
        raise LogError(f"no log has the task {task!r}: there are {', '.join(sorted(known))}")
    # a folder's path is a long name for a model, and its end says as much unless two have the same
    short = {model: Path(model).name if model.count("/") > 1 else model for model, _ in logs}
    unique = len(set(short.values())) == len(short)
    return [log._replace(model=short[log.model]) if unique else log for _, log in sorted(logs.items())]


def _model(about: dict) -> str:
    """The model's name in a results file, with its revision where that is not the main one."""
    config = about.get("config", {})
    argument = re.search(r"(?:pretrained|model)['\"]?[=:] ?['\"]?([^,'\"}]+)", str(config.get("model_args")))
    name = about.get("model_name") or (argument[1] if argument else config.get("model"))
    revision = config.get("model_revision") or "main"
    return f"{name}" if revision == "main" else f"{name}@{revision}"


def _number(value) -> float:
    """A number, perhaps written as text; NaN for anything else, such as "N/A"."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _size(about: dict) -> float:
    """Parameters, with the embeddings, as the harness counted them; NaN where it did not."""
    count = _number(about.get("config", {}).get("model_num_parameters"))
    return count if count > 0 else float("nan")


def _one_filter(names, wanted: str | None, task: str) -> str:
    names = list(dict.fromkeys(names))
    if len(names) > 1 and wanted not in names:
        raise LogError(
            f"task {task!r} was scored through several filters: choose one (filter=, --filter) of {', '.join(names)}"
        )
    return wanted if wanted in names else names[0]


def _own_scores(log: _Log, wanted: str | None) -> pd.DataFrame:
    """What the results file says of a model and task, as one row of a table of scores."""
    found = log.about["results"].get(log.task, {})
    count = log.about.get("n-samples", {}).get(log.task, {}).get("effective", found.get("sample_len"))
    row = {"benchmark": log.task, "model": log.model, "params": _size(log.about), "n_items": _number(count)}
    keys = [key for key in found if "," in key]
    chosen = _one_filter([key.split(",")[1] for key in keys] or [""], wanted, log.task)
    for key in keys:
        if key.endswith(f",{chosen}") and not np.isnan(value := _number(found[key])):
            row[key.removesuffix(f",{chosen}").replace("_stderr", "_se")] = value
    return pd.DataFrame([row])


def _lines(file: Path, whole: bool = False) -> Iterator[dict]:
    with file.open(encoding="utf-8") as stream:
        for number, line in enumerate([stream.read()] if whole else stream, 1):
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"not {line.strip()[:20]!r}, but names with values are wanted")
            except ValueError as error:
                raise LogError(f"line {number} of {file} is no JSON: was the run cut short? ({error})") from error
            yield row


def _samples(log: _Log, wanted: str | None) -> list[dict]:
    """A row a question, through one filter; `texts` are the second arguments of its requests."""
    rows, seen = [], Counter()
    for row in _lines(log.samples):
        if "doc_id" not in row or not (row.get("resps") or row.get("filtered_resps")):
            raise LogError(f"{log.samples} has no response to question {row.get('doc_id')!r}: let the run finish")
        # early versions repeat each question without a filter's name, in the order of the task's filters
        names = [each["name"] for each in log.config.get("filter_list") or []][seen[row["doc_id"]] :]
        row.setdefault("filter", names[0] if names else "none")
        seen[row["doc_id"]] += 1
        requests = row.get("arguments") or []
        requests = requests.values() if isinstance(requests, dict) else requests
        requests = [list(each.values()) if isinstance(each, dict) else each for each in requests]
        row["texts"] = [each[1] if len(each) > 1 else None for each in requests]
        rows.append({name: value for name, value in row.items() if name not in ("doc", "arguments")})
    if not rows:
        raise LogError(f"{log.samples} is empty: let the run finish")
    chosen = _one_filter((row["filter"] for row in rows), wanted, log.task)
    rows = [row for row in rows if row["filter"] == chosen]
    if len({row["doc_id"] for row in rows}) < len(rows):
        raise LogError(f"{log.samples} has questions twice, and names no filters that tell them apart")
    return rows


def _harness_items(log: _Log, wanted: str | None, right: str | None, tokenizer) -> pd.DataFrame:
    if log.samples is None:
        raise LogError(f"{log.model} has results of {log.task!r} without samples: run lm_eval with --log_samples")
    rows = _samples(log, wanted)
    if log.config.get("output_type") == "generate_until" or isinstance(rows[0]["texts"][0], dict):
        columns = _generated(log, rows, right, tokenizer)
    else:
        try:
            pairs = [[_pair(each) for each in row.get("resps") or row["filtered_resps"]] for row in rows]
        except (ValueError, TypeError, SyntaxError) as error:
            raise LogError(f"{log.samples} has a response that is no log-likelihood: {error}") from error
        columns = {}
        if len(pairs[0]) > 1:
            if "acc_mutual_info" in rows[0]:  # the options again, without the question
                pairs = [several[: len(several) // 2] for several in pairs]
            columns["choice_logprob"] = [[value for value, _ in several] for several in pairs]
            columns["answer"] = _answers(log, rows, columns["choice_logprob"])
        chosen = [several[i] for several, i in zip(pairs, columns.get("answer", [0] * len(rows)), strict=True)]
        columns["logprob"] = [[value] for value, _ in chosen]
        if all(greedy is not None for _, greedy in chosen):
            columns["is_greedy"] = [greedy for _, greedy in chosen]
    shared = {"family": "logged", "model": log.model, "params": _size(log.about), "task": log.task}
    return items_table(**shared, item=[int(row["doc_id"]) for row in rows], **columns)


def _pair(response) -> tuple[float, bool | None]:
    """A log-likelihood in nats and whether it is the greedy answer's (None: not said), in any form they are written."""
    while isinstance(response, list) and (len(response) == 1 or isinstance(response[0], list)):
        response = response[0]
    response = literal_eval(response) if str(response)[:1] == "(" else response
    value, greedy = response[:2] if isinstance(response, list | tuple) else (response, None)
    return float(value), None if greedy is None else str(greedy) in ("True", "1")


def _answers(log: _Log, rows: list[dict], sums: list[list[float]]) -> list[int]:
    """The right option of each question, named in the first way that agrees with the log's `acc`."""
    best = [int(np.argmax(several)) for several in sums]
    ways = [_right_options(row, len(several), top) for row, several, top in zip(rows, sums, best, strict=True)]
    for answers in zip(*ways, strict=True):
        hits = [top == answer for top, answer in zip(best, answers, strict=True)]
        logged = [_number(row.get("acc", hit)) for row, hit in zip(rows, hits, strict=True)]
        if None not in answers and logged == hits:
            return list(answers)
    target = rows[0].get("target")
    raise LogError(
        f"targets of task {log.task!r}, such as {target!r}, name no single right option that agrees with its acc: "
        "items cannot be had, its own scores can (logs.table)"
    )


def _right_options(row: dict, n: int, best: int) -> tuple[int | None, int | None, int | None]:
    """The right option as the log's number, as the option whose text is the target, as what `acc` says of two."""
    # in a sample these scores are pairs: the right option, and what they are made from, such as a printed array
    pairs = [row[name] for name in ("brier_score", "likelihood", "f1") if isinstance(row.get(name), list)]
    target = _sole(row.get("target"))
    number = str(pairs[0][0]) if pairs else target
    texts = [str(text).strip() for text in row["texts"][:n]]
    # of two options in one text, the target is what follows them, and says nothing
    other = best if _number(row.get("acc")) else 1 - best
    return (
        int(number) if number.isdecimal() and int(number) < n else None,
        texts.index(target) if texts.count(target) == 1 else None,
        other if n == 2 and "acc" in row else None,
    )


def _sole(target) -> str:
    """A target as text; of a list with one entry, the entry."""
    try:
        several = literal_eval(str(target)) if str(target)[:1] == "[" else []
    except (ValueError, SyntaxError):
        several = []
    return str(several[0] if len(several) == 1 else target).strip()


def _generated(log: _Log, rows: list[dict], right: str | None, tokenizer) -> dict:
    name = right or next((each for each in ("exact_match", "acc") if each in rows[0]), "exact_match")
    verdicts = [_number(row.get(name)) for row in rows]
    if not set(verdicts) <= {0.0, 1.0}:
        has = rows[0].get("metrics")
        raise LogError(
            f"task {log.task!r} has no {name!r} of 0 or 1 for each answer, but {has}: choose one with right="
        )
    columns = {"is_greedy": [verdict == 1 for verdict in verdicts]}
    if tokenizer is None:
        return columns
    texts = {"output": [_first(row.get("filtered_resps") or row["resps"]) for row in rows]}
    texts["target"] = [_sole(row["target"]) for row in rows]
    for verdict, output, target in zip(verdicts, *texts.values(), strict=True):
        if verdict and output.casefold() != target.casefold():
            raise LogError(
                f"task {log.task!r} calls {output!r} right where the target is {target!r}: it compares parts of them, "
                "and no edit distance can be had; read it without tokenizer="
            )
    for column, several in texts.items():
        columns[column] = [list(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in several]
    return columns | {"length": [len(target) for target in columns["target"]]}


def _first(response) -> str:
    while isinstance(response, list):
        response = response[0] if response else ""
    return "" if response == "[invalid]" else str(response).strip()  # where a filter found no answer


def _frames(paths, task: str | None, columns: dict[str, str] | None) -> Iterator[tuple[pd.DataFrame, list[str]]]:
    """Plain tables, and logs of inspect_ai with the names of their scorers."""
    for path in map(Path, paths):
        what, scorers = kind(path), []
        if what == "lm-eval":
            continue
        if what == "inspect":
            frame, scorers = _inspect(path)
        elif path.suffix == ".parquet":
            frame = to_pandas(read_arrow(path))
        else:
            try:
                frame = pd.read_csv(path) if path.suffix == ".csv" else pd.DataFrame(list(_lines(path)))
            except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
                raise LogError(f"{path} is no table with a name above each column ({error})") from error
        if len(frame.columns) == 1 and ";" in frame.columns[0]:
            raise LogError(f"{path} has semicolons between its columns: write commas, and points in numbers")
        frame = frame.rename(columns=columns or {})
        by = "benchmark" if "benchmark" in frame else "task"
        if missing := sorted({by, "model"} - set(frame)):
            raise LogError(f"{path} lacks {', '.join(map(repr, missing))}: name columns with columns={{theirs: ours}}")
        if gaps := frame["model"].isna().sum():
            raise LogError(f"{path} has {gaps} rows without a model: name it or leave them out")
        frame = frame.assign(model=frame["model"].map(str))  # a model may be named 7
        if task is not None and not (frame[by] == task).any():
            raise LogError(f"{path} has no task {task!r}: there are {', '.join(map(str, frame[by].unique()))}")
        frame = frame if task is None else frame[frame[by] == task]
        yield frame if "family" in frame else frame.assign(family="logged"), scorers


def _frame_items(frame: pd.DataFrame) -> pd.DataFrame:
    if "task" not in frame or not {"is_greedy", "logprob", "choice_logprob", "squared_error"} & set(frame):
        raise LogError(
            f"a table of {', '.join(frame)} has no items, which have 'task', 'model' and 'is_greedy', 'logprob' or "
            "'choice_logprob': name them with columns=; logs.table reads scores"
        )
    return items_table(**{name: frame[name] for name in COLUMNS if name in frame})


def _inspect(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """A row a sample and epoch, with what each scorer gave, as a number."""
    try:
        from inspect_ai.analysis import EvalModel, EvalTask, SampleSummary, samples_df
    except ImportError as error:
        raise LogError(f"{path} is a log of inspect_ai, which must read it: pip install inspect_ai") from error
    found = samples_df(str(path), columns=[*SampleSummary, *EvalModel, *EvalTask], quiet=True)
    frame = pd.DataFrame({"task": found["task_name"].astype(str), "model": found["model"].astype(str)})
    frame["item"] = pd.factorize(found["id"], sort=True)[0]
    names = [name for name in found if name.startswith("score_")]
    numbers = {name[6:]: [_number(_GRADES.get(str(value), value)) for value in found[name]] for name in names}
    scored = pd.DataFrame(numbers, index=found.index).dropna(axis="columns", how="all")
    if scored.empty or scored.isna().any(axis=None):
        raise LogError(f"{path} has samples without a score that is a number: let the run finish (inspect eval-retry)")
    return frame.join(scored), list(scored)


def _verdicts(frame: pd.DataFrame, scorers: list[str], right: str | None) -> pd.Series:
    fit = [name for name in scorers if frame[name].isin([0, 1]).all()]
    if (right or len(fit) == 1) and (right or fit[0]) in fit:
        return frame[right or fit[0]] == 1
    said = ", ".join(fit) or "none"
    raise LogError(f"of the scorers {', '.join(scorers)} these say right or wrong: {said}; choose one with right=")


def _sized(table: pd.DataFrame, logs: list[_Log], sizes) -> pd.DataFrame:
    """With the sizes given, else those of the log, and the family."""
    sizes = sizes or {}
    given = {model: sizes.get(model, sizes.get(Path(model).name)) for model in table["model"].unique()}
    params = table["model"].map(given).astype(float)
    if "params" in table:
        numbers = pd.to_numeric(table["params"], errors="coerce")
        if (words := numbers.isna() & table["params"].notna() & params.isna()).any():
            raise LogError(f"{table['params'][words].iloc[0]!r} is no number of parameters: write 1.4e9 for 1.4B")
        params = params.fillna(numbers.astype(float))
    if (gaps := params.isna()).any():
        lost = ", ".join(table["model"][gaps].unique())
        raise LogError(f"no size is known of {lost}: give those without embeddings, sizes={{'x': 7e9}} or --sizes FILE")
    if counted := sorted({log.model for log in logs if _size(log.about) > 0 and given[log.model] is None}):
        warnings.warn(
            f"sizes of {', '.join(counted)} are the harness's and count the embeddings, which bends the curve of small "
            "models: give those without them, sizes={'x': 7e9} or --sizes FILE",
            stacklevel=3,
        )
    families = table["family"].fillna("logged") if "family" in table else "logged"
    return table.assign(params=params, family=families)

"""The items table: one row an item, saying what happened. Every source writes it, every metric reads it.

A harsh and a soft score are only comparable when they come from the same answers. So answers are kept, not
scores: a model is measured once, and scored afterwards in every way one likes.

The columns (a table carries those that its source can fill in):

=================  ==================  ==========================================================
column             type                meaning
=================  ==================  ==========================================================
``family``         string              family of models
``model``          string              the model, with its revision where it has one
``commit``         string              what exactly was run: the hub's commit, or a digest of the weights
``params``         float64             parameters, without the embeddings
``width``          int64               units or channels of the layer that makes a vision model large or small
``seed``           int64               seed of a training
``tokens``         float64             tokens seen in training
``task``           string              the task
``length``         int64               length of the target, in tokens
``digits``         int64               digits in the target
``item``           int64               number of the item within the task
``shot_set``       int64               which set of examples stood before the question
``logprob``        list<float64>       log-probability of each target token, teacher-forced, in nats
``is_greedy``      list<bool> or bool  the model's choice is the target token (or: the item is right)
``output``         list<int64>         token ids of the answer given
``target``         list<int64>         token ids of the reference answer
``samples``        list<list<int64>>   answers sampled beside the one given, as token ids
``choice_logprob`` list<float64>       log-probability of each option of a multiple-choice item, in nats
``answer``         int64               number of the correct option, from 0
``squared_error``  float64             squared error of a reconstruction
=================  ==================  ==========================================================
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

_TYPES = {
    pa.string(): "family model commit task",
    pa.float64(): "params tokens squared_error",
    pa.int64(): "width seed length digits item shot_set answer",
    pa.list_(pa.float64()): "logprob choice_logprob",
    pa.list_(pa.bool_()): "is_greedy",
    pa.list_(pa.int64()): "output target",
    pa.list_(pa.list_(pa.int64())): "samples",
}
COLUMNS = {name: kind for kind, names in _TYPES.items() for name in names.split()}


class ItemsError(ValueError):
    """An items table cannot be scored as asked; the message names the column, the fault and the remedy."""


class Ragged(NamedTuple):
    """A column of lists, laid end to end.

    values : array, shape (sum of lengths,)
    lengths : int array, shape (n_items,)
    """

    values: np.ndarray
    lengths: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Index in ``values`` at which each item begins, shape (n_items,): what ``np.add.reduceat`` takes."""
        return np.cumsum(self.lengths) - self.lengths

    def lists(self) -> list[list]:
        """The same values as one Python list an item."""
        values, ends = self.values.tolist(), np.cumsum(self.lengths).tolist()
        return [values[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def items_table(**columns) -> pd.DataFrame:
    """Build an items table with Arrow types from one sequence a column; a single value is repeated.

    Raises ItemsError for an unknown column, a value of the wrong type, or columns of unequal length.

    >>> table = items_table(model="toy", is_greedy=[[True, True], [True, False]])
    >>> len(table), str(table["is_greedy"].dtype)
    (2, 'list<item: bool>[pyarrow]')
    """
    arrays = {}
    for name, values in columns.items():
        if name not in COLUMNS:
            raise ItemsError(f"unknown column {name!r}; the columns of an items table are {', '.join(COLUMNS)}")
        if not (np.isscalar(values) or values is None):
            arrays[name] = _to_arrow(name, values)
    lengths = {name: len(array) for name, array in arrays.items()}
    if not arrays:
        raise ItemsError("an items table needs at least one column with a value an item")
    if len(set(lengths.values())) != 1:
        raise ItemsError(f"columns differ in length: {lengths}; every column needs one entry an item")
    (n_items,) = set(lengths.values())
    for name, values in columns.items():
        if name not in arrays:
            arrays[name] = _to_arrow(name, [values] * n_items)
    return pd.DataFrame({name: pd.Series(arrays[name], dtype=pd.ArrowDtype(arrays[name].type)) for name in columns})


def _to_arrow(name: str, values) -> pa.Array:
    """One column as an Arrow array of the type the table above gives it."""
    kind = COLUMNS[name]
    if isinstance(values, Ragged):
        if len(values.values) != values.lengths.sum():
            raise ItemsError(f"column {name!r} has {len(values.values)} values for lengths of {values.lengths.sum()}")
        offsets = np.append(values.starts, values.lengths.sum())
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values.values, kind.value_type))
    if isinstance(values, pd.Series):
        values = values.array if isinstance(values.dtype, pd.ArrowDtype) else values.tolist()
    elif isinstance(values, np.ndarray):
        values = values.tolist()
    for wanted in [pa.bool_(), kind] if name == "is_greedy" else [kind]:
        try:
            array = pa.array(values, from_pandas=True)
            array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
            if name == "is_greedy":
                _refuse_probabilities(array.flatten() if pa.types.is_list(array.type) else array)
            return array.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            reason = error
    raise ItemsError(f"column {name!r} must hold {kind} and does not: {reason}") from reason


def _refuse_probabilities(hits: pa.Array) -> None:
    """A cast to bool would call every number but 0 right."""
    if pa.types.is_floating(hits.type) or pa.types.is_integer(hits.type):
        wrong = set(hits.drop_null().unique().to_pylist()) - {0, 1}
        if wrong:
            raise ItemsError(f"column 'is_greedy' says right or wrong, and {wrong.pop()!r} is neither; see 'logprob'")


def validate(items: pd.DataFrame, *columns: str) -> None:
    """Raise ItemsError unless `items` has rows and the named columns, of the right type and without gaps.

    >>> validate(items_table(is_greedy=[[True]]), "is_greedy")
    >>> validate(items_table(is_greedy=[[True]]), "is_greedy", "logprob")
    Traceback (most recent call last):
        ...
    mirage_lib.items.ItemsError: this needs the column 'logprob' (target log-probabilities, nats): the table has...
    """
    missing = [name for name in columns if name not in items.columns]
    if missing:
        hints = {"logprob": " (target log-probabilities, nats)", "is_greedy": " (was the target token chosen)"}
        wanted = ", ".join(f"{name!r}{hints.get(name, '')}" for name in missing)
        noun = "column" if len(missing) == 1 else "columns"
        raise ItemsError(f"this needs the {noun} {wanted}: the table has {', '.join(map(repr, items.columns))}")
    if len(items) == 0:
        raise ItemsError("the items table is empty: there is nothing to score, and the score of nothing is unknown")
    for name in columns:
        _check_column(name, items[name])


def _check_column(name: str, column: pd.Series) -> None:
    array = _to_arrow(name, column)
    if array.null_count:
        row = column.index[np.flatnonzero(array.is_null())[0]]
        raise ItemsError(
            f"column {name!r} has {array.null_count} missing value(s), the first in row {row!r}: drop or fill"
        )
    values = array
    if pa.types.is_list(array.type):
        lengths = array.value_lengths().to_numpy(zero_copy_only=False)
        # an empty answer is an answer, but an item with no target token or no option has no score
        if name != "output" and (lengths == 0).any():
            row = column.index[np.flatnonzero(lengths == 0)[0]]
            raise ItemsError(f"column {name!r} has an empty list in row {row!r}: every item needs at least one entry")
        values = array.flatten()
    if values.null_count:
        raise ItemsError(
            f"column {name!r} has {values.null_count} missing value(s) inside its lists: drop or fill them"
        )
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False)
        if np.isnan(numbers).any():
            raise ItemsError(
                f"column {name!r} has {int(np.isnan(numbers).sum())} NaN: a score of NaN is no score; drop those items"
            )
        if name in ("logprob", "choice_logprob") and (numbers > 1e-6).any():
            raise ItemsError(f"column {name!r} has {numbers.max():g}: log-probabilities (natural log) are at most 0")
        if name == "squared_error" and (numbers < 0).any():
            raise ItemsError(f"column {name!r} has {numbers.min():g}: a squared error is at least 0")


def first_tokens(items: pd.DataFrame, length: int) -> pd.DataFrame:
    """The same answers, judged on their first `length` tokens only; items with shorter targets are left out.

    One table gives the curves of every length, from the same answers. `length` becomes the new target length; an
    answer may end before it. Raises ItemsError when no target is so long.

    >>> table = items_table(length=[2, 1], is_greedy=[[True, False], [True]], target=[[4, 2], [7]])
    >>> first_tokens(table, 1)["is_greedy"].tolist(), len(first_tokens(table, 2))
    ([[True], [True]], 1)
    """
    validate(items, "length")
    kept = items[items["length"] >= length]
    if length < 1 or kept.empty:
        raise ItemsError(f"no target has {length} tokens: the longest has {items['length'].max()}")
    columns = {"length": [length] * len(kept)}
    for name in ("logprob", "is_greedy", "output", "target"):
        if name in kept:
            values, lengths = ragged(kept, name)
            place = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            columns[name] = Ragged(values[place < length], np.minimum(lengths, length))
    if "samples" in kept:
        columns["samples"] = [[sample[:length] for sample in samples] for samples in kept["samples"]]
    cut = items_table(**columns).set_index(kept.index)
    return kept.assign(**{name: cut[name] for name in cut})


def ragged(items: pd.DataFrame, column: str) -> Ragged:
    """A validated list column laid end to end; a plain column counts as lists of length one.

    >>> ragged(items_table(is_greedy=[[True, False], [True]]), "is_greedy")
    Ragged(values=array([ True, False,  True]), lengths=array([2, 1]))
    """
    validate(items, column)
    array = _to_arrow(column, items[column])
    if not pa.types.is_list(array.type):
        return Ragged(array.to_numpy(zero_copy_only=False), np.ones(len(array), int))
    return Ragged(
        array.flatten().to_numpy(zero_copy_only=False),
        array.value_lengths().to_numpy(zero_copy_only=False).astype(int),
    )


def write(file: Path, table: pd.DataFrame, about: dict | None = None) -> None:
    """Write an items table as a parquet file that is either whole or not there, whenever the power goes."""
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata({"mirage": json.dumps(about)})
    part = file.with_name(f"{file.name}.{os.urandom(4).hex()}.part")
    try:
        with part.open("wb") as stream:
            pq.write_table(arrow, stream, write_page_checksum=True, compression="zstd")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def read(file: str | Path) -> pd.DataFrame:
    """An items table from a parquet file, with what `write` was told about it in `attrs["about"]`.

    Raises ItemsError if there is no file or it is not whole.
    """
    arrow = read_arrow(Path(file))
    table = to_pandas(arrow)
    try:
        table.attrs["about"] = json.loads((arrow.schema.metadata or {}).get(b"mirage", b"null"))
    except ValueError as error:
        raise ItemsError(f"{file} does not say what it is about: measure it again ({error})") from error
    return table


def read_arrow(file: Path) -> pa.Table:
    """A parquet file, read to its end and against its checksums. Raises ItemsError if it is not whole."""
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            return parquet.read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise ItemsError(
            f"{file} is missing, cut short or no parquet file: measure it again, or, if another program wrote it, read "
            f"it with mirage_lib.logs.table ({error})"
        ) from error


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A table of pandas with Arrow's types."""
    # not pd.read_parquet: pandas before version 3 does not know its own name for a column of lists
    return table.to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)

"""The items table: what goes in comes out, and what is wrong is named."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mirage_lib.items import COLUMNS, ItemsError, Ragged, first_tokens, items_table, ragged, read, validate, write


def test_every_documented_column_can_be_written_and_read():
    example = {
        pa.string(): ["a", "b"],
        pa.float64(): [1.0, 2.0],
        pa.int64(): [0, 1],
        pa.list_(pa.float64()): [[-1.0], [-2.0, -3.0]],
        pa.list_(pa.bool_()): [[True], [False, True]],
        pa.list_(pa.int64()): [[1], [2, 3]],
        pa.list_(pa.list_(pa.int64())): [[[1]], [[2, 3], []]],
    }
    table = items_table(**{name: example[kind] for name, kind in COLUMNS.items()})
    validate(table, *COLUMNS)
    for name, kind in COLUMNS.items():
        assert table[name].dtype == pd.ArrowDtype(kind)
        assert pa.array(table[name]).to_pylist() == example[kind]


def test_the_table_survives_parquet(tmp_path):
    table = items_table(logprob=[[-1.0], [-2.0, -3.0]], is_greedy=[[True], [False, True]])
    table.to_parquet(tmp_path / "items.parquet")
    # not pd.read_parquet: pandas before version 3 does not know its own name for a column of lists
    back = pq.read_table(tmp_path / "items.parquet").to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
    assert ragged(back, "logprob").lists() == [[-1.0], [-2.0, -3.0]]


@pytest.mark.parametrize(
    "values",
    [
        [[True, False], [True]],
        np.array([[True, False], [True, True]]),
        pd.Series([[True], [False]], index=[7, 9]),
        Ragged(np.array([True, False, True]), np.array([1, 2])),
        [True, False],
        pd.Series([np.array([True]), np.array([False])], dtype=object),
    ],
)
def test_hits_are_taken_in_any_reasonable_form(values):
    got = ragged(items_table(is_greedy=values), "is_greedy")
    flat = values.values if isinstance(values, Ragged) else np.concatenate([np.atleast_1d(v) for v in values])
    assert got.values.tolist() == flat.tolist()
    assert got.lengths.sum() == len(flat)


def test_plain_pandas_columns_are_read_too():
    frame = pd.DataFrame({"logprob": [[-1.0, -2.0], [-3.0]], "answer": [0, 1]})
    assert ragged(frame, "logprob").lists() == [[-1.0, -2.0], [-3.0]]
    assert ragged(frame, "answer").values.tolist() == [0, 1]


def test_a_slice_of_a_table_is_read_from_its_own_rows():
    table = items_table(output=[[1], [2, 3], [4]])
    assert ragged(table.iloc[1:], "output").lists() == [[2, 3], [4]]


def test_an_empty_answer_is_an_answer():
    assert ragged(items_table(output=[[], [1]]), "output").lists() == [[], [1]]


@pytest.mark.parametrize(
    ("frame", "columns", "message"),
    [
        (
            pd.DataFrame({"is_greedy": [[True]]}),
            ["logprob"],
            "needs the column 'logprob'.*nats.*the table has 'is_greedy'",
        ),
        (pd.DataFrame({"is_greedy": [[True]]}), ["output", "target"], "needs the columns 'output', 'target'"),
        (pd.DataFrame({"is_greedy": []}), ["is_greedy"], "empty.*nothing to score"),
        (
            pd.DataFrame({"is_greedy": [[True], None]}, index=["a", "b"]),
            ["is_greedy"],
            "missing value.*first in row 'b'",
        ),
        (pd.DataFrame({"is_greedy": [[True, None]]}), ["is_greedy"], "missing value.*inside its lists"),
        (pd.DataFrame({"is_greedy": [[True], []]}), ["is_greedy"], "empty list in row 1"),
        (pd.DataFrame({"is_greedy": [["yes"]]}), ["is_greedy"], "'is_greedy' must hold list<item: bool>"),
        (pd.DataFrame({"is_greedy": [0.3, 1.0]}), ["is_greedy"], "'is_greedy' says right or wrong, and 0.3 is neither"),
        (pd.DataFrame({"is_greedy": [[1, 2]]}), ["is_greedy"], "'is_greedy' says right or wrong, and 2 is neither"),
        (pd.DataFrame({"logprob": [-1.0]}), ["logprob"], "'logprob' must hold list"),
        (pd.DataFrame({"logprob": [[0.5]]}), ["logprob"], "0.5: log-probabilities .* at most 0"),
        (pd.DataFrame({"logprob": [[-0.5, float("nan")]]}), ["logprob"], "NaN|missing"),
        (
            pd.DataFrame({"squared_error": [1.0, -2.0]}),
            ["squared_error"],
            "-2: a squared error is at least 0",
        ),
        (pd.DataFrame({"squared_error": [1.0, float("nan")]}), ["squared_error"], "missing|NaN"),
        (pd.DataFrame({"answer": [0.5]}), ["answer"], "'answer' must hold int64"),
        (pd.DataFrame({"choice_logprob": [[-1.0], []]}), ["choice_logprob"], "empty list in row 1"),
        (pd.DataFrame({"choice_logprob": [[-1.0, 0.5]]}), ["choice_logprob"], "0.5: log-probabilities .* at most 0"),
        (pd.DataFrame({"output": [[1.5]]}), ["output"], "'output' must hold list"),
    ],
)
def test_what_is_wrong_is_named(frame, columns, message):
    with pytest.raises(ItemsError, match=message):
        validate(frame, *columns)


def test_nan_inside_an_arrow_column_is_found():
    column = pd.Series(pa.array([[-1.0, float("nan")]]), dtype=pd.ArrowDtype(pa.list_(pa.float64())))
    with pytest.raises(ItemsError, match="1 NaN"):
        validate(pd.DataFrame({"logprob": column}), "logprob")


def test_first_tokens_cuts_every_answer_and_leaves_out_what_is_shorter():
    table = items_table(
        task="t",
        item=[0, 1, 2],
        length=[3, 1, 2],
        digits=[2, 0, 1],
        logprob=[[-1.0, -2.0, -3.0], [-4.0], [-5.0, -6.0]],
        is_greedy=[[True, False, True], [True], [False, True]],
        output=[[1, 9, 9, 9], [4], [7]],
        target=[[1, 2, 3], [4], [5, 6]],
        samples=[[[1, 2, 3], [8]], [[4]], [[5, 6, 7]]],
    ).set_index(pd.Index(["a", "b", "c"]))
    cut = first_tokens(table, 2)
    assert list(cut.columns) == list(table.columns)
    assert cut.dtypes.tolist() == table.dtypes.tolist()
    assert cut.index.tolist() == ["a", "c"]
    assert cut["item"].tolist() == [0, 2] and cut["digits"].tolist() == [2, 1]
    assert cut["length"].tolist() == [2, 2]
    assert ragged(cut, "logprob").lists() == [[-1.0, -2.0], [-5.0, -6.0]]
    assert ragged(cut, "is_greedy").lists() == [[True, False], [False, True]]
    assert ragged(cut, "output").lists() == [[1, 9], [7]]
    assert ragged(cut, "target").lists() == [[1, 2], [5, 6]]
    assert pa.array(cut["samples"]).to_pylist() == [[[1, 2], [8]], [[5, 6]]]
    assert first_tokens(table, 1)["length"].tolist() == [1, 1, 1]
    assert table["length"].tolist() == [3, 1, 2]  # the table itself stays


@pytest.mark.parametrize("length", [0, -1, 4])
def test_first_tokens_of_no_target_is_refused(length):
    table = items_table(length=[3, 1], is_greedy=[[True] * 3, [True]])
    with pytest.raises(ItemsError, match=f"no target has {length} tokens: the longest has 3"):
        first_tokens(table, length)


def test_building_a_table_refuses_what_it_cannot_hold():
    with pytest.raises(ItemsError, match="unknown column 'logprobs'"):
        items_table(logprobs=[[-1.0]])
    with pytest.raises(ItemsError, match=r"differ in length: \{'is_greedy': 1, 'answer': 2\}"):
        items_table(is_greedy=[[True]], answer=[0, 1])
    with pytest.raises(ItemsError, match="'params' must hold double"):
        items_table(is_greedy=[[True]], params="many")
    with pytest.raises(ItemsError, match="needs at least one column"):
        items_table(model="toy")


def test_values_that_do_not_fit_their_lengths_are_refused():
    with pytest.raises(ItemsError, match="'is_greedy' has 3 values for lengths of 2"):
        items_table(is_greedy=Ragged(np.array([True, False, True]), np.array([1, 1])))
    assert items_table(is_greedy=[[0, 1.0], [1]])["is_greedy"].tolist() == [[False, True], [True]]


def test_a_flipped_bit_is_found(tmp_path):
    """By the checksum of the page alone: the file still has all its parts."""
    logprob = Ragged(-np.random.default_rng(0).random(1000), np.ones(1000, int))
    write(tmp_path / "one.parquet", items_table(logprob=logprob))
    whole = bytearray((tmp_path / "one.parquet").read_bytes())
    whole[len(whole) // 2] ^= 1
    (tmp_path / "one.parquet").write_bytes(whole)
    with pytest.raises(ItemsError, match="cut short or no parquet file: measure it again"):
        read(tmp_path / "one.parquet")


def test_what_another_program_wrote_is_sent_to_what_reads_it(tmp_path):
    (tmp_path / "log.csv").write_text("task,model,is_greedy\na,b,True\n")
    with pytest.raises(
        ItemsError, match=r"log\.csv .* if another program wrote it, read it with mirage_lib\.logs\.table"
    ):
        read(tmp_path / "log.csv")


def test_what_a_table_is_about_is_read_or_refused(tmp_path):
    write(tmp_path / "one.parquet", items_table(item=[1]), {"seed": 3})
    assert read(tmp_path / "one.parquet").attrs["about"] == {"seed": 3}
    whole = (tmp_path / "one.parquet").read_bytes()
    (tmp_path / "one.parquet").write_bytes(whole.replace(b'{"seed": 3}', b'{"seed": 3]'))
    with pytest.raises(ItemsError, match="does not say what it is about: measure it again"):
        read(tmp_path / "one.parquet")

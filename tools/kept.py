"""What is kept with the library of the answers that chapters measure.

    python tools/kept.py keep FOLDER    keep what the last build measured, in FOLDER
    python tools/kept.py check FOLDER   fail when what it measured is no longer what is kept

Another processor rounds sums otherwise. So log-probabilities of a model may differ by 0.01 nats, and one answer in a
hundred may be another. A network that is trained anew gives other answers there; its mean score may differ by 0.05 of
the scale, or of the kept error.
"""

import sys
from pathlib import Path

import exam
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))

from mirage_lib import items
from mirage_lib.claims import kept

NATS, OTHERS, TRAINED = 0.01, 0.01, 0.05
NUMBERS = pa.list_(pa.float32())


def keep(folder: Path) -> None:
    """Copy the answers in a folder to the library, their log-probabilities in single precision, as they came."""
    kept.FOLDER.mkdir(exist_ok=True)
    for file in sorted(folder.glob("*.parquet")):
        table = items.read_arrow(file)
        for name in ("logprob", "choice_logprob"):
            if name in table.column_names:
                table = table.set_column(table.column_names.index(name), name, table[name].cast(NUMBERS))
        pq.write_table(
            table, kept.FOLDER / file.name, compression="zstd", compression_level=19, write_page_checksum=True
        )
        print(f"kept {file.stem}: {table.num_rows:,} rows")


def problems(name: str, live, before) -> list[str]:
    """Say how answers measured now differ from kept ones of the same name."""
    same = ["model", "task", "item", "shot_set", "target"]
    columns = [c for c in same if c in live and c in before]
    if len(live) != len(before) or list(live.columns) != list(before.columns):
        return [f"{name}: {len(live)} rows of {list(live.columns)}, kept {len(before)} of {list(before.columns)}"]
    if not all(live[c].tolist() == before[c].tolist() for c in columns):
        return [f"{name}: other models or questions than are kept"]
    if "width" in live:  # networks, trained anew
        means = [_scores(table).groupby(table["width"].astype(int)).mean() for table in (live, before)]
        gap = (means[0] - means[1]).abs().max()
        return [f"{name}: scores {gap:.3f} from the kept"] if gap > TRAINED else []
    found = []
    for column in ("logprob", "choice_logprob"):
        if column in live:
            gap = np.abs(items.ragged(live, column).values - items.ragged(before, column).values)
            if np.median(gap) > NATS:
                found.append(f"{name}: {column} is {np.median(gap):.3f} nats from the kept (median)")
    for column in ("is_greedy", "output", "samples"):
        if column in live:
            pairs = zip(live[column].tolist(), before[column].tolist(), strict=True)
            others = np.mean([str(a) != str(b) for a, b in pairs])
            if others > OTHERS:
                found.append(f"{name}: {others:.1%} of {column} are not the kept ones")
    return found


def _scores(table):
    """One number an item: the share of right answers, or the log of the error, whose differences are shares of it."""
    if "squared_error" in table:
        return np.log(table["squared_error"].astype(float))
    right = (
        table["is_greedy"]
        if "is_greedy" in table
        else [
            [a == b for a, b in zip(*pair, strict=True)] for pair in zip(table["output"], table["target"], strict=True)
        ]
    )
    return pd.Series([np.mean(each) for each in right], table.index)


def check(folder: Path) -> list[str]:
    """Say how the answers in a folder differ from those kept. A name that is in one place only is a difference."""
    names = {place: {file.stem for file in place.glob("*.parquet")} for place in (folder, kept.FOLDER)}
    once = names[folder] ^ names[kept.FOLDER] - {exam.FILE.stem, exam.SEEDS.stem, exam.SUMS.stem}
    found = [f"{name}: only in one of {folder} and {kept.FOLDER}" for name in once]
    for name in sorted(names[folder] & names[kept.FOLDER]):
        found += problems(name, items.read(folder / f"{name}.parquet"), kept.load(name))
    return found


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("keep", "check"):
        sys.exit(__doc__)
    elif sys.argv[1] == "keep":
        keep(Path(sys.argv[2]))
    elif differing := check(Path(sys.argv[2])):
        sys.exit("\n".join(["\nMeasured now, and kept, differ; find out why, then `make keep`:", *differing]))

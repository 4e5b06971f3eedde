"""Make mirage_lib/data/*.parquet from a folder of the published tables as CSV.

python tools/import_published.py FOLDER

Each table is checked against its schema before it is written.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))

from mirage_lib import published

ARROW = {"int": pa.int64(), "float": pa.float64(), "text": pa.string()}


def to_parquet(folder: Path, out: Path = published.DATA) -> list[Path]:
    """Write every table of `folder` to `out`; the same CSVs give the same bytes."""
    written = []
    out.mkdir(parents=True, exist_ok=True)
    for name, table in published.TABLES.items():
        frame = published.check(pd.read_csv(folder / f"{name}.csv"), name)
        schema = pa.schema([(column, ARROW[rule.kind]) for column, rule in table.columns.items()])
        arrow = pa.Table.from_pandas(frame[list(table.columns)], schema, preserve_index=False)
        path = out / f"{name}.parquet"
        pq.write_table(arrow.replace_schema_metadata(None), path, compression="zstd", compression_level=19)
        written.append(path)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for path in to_parquet(Path(sys.argv[1])):
        print(f"{path}: {path.stat().st_size:,} bytes")

"""Ask the ladder what no build can ask; chapters read what is kept of it. To be done after the ladder is trained anew.

python tools/exam.py            its text models at 50,000 places, which takes too long
python tools/exam.py FOLDER     sums, of the models in FOLDER that are not carried (`ladder.Cell.carried`)
"""

import sys
from pathlib import Path

import ladder
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from mirage_lib import families, items, lm, tasks
from mirage_lib.claims import kept

FILE = kept.FOLDER / "ladder-text-exam.parquet"
SEEDS = kept.FOLDER / "ladder-text-exam-seeds.parquet"  # the same of the other seeds
SUMS = kept.FOLDER / f"{kept.NOT_CARRIED}.parquet"


def exam(n: int = 50_000, seeds: tuple[int, ...] = (0,)) -> pd.DataFrame:
    """For how many characters each model of `ladder-text` goes on rightly, at n places of the held-out text.

    What `lm.measure` says, without the answers: all places have prompts of one length, and no answer is written.
    Columns `params`, `seed`, `item` and `right_for`, the characters up to the first miss.
    """
    import torch

    task, tables = tasks.continuation(n), []
    ids = np.stack([ladder.token_ids("text", text) for text in task["prompt"] + task["target"]]).astype(np.int64)
    length = len(task["target"][0])
    for row in families.members("ladder-text").query("seed in @seeds and revision == 'main'").itertuples():
        network, right = families.load(row.model).network, []
        with torch.inference_mode():
            for part in torch.from_numpy(ids).split(50):
                hits = network(part, logits_to_keep=length + 1).logits[:, :-1].argmax(-1) == part[:, -length:]
                right.append(hits.int().cummin(1).values.sum(1).numpy().astype(np.int8))
        numbers = np.arange(n, dtype=np.int32)
        told = {"params": row.params, "seed": row.seed, "item": numbers, "right_for": np.concatenate(right)}
        tables.append(pd.DataFrame(told))
    return pd.concat(tables, ignore_index=True)


def sums(folder: Path) -> pd.DataFrame:
    """What the models in a folder that are not carried answer to the sums of *Harsh to soft*: an items table."""
    task = tasks.arithmetic("addition", 4, 1000, layout="compact")
    tables = []
    for cell in ladder.cells("arithmetic"):
        if not cell.carried:
            model = families.load(str(folder / cell.name))
            tables.append(lm.measure(model._replace(name=cell.name), task).assign(seed=cell.seed))
    return pd.concat(tables, ignore_index=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        items.write(SUMS, sums(Path(sys.argv[1])))
    else:
        exam().drop(columns="seed").to_parquet(FILE, compression="zstd")
        exam(seeds=(1, 2)).to_parquet(SEEDS, compression="zstd")

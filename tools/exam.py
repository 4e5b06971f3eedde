"""Give the ladder's text models their large exam, which takes too long for a build; chapters read what is kept of it.

python tools/exam.py: writes mirage_lib/data/kept/ladder-text-exam.parquet. To be done after the ladder is trained anew.
"""

import sys
from pathlib import Path

import ladder
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from mirage_lib import families, tasks
from mirage_lib.claims import kept

FILE = kept.FOLDER / "ladder-text-exam.parquet"


def exam(n: int = 20_000) -> pd.DataFrame:
    """For how many characters each size of `ladder-text`, seed 0, goes on rightly, at n places of the held-out text.

    What `lm.measure` says, without the answers: all places have prompts of one length, and no answer is written.
    Columns `params`, `item` and `right_for`, the characters up to the first miss.
    """
    import torch

    task, tables = tasks.continuation(n), []
    ids = np.stack([ladder.token_ids("text", text) for text in task["prompt"] + task["target"]]).astype(np.int64)
    length = len(task["target"][0])
    for row in families.members("ladder-text").query("seed == 0 and revision == 'main'").itertuples():
        network, right = families.load(row.model).network, []
        with torch.inference_mode():
            for part in torch.from_numpy(ids).split(50):
                hits = network(part, logits_to_keep=length + 1).logits[:, :-1].argmax(-1) == part[:, -length:]
                right.append(hits.int().cummin(1).values.sum(1).numpy().astype(np.int8))
        numbers = np.arange(n, dtype=np.int32)
        tables.append(pd.DataFrame({"params": row.params, "item": numbers, "right_for": np.concatenate(right)}))
    return pd.concat(tables, ignore_index=True)


if __name__ == "__main__":
    exam().to_parquet(FILE, compression="zstd")

"""Would pairs of bytes serve the ladder's text family better than characters? Two rungs, trained both ways, tell.

python tools/byte_pairs.py FOLDER: writes models/ladder/records/byte-pairs.json, which the model card quotes. The rungs
are trained into FOLDER in the ladder's way, but with a byte-pair vocabulary of 512 tokens, learned from the same text.
"Better" was fixed before: a loss a character of held-out text that falls by more from the smaller rung to the larger,
since what the book shows is how scores change along that fall.
"""

import json
import sys
from pathlib import Path

import ladder
import numpy as np

from mirage_lib import families, tasks

TOKENS = 512
SMALL, LARGE = "26k", "151k"


def byte_pairs():
    """A byte-pair tokenizer of the training text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        [ladder.training_text()], trainers.BpeTrainer(vocab_size=TOKENS, special_tokens=[ladder.END])
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=ladder.END, bos_token=ladder.END)


def loss(folder: Path, name: str, tokenizer) -> float:
    """Cross-entropy of the held-out text, nats a character, in windows of the training's length."""
    import torch

    network = families.load(str(folder / name)).network
    text, length = tasks.library_text(), ladder.LENGTH["text"]
    ids = tokenizer(text)["input_ids"]
    windows = torch.tensor(ids[: len(ids) // length * length]).reshape(-1, length)
    total = 0.0
    with torch.inference_mode():
        for part in windows.split(64):
            total += network(part, labels=part).loss.item() * part[:, 1:].numel()
    # the first token of a window is not scored
    return total / (len(text) * windows[:, 1:].numel() / len(ids))


def main(folder: Path) -> None:
    """Train what is missing, compare, and write the record."""
    pairs, characters = byte_pairs(), ladder.tokenizer("text")
    found = {
        "characters": [loss(families.LADDER, f"text-{rung}-seed0", characters) for rung in (SMALL, LARGE)],
    }
    ids = np.array(pairs(ladder.training_text())["input_ids"], np.uint16)
    ladder.VOCABULARY["text"] = [str(i) for i in range(len(pairs))]
    ladder._library_ids, ladder.tokenizer = lambda: ids, lambda _: pairs
    cells = [ladder.Cell("text", rung, 0) for rung in (LARGE, SMALL)]
    for cell in cells:
        ladder.train(cell, folder)
    found["byte pairs"] = [loss(folder, cell.name, pairs) for cell in cells[::-1]]
    found["characters a byte pair"] = len(ladder.training_text()) / len(ids)
    file = families.LADDER / "records" / "byte-pairs.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(found | {"rungs": [SMALL, LARGE], "tokens": TOKENS}, indent=1) + "\n")
    print(file.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The ladder: language models of Pythia's architecture, from 3 thousand to 2 million parameters, trained here.

Two families of the same architecture, one character a token. `text` reads the source of Python's standard library
(`training_text`), and every character counts. `arithmetic` learns sums and products: few-shot lines as the
evaluation asks them, from problems that no evaluation asks, and only answers count; it is trained for several
budgets. A model's seed fixes its start and the order of its data, which all sizes share.

Not all that is trained is carried: of the models of 793 thousand parameters that learned sums, the book has one, and
the answers of the others (`tools/exam.py`). Their weights would take the ladder beyond 30 MB.

    python tools/ladder.py [--family text] [--rungs 7k,10k] [--out models/ladder] [--processes 2]

trains everything that is missing, and goes on where it was stopped; all of it takes about four hours on two cores.
"""

import argparse
import functools
import json
import lzma
import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirage_lib import families, tasks

END = "<|endoftext|>"
VOCABULARY = {
    "arithmetic": [END, "\n", *"0123456789+*="],
    "text": [END, "\n", *map(chr, range(ord(" "), ord("~") + 1))],
}
LENGTH = {"arithmetic": 68, "text": 128}  # tokens of a training sequence
BATCH = 16  # sequences of a step
CHUNK = 250  # steps between two savings
CHECKPOINTS = (250, 500, 1000, 2000)  # kept within 4,000 steps, for seed 0 of rungs up to 30,000 parameters
# name: width and layers. A head has 16 dimensions on every rung: a change of it would be a step in ability.
RUNGS = {
    "3k": (16, 1),
    "3.4k": (16, 2),
    "7k": (16, 2),
    "10k": (16, 3),
    "13k": (32, 1),
    "26k": (32, 2),
    "57k": (48, 2),
    "85k": (48, 3),
    "100k": (64, 2),
    "151k": (64, 3),
    "337k": (96, 3),
    "795k": (128, 4),
    "2.1m": (208, 4),
}
# its feed-forward layers are one width wide, not four: else two layers with one head have 6,592 parameters
THIN = "3.4k"
# family and training steps: numbers of seeds, and the rungs that have so many. Text has no rung of a single layer.
TRAININGS = {
    ("arithmetic", 4000): {3: "3k 7k 13k 26k 57k 151k 337k 795k", 1: "2.1m"},
    ("arithmetic", 8000): {3: "3k 7k 13k 26k 57k 151k 337k 795k"},
    # between 57k and 151k a layer is added; 85k and 100k tell size and layers apart
    ("arithmetic", 16_000): {3: "3k 7k 13k 26k 57k 85k 100k 151k 337k"},
    ("text", 4000): {3: "3.4k 7k 10k 26k 57k 85k 151k", 1: "337k 795k 2.1m"},
}
# share of the sequences of each task in the arithmetic family
MIXTURE = {
    ("addition", 1): 0.05,
    ("addition", 2): 0.10,
    ("addition", 3): 0.15,
    ("addition", 4): 0.30,
    ("multiplication", 1): 0.05,
    ("multiplication", 2): 0.35,
}


class Cell(NamedTuple):
    """One model of the ladder."""

    family: str
    rung: str
    seed: int
    steps: int = 4000

    @property
    def name(self) -> str:
        return f"{self.family}-{self.rung}-seed{self.seed}" + ("" if self.steps == 4000 else f"-{self.steps}")

    @property
    def carried(self) -> bool:
        """Whether its weights are in models/ladder; of the others the record and the answers are kept."""
        return self.rung != "795k" or (self.seed, self.steps) == (0, 4000)


def cells(family: str | None = None) -> list[Cell]:
    """Every model of the ladder, the largest first: they take longest.

    >>> len(cells("text")), cells("text")[0].name
    (24, 'text-2.1m-seed0')
    """
    found = [
        Cell(each, rung, seed, steps)
        for (each, steps), numbers in TRAININGS.items()
        if family in (None, each)
        for seeds, rungs in numbers.items()
        for rung in rungs.split()
        for seed in range(seeds)
    ]
    return sorted(found, key=lambda cell: -list(RUNGS).index(cell.rung))


def token_ids(family: str, text: str) -> np.ndarray:
    """A text as the family's token ids, one a character."""
    table = np.zeros(128, np.uint8)
    for token, character in enumerate(VOCABULARY[family][1:], 1):
        table[ord(character)] = token
    return table[np.frombuffer(text.encode(), np.uint8)]


def training_text() -> str:
    """What the text family reads: nine files in ten of the standard library; `tasks.library_text` is the tenth."""
    return lzma.decompress(Path(__file__).with_name("stdlib-train.txt.xz").read_bytes()).decode()


@functools.cache
def _library_ids() -> np.ndarray:
    return token_ids("text", training_text())


def sequences(family: str, seed: int, chunk: int, n: int = CHUNK * BATCH) -> tuple[np.ndarray, np.ndarray]:
    """Training sequences of one chunk: token ids and, for each, whether the loss counts it. Shape (n, LENGTH).

    The same arguments give the same sequences, so a run that was killed goes on with the data it would have had.
    """
    rng = np.random.default_rng([list(VOCABULARY).index(family), seed, chunk])
    if family == "text":
        ids = _library_ids()
        starts = rng.integers(0, len(ids) - LENGTH["text"], n)
        rows = ids[starts[:, None] + np.arange(LENGTH["text"])].astype(np.int64)
        return rows, np.ones(rows.shape, bool)
    kinds = rng.choice(len(MIXTURE), n, p=list(MIXTURE.values()))
    rows = [[] for _ in range(n)]
    for kind, (operation, digits) in enumerate(MIXTURE):
        mine = np.flatnonzero(kinds == kind)
        shortest = 2 * digits + 2 + digits + 1
        each = math.ceil(LENGTH[family] / shortest)
        pairs = tasks.operands(digits, False, each * len(mine), rng).tolist()
        for place, row in enumerate(mine):
            rows[row] = [tasks.line(a, b, operation, "compact") for a, b in pairs[place * each : (place + 1) * each]]
    text = ["".join(q + a for q, a in row)[: LENGTH[family]] for row in rows]
    answers = ["".join("0" * len(q) + "1" * len(a) for q, a in row)[: LENGTH[family]] for row in rows]
    counted = np.frombuffer("".join(answers).encode(), np.uint8) == ord("1")
    shape = (n, LENGTH[family])
    return token_ids(family, "".join(text)).astype(np.int64).reshape(shape), counted.reshape(shape)


def tokenizer(family: str = "arithmetic"):
    """The tokenizer of a family, one character a token, as transformers has it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({token: i for i, token in enumerate(VOCABULARY[family])}, unk_token=END))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token=END, eos_token=END, bos_token=END, clean_up_tokenization_spaces=False
    )


def new_model(rung: str, seed: int, family: str = "arithmetic"):
    """An untrained model of a rung: Pythia's architecture and initialisation (Biderman et al. 2023, section 2.2).

    Rotary embeddings on a quarter of each head, attention and feed-forward layer in parallel, untied embeddings.
    """
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    width, layers = RUNGS[rung]
    config = GPTNeoXConfig(
        vocab_size=len(VOCABULARY[family]),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 16,
        intermediate_size=width if rung == THIN else 4 * width,
        max_position_embeddings=128,
        use_parallel_residual=True,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
        use_cache=False,
    )
    torch.manual_seed(seed)
    model = GPTNeoXForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2:
                into_stream = name.endswith(("attention.dense.weight", "dense_4h_to_h.weight"))
                weight.normal_(0, 2 / (layers * math.sqrt(width)) if into_stream else math.sqrt(2 / (5 * width)))
    return model


def train(cell: Cell, folder: Path) -> Path:
    """Train one model into `folder`/<its name> and return that path; nothing happens if it is there already.

    One thread, float32, AdamW; the loss is the cross-entropy of the tokens that count. State is saved every
    CHUNK steps, so a run that was killed goes on from there and ends at the same weights. Weights are stored in half
    precision, as Pythia's are: what is stored is the model.
    """
    import torch
    from torch.nn.functional import cross_entropy

    done = Path(folder) / cell.name
    if (done / "training.json").exists():
        return done
    steps = cell.steps
    torch.set_num_threads(1)
    model = new_model(cell.rung, cell.seed, cell.family)
    model.train()
    rate = min(8e-3, 0.25 / RUNGS[cell.rung][0])
    weights = [p for p in model.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
        lr=rate,
        betas=(0.9, 0.95),
        fused=True,
    )
    done.mkdir(parents=True, exist_ok=True)
    state_file = done / "state.pt"
    start, losses = 0, []
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start, losses = state["step"], state["losses"]
    keep = cell.seed == 0 and steps <= 4000 and families.non_embedding(model) < 30_000
    for step in range(start, steps):
        if step % CHUNK == 0:
            ids, answer = (torch.from_numpy(array) for array in sequences(cell.family, cell.seed, step // CHUNK))
        part = slice(step % CHUNK * BATCH, (step % CHUNK + 1) * BATCH)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * (1 - step / steps)
        logits = model(input_ids=ids[part, :-1], use_cache=False).logits
        asked = answer[part, 1:]
        loss = cross_entropy(logits[asked], ids[part, 1:][asked])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if keep and step + 1 in CHECKPOINTS and step + 1 < steps:
            save(model, done / f"step{step + 1}")
        if (step + 1) % CHUNK == 0 and step + 1 < steps:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            replace(state_file, lambda file, state=state: torch.save(state | {"losses": losses}, file))
    save(model, done)
    tokenizer(cell.family).save_pretrained(done)
    record = {
        "family": cell.family,
        "rung": cell.rung,
        "seed": cell.seed,
        "params": families.non_embedding(model),
        "steps": steps,
        "tokens": steps * BATCH * LENGTH[cell.family],
        "torch": torch.__version__,
        # mean loss of every 50 steps, nats a token that counts
        "loss": [round(float(np.mean(losses[i : i + 50])), 4) for i in range(0, steps, 50)],
    }
    # the record comes last: where it is, all is done and nothing else is left
    for leftover in (*done.glob("state.pt*"), *done.glob("*.part")):
        leftover.unlink(missing_ok=True)
    replace(done / "training.json", lambda file: file.write_text(json.dumps(record) + "\n"))
    return done


def train_all(folder: Path, family: str | None = None, rungs: tuple[str, ...] = (), processes: int = 2) -> list[Path]:
    """Train every model of the ladder that is missing in `folder`, of one family or some rungs if named."""
    from joblib import Parallel, delayed

    wanted = [cell for cell in cells(family) if not rungs or cell.rung in rungs]
    return Parallel(n_jobs=processes, batch_size=1)(delayed(train)(cell, folder) for cell in wanted)


def save(model, folder: Path) -> None:
    """Write the weights in half precision; the model itself stays as it is."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    half = {name: value.to(torch.float16) for name, value in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=half)


def replace(file: Path, write) -> None:
    """Write a file under another name and move it into place, so that it is never there by half."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    write(part)
    os.replace(part, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=VOCABULARY, help="by default both")
    parser.add_argument("--rungs", default="", help="sizes, with commas: 3k,7k; by default all")
    parser.add_argument("--out", type=Path, default=families.LADDER)
    parser.add_argument("--processes", type=int, default=2, help="models trained at once, one thread each")
    asked = parser.parse_args()
    names = tuple(filter(None, asked.rungs.split(",")))
    if unknown := set(names) - set(RUNGS):
        parser.error(f"there is no {unknown.pop()!r} in the ladder: choose of {', '.join(RUNGS)}")
    for path in train_all(asked.out, asked.family, names, asked.processes):
        print(path)

"""The ladder: language models of Pythia's architecture, from 3 thousand to 2 million parameters, trained here.

Two families with the same sizes and seeds. `arithmetic` learns sums and products; `chain` learns skills graded in
size (`mirage_lib.tasks.chain_digits`). Both learn few-shot lines as the evaluation asks them, one character a token,
from problems that no evaluation asks. A model's seed fixes its start and the order of its data, which all sizes share.
`mirage ladder train` trains everything that is missing, and goes on where it was stopped.
"""

import json
import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirage_lib import families, tasks

END = "<|endoftext|>"
VOCABULARY = [END, "\n", *"0123456789+*="]
LENGTH = 68  # tokens of a training sequence: four lines of a chain
BATCH = 16  # sequences of a step
CHUNK = 250  # steps between two savings
CHECKPOINTS = (250, 500, 1000, 2000, 4000)  # kept before the last step, for seed 0 of rungs up to 200,000 parameters
# name: width and layers. A head has 16 dimensions on every rung: a change of it would be a step in ability.
RUNGS = {
    "3k": (16, 1),
    "7k": (16, 2),
    "13k": (32, 1),
    "26k": (32, 2),
    "57k": (48, 2),
    "151k": (64, 3),
    "337k": (96, 3),
    "795k": (128, 4),
    "2.1m": (208, 4),
}
SEEDS = {rung: (0, 1, 2) if index < 6 else (0,) for index, rung in enumerate(RUNGS)}
# share of the sequences of each task in the arithmetic family
MIXTURE = {
    ("addition", 1): 0.05,
    ("addition", 2): 0.10,
    ("addition", 3): 0.15,
    ("addition", 4): 0.30,
    ("multiplication", 1): 0.05,
    ("multiplication", 2): 0.35,
}
STEPS = {"arithmetic": 4000, "chain": 6000}


class Cell(NamedTuple):
    """One model of the ladder."""

    family: str
    rung: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.family}-{self.rung}-seed{self.seed}"


def cells(family: str | None = None) -> list[Cell]:
    """Every model of the ladder, the largest first: they take longest.

    >>> len(cells("chain")), cells("chain")[0].name
    (21, 'chain-2.1m-seed0')
    """
    wanted = [family] if family else list(STEPS)
    return [Cell(each, rung, seed) for rung in reversed(RUNGS) for each in wanted for seed in SEEDS[rung]]


def sequences(family: str, seed: int, chunk: int, n: int = CHUNK * BATCH) -> tuple[np.ndarray, np.ndarray]:
    """Training sequences of one chunk: token ids and, for each, whether it is part of an answer. Shape (n, LENGTH).

    The same arguments give the same sequences, so a run that was killed goes on with the data it would have had.
    """
    rng = np.random.default_rng([list(STEPS).index(family), seed, chunk])
    if family == "chain":
        lines = tasks.chain_lines(tasks.chain_digits(tasks.chain_starts(False, 4 * n, rng)))
        rows = [lines[4 * i : 4 * i + 4] for i in range(n)]
    else:
        kinds = rng.choice(len(MIXTURE), n, p=list(MIXTURE.values()))
        rows = [[] for _ in range(n)]
        for kind, (operation, digits) in enumerate(MIXTURE):
            mine = np.flatnonzero(kinds == kind)
            shortest = 2 * digits + 2 + digits + 1
            each = math.ceil(LENGTH / shortest)
            pairs = tasks.operands(digits, False, each * len(mine), rng).tolist()
            for place, row in enumerate(mine):
                rows[row] = [
                    tasks.line(a, b, operation, "compact") for a, b in pairs[place * each : (place + 1) * each]
                ]
    text = ["".join(q + a for q, a in row)[:LENGTH] for row in rows]
    answers = ["".join("0" * len(q) + "1" * len(a) for q, a in row)[:LENGTH] for row in rows]
    table = np.zeros(128, np.int64)
    for token, character in enumerate(VOCABULARY[1:], 1):
        table[ord(character)] = token
    ids = table[np.frombuffer("".join(text).encode(), np.uint8)].reshape(n, LENGTH)
    return ids, (np.frombuffer("".join(answers).encode(), np.uint8) == ord("1")).reshape(n, LENGTH)


def tokenizer():
    """The ladder's tokenizer, one character a token, as transformers has it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({token: i for i, token in enumerate(VOCABULARY)}, unk_token=END))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token=END, eos_token=END, bos_token=END, clean_up_tokenization_spaces=False
    )


def new_model(rung: str, seed: int):
    """An untrained model of a rung: Pythia's architecture and initialisation (Biderman et al. 2023, section 2.2).

    Rotary embeddings on a quarter of each head, attention and feed-forward layer in parallel, untied embeddings.
    """
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    width, layers = RUNGS[rung]
    config = GPTNeoXConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 16,
        intermediate_size=4 * width,
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


def train(cell: Cell, folder: Path, steps: int | None = None) -> Path:
    """Train one model into `folder`/<its name> and return that path; nothing happens if it is there already.

    One thread, float32, AdamW; the loss is the cross-entropy of the answers, stop included. State is saved every
    CHUNK steps, so a run that was killed goes on from there and ends at the same weights. Weights are stored in half
    precision, as Pythia's are: what is stored is the model.
    """
    import torch
    from torch.nn.functional import cross_entropy

    done = Path(folder) / cell.name
    if (done / "training.json").exists():
        return done
    steps = steps or STEPS[cell.family]
    torch.set_num_threads(1)
    model = new_model(cell.rung, cell.seed)
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
        if state["steps"] == steps:  # of another length it had other learning rates
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            start, losses = state["step"], state["losses"]
    keep = cell.seed == 0 and model.num_parameters() < 200_000
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
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1, "steps": steps}
            replace(state_file, lambda file, state=state: torch.save(state | {"losses": losses}, file))
    save(model, done)
    tokenizer().save_pretrained(done)
    record = {
        "family": cell.family,
        "rung": cell.rung,
        "seed": cell.seed,
        "params": families.non_embedding(model),
        "steps": steps,
        "tokens": steps * BATCH * LENGTH,
        "torch": torch.__version__,
        # mean loss of every 50 steps, nats a token of the answers
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

"""Small models, tokenizers and tasks for the tests, and the slow way to measure them."""

from pathlib import Path

import ladder
import numpy as np
import pandas as pd
import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from mirage_lib import families, tasks

torch.set_num_threads(1)  # the tests run side by side, and these models gain nothing from more
logging.disable_progress_bar()
NEOX_TOKENIZER = Path(__file__).parent.parent.parent / "shared" / "data" / "gpt_neox_20b_tokenizer.json"


def wrap(network, tokenizer=None) -> families.Model:
    """A network as `families.load` gives it."""
    tokenizer = tokenizer or ladder.tokenizer()
    return families.Model(network.eval(), tokenizer, "tiny", "tiny", families.non_embedding(network), 0.0, "none")


def loud(network, factor: float = 3.0):
    """Random weights so large that different prompts get different answers."""
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 2:
                weight.mul_(factor)
    return network


def neox(seed: int = 0) -> families.Model:
    return wrap(loud(ladder.new_model("7k", seed)))


def llama(seed: int = 0, vocabulary: int = len(ladder.VOCABULARY["arithmetic"])) -> families.Model:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=96,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    return wrap(LlamaForCausalLM(config))


def neox_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of every Pythia model."""
    return PreTrainedTokenizerFast(tokenizer_file=str(NEOX_TOKENIZER), eos_token="<|endoftext|>")


# width, layers, heads, size of the embedding: the configurations on the hub
PYTHIA = {
    "pythia-14m": (128, 6, 4, 50304),
    "pythia-31m": (256, 6, 8, 50304),
    "pythia-70m": (512, 6, 8, 50304),
    "pythia-160m": (768, 12, 12, 50304),
    "pythia-410m": (1024, 24, 16, 50304),
    "pythia-1b": (2048, 16, 8, 50304),
    "pythia-1.4b": (2048, 24, 16, 50304),
    "pythia-2.8b": (2560, 32, 32, 50304),
    "pythia-6.9b": (4096, 32, 32, 50432),
    "pythia-12b": (5120, 36, 40, 50688),
}


def pythia(size: str, device: str = "cpu", vocabulary: int | None = None) -> GPTNeoXForCausalLM:
    """Pythia's shape with random weights."""
    width, layers, heads, padded = PYTHIA[size]
    torch.manual_seed(0)
    with torch.device(device):
        return GPTNeoXForCausalLM(
            GPTNeoXConfig(
                vocab_size=vocabulary or padded,
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                intermediate_size=4 * width,
                max_position_embeddings=2048,
            )
        )


def prompts(n: int, seed: int = 0, alike: bool = True) -> list[str]:
    """n prompts with the same beginning, or of different lengths with none."""
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list("0123456789+*"), 6 if alike else rng.integers(1, 30))) for _ in range(n)]
    return [("12+34=46\n5*5=25\n" if alike else "") + text + "=" for text in texts]


def task_for(model: families.Model, texts: list[str], seed: int = 0, max_tokens: int = 6) -> pd.DataFrame:
    """A task of which the model answers a third right and a third nearly: its own answers, some with a change."""
    rng = np.random.default_rng(seed)
    ends = {model.tokenizer.eos_token_id, *model.tokenizer("\n", add_special_tokens=False)["input_ids"]}
    targets = []
    for i, text in enumerate(texts):
        answer = greedy(model, text, ends, max_tokens)
        if i % 3 == 1:
            seven, eight = (model.tokenizer(digit)["input_ids"][-1] for digit in "78")
            place = rng.integers(len(answer))
            answer[place] = eight if answer[place] == seven else seven
        if i % 3 == 2:
            answer = model.tokenizer("".join(rng.choice(list("0123456789"), rng.integers(1, 5))) + "\n")["input_ids"]
        targets.append(model.tokenizer.decode(answer))
    return task(texts, targets)


def task(texts: list[str], targets: list[str], **more) -> pd.DataFrame:
    """A task whose answers may end anywhere."""
    rows = [("tiny", i, 0, *pair, 0) for i, pair in enumerate(zip(texts, targets, strict=True))]
    return pd.DataFrame(rows, columns=tasks.COLUMNS).assign(**{"cut": True} | more)


@torch.no_grad()
def greedy(model: families.Model, text: str, ends, max_tokens: int) -> list[int]:
    """The model's own answer, one whole forward a token."""
    ids = model.tokenizer(text)["input_ids"]
    answer: list[int] = []
    while len(answer) < max_tokens and not (answer and answer[-1] in ends):
        logits = model.network(input_ids=torch.tensor([ids + answer]), use_cache=False).logits[0, -1]
        answer.append(int(logits[: len(model.tokenizer)].argmax()))
    return answer


@torch.no_grad()
def brute(model: families.Model, text: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Log-probability and hit of every token of a target: one whole forward, no cache."""
    tokenize = model.tokenizer
    ids, start = torch.tensor([tokenize(text + target)["input_ids"]]), len(tokenize(text)["input_ids"])
    logits = model.network(input_ids=ids, use_cache=False).logits[0, start - 1 : -1, : len(tokenize)]
    wanted = ids[0, start:]
    logprob = logits.float().log_softmax(-1)[torch.arange(len(wanted)), wanted]
    return logprob.numpy(), (logits.argmax(-1) == wanted).numpy()


@torch.no_grad()
def answer_loss(network, ids: np.ndarray, answer: np.ndarray) -> float:
    """Cross-entropy of the answers of training sequences, in nats a token."""
    logprob = network(torch.from_numpy(ids[:, :-1])).logits.log_softmax(-1)
    each = logprob.gather(-1, torch.from_numpy(ids[:, 1:, None]))[..., 0]
    return -each[torch.from_numpy(answer[:, 1:])].mean().item()


class Enough(Exception):
    """A training has come as far as it is looked at."""


def check_recipe(cell: ladder.Cell, folder: Path, step: int, monkeypatch):
    """Train a bundled model up to a kept checkpoint: the same weights, or on another machine nearly the same loss."""
    bundled = families.LADDER / cell.name / f"step{step}"
    if not bundled.exists():
        pytest.skip(f"{cell.name} is not in {families.LADDER} yet: python tools/ladder.py")
    save = ladder.save

    def save_and_stop(model, place):
        save(model, place)
        if place.name == bundled.name:
            raise Enough

    monkeypatch.setattr(ladder, "save", save_and_stop)
    with pytest.raises(Enough):
        ladder.train(cell, folder)
    again = folder / cell.name / bundled.name
    one, two = (GPTNeoXForCausalLM.from_pretrained(path, dtype=torch.float32) for path in (bundled, again))
    if all(torch.equal(weight, two.state_dict()[name]) for name, weight in one.state_dict().items()):
        return
    ids, answer = ladder.sequences(cell.family, cell.seed, 1_000_000, n=1000)  # no chunk of any training
    assert answer_loss(two, ids, answer) == pytest.approx(answer_loss(one, ids, answer), abs=0.05)

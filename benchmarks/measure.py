"""Time `lm.measure` beside lm-evaluation-harness on the same model, prompts and threads, in one run: `make bench`.

A user of the harness needs two requests an item to get both metrics: `loglikelihood` for the cross-entropy and
`generate_until` for the answer. Both sides run in turn, three times each, and the median counts. Models have Pythia's
shapes and random weights, so nearly every answer is wrong and has to be generated: our worst case. Tokens are cut as
Pythia's tokenizer cuts them (a number of four digits is two tokens), and the vocabulary has its size.
"""

import json
import platform
import statistics
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from mirage_lib import families, lm, tasks

# name: width, layers, heads, items
SHAPES = {"pythia-14m": (128, 6, 4, 400), "pythia-70m": (512, 6, 8, 200), "pythia-160m": (768, 12, 12, 100)}
SHOTS = {4: "40", 11: "100"}  # examples: tokens that all prompts share, about
VOCABULARY = 50_277
RESULTS = Path(__file__).with_name("measure.json")


def tokenizer() -> PreTrainedTokenizerFast:
    """Numbers in pieces of two digits, and as many other tokens as Pythia's tokenizer has."""
    pieces = ["<|endoftext|>", "\n", " ", *(s + c for s in ("", " ") for c in "+*=")]
    pieces += [space + digits for space in ("", " ") for digits in [*"0123456789", *(f"{i:02}" for i in range(100))]]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    vocabulary |= {f"<filler {i}>": i for i in range(len(pieces), VOCABULARY)}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<|endoftext|>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?\d{1,2}| ?[+*=]|\s"), behavior="isolated")
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|endoftext|>", pad_token="<|endoftext|>")


def shaped(name: str) -> families.Model:
    """A model with the shape of a Pythia and random weights."""
    width, layers, heads, _ = SHAPES[name]
    config = GPTNeoXConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=2048,
    )
    torch.manual_seed(0)
    network = GPTNeoXForCausalLM(config).eval()
    return families.Model(network, tokenizer(), name, name, families.non_embedding(network), float("nan"), "random")


class Memory:
    """The most memory that the process held above what it held before, in MB."""

    def __enter__(self):
        self.process, self.going = psutil.Process(), True
        self.before = self.most = self.process.memory_info().rss
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while self.going:
            self.most = max(self.most, self.process.memory_info().rss)
            time.sleep(0.005)

    def __exit__(self, *_):
        self.going = False
        self.thread.join()
        self.mb = (self.most - self.before) / 1e6


def with_harness(network, tokenizer, task, max_tokens):
    """Log-likelihoods, greedy verdicts and answers as a user of the harness gets them."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    harness = HFLM(pretrained=network, tokenizer=tokenizer, batch_size=64)
    pairs = list(zip(task["prompt"], task["target"], strict=True))
    settings = {"until": ["\n"], "max_gen_toks": max_tokens, "do_sample": False}

    def requests(kind, arguments):
        return [Instance(kind, {}, argument, i) for i, argument in enumerate(arguments)]

    scores = harness.loglikelihood(requests("loglikelihood", pairs), disable_tqdm=True)
    asked = [(prompt, settings) for prompt, _ in pairs]
    return scores, harness.generate_until(requests("generate_until", asked), disable_tqdm=True)


def flops(model: families.Model, task: pd.DataFrame) -> float:
    """Multiplications and additions that scoring needs at least: shared tokens once, answers through the unembedding."""
    rows = lm.encode(model.tokenizer, task)
    shared = lm.common_prefix([row.prompt for row in rows])
    body = shared + sum(len(row.prompt) - shared + len(row.target) - 1 for row in rows)
    head = sum(len(row.target) for row in rows)
    vocabulary, width = model.network.get_output_embeddings().weight.shape
    return 2.0 * (model.params * body + vocabulary * width * head)


def peak() -> float:
    """Floating-point operations a second of a large product of matrices, the best of five."""
    a = torch.randn(2048, 2048)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return 2 * 2048**3 / best


def timed(function):
    with Memory() as memory:
        start = time.perf_counter()
        result = function()
        seconds = time.perf_counter() - start
    return result, seconds, memory.mb


def compare(name: str, shots: int, repeats: int = 3, items: int | None = None) -> dict:
    """One row of the table; raises AssertionError if both sides disagree."""
    model = shaped(name)
    # what is not timed first is not measured: no warm-up of threads and caches
    task = tasks.arithmetic("addition", 4, n=items or SHAPES[name][3], shots=shots)
    most = max(len(row.target) for row in lm.encode(model.tokenizer, task))
    ours, theirs = [], []
    for turn in range(repeats + 1):
        table, *mine = timed(lambda: lm.measure(model, task))
        (scores, texts), *other = timed(lambda: with_harness(model.network, model.tokenizer, task, most))
        if turn or not repeats:
            ours.append(mine)
            theirs.append(other)
    logprob = [sum(row) for row in table["logprob"]]
    difference = max(abs(a - b) for a, (b, _) in zip(logprob, scores, strict=True))
    assert difference < 1e-4, difference
    assert [all(hit) for hit in table["hit"]] == [greedy for _, greedy in scores]
    answers = [model.tokenizer.decode(output).split("\n")[0] for output in table["output"]]
    assert answers == [text.split("\n")[0] for text in texts]
    mine, other = (statistics.median(seconds for seconds, _ in runs) for runs in (ours, theirs))
    return {
        "model": name,
        "shared tokens": lm.common_prefix([row.prompt for row in lm.encode(model.tokenizer, task)]),
        "items": len(task),
        "items/s": len(task) / mine,
        "harness items/s": len(task) / other,
        "times faster": other / mine,
        "MB": max(mb for _, mb in ours),
        "harness MB": max(mb for _, mb in theirs),
        "share of peak": flops(model, task) / mine / peak() if most else np.nan,
        "largest difference (nats)": difference,
    }


def largest_rung() -> dict:
    """Speed and share of the peak on the largest model of the ladder, without generating: its answers are right."""
    name = families.members("ladder-chain").iloc[-1]["model"]
    model = families.load(name)
    task = tasks.chain(n=2000)
    best, high = float("inf"), 0.0
    for _ in range(4):
        high = max(high, peak())
        rows = lm.encode(model.tokenizer, task)
        _, seconds, mb = timed(lambda rows=rows: lm.score_rows(model, rows))
        best = min(best, seconds)
    return {
        "model": name,
        "items": len(task),
        "items/s": len(task) / best,
        "MB": mb,
        "share of peak": flops(model, task) / best / high,
    }


if __name__ == "__main__":
    logging.set_verbosity_error()
    print(f"{torch.get_num_threads()} threads, {peak() / 1e9:.0f} GFLOP/s at most; four-digit addition")
    rows = [compare(name, shots) for name in SHAPES for shots in SHOTS]
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3g}"))

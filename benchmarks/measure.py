"""Time `lm.measure` beside lm-evaluation-harness on the same model, prompts and threads, in one run: `make bench`.

A user of the harness needs two requests an item to get both metrics: `loglikelihood` for the cross-entropy and
`generate_until` for the answer. Both sides run in turn, three times each, and the median counts. Models have Pythia's
shapes and random weights, so nearly every answer is wrong and has to be generated: our worst case. Tokens are cut as
Pythia's tokenizer cuts them (a number of four digits is two tokens), and the vocabulary has its size.
"""

import json
import platform
import re
import statistics
import threading
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import psutil
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from mirage_lib import families, lm, passes, tasks

# name: width, layers, heads
SHAPES = {"pythia-14m": (128, 6, 4), "pythia-70m": (512, 6, 8), "pythia-160m": (768, 12, 12)}
ITEMS = 160
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
    width, layers, heads = SHAPES[name]
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


def flops(model: families.Model, task: pd.DataFrame, items: pd.DataFrame) -> float:
    """Operations needed at least: shared tokens once, only answers unembedded, wrong ones generated from the fault."""
    rows = lm.encode(model.tokenizer, task)
    shared = passes.common_prefix([row.prompt for row in rows])
    body = shared + sum(len(row.prompt) - shared + len(row.target) - 1 for row in rows)
    head = sum(len(row.target) for row in rows)
    # the first wrong token is known from scoring the target
    more = sum(
        len(output) - list(hit).index(False) - 1
        for output, hit in zip(items["output"], items["is_greedy"], strict=True)
        if not all(hit)
    )
    vocabulary, width = model.network.get_output_embeddings().weight.shape
    return 2.0 * (model.params * (body + more) + vocabulary * width * (head + more))


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


def compare(name: str, shots: int, repeats: int = 3, items: int = ITEMS) -> dict:
    """One row of the table; raises AssertionError if both sides disagree."""
    model = shaped(name)
    task = tasks.arithmetic("addition", 4, n=items, shots=shots)
    most = max(len(row.target) for row in lm.encode(model.tokenizer, task))
    lm.measure(model, task.head(8))
    with_harness(model.network, model.tokenizer, task.head(8), most)
    ours, theirs = [], []
    for _ in range(repeats):
        table, *mine = timed(lambda: lm.measure(model, task))
        (scores, texts), *other = timed(lambda: with_harness(model.network, model.tokenizer, task, most))
        ours.append(mine)
        theirs.append(other)
    logprob = [sum(row) for row in table["logprob"]]
    difference = max(abs(a - b) for a, (b, _) in zip(logprob, scores, strict=True))
    assert difference < 1e-4, difference
    assert [all(hit) for hit in table["is_greedy"]] == [greedy for _, greedy in scores]
    answers = [model.tokenizer.decode(output).split("\n")[0] for output in table["output"]]
    assert answers == [text.split("\n")[0] for text in texts]
    mine, other = (statistics.median(seconds for seconds, _ in runs) for runs in (ours, theirs))
    return {
        "model": name,
        "shared tokens": passes.common_prefix([row.prompt for row in lm.encode(model.tokenizer, task)]),
        "items": len(task),
        "items/s": len(task) / mine,
        "harness items/s": len(task) / other,
        "times faster": other / mine,
        "MB": max(mb for _, mb in ours),
        "harness MB": max(mb for _, mb in theirs),
        "share of peak": flops(model, task, table) / mine / peak(),
        "largest difference (nats)": difference,
    }


def largest_rung(repeats: int = 5) -> dict:
    """The largest model of the ladder on additions; the harness does not run, and two examples are shared."""
    name = families.members("ladder").iloc[-1]["model"]
    model, task = families.load(name), tasks.arithmetic("addition", 4, 2000, layout="compact")
    runs = [(timed(lambda: lm.measure(model, task)), peak()) for _ in range(repeats)]
    (table, seconds, _), _ = min(runs, key=lambda run: run[0][1])
    return {
        "model": name,
        "shared tokens": passes.common_prefix([row.prompt for row in lm.encode(model.tokenizer, task)]),
        "items": len(task),
        "items/s": len(task) / seconds,
        "MB": max(mb for (_, _, mb), _ in runs),
        "share of peak": flops(model, task, table) / seconds / max(best for _, best in runs),
    }


def main() -> None:
    """Print the table, and keep it for the book's page on reproducibility."""
    logging.set_verbosity_error()
    rows = [compare(name, shots) for name in SHAPES for shots in SHOTS] + [largest_rung()]
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "peak GFLOP/s": round(peak() / 1e9),
        "versions": {name: version(name) for name in ("torch", "transformers", "lm_eval")},
    }
    print(about)
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    RESULTS.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


def processor() -> str:
    """The processor's name, where the system tells it."""
    file = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", file.read_text()) if file.exists() else []
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()

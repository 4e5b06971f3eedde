"""Measure a language model on a task, once: one items table, which every metric then scores.

`measure` asks a model each question of a task (`mirage_lib.tasks`) and records, for each token of the right answer,
its log-probability and whether it is the model's first choice, and beside them the answer the model gives by itself.

It is quick because it computes nothing twice. What all prompts begin with (the examples) is run once and its keys and
values shared. Only the positions of answers go through the unembedding. Greedy decoding gives the right answer
exactly when every token of it is the first choice given the ones before; so only the other answers are generated,
from the first wrong token on.
"""

import copy
import inspect
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd

from mirage_lib.families import Model
from mirage_lib.items import Ragged, items_table

TOKENS_AT_ONCE = 1 << 12  # of a batch: more gain nothing on a CPU
LOGITS_AT_ONCE = 1 << 25  # numbers


class Row(NamedTuple):
    """A prompt with one continuation of it, as token ids; `item` is the row of the task it belongs to."""

    item: int
    prompt: list[int]
    target: list[int]
    generate: bool


class Scored(NamedTuple):
    """What a row gave: per target token its log-probability (nats) and hit, the greedy answer, the samples."""

    logprob: np.ndarray
    hit: np.ndarray
    output: list[int]
    samples: list[list[int]]


def measure(
    model: Model,
    task: pd.DataFrame,
    batch_size: int | None = None,
    samples: int = 0,
    temperature: float = 1.0,
    seed: int = 0,
    max_tokens: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Ask a model every question of a task; return an items table, one row a question, in the task's order.

    model : from `families.load`.
    task : from `mirage_lib.tasks`, with `prompt` and `target`, and perhaps `choices` and `answer`.
    batch_size : questions at once; chosen by size if None, and halved, with a warning, when memory runs out.
    samples : answers sampled at `temperature` beside the greedy one, from the random stream of `seed`; each is drawn
        token by token by the model itself.
    max_tokens : where an answer without a stop is cut; the longest target of the task if None.

    Log-probabilities are natural, from a float32 log-softmax over the tokenizer's ids: ids that only pad the embedding
    are left out. The stop, a newline at the end of a target, is part of it. On a CPU the same call gives the same
    table, and another batch size changes log-probabilities by less than 1e-5.

    Raises ValueError for a prompt that is empty or ends with a space, and for a question too long for the model.
    """
    rows = encode(model.tokenizer, task)
    longest = max(len(row.prompt) + len(row.target) for row in rows)
    limit = getattr(model.network.config, "max_position_embeddings", None)
    if limit and longest > limit:
        raise ValueError(f"the longest question has {longest} tokens, the model reads {limit}: use fewer shots")
    max_tokens = max_tokens or max(len(row.target) for row in rows if row.generate)
    uniform = np.random.default_rng(seed).random((len(task), samples, max_tokens)) if samples else None
    ends = stops(model.tokenizer)

    def run(prefix, batch):
        drawn = None if uniform is None else uniform[[row.item for row in batch]]
        return score(model, prefix, batch, ends, max_tokens, drawn, temperature)

    scored = _in_batches(run, rows, model, batch_size, progress)
    return _table(model, task, rows, scored, samples)


def encode(tokenizer, task: pd.DataFrame) -> list[Row]:
    """Token ids of every target of a task, and of every other option where there are choices.

    Prompt and continuation are encoded together, and cut where the prompt alone ends: a tokenizer may join characters
    across the seam otherwise.
    """
    rows = []
    prompts = task["prompt"].tolist()
    for prompt in prompts:
        if not prompt or prompt[-1] in " \t":
            raise ValueError(
                f"the prompt {prompt[-30:]!r} is empty or ends with a space: put the space before the target"
            )
    continuations = [
        [target, *(option for option in options if option != target)]
        for target, options in zip(
            task["target"], task["choices"] if "choices" in task else [()] * len(task), strict=True
        )
    ]
    whole = [prompt + text for prompt, texts in zip(prompts, continuations, strict=True) for text in texts]
    heads, ids = tokenizer(prompts)["input_ids"], iter(tokenizer(whole)["input_ids"])
    for item, (head, texts) in enumerate(zip(heads, continuations, strict=True)):
        for number in range(len(texts)):
            both = next(ids)
            if len(both) <= len(head):
                raise ValueError(f"the tokenizer joins the target {texts[number]!r} with its prompt: add a space")
            rows.append(Row(item, both[: len(head)], both[len(head) :], number == 0))
    return rows


def stops(tokenizer) -> np.ndarray:
    """Ids that end an answer: every token with a newline in it, and the end of text."""
    newline = [i for token, i in tokenizer.get_vocab().items() if any(mark in token for mark in ("\n", "Ċ", "<0x0A>"))]
    return np.array(sorted({*newline, tokenizer.eos_token_id} - {None}))


def common_prefix(prompts: list[list[int]]) -> int:
    """How many ids all prompts begin with, the last id of a prompt never counted: its prediction is wanted.

    >>> common_prefix([[1, 2, 3, 4], [1, 2, 5]])
    2
    """
    first, last = min(prompts), max(prompts)
    length = min(len(prompt) for prompt in prompts) - 1
    return next((i for i in range(length) if first[i] != last[i]), length)


def score(model: Model, prefix: "Prefix", batch: list[Row], ends, max_tokens: int, uniform, temperature: float):
    """Score one batch of rows that begin with the same prefix; returns a `Scored` for each.

    uniform : random numbers for the samples, shape (rows, samples, max_tokens), or None.
    """
    import torch

    network, device = model.network, model.network.device
    tails = [row.prompt[prefix.length :] for row in batch]
    width = max(len(tail) + len(row.target) - 1 for tail, row in zip(tails, batch, strict=True))
    ids = np.zeros((len(batch), width), np.int64)
    for i, (tail, row) in enumerate(zip(tails, batch, strict=True)):
        ids[i, : len(tail) + len(row.target) - 1] = [*tail, *row.target[:-1]]
    # what stands right of a row's end is never looked at by what stands left of it, so it needs no mask
    cache = prefix.expand(len(batch))
    before = min(len(tail) for tail in tails) - 1
    out = network(
        input_ids=torch.from_numpy(ids).to(device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=torch.arange(before, width, device=device),
    )
    cache, logits = out.past_key_values, _masked(out.logits, model.tokenizer)
    steps = max(len(row.target) for row in batch)
    first = torch.tensor([len(tail) - 1 - before for tail in tails], device=device)
    place = (first[:, None] + torch.arange(steps, device=device)).clamp(max=width - 1 - before)
    target = torch.zeros((len(batch), steps), dtype=torch.long, device=device)
    for i, row in enumerate(batch):
        target[i, : len(row.target)] = torch.tensor(row.target)
    same = before + 1 == len(tails[0]) and steps == logits.shape[1] and bool((first == 0).all())
    wanted = logits if same else logits.gather(1, place[..., None].expand(-1, -1, logits.shape[-1]))
    logprob = wanted.gather(-1, target[..., None])[..., 0] - wanted.logsumexp(-1)
    choice = wanted.argmax(-1)
    logprob, choice, target = logprob.cpu().numpy(), choice.cpu().numpy(), target.cpu().numpy()

    outputs: list[list[int]] = [row.target for row in batch]
    todo, known = [], []
    for i, row in enumerate(batch):
        wrong = np.flatnonzero(choice[i, : len(row.target)] != target[i, : len(row.target)])
        if row.generate and len(wrong):
            todo.append(i)
            known.append([*row.target[: wrong[0]], int(choice[i, wrong[0]])])
    ends_set = set(ends.tolist())
    # the cache holds the prefix, then `width` places a row; of these the prompt and the right beginning count
    kept = [len(tails[i]) + len(answer) - 1 for i, answer in zip(todo, known, strict=True)]
    greedy = _continue(model, cache, prefix.length, width, todo, kept, known, ends_set, max_tokens)
    for i, answer in zip(todo, greedy, strict=True):
        outputs[i] = answer
    samples: list[list[list[int]]] = [[] for _ in batch]
    asked = [i for i, row in enumerate(batch) if row.generate]
    if uniform is not None and asked:
        todo = [i for i in asked for _ in range(uniform.shape[1])]
        drawn = np.concatenate([uniform[i] for i in asked])
        begin = _pick(wanted[todo, 0], drawn[:, 0], temperature)
        kept = [len(tails[i]) for i in todo]
        answers = _continue(
            model,
            cache,
            prefix.length,
            width,
            todo,
            kept,
            begin[:, None].tolist(),
            ends_set,
            max_tokens,
            drawn,
            temperature,
        )
        for i, answer in zip(todo, answers, strict=True):
            samples[i].append(answer)
    return [
        Scored(logprob[i, : len(row.target)], choice[i, : len(row.target)] == row.target, outputs[i], samples[i])
        for i, row in enumerate(batch)
    ]


def _continue(
    model, cache, start, width, rows, kept, answers, ends, max_tokens, uniform=None, temperature=1.0
) -> list[list[int]]:
    """Let the model finish answers whose beginnings are known, greedily or from random numbers; returns all ids.

    cache : keys and values of a scored batch: `start` of the prefix, then `width` places; `rows` of it are used, and
        of each the first `kept` places. The rest, which belongs to another answer, is masked.
    """
    import torch

    network, device = model.network, model.network.device
    answers = [list(answer) for answer in answers]
    going = [i for i, answer in enumerate(answers) if answer[-1] not in ends and len(answer) < max_tokens]
    if not going:
        return answers
    cache = copy.deepcopy(cache)
    cache.batch_select_indices(torch.tensor([rows[i] for i in going], device=device))
    length = torch.tensor([kept[i] for i in going], device=device)
    mask = torch.ones((len(going), start + width), dtype=torch.long, device=device)
    mask[:, start:] = (torch.arange(width, device=device) < length[:, None]).long()
    position = start + length
    positions = "position_ids" in inspect.signature(network.forward).parameters
    while going:
        mask = torch.cat([mask, mask.new_ones((len(going), 1))], 1)
        out = network(
            input_ids=torch.tensor([[answers[i][-1]] for i in going], device=device),
            past_key_values=cache,
            attention_mask=mask,
            use_cache=True,
            **({"position_ids": position[:, None]} if positions else {}),
        )
        logits = _masked(out.logits, model.tokenizer)[:, -1]
        if uniform is None:
            new = logits.argmax(-1).tolist()
        else:
            new = _pick(logits, np.array([uniform[i, len(answers[i])] for i in going]), temperature).tolist()
        for i, token in zip(going, new, strict=True):
            answers[i].append(token)
        still = [j for j, i in enumerate(going) if answers[i][-1] not in ends and len(answers[i]) < max_tokens]
        position = position + 1
        if len(still) < len(going):
            chosen = torch.tensor(still, dtype=torch.long, device=device)
            going = [going[j] for j in still]
            if going:
                cache.batch_select_indices(chosen)
                mask, position = mask[chosen], position[chosen]
    return answers


def _pick(logits, uniform: np.ndarray, temperature: float) -> np.ndarray:
    """One id a row, drawn at a temperature by inverting the cumulative distribution at a random number."""
    import torch

    mass = (logits.double() / temperature).softmax(-1).cumsum(-1)
    drawn = torch.from_numpy(uniform).to(mass.device)[:, None] * mass[:, -1:]
    return torch.searchsorted(mass, drawn, right=True)[:, 0].clamp(max=mass.shape[-1] - 1).cpu().numpy()


def _masked(logits, tokenizer):
    """Logits in float32 without the ids that only pad the embedding."""
    return logits[..., : len(tokenizer)].float()


class Prefix:
    """The ids that a group of prompts begins with, run once, and their keys and values for as many rows as wanted."""

    def __init__(self, network, ids: list[int]):
        import torch

        self.network, self.length = network, len(ids)
        self.cache = None
        if ids:
            out = network(input_ids=torch.tensor([ids], device=network.device), use_cache=True, logits_to_keep=1)
            self.cache = out.past_key_values

    def expand(self, rows: int):
        import torch

        cache = copy.deepcopy(self.cache)
        if cache is not None:
            cache.batch_select_indices(torch.zeros(rows, dtype=torch.long, device=self.network.device))
        return cache


def _in_batches(run, rows: list[Row], model: Model, batch_size: int | None, progress: bool) -> list[Scored]:
    """Run groups of rows with a common beginning in batches of similar length; the results in the order of rows."""
    import torch
    from tqdm.auto import tqdm

    scored: list[Scored | None] = [None] * len(rows)
    bar = tqdm(total=len(rows), desc=model.name, unit="answer", disable=not progress)
    with torch.inference_mode(), bar:
        for group in groups(rows):
            shared = common_prefix([rows[i].prompt for i in group])
            prefix = Prefix(model.network, rows[group[0]].prompt[:shared])
            order = sorted(group, key=lambda i: (len(rows[i].prompt), len(rows[i].target)))
            width = max(len(rows[i].prompt) - shared + len(rows[i].target) for i in group)
            size = batch_size or max(
                1,
                min(
                    TOKENS_AT_ONCE // width,
                    LOGITS_AT_ONCE // (model.network.config.vocab_size * max(len(rows[i].target) for i in group)),
                ),
            )
            done = 0
            while done < len(order):
                part = order[done : done + size]
                try:
                    results = run(prefix, [rows[i] for i in part])
                except (torch.OutOfMemoryError, RuntimeError) as error:
                    if size == 1 or not (isinstance(error, torch.OutOfMemoryError) or "memory" in str(error)):
                        raise
                    size //= 2
                    warnings.warn(
                        f"memory ran out with {2 * size} questions at once: going on with {size}", stacklevel=3
                    )
                    continue
                for i, result in zip(part, results, strict=True):
                    scored[i] = result
                done += len(part)
                bar.update(len(part))
    return scored


def groups(rows: list[Row]) -> list[list[int]]:
    """Rows that share at least half of their prompt with the row before, in sorted order: a group is a set of shots."""
    order = sorted(range(len(rows)), key=lambda i: rows[i].prompt)
    found = [[order[0]]]
    for previous, i in zip(order, order[1:], strict=False):
        shared = common_prefix([rows[previous].prompt, rows[i].prompt])
        if 2 * shared >= len(rows[i].prompt) - 1:
            found[-1].append(i)
        else:
            found.append([i])
    return found


def _table(model: Model, task: pd.DataFrame, rows: list[Row], scored: list[Scored], samples: int) -> pd.DataFrame:
    """The items table of a scored task."""
    mine = [(row, result) for row, result in zip(rows, scored, strict=True) if row.generate]
    lengths = np.array([len(row.target) for row, _ in mine])
    columns = {
        "family": model.family,
        "model": model.name,
        "commit": model.commit,
        "params": model.params,
        "tokens": model.tokens,
        "task": task["task"],
        "item": task["item"],
        "shot_set": task["shot_set"],
        "length": lengths,
        "digits": task["digits"],
        "logprob": Ragged(np.concatenate([result.logprob for _, result in mine]).astype(float), lengths),
        "hit": Ragged(np.concatenate([result.hit for _, result in mine]), lengths),
        "output": [result.output for _, result in mine],
        "target": [row.target for row, _ in mine],
    }
    if samples:
        columns["samples"] = [result.samples for _, result in mine]
    if "choices" in task:
        sums: list[dict] = [{} for _ in range(len(task))]
        position = 0
        for item, (target, options) in enumerate(zip(task["target"], task["choices"], strict=True)):
            for text in [target, *(option for option in options if option != target)]:
                # rounding can put the probability of a sure option a hair above one
                sums[item][text] = min(0.0, float(scored[position].logprob.sum()))
                position += 1
        columns["choice_logprob"] = [
            [sums[item][text] for text in options] for item, options in enumerate(task["choices"])
        ]
        columns["answer"] = task["answer"]
    return items_table(**columns)

"""Measure a language model on a task, once: one items table, which every metric then scores.

`measure` asks a model each question of a task (`mirage_lib.tasks`) and records, for each token of the right answer,
its log-probability and whether it is the model's first choice, and beside them the answer the model gives by itself.
Here text becomes token ids, and results become items; `mirage_lib.passes` runs the network.
"""

import warnings

import numpy as np
import pandas as pd

from mirage_lib.families import Model
from mirage_lib.items import Ragged, items_table
from mirage_lib.passes import Reading, Row, Scored, ask


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

    Raises ValueError for a task without questions or what it needs, a prompt that is empty or ends with a space, a
    target that is not the option it should be, has a stop before its end, or characters or a stop that the tokenizer
    does not know, a question too long for the model, a model that looks ahead (an encoder) or whose numbers overflow,
    and arguments out of range. Warns of targets without a stop, unless the task's column `cut` says that they are cut
    where only a length is asked for (`tasks.continuation`), and of a model that does not give in batches what it
    gives in whole passes, as a state-space model does not: then each question is run alone, which is slow.

    >>> from mirage_lib import families, metrics, tasks
    >>> task = tasks.arithmetic("addition", 2, n=50, layout="compact")
    >>> items = measure(families.load("arithmetic-795k-seed0"), task)
    >>> bool(metrics.exact_match(items).mean() > 0.8)
    True
    """
    _check_task(task)
    rows = encode(model.tokenizer, task)
    longest = max(len(row.target) for row in rows if row.generate)
    max_tokens = longest if max_tokens is None else max_tokens
    if max_tokens < longest or samples < 0 or temperature <= 0 or (batch_size is not None and batch_size < 1):
        raise ValueError(
            f"measure needs max_tokens of at least {longest}, the longest target, samples of at least 0, a temperature "
            f"above 0 and a batch_size of at least 1; these are {max_tokens}, {samples}, {temperature}, {batch_size}"
        )
    reading = _reading(model, rows, max_tokens)
    cut = np.asarray(task["cut"], bool) if "cut" in task else np.zeros(len(task), bool)
    endless = [row.text for row in rows if row.generate and row.target[-1] not in reading.ends and not cut[row.item]]
    if endless:
        told = f"{len(endless)} targets, the first {endless[0]!r}, end without a stop"
        warnings.warn(f"{told}: an answer that goes on counts as right", stacklevel=2)
    uniform = np.random.default_rng(seed).random((len(task), samples, max_tokens))
    scored = ask(model, rows, reading, uniform, temperature, batch_size, progress)
    return _table(model, task, rows, scored)


def _check_task(task: pd.DataFrame) -> None:
    """Raise ValueError unless a task has questions, all columns without a gap, and targets that are the answers."""
    needs = {"task", "item", "shot_set", "prompt", "target", "digits"} | ({"answer"} if "choices" in task else set())
    missing = needs - set(task)
    if missing or task.empty:
        raise ValueError(f"no task: {len(task)} questions, without the columns {sorted(missing)}; see mirage_lib.tasks")
    holes = [name for name in sorted(needs | {"choices", "cut"} & set(task)) if task[name].isna().any()]
    if holes:
        raise ValueError(f"no task: values are missing in {', '.join(holes)}; tasks with and without choices go apart")
    for row in task.itertuples() if "choices" in task else ():
        options = list(row.choices)
        if "" in options:
            raise ValueError(f"item {row.item} has an empty option, which has no token and no probability")
        if not 0 <= row.answer < len(options) or options[row.answer] != row.target:
            raise ValueError(
                f"item {row.item} has answer {row.answer} of {options}, which is not its target {row.target!r}: "
                "options are counted from 0"
            )


def encode(tokenizer, task: pd.DataFrame) -> list[Row]:
    """Token ids of every target of a task, and of every other option where there are choices.

    Prompt and continuation are encoded together, and cut where the prompt alone ends. A tokenizer that joins characters
    across the seam is refused: part of the answer would count as prompt.
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
    texts = [prompt + text for prompt, several in zip(prompts, continuations, strict=True) for text in several]
    around = tokenizer("")["input_ids"]  # what stands around every text
    begin, unknown = tokenizer.bos_token_id, tokenizer.unk_token_id

    def encoded(texts):
        """A text that brings its own token for the beginning gets no second one."""
        for text, ids in zip(texts, tokenizer(texts)["input_ids"], strict=True):
            twice = begin in around and ids[:2] == [begin, begin] and text.startswith(tokenizer.bos_token)
            yield ids[1:] if twice else ids

    wholes = encoded(texts)
    for item, (head, several) in enumerate(zip(encoded(prompts), continuations, strict=True)):
        for number, text in enumerate(several):
            both = next(wholes)
            if both[: len(head)] != head or len(both) == len(head) or not head:
                raise ValueError(_seam(tokenizer, prompts[item], text, head, both))
            # a token that begins every text may be the one for what is unknown
            if both.count(unknown) > around.count(unknown) and tokenizer.unk_token not in prompts[item] + text:
                raise ValueError(
                    f"the tokenizer does not know all characters of {prompts[item][-30:] + text!r}; of the bundled "
                    'families ladder-text reads ASCII, the others digits and "+*=" only, layout="compact"'
                )
            rows.append(Row(item, text, both[: len(head)], both[len(head) :], number == 0))
    return rows


def _seam(tokenizer, prompt: str, text: str, head: list[int], both: list[int]) -> str:
    """Why the ids of a prompt with a continuation do not begin with those of the prompt, or end there."""
    if not set(head) - set(tokenizer.all_special_ids):
        return f"the tokenizer makes no token of {prompt[-30:]!r}: are its files (tokenizer.json) beside the model's?"
    if not text:
        return "a target is empty: it has no token to score"
    if head[-1] == both[-1] and head[-1] in tokenizer.all_special_ids and both[: len(head) - 1] == head[:-1]:
        end = tokenizer.convert_ids_to_tokens(head[-1])
        return f"the tokenizer appends {end!r} to every text, also between prompt and answer: set add_eos_token=False"
    if both == head:
        return f"the tokenizer makes no token of {text!r}: nothing is left to score"
    return f"the tokenizer joins the target {text!r} with its prompt: add a space"


def _reading(model: Model, rows: list[Row], max_tokens: int) -> Reading:
    """How to read a model's answers. Raises ValueError for questions that it cannot be asked."""
    config = model.network.config.get_text_config(decoder=True)
    ids = set(model.tokenizer.get_vocab().values())
    size = min(max(ids) + 1, config.vocab_size)
    ends = stops(model.tokenizer, model.network)
    largest = max(max(row.prompt + row.target) for row in rows)
    if largest >= config.vocab_size:
        raise ValueError(f"the tokenizer gives the id {largest}, and {model.name} has {config.vocab_size}: not a pair")
    needed = max(len(row.prompt) + max(len(row.target), max_tokens) for row in rows)
    limit = getattr(config, "max_position_embeddings", None)
    if limit and needed > limit > 0:  # XLNet says -1 for no limit
        raise ValueError(f"the longest question needs {needed} tokens, the model reads {limit}: use fewer shots")
    for row in rows:
        if row.generate and ends & set(row.target[:-1]):
            raise ValueError(f"the target {row.text!r} has a stop before its end: an answer ends at its first newline")
        if "\n" in row.text and row.target[-1] not in ends:
            raise ValueError(
                f"the tokenizer drops the newline of {row.text!r}, and an answer that goes on would count as right: "
                "this model needs targets without newlines"
            )
    return Reading(size, sorted(set(range(size)) - ids), ends, max_tokens)


def stops(tokenizer, network=None) -> set[int]:
    """Ids that end an answer: every token with a newline in it, the end of text, and what the network ends with."""
    newline = {i for token, i in tokenizer.get_vocab().items() if any(mark in token for mark in ("\n", "Ċ", "<0x0A>"))}
    ends = getattr(getattr(network, "generation_config", None), "eos_token_id", None)
    return (newline | {tokenizer.eos_token_id} | set(ends if isinstance(ends, list) else [ends])) - {None}


def _table(model: Model, task: pd.DataFrame, rows: list[Row], scored: list[Scored]) -> pd.DataFrame:
    """The items table of a scored task."""
    asked = [(row, result) for row, result in zip(rows, scored, strict=True) if row.generate]
    lengths = np.array([len(row.target) for row, _ in asked])
    columns = {
        "family": model.family,
        "model": model.name,
        "commit": model.commit,
        "params": model.params,
        "tokens": model.tokens,
        **{name: task[name] for name in ("task", "item", "shot_set", "digits")},
        "length": lengths,
        "logprob": Ragged(np.concatenate([result.logprob for _, result in asked]).astype(float), lengths),
        "is_greedy": Ragged(np.concatenate([result.hit for _, result in asked]), lengths),
        "output": [result.output for _, result in asked],
        "target": [row.target for row, _ in asked],
    }
    if asked[0][1].samples:
        columns["samples"] = [result.samples for _, result in asked]
    if "choices" in task:
        sums: dict = {}
        for row, result in zip(rows, scored, strict=True):
            sums[row.item, row.text] = float(result.logprob.sum())
        columns["choice_logprob"] = [
            [sums[item, text] for text in options] for item, options in enumerate(task["choices"])
        ]
        columns["answer"] = task["answer"]
    return items_table(**columns)

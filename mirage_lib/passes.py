"""Forward passes: token ids in, log-probabilities and answers out. What `mirage_lib.lm` asks a network, done quickly.

Nothing is computed twice. What all prompts begin with (the examples) is run once and its keys and values shared. Only
the positions of answers go through the unembedding. Greedy decoding gives the right answer exactly when every token of
it is the first choice given the ones before; so only the other answers are generated, from the first wrong token on.
`mirage_lib.caches` keeps what is shared once, and has room for answers, so that no token copies the keys before it.
"""

import inspect
import itertools
import math
import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from mirage_lib import caches
from mirage_lib.families import Model

TOKENS_AT_ONCE = 1 << 13  # of a batch: more gain nothing on a CPU
LOGITS_AT_ONCE = 1 << 25  # numbers
LOGITS_IN_CACHE = 1 << 18  # numbers
# numbers of keys and values, a quarter of a gigabyte on a CPU: with fewer rows at once it waits for the weights
KEPT_AT_ONCE = {"cpu": 1 << 26, "cuda": 1 << 29}
ONE_THREAD = 1e6  # parameters up to which threads that wait for each other cost more than they bring
NO_MEMORY = re.compile("out of memory|not enough memory|can't allocate")  # on a CPU the error has no type of its own
# network: attention and precision, tokens of its longest question so far, numbers kept for a token, whether once
_checked: WeakKeyDictionary = WeakKeyDictionary()


class Row(NamedTuple):
    """A prompt with one continuation of it, its `text` too, as token ids; `item` is the row of the task."""

    item: int
    text: str
    prompt: list[int]
    target: list[int]
    generate: bool


class Reading(NamedTuple):
    """What counts of the logits, and where an answer ends.

    size, holes : ids from `size` on, and those in `holes`, are no token of the tokenizer: they only pad the embedding.
    ends : ids that end an answer. max_tokens : where an answer without one is cut.
    """

    size: int
    holes: list[int]
    ends: set[int]
    max_tokens: int

    def logits(self, logits):
        """The logits of the tokenizer's ids, float32. Raises FloatingPointError where they are no numbers."""
        logits = logits[..., : self.size].float()
        if not logits.max().isfinite():
            raise FloatingPointError
        if self.holes:
            logits[..., self.holes] = -float("inf")
        return logits


class Scored(NamedTuple):
    """What a row gave: per target token its log-probability (nats) and hit, the greedy answer, the samples."""

    logprob: np.ndarray
    hit: np.ndarray
    output: list[int]
    samples: list[list[int]]


def ask(
    model: Model, rows: list[Row], reading: Reading, uniform, temperature: float, batch_size: int | None, progress: bool
) -> list[Scored]:
    """Score rows, and let the model answer; the results in the order of rows.

    uniform : random numbers for the samples, shape (items, samples, max_tokens).

    On a CPU the same call gives the same numbers. Raises ValueError for a model that is not causal or whose numbers
    overflow. Warns where rows cannot share what the model keeps, and where memory runs out.
    """
    import torch

    threads = torch.get_num_threads()
    if model.params < ONE_THREAD:
        torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            kept, once, why = sharing(model, rows, reading)
            if why:
                told = f"questions cannot share what {model.name} keeps ({why}): each is run alone, which is slow"
                warnings.warn(told, stacklevel=3)

            def run(prefix, batch):
                drawn = uniform[[row.item for row in batch]]
                if why:
                    return score_alone(model.network, batch, reading, drawn, temperature)
                return score(model.network, prefix, batch, reading, drawn, temperature)

            return _in_batches(run, rows, model, reading, batch_size, kept * max(1, uniform.shape[1]), once, progress)
    except FloatingPointError:
        raise ValueError(
            f"{model.name} gives NaN or infinity in {model.network.dtype}, which is no score; numbers that are too "
            "large for float16 fit into bfloat16 and float32"
        ) from None
    finally:
        torch.set_num_threads(threads)


def sharing(model: Model, rows: list[Row], reading: Reading) -> tuple[int, bool, str]:
    """How rows may share what a model keeps of their common beginning.

    Returns how many numbers, keys and values, it keeps for each token that it reads, whether those that rows share may
    be kept once or must be copied, and why rows cannot share them: an empty text if they can. Tried (`_trial`) once a
    model, and again for longer questions. Raises ValueError for a model that is not causal.
    """
    import torch

    network = model.network
    way = network.config.get_text_config(decoder=True)._attn_implementation, network.dtype
    needed = max(len(row.prompt) + max(len(row.target), reading.max_tokens) for row in rows)
    before, *found = _checked.get(network, {}).get(way, (0,))
    if needed <= before:
        return *found, ""
    longest = max(rows, key=lambda row: len(row.prompt) + len(row.target))
    shortest = min(rows, key=lambda row: len(row.prompt) + len(row.target))
    *head, last = longest.prompt + longest.target
    one, two = (whole(network, [*head, i], len(head) + 1, reading)[:-1] for i in (last, (last + 1) % reading.size))
    if _differ(one, two, network.dtype):
        raise ValueError(
            f"{model.name} is not causal: what it expects at a place changes with what stands after it, as in an "
            "encoder, and its probabilities are none of answers"
        )
    # rows of other examples have no beginning in common, and would try nothing
    if 2 * common_prefix([longest.prompt, shortest.prompt]) < len(longest.prompt):
        shortest = shortest._replace(prompt=longest.prompt[: len(longest.prompt) // 2 + 1])
    # in float16 sums of a product may overflow, which torch's attention keeps in float32
    for once in (False,) if network.dtype == torch.float16 else (True, False):
        kept, why = _trial(network, longest, shortest, reading, once)
        if not why:
            _checked.setdefault(network, {})[way] = needed, kept, once
            break
    return kept, once, why


def _trial(network, longest: Row, shortest: Row, reading: Reading, once: bool) -> tuple[int, str]:
    """The numbers that a network keeps for a token, and why two rows cannot share them.

    They are continued in one batch, with a common beginning and masks, and must have the logits of whole passes.
    """
    import torch

    batch = [longest, shortest, longest._replace(prompt=longest.prompt[:-1] or longest.prompt)]
    # wrong in the last token or in the first, so that nothing or everything of a target is masked
    places = [len(longest.target) - 1, 0, 0]
    begun = [[*row.target[:n], (row.target[n] + 1) % reading.size] for row, n in zip(batch, places, strict=True)]
    try:
        shared = common_prefix([row.prompt for row in batch])
        if once and not shared:
            return 0, "nothing to share"
        with caches.sharing(network, once):
            prefix = run_prefix(network, longest.prompt[:shared], once)
            forced = teacher_forced(network, prefix, batch, reading, reading.max_tokens)
        said = [list(forced.logits[i, : len(answer)]) for i, answer in enumerate(begun)]

        def choose(logits, going):
            for (i, _), each in zip(going, logits, strict=True):
                said[i].append(each)
            return logits.argmax(-1).tolist()

        with caches.sharing(network, once):
            answers = finish(network, forced, [0, 1, 2], begun, reading._replace(ends=set()), choose)
        for row, answer, logits in zip(batch, answers, said, strict=True):
            alone = whole(network, row.prompt + answer[:-1], len(answer), reading)
            if _differ(alone, torch.stack(logits), network.dtype):
                return 0, "in a batch it answers otherwise"
        layers = forced.cache.layers
        numbers = sum((layer.keys.numel() + layer.values.numel()) / layer.keys.shape[-2] for layer in layers)
    except FloatingPointError:
        raise
    except Exception as error:
        if NO_MEMORY.search(str(error)):
            raise
        return 0, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return math.ceil(numbers / len(batch)), ""


def whole(network, ids: list[int], last: int, reading: Reading):
    """Logits after each of the `last` ids, shape (last, reading.size), from one pass without a cache."""
    import torch

    out = network(input_ids=torch.tensor([ids], device=network.device), use_cache=False)
    return reading.logits(out.logits[0, -last:])


def _differ(one, two, dtype) -> bool:
    """Whether logits, shape (places, ids), differ at any place by more than rounding, on the scale of their spread."""
    import torch

    one, two = one.log_softmax(-1), two.log_softmax(-1)
    known = one.isfinite() & two.isfinite()
    far = torch.where(known, (one - two).abs(), 0).mean(-1).max()
    return not far <= (1e-4 if dtype == torch.float32 else 0.05) * one[known].std()


def _in_batches(
    run, rows: list[Row], model: Model, reading: Reading, batch_size: int | None, kept: int, once: bool, progress: bool
) -> list[Scored]:
    """Run groups of rows with a common beginning in batches of similar length; the results in the order of rows.

    kept : numbers that a row keeps for each of its tokens, in all its samples; 0 if rows share nothing.
    once : what rows share may be kept once. Long rows behind a short beginning have copies, which is faster.
    """
    from tqdm.auto import tqdm

    scored: list[Scored | None] = [None] * len(rows)
    bar = tqdm(total=len(rows), desc=model.name, unit="answer", disable=not progress)
    with bar:
        for group in groups(rows):
            shared = common_prefix([rows[i].prompt for i in group])
            longest = max(len(rows[i].target) for i in group)
            width = max(len(rows[i].prompt) for i in group) - shared + longest
            behind = once and shared >= 2 * width
            prefix = run_prefix(model.network, rows[group[0]].prompt[:shared] if kept else [], behind)
            numbers = LOGITS_AT_ONCE // (longest * reading.size)
            room = KEPT_AT_ONCE["cpu" if model.network.device.type == "cpu" else "cuda"]
            copied = 0 if behind else shared
            memory = room // (kept * (copied + width + reading.max_tokens)) if kept else 1
            size = batch_size or max(1, min(TOKENS_AT_ONCE // width, numbers, memory))
            waiting = sorted(group, key=lambda i: (len(rows[i].prompt), len(rows[i].target)))
            while waiting:
                part = waiting[:size]
                try:
                    with caches.sharing(model.network, behind):
                        results = run(prefix, [rows[i] for i in part])
                except RuntimeError as error:
                    if len(part) == 1 or not NO_MEMORY.search(str(error)):
                        raise
                    size = len(part) // 2
                    warnings.warn(f"no memory for {len(part)} questions at once: going on with {size}", stacklevel=4)
                    continue
                for i, result in zip(part, results, strict=True):
                    scored[i] = result
                waiting = waiting[size:]
                bar.update(len(part))
    return scored


def groups(rows: list[Row]) -> list[list[int]]:
    """Rows that share half of their prompt or more with the row before, in sorted order: a group is a set of shots.

    Rows that share so much with no other are the last group: side by side they run faster than one by one.
    """
    order = sorted(range(len(rows)), key=lambda i: rows[i].prompt)
    found = [order[:1]]
    for previous, i in itertools.pairwise(order):
        alike = 2 * common_prefix([rows[previous].prompt, rows[i].prompt]) >= len(rows[i].prompt) - 1
        if alike:
            found[-1].append(i)
        else:
            found.append([i])
    alone = [group[0] for group in found if len(group) == 1]
    return [group for group in [*(group for group in found if len(group) > 1), alone] if group]


def common_prefix(prompts: list[list[int]]) -> int:
    """How many ids all prompts begin with, the last id of a prompt never counted: its prediction is wanted.

    >>> common_prefix([[1, 2, 3, 4], [1, 2, 5]])
    2
    """
    first, last = min(prompts), max(prompts)
    length = min(len(prompt) for prompt in prompts) - 1
    return next((i for i in range(length) if first[i] != last[i]), length)


class Prefix(NamedTuple):
    """What a group of prompts begins with, run once: its number of ids, and their keys and values (None for no ids).

    once : rows read them where they are; else each gets a copy.
    """

    length: int
    cache: Any
    once: bool


class Forced(NamedTuple):
    """A teacher-forced batch: logits of the target tokens, and the keys and values of prefix, prompts and targets.

    logits : shape (rows, longest target, vocabulary); what lies right of a row's target means nothing.
    cache : of `start` places of the prefix, then `width` places a row, of which the first `tails` are its prompt.
    """

    logits: Any
    cache: Any
    start: int
    width: int
    tails: list[int]


def run_prefix(network, ids: list[int], once: bool) -> Prefix:
    """Run what all prompts begin with."""
    import torch

    if not ids:
        return Prefix(0, None, once)
    out = network(input_ids=torch.tensor([ids], device=network.device), use_cache=True, logits_to_keep=1)
    return Prefix(len(ids), out.past_key_values, once)


def teacher_forced(network, prefix: Prefix, batch: list[Row], reading: Reading, places: int) -> Forced:
    """Run prompts and targets of rows that begin with the prefix; logits only where a target token is predicted.

    places : what the cache has room for behind the targets.
    """
    import torch

    device = network.device
    tails = [row.prompt[prefix.length :] for row in batch]
    steps = max(len(row.target) for row in batch)
    # a row's last target token predicts nothing
    width = max(len(tail) + len(row.target) - 1 for tail, row in zip(tails, batch, strict=True))
    ids = np.zeros((len(batch), width), np.int64)
    for i, (tail, row) in enumerate(zip(tails, batch, strict=True)):
        ids[i, : len(tail) + len(row.target) - 1] = [*tail, *row.target[:-1]]
    cache = None
    if prefix.cache is not None:
        cache = caches.rows_of(prefix.cache, [0] * len(batch), width + places, prefix.once)
    before = min(len(tail) for tail in tails) - 1
    # what stands right of a row's end is never looked at by what stands left of it, so it needs no mask
    out = network(
        input_ids=torch.from_numpy(ids).to(device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=torch.arange(before, width, device=device),
    )
    logits = reading.logits(out.logits)
    first = torch.tensor([len(tail) - 1 - before for tail in tails], device=device)
    # prompts of one length, the usual case, need no copy of so many numbers
    if first.any():
        place = (first[:, None] + torch.arange(steps, device=device)).clamp(max=width - 1 - before)
        logits = logits.gather(1, place[..., None].expand(-1, -1, logits.shape[-1]))
    return Forced(logits[:, :steps], out.past_key_values, prefix.length, width, [len(tail) for tail in tails])


def score(network, prefix: Prefix, batch: list[Row], reading: Reading, uniform, temperature) -> list[Scored]:
    """Score one batch of rows that begin with the same prefix.

    uniform : random numbers for the samples, shape (rows, samples, max_tokens).
    """
    import torch

    forced = teacher_forced(network, prefix, batch, reading, reading.max_tokens)
    lengths = np.array([len(row.target) for row in batch])
    padded = np.zeros((len(batch), lengths.max()), np.int64)
    for target, row in zip(padded, batch, strict=True):
        target[: len(row.target)] = row.target
    target = torch.from_numpy(padded).to(network.device)
    # a few rows at once, so that what they need on the way stays in the processor's cache
    few = max(1, LOGITS_IN_CACHE // forced.logits[0].numel())
    mass = torch.cat([logits.logsumexp(-1) for logits in forced.logits.split(few)])
    logprob = forced.logits.gather(-1, target[..., None])[..., 0] - mass
    logprob, choice = logprob.cpu().numpy(), first_choice(forced.logits)
    hit = choice == padded

    # an answer is known up to the first token that is not the target's
    outputs, wrong = [row.target for row in batch], {}
    for i, row in enumerate(batch):
        misses = np.flatnonzero(~hit[i, : lengths[i]])
        if row.generate and len(misses):
            wrong[i] = [*row.target[: misses[0]], int(choice[i, misses[0]])]
    greedy = finish(
        network, forced, [*wrong], [*wrong.values()], reading, lambda logits, _: first_choice(logits).tolist()
    )
    for i, answer in zip(wrong, greedy, strict=True):
        outputs[i] = answer

    samples: list[list[list[int]]] = [[] for _ in batch]
    drawn = [(i, numbers) for i, row in enumerate(batch) if row.generate for numbers in uniform[i]]
    if drawn:
        rows, numbers = [i for i, _ in drawn], np.array([numbers for _, numbers in drawn])
        begun = _draw(forced.logits[rows, 0], numbers[:, 0], temperature)

        def draw(logits, going):
            return _draw(logits, np.array([numbers[place] for place in going]), temperature).tolist()

        finished = finish(network, forced, rows, begun[:, None].tolist(), reading, draw)
        for i, answer in zip(rows, finished, strict=True):
            samples[i].append(answer)
    return [Scored(logprob[i, :length], hit[i, :length], outputs[i], samples[i]) for i, length in enumerate(lengths)]


def first_choice(logits) -> np.ndarray:
    """The likeliest id of each place. On a CPU numpy finds it in a third of the time that torch takes."""
    return logits.numpy().argmax(-1) if logits.device.type == "cpu" else logits.argmax(-1).cpu().numpy()


def score_alone(network, batch: list[Row], reading: Reading, uniform, temperature) -> list[Scored]:
    """What `score` gives, for any model: one row at a time, from whole passes without a cache."""
    import torch

    def write(prompt: list[int], answer: list[int], numbers=None) -> list[int]:
        while not answer or (answer[-1] not in reading.ends and len(answer) < reading.max_tokens):
            following = whole(network, prompt + answer, 1, reading)
            if numbers is None:
                answer = [*answer, int(following.argmax())]
            else:
                answer = [*answer, int(_draw(following, numbers[len(answer)][None], temperature)[0])]
        return answer

    scored = []
    for row, numbers in zip(batch, uniform, strict=True):
        said = whole(network, row.prompt + row.target[:-1], len(row.target), reading)
        target = torch.tensor(row.target, device=network.device)
        logprob = said.log_softmax(-1).gather(-1, target[:, None])[:, 0].cpu().numpy()
        hit = (said.argmax(-1) == target).cpu().numpy()
        output, samples = row.target, []
        if row.generate:
            output = row.target if hit.all() else write(row.prompt, row.target[: hit.argmin()])
            samples = [write(row.prompt, [], drawn) for drawn in numbers]
        scored.append(Scored(logprob, hit, output, samples))
    return scored


def finish(
    network, forced: Forced, rows: list[int], answers: list[list[int]], reading: Reading, choose: Callable
) -> list[list[int]]:
    """Let a model finish answers whose beginnings are known; returns whole answers.

    rows : the row of the teacher-forced batch that each answer belongs to. Of its keys and values the prompt and the
        answer without its last token are used; all but that token agree with the target. The rest is masked.
    choose : gives the next id of each answer that goes on, from their logits and (number of the answer, its length).
    """
    import torch

    device = network.device
    answers = [list(answer) for answer in answers]

    def unfinished(candidates):
        return [i for i in candidates if answers[i][-1] not in reading.ends and len(answers[i]) < reading.max_tokens]

    going = unfinished(range(len(answers)))
    if not going:
        return answers
    cache = caches.rows_of(forced.cache, [rows[i] for i in going], reading.max_tokens)
    kept = torch.tensor([forced.tails[rows[i]] + len(answers[i]) - 1 for i in going], device=device)
    mask = torch.ones((len(going), forced.start + forced.width), dtype=torch.long, device=device)
    mask[:, forced.start :] = torch.arange(forced.width, device=device) < kept[:, None]
    position = forced.start + kept
    # a model without this argument counts places by the mask
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
        tokens = choose(reading.logits(out.logits[:, -1]), [(i, len(answers[i])) for i in going])
        for i, token in zip(going, tokens, strict=True):
            answers[i].append(token)
        still = unfinished(going)
        position = position + 1
        if still and len(still) < len(going):
            chosen = [going.index(i) for i in still]
            cache = caches.rows_of(cache, chosen, reading.max_tokens)
            mask, position = mask[chosen], position[chosen]
        going = still
    return answers


def _draw(logits, uniform: np.ndarray, temperature: float) -> np.ndarray:
    """One id a row, drawn at a temperature by inverting the cumulative distribution at a random number."""
    import torch

    drawn = []
    # a few rows at once: in double precision a large vocabulary takes much memory
    for part, level in zip(logits.split(32), torch.from_numpy(uniform).to(logits.device).split(32), strict=True):
        mass = (part.double() / temperature).softmax(-1).cumsum(-1)
        place = torch.searchsorted(mass, level[:, None] * mass[:, -1:], right=True)
        drawn.append(place[:, 0].clamp(max=mass.shape[-1] - 1))
    return torch.cat(drawn).cpu().numpy()

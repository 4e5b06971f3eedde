"""Tasks: tables of prompts and targets, for any language model. A task is text; `mirage_lib.lm` makes items of it.

A task table has one row a prompt: `task`, `item`, `shot_set` (which set of examples stands before the question),
`prompt`, `target` (the answer with its stop, a newline) and `digits` (digits in the answer). A table with `choices`
(texts of the options) and `answer` (number of the right one) is measured as multiple choice too. One with `cut` says
which targets have no stop, since a text goes on: of the answer only as many tokens are wanted.

The same arguments give the same table. Questions are drawn from a fixed quarter of all problems that is kept out of
every example and out of everything that the bundled ladder was trained on.
"""

import json
import lzma
import re
from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = ["task", "item", "shot_set", "prompt", "target", "digits"]
SYMBOLS = {"addition": ("+", "plus"), "multiplication": ("*", "times")}
LAYOUTS = {
    "plain": ("{a} {symbol} {b} =", " {answer}\n"),
    # one short line a problem: what the ladder was trained on
    "compact": ("{a}{symbol}{b}=", "{answer}\n"),
    # space before every digit: one token a digit under Pythia's tokenizer, which joins digits otherwise
    "spaced": ("{a} {symbol} {b} =", " {answer}\n"),
    # the layout of the arithmetic experiment in Biderman et al. (2023), section 3.3
    "question": ("Q:What is {a} {word} {b}? A:", " {answer}\n"),
}


class TaskError(ValueError):
    """A task cannot be made as asked; the message says what is wrong and what to do."""


def held_out(a, b) -> np.ndarray:
    """Whether the problem with operands a and b, in either order, is kept for questions: one in four is.

    >>> bool(held_out(12, 34) == held_out(34, 12))
    True
    """
    low, high = np.minimum(a, b).astype(np.uint64), np.maximum(a, b).astype(np.uint64)
    mixed = (low * np.uint64(7919) + high * np.uint64(104729) + np.uint64(12345)) % np.uint64(2**32)
    return (mixed * np.uint64(2654435761) % np.uint64(2**32)) >> np.uint64(30) == 0


def operands(digits: int, kept: bool, n: int, rng) -> np.ndarray:
    """n pairs of numbers with so many digits, held out (`kept`) or not; repeats are possible. Shape (n, 2).

    >>> operands(2, kept=True, n=3, rng=np.random.default_rng(0)).shape
    (3, 2)
    """
    low, high = (0 if digits == 1 else 10 ** (digits - 1)), 10**digits
    drawn = _drawn(
        n, lambda: rng.integers(low, high, size=(max(64, 5 * n), 2)), lambda pairs: held_out(*pairs.T) == kept
    )
    return drawn.reshape(-1, 2)


def _drawn(n: int, draw, fits) -> np.ndarray:
    """The first n rows of those that `draw` gives again and again, and that fit."""
    rows: list = []
    while len(rows) < n:
        some = draw()
        rows += some[fits(some)].tolist()
    return np.array(rows[:n], np.int64)


def line(a: int, b: int, operation: str, layout: str = "plain") -> tuple[str, str]:
    """A problem as (question, answer) in one of LAYOUTS; the answer ends with its stop.

    >>> line(12, 34, "addition", "question")
    ('Q:What is 12 plus 34? A:', ' 46\\n')
    """
    symbol, word = SYMBOLS[operation]
    numbers = [str(a), str(b), str(a + b if operation == "addition" else a * b)]
    if layout == "spaced":
        numbers = [" ".join(number) for number in numbers]
    values = dict(zip(("a", "b", "answer"), numbers, strict=True)) | {"symbol": symbol, "word": word}
    question, answer = LAYOUTS[layout]
    return question.format(**values), answer.format(**values)


def arithmetic(
    operation: str,
    digits: int,
    n: int = 200,
    shots: int = 2,
    shot_sets: int = 1,
    layout: str = "plain",
    seed: int = 0,
) -> pd.DataFrame:
    """Few-shot arithmetic on two numbers of so many digits: n problems under each of `shot_sets` sets of examples.

    The paper's tasks are `arithmetic("multiplication", 2)` and `arithmetic("addition", 4)`, both 2-shot (Schaeffer et
    al. 2023, figure 3); their prompts were not published. No problem is asked twice and none of those that are asked
    stands in any example. Raises TaskError for an unknown operation or layout, or more problems than there are.

    >>> arithmetic("addition", 2, n=1, shots=1).loc[0, ["prompt", "target"]].tolist()
    ['76 + 96 = 172\\n24 + 91 =', ' 115\\n']
    """
    if operation not in SYMBOLS or layout not in LAYOUTS:
        raise TaskError(
            f"no task {operation!r} in layout {layout!r}: operations are {', '.join(SYMBOLS)}, "
            f"layouts {', '.join(LAYOUTS)}"
        )
    if not 1 <= digits <= 18 or n < 1 or shots < 0 or shot_sets < 1:
        raise TaskError("a task needs 1 to 18 digits, n and shot_sets of at least 1, and shots of at least 0")
    rng = np.random.default_rng([seed, digits, list(SYMBOLS).index(operation)])
    asked = np.unique(operands(digits, True, 6 * n if digits > 2 else 40_000, rng), axis=0)
    if n > len(asked):
        raise TaskError(
            f"only {len(asked)} problems of {digits} digit(s) are held out for questions: ask for n={len(asked)} or "
            "fewer, and for more shot_sets if you want more prompts"
        )
    asked = rng.permutation(asked)[:n]
    problems = [line(a, b, operation, layout) for a, b in asked.tolist()]
    examples = operands(digits, False, shots * shot_sets, rng).reshape(shot_sets, shots, 2).tolist()
    contexts = ["".join("".join(line(a, b, operation, layout)) for a, b in example) for example in examples]
    name = f"{operation}-{digits}" + ("" if layout == "plain" else f"-{layout}")
    return _table(name, contexts, problems)


def library_text() -> str:
    """Source of Python 3.11's standard library that no model of the ladder has read: printable ASCII and newlines.

    It is one file in ten, tests left out; `ladder-text` read the others. `tools/ladder_text.py` made both; the licence
    is PSF-2.0 (mirage_lib/data/LICENSE-stdlib.txt).

    >>> len(library_text())
    584743
    """
    return lzma.decompress((Path(__file__).with_name("data") / "stdlib-held-out.txt.xz").read_bytes()).decode()


def continuation(n: int = 1000, length: int = 16, context: int = 96, seed: int = 0) -> pd.DataFrame:
    """Go on with a text: n places of the held-out library text, `context` characters before and `length` after each.

    No place follows a space. What follows stays on its line and has no two spaces nor three times one character in a
    row: a model that knows nothing else would guess them. Score the first L characters (`items.first_tokens`) for the
    same answers at every length L. `place` is where in the text an answer begins: neighbours share characters.

    >>> continuation(n=1, length=6, context=40).loc[0, ["prompt", "target"]].tolist()
    ['            if remainder * 2 < self.deno', 'minato']
    """
    if min(n, length, context) < 1:
        raise TaskError("a continuation needs n, length and context of at least 1")
    text = library_text()
    rule = rf"(?<! )(?=[^\n]{{{length}}})(?!.{{0,{length - 1}}}?(?:  |(.)\1\1))"
    places = [found.start() for found in re.finditer(rule, text) if found.start() >= context]
    if n > len(places):
        raise TaskError(f"the held-out text has {len(places):,} such places: ask for n={len(places)} or fewer")
    chosen = np.random.default_rng([seed, 11]).permutation(places)[:n].tolist()
    pieces = [(text[i - context : i], text[i : i + length]) for i in chosen]
    return _table("continuation", [""], pieces).assign(cut=True, place=chosen)


def _table(name: str, contexts: list[str], problems: list[tuple[str, str]]) -> pd.DataFrame:
    """Every problem under every context."""
    rows = [
        (name, item, shot_set, context + question, answer, sum(character.isdigit() for character in answer))
        for shot_set, context in enumerate(contexts)
        for item, (question, answer) in enumerate(problems)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def multiple_choice(task: pd.DataFrame, options: int = 4, seed: int = 0) -> pd.DataFrame:
    """The same questions with options: the right answer and others that differ from it in one digit.

    Adds `choices` (texts of the options, in random order) and `answer`. The task's name gets the suffix "-choice".

    >>> table = multiple_choice(arithmetic("addition", 2, n=1))
    >>> table["target"][0] == table["choices"][0][table["answer"][0]]
    True
    """
    rng = np.random.default_rng([seed, options])
    choices, answers = [], []
    for target in task["target"]:
        # of other scripts a digit put in would have the value of the one taken out
        places = [i for i, character in enumerate(target) if character in "0123456789"]
        # the first digit of a longer number stays above zero
        wrong = [
            target[:i] + new + target[i + 1 :]
            for i in places
            for new in "0123456789"
            if new != target[i] and not (new == "0" and i == places[0] and len(places) > 1)
        ]
        if options < 2 or options - 1 > len(wrong):
            can = f"2 to {len(wrong) + 1} can" if wrong else "options differ in a digit, and it has none to change"
            raise TaskError(f"{options} options cannot be made for the answer {target!r}: {can}")
        row = [wrong[i] for i in rng.choice(len(wrong), options - 1, replace=False)]
        answers.append(int(rng.integers(options)))
        row.insert(answers[-1], target)
        choices.append(row)
    return task.assign(task=task["task"] + "-choice", choices=choices, answer=answers)


def memo_trap() -> pd.DataFrame:
    """Finish a well-known saying with another word than the usual: a model must follow the request, not its memory.

    The target is the word asked for; the options are that word (0) and the usual one (1). An inverse-scaling task
    (McKenzie et al. 2023, "memo trap"), with sayings of our own choice.

    >>> memo_trap().loc[0, ["target", "choices"]].tolist()
    [' bus\\n', [' bus\\n', ' worm\\n']]
    """
    return from_jsonl(Path(__file__).with_name("data") / "memo-trap.jsonl")


def from_jsonl(file: str | Path, name: str = "") -> pd.DataFrame:
    """A task of your own: a file with one JSON object a line, with `prompt` and `target`, and if you like `choices`.

    `choices` is a list of different texts of which one is the target. Target and options are taken as they are: let
    them end with a newline if an answer has to stop there. The file is UTF-8, with or without a mark at its beginning.
    Raises TaskError with the number of the line that is wrong.
    """
    file = Path(file)
    if not file.exists():
        raise TaskError(f"there is no file {file}")
    data, rows, choices = file.read_bytes(), [], []
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        number = 1 + data[: error.start].count(b"\n")
        kind = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding, such as Latin-1"
        raise TaskError(f"{file}, line {number}: this is {kind}, and has to be UTF-8") from None
    for number, text in enumerate(lines, 1):

        def wrong(why: str, number=number) -> TaskError:
            return TaskError(f"{file}, line {number}: {why}")

        if not text.strip():
            continue
        try:
            row = json.loads(text)
            prompt, target = row["prompt"], row["target"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise wrong(f"every line needs an object with 'prompt' and 'target' ({error!r})") from None
        options = row.get("choices", [])
        if not (isinstance(prompt, str) and isinstance(target, str) and target):
            raise wrong("prompt and target must be texts, and the target not empty")
        if not (isinstance(options, list) and all(isinstance(option, str) for option in options)):
            raise wrong("choices must be a list of texts")
        if any("\ud800" <= character <= "\udfff" for character in "".join([prompt, target, *options])):
            raise wrong(r"half a character: a \ud83d without the other half of its pair")
        if "choices" in row:
            if target not in options:
                raise wrong(f"the target {target!r} is none of the choices")
            if len(options) < 2 or len(set(options)) < len(options) or "" in options:
                raise wrong("choices must be two texts or more, all different and none empty")
        digits = sum(character.isdigit() for character in target)
        rows.append((name or file.stem, len(rows), 0, prompt, target, digits))
        choices.append(options)
    if not rows:
        raise TaskError(f"{file} has no lines: nothing to ask")
    table = pd.DataFrame(rows, columns=COLUMNS)
    if any(choices):
        if not all(choices):
            raise TaskError(f"{file}: some lines have choices and some have none; make two files of them")
        table = table.assign(
            choices=choices, answer=[row.index(target) for row, target in zip(choices, table["target"], strict=True)]
        )
    return table

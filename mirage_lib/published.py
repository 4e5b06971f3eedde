"""Numbers that others published, checked against a schema as they are read.

Four tables, one function each. A table carries `attrs["citation"]`, `attrs["licence"]` and `attrs["source"]`.
`tools/import_published.py` makes the bundled files from the published numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

DATA = Path(__file__).parent / "data"
STEP_TOKENS = 2_097_152  # 1,024 sequences of 2,048 tokens

# Total and non-embedding parameters (Biderman et al. 2023, table 1; 14m and 31m from their configurations).
_SIZES = {
    "14m": (14_067_712, 1_189_888),
    "31m": (30_494_720, 4_739_072),
    "70m": (70_426_624, 18_915_328),
    "160m": (162_322_944, 85_056_000),
    "410m": (405_334_016, 302_311_424),
    "1b": (1_011_781_632, 805_736_448),
    "1.4b": (1_414_647_808, 1_208_602_624),
    "2.8b": (2_775_208_960, 2_517_652_480),
    "6.9b": (6_857_302_016, 6_444_163_072),
    "12b": (11_846_072_320, 11_327_027_200),
}
_LADDER = ["70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b"]
# Two extra runs took more, smaller steps: tokens in a step of each.
_SMALL_BATCH = {"pythia-1b-0.5MtokBS": STEP_TOKENS // 4, "pythia-70m-0.25MtokBS": STEP_TOKENS // 8}
_EVAL_MODELS = sorted(
    {f"pythia-{size}{suffix}" for size in _LADDER for suffix in ("", "-deduped")} - {"pythia-1b"}
    | {"pythia-1b-bf16", *_SMALL_BATCH}
)
_EVAL_ITEMS = {
    "arc_challenge": 1172,
    "arc_easy": 2376,
    "lambada_openai": 5153,
    "logiqa": 651,
    "piqa": 1838,
    "sciq": 1000,
    "winogrande": 1267,
    "wsc": 104,
}
_MATH_MODELS = [f"pythia-{size}" for size in _SIZES if size != "31m"]
_MATH_REVISIONS = [f"step{step}" for step in (1, 32, 1000, 3000, 10000, 30000, 100000, 143000)]
_BENCHMARKS = [
    "abstract_narrative_understanding",
    "arithmetic",
    "conceptual_combinations",
    "hellaswag",
    "mmlu",
    "parsinlu_qa_mc",
]
_WEI_CATEGORIES = ["emergent:gpt3_lamda", "emergent:palm", "flat", "other", "smooth"]


class Column(NamedTuple):
    """What a column may hold: its kind (int, float or text), a range or a list of values, gaps or none."""

    kind: str
    low: float = -np.inf
    high: float = np.inf
    values: list | None = None
    gaps: bool = False


class Table(NamedTuple):
    """A bundled table: its rows, its columns, the columns that tell rows apart, and where it comes from."""

    rows: int
    columns: dict[str, Column]
    key: list[str]
    about: dict[str, str]


TABLES = {
    "pythia_evals": Table(
        5608,
        {
            "model": Column("text", values=_EVAL_MODELS),
            "step": Column("int", 0, 1_144_000),
            "shots": Column("int", values=[0, 5]),
            "task": Column("text", values=list(_EVAL_ITEMS)),
            "acc": Column("float", 0, 1),
            "acc_stderr": Column("float", 0, 0.06),
            "acc_norm": Column("float", 0, 1, gaps=True),
            "ppl": Column("float", 1, gaps=True),
            "ppl_stderr": Column("float", 0, gaps=True),
        },
        ["model", "step", "shots", "task"],
        {
            "citation": "Biderman et al. (2023), Pythia: A Suite for Analyzing Large Language Models Across "
            "Training and Scaling, ICML, arXiv:2304.01373",
            "licence": "Apache-2.0",
            "source": "https://github.com/EleutherAI/pythia (evals/pythia-v1)",
        },
    ),
    "pythia_math_samples": Table(
        9097,
        {
            "model": Column("text", values=_MATH_MODELS),
            "hf_revision": Column("text", values=_MATH_REVISIONS),
            "tokens": Column("int", 2_000_000, 300_000_000_000),
            "problem": Column("int", 0),
            "level": Column("text", values=[f"Level {i}" for i in range(1, 6)]),
            "samples": Column("int", 128),
            "correct": Column("int", 0),
        },
        ["model", "hf_revision", "problem"],
        {
            "citation": "Schaeffer et al. (2025), How Do Large Language Monkeys Get Their Power (Laws)?, "
            "arXiv:2502.17578; Brown et al. (2024), Large Language Monkeys, arXiv:2407.21787",
            "licence": "none stated; the counts are facts reported with the papers",
            "source": "https://arxiv.org/abs/2502.17578 and https://arxiv.org/abs/2407.21787",
        },
    ),
    "open_models_multiple_choice": Table(
        397,
        {
            "benchmark": Column("text", values=_BENCHMARKS),
            "n_items": Column("int", 1),
            "model": Column("text"),
            "family": Column("text"),
            "params_b": Column("float", 0.01, 1000),
            "tokens_t": Column("float", 0.01, 100, gaps=True),
            "flops_1e21": Column("float", 0, gaps=True),
            "multiple_choice_grade": Column("float", 0, 1),
            "brier_target_choice": Column("float", 0, 1),
        },
        # no key: two models are listed twice on arithmetic
        [],
        {
            "citation": "Wu and Lo (2024), U-shaped and Inverted-U Scaling behind Emergent Abilities of "
            "Large Language Models, arXiv:2410.01692",
            "licence": "MIT",
            "source": "https://arxiv.org/abs/2410.01692",
        },
    ),
    "bigbench_tasks": Table(
        197,
        {
            "task": Column("text"),
            "wei2022_category": Column("text", values=_WEI_CATEGORIES),
            "kind": Column("text", values=["json", "programmatic"]),
            "preferred_metric": Column("text", gaps=True),
            "metrics": Column("text", gaps=True),
        },
        ["task"],
        {
            "citation": "Categories: Wei et al. (2022), Emergent Abilities of Large Language Models, "
            "arXiv:2206.07682; metrics: Srivastava et al. (2022), BIG-bench, arXiv:2206.04615",
            "licence": "Apache-2.0",
            "source": "https://github.com/google/BIG-bench (bigbench 1.0.0)",
        },
    ),
}


def check(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return `frame` if it is the table `name` as published, else raise ValueError naming file and column.

    >>> check(pd.DataFrame({"task": ["abc"]}), "bigbench_tasks")
    Traceback (most recent call last):
        ...
    ValueError: bigbench_tasks: column 'wei2022_category' is missing
    """
    table = TABLES[name]

    def fail(column: str, why: str) -> None:
        raise ValueError(f"{name}: column {column!r} {why}")

    for column, rule in table.columns.items():
        if column not in frame:
            fail(column, "is missing")
        values = frame[column]
        right_kind = {
            "int": pd.api.types.is_integer_dtype,
            "float": pd.api.types.is_float_dtype,
            "text": pd.api.types.is_string_dtype,
        }[rule.kind]
        # pandas before version 3 keeps text as objects, and a column of objects with gaps is not text to it
        if not right_kind(values.dropna()):
            fail(column, f"should hold {rule.kind}, holds {values.dtype}")
        if not rule.gaps and values.isna().any():
            fail(column, f"has {values.isna().sum()} missing values")
        values = values.dropna()
        if rule.values is not None and not values.isin(rule.values).all():
            fail(column, f"has unknown values: {sorted(set(values) - set(rule.values))[:3]}")
        if rule.kind != "text" and not values.between(rule.low, rule.high).all():
            fail(column, f"leaves [{rule.low:g}, {rule.high:g}]: {values.min():g} to {values.max():g}")
    for column in frame.columns.difference(list(table.columns)):
        fail(column, "is unknown")
    if len(frame) != table.rows:
        raise ValueError(f"{name}: {len(frame):,} rows instead of {table.rows:,}")
    if table.key and frame.duplicated(table.key).any():
        fail(", ".join(table.key), f"repeats {frame.duplicated(table.key).sum()} rows")
    if name == "pythia_math_samples" and (frame["correct"] > frame["samples"]).any():
        fail("correct", "exceeds 'samples'")
    return frame


def _read(name: str) -> pd.DataFrame:
    frame = check(pd.read_parquet(DATA / f"{name}.parquet"), name)
    frame.attrs.update(TABLES[name].about)
    return frame


def _size(models: pd.Series) -> pd.Series:
    """'pythia-1.4b-deduped' -> '1.4b'."""
    return models.str.split("-").str[1]


def pythia_sizes() -> pd.DataFrame:
    """Parameters of the ten Pythia sizes: `model`, `total`, `non_embedding`, smallest first.

    Source: Biderman et al. (2023), table 1.

    >>> pythia_sizes().set_index("model").loc["pythia-12b", "non_embedding"].item()
    11327027200
    """
    rows = [(f"pythia-{size}", *counts) for size, counts in _SIZES.items()]
    return pd.DataFrame(rows, columns=["model", "total", "non_embedding"])


def pythia_evals() -> pd.DataFrame:
    """Pythia on eight benchmarks, one row for a model, checkpoint (`step`), number of `shots` and `task`.

    Published columns: `acc` (fraction of items right; on LAMBADA the greedy answer must match the whole
    last word), `acc_norm` (right after dividing log-likelihoods by length), `ppl` (LAMBADA only) and their
    standard errors. Added: `size` ("1.4b"), `params` (non-embedding), `deduped` (training data with
    duplicates removed), `tokens` (seen in training), `n_items`, and for LAMBADA

    - `cross_entropy` = ln ppl: mean over items of CE_i, the nats of the whole word;
    - `cross_entropy_sd` = sqrt(n) ppl_stderr / ppl: the standard deviation of CE_i over items, because the
      published error is that of exp(mean CE_i).

    Sixteen models have 27 checkpoints with no shots and 15 with five. The two extra runs with smaller batches
    (names ending in `MtokBS`) have five shots only. `pythia-1b-bf16` is the standard 1b model.

    >>> evals = pythia_evals()
    >>> final = evals.query("task == 'lambada_openai' and shots == 0 and step == 143000").set_index("model")
    >>> final.loc["pythia-12b", ["acc", "cross_entropy"]].astype(float).round(3).to_dict()
    {'acc': 0.705, 'cross_entropy': 1.367}
    """
    evals = _read("pythia_evals")
    size = _size(evals["model"])
    n_items = evals["task"].map(_EVAL_ITEMS)
    return evals.assign(
        size=size,
        params=size.map({name: counts[1] for name, counts in _SIZES.items()}),
        deduped=evals["model"].str.endswith("-deduped"),
        tokens=evals["step"] * evals["model"].map(_SMALL_BATCH).fillna(STEP_TOKENS).astype("int64"),
        n_items=n_items,
        cross_entropy=np.log(evals["ppl"]),
        cross_entropy_sd=np.sqrt(n_items) * evals["ppl_stderr"] / evals["ppl"],
    )


def pythia_math() -> pd.DataFrame:
    """Sampled solutions of 128 MATH problems: one row for a model, checkpoint (`step`) and `problem`.

    `samples` were drawn, `correct` of them reached the right answer. The numbers of samples differ from 128
    to 3.7 million: resolution is 1 / samples of each row, not one number. Added: `size`, `params`
    (non-embedding), `step`, `tokens` (exact; the published column is rounded). Sampling was at temperature
    1 or 0.6, and the table does not say which row has which.

    >>> math = pythia_math()
    >>> math.query("model == 'pythia-14m'")["correct"].sum().item()
    0
    """
    math = _read("pythia_math_samples")
    size = _size(math["model"])
    step = math.pop("hf_revision").str.removeprefix("step").astype("int64")
    return math.assign(
        size=size,
        params=size.map({name: counts[1] for name, counts in _SIZES.items()}),
        step=step,
        tokens=step * STEP_TOKENS,
    )


def open_models() -> pd.DataFrame:
    """Open base models on six multiple-choice benchmarks: one row for a model and benchmark.

    `multiple_choice_grade` is the fraction of items whose correct option has the most probability;
    `brier_target_choice` the mean of (1 - probability of the correct option)^2 over the same items.
    Added: `params` (as published, total), `tokens` and `flops` in units. Tokens are unknown for four models.
    On arithmetic two models are listed twice.

    >>> open_models().groupby("benchmark")["n_items"].first().to_dict()["mmlu"]
    14042
    """
    models = _read("open_models_multiple_choice")
    return models.assign(
        params=models["params_b"] * 1e9, tokens=models["tokens_t"] * 1e12, flops=models["flops_1e21"] * 1e21
    )


def bigbench_tasks() -> pd.DataFrame:
    """Every BIG-bench task that Wei et al. (2022) classified, with its preferred metric and all its metrics.

    `metrics` separates names by "|"; a programmatic task lists none. Added: `emergent`, True where Wei et al.
    call the task emergent, with whichever model.

    >>> tasks = bigbench_tasks()
    >>> int(tasks["emergent"].sum()), len(tasks)
    (67, 197)
    """
    tasks = _read("bigbench_tasks")
    return tasks.assign(emergent=tasks["wei2022_category"].str.startswith("emergent"))

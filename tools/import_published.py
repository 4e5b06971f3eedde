"""Make mirage_lib/data/*.parquet from a folder of the published tables as CSV.

python tools/import_published.py FOLDER

Each table is checked against its schema, brought into the form of a table of scores (`TIDY`) and written. Its SHA-256
goes into mirage_lib/data/sources.toml, and the library compares it whenever it reads.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))

from mirage_lib import published


class Column(NamedTuple):
    """What a column may hold: its kind (int, float, text, counts), a range or a list of values, gaps or none."""

    kind: str
    low: float = -np.inf
    high: float = np.inf
    values: list | None = None
    gaps: bool = False


class Table(NamedTuple):
    """A bundled table: its rows, its columns, and the columns that tell rows apart."""

    rows: int
    columns: dict[str, Column]
    key: list[str]


TEXT, SHARE, COUNT = Column("text"), Column("float", 0, 1), Column("int", 0)
MAYBE, SIZE_B = SHARE._replace(gaps=True), Column("float", 0.01, 1000)
ABOVE = Column("float", 0, gaps=True)


def one_of(*values) -> Column:
    return Column("text" if isinstance(values[0], str) else "int", values=list(values))


LADDER = ["70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b"]
EVAL_MODELS = sorted(
    {f"pythia-{size}{suffix}" for size in LADDER for suffix in ("", "-deduped")} - {"pythia-1b"}
    | {"pythia-1b-bf16", "pythia-1b-0.5MtokBS", "pythia-70m-0.25MtokBS"}
)
CATEGORIES = ["emergent:gpt3_lamda", "emergent:palm", "flat", "other", "smooth"]
BIGG = ["2m", "16m", "53m", "125m", "244m", "422m", "1b", "2b", "4b", "8b", "27b", "128b"]
OLMO = ["190M", "370M", "600M", "760M", "1B", "3B", "7B", "13B"]
TABLES = {
    "pythia_evals": Table(
        5608,
        {
            "model": one_of(*EVAL_MODELS),
            "step": Column("int", 0, 1_144_000),
            "shots": one_of(0, 5),
            "task": one_of(
                *["arc_challenge", "arc_easy", "lambada_openai", "logiqa", "piqa", "sciq", "winogrande", "wsc"]
            ),
            "acc": SHARE,
            "acc_stderr": Column("float", 0, 0.06),
            "acc_norm": MAYBE,
            "ppl": Column("float", 1, gaps=True),
            "ppl_stderr": ABOVE,
        },
        ["model", "step", "shots", "task"],
    ),
    "pythia_math_samples": Table(
        9097,
        {
            "model": one_of(*[f"pythia-{size}" for size in ("14m", *LADDER)]),
            "hf_revision": one_of(*[f"step{n}" for n in (1, 32, 1000, 3000, 10000, 30000, 100000, 143000)]),
            "tokens": Column("int", 2_000_000, 300_000_000_000),
            "problem": COUNT,
            "level": one_of(*[f"Level {i}" for i in range(1, 6)]),
            "samples": Column("int", 128),
            "correct": COUNT,
        },
        ["model", "hf_revision", "problem"],
    ),
    "open_models_multiple_choice": Table(
        397,
        {
            "benchmark": one_of(
                *["abstract_narrative_understanding", "arithmetic", "conceptual_combinations"],
                *["hellaswag", "mmlu", "parsinlu_qa_mc"],
            ),
            "n_items": Column("int", 1),
            "model": TEXT,
            "family": TEXT,
            "params_b": SIZE_B,
            "tokens_t": Column("float", 0.01, 100, gaps=True),
            "flops_1e21": ABOVE,
            "multiple_choice_grade": SHARE,
            "brier_target_choice": SHARE,
        },
        [],  # no key: two models are listed twice on arithmetic
    ),
    "bigbench_tasks": Table(
        197,
        {
            "task": TEXT,
            "wei2022_category": one_of(*CATEGORIES),
            "kind": one_of("json", "programmatic"),
            "preferred_metric": Column("text", gaps=True),
            "metrics": Column("text", gaps=True),
        },
        ["task"],
    ),
    "gpt3_table_h1": Table(
        624,
        {
            "task": TEXT,
            "paper_name": TEXT,
            "metric": one_of("acc", "ppl", "em", "f1", "f1a"),
            "setting": one_of("zero", "one", "few"),
            "shots": Column("int", 0, 100),
            "model": one_of("Small", "Med", "Large", "XL", "2.7B", "6.7B", "13B", "175B"),
            "params_1e9": SIZE_B,
            "value": Column("float", 0, 165),
        },
        ["task", "metric", "setting", "model"],
    ),
    "pythia_arithmetic": Table(
        336,
        {
            "size": one_of(*LADDER[1:]),
            "old_name": TEXT,
            "step": one_of(13000, 39000, 65000, 91000, 117000, 143000),
            "shots": one_of(0, 2, 4, 16),
            "op": one_of("plus", "times"),
            "n_items": one_of(5000),
            "correct": Column("int", 0, 5000),
            "acc_x1_2digit": SHARE,
            "right": Column("counts", 0, 50),
        },
        ["size", "step", "shots", "op"],
    ),
    "pythia_addition_sampled": Table(
        5,
        {
            "size": one_of("160m", "410m", "1.4b", "2.8b", "6.9b"),
            "params_non_embedding": COUNT,
            "p_correct_sampled": SHARE,
        },
        ["size"],
    ),
    "bigbench_bigg_items": Table(
        5754,
        {"task": TEXT, "item": Column("int", 0, 204)} | {f"b_{size}": one_of(0, 1) for size in BIGG},
        ["task", "item"],
    ),
    "bigbench_bigg_tasks": Table(
        976,
        {
            "task": TEXT,
            "kind": Column("text", gaps=True),
            "preferred_metric": Column("text", gaps=True),
            "wei2022_category": Column("text", values=CATEGORIES, gaps=True),
            "shots": Column("int", 0, 3),
            "size": one_of(*BIGG),
            "items": one_of("A", "B"),
            "n": Column("int", 1, 205),
            "correct": COUNT,
            "acc": SHARE,
        },
        ["task", "shots", "size", "items"],
    ),
    "open_models_emergent_tasks": Table(
        84,
        {"model": TEXT, "family": TEXT, "params_1e9": SIZE_B, "tokens_1e12": ABOVE, "flops_1e21": ABOVE}
        | {"add2_acc": MAYBE, "mul2_acc": SHARE, "add3_acc": MAYBE, "unscramble_exact_match": SHARE}
        | {"ipa_exact_match": MAYBE, "ipa_bleu": Column("float", 0, 100, gaps=True), "parsinlu_qa_acc": MAYBE}
        | {"mmlu": SHARE, "arc_challenge": MAYBE, "hellaswag": SHARE, "gsm8k": SHARE, "humaneval": MAYBE}
        | {"flag": Column("text", gaps=True)},
        ["model"],
    ),
    "olmo_ladder_final": Table(
        377,
        {"size": one_of(*OLMO), "params": Column("int", 1e8, 2e10), "chinchilla": TEXT, "step": ABOVE}
        | {"tokens": Column("float", 1e9, 1e13), "gflops": ABOVE, "task": TEXT, "format": one_of("rc", "mc")}
        | {"acc_kind": one_of("len_norm", "acc"), "acc": SHARE, "soft": MAYBE}
        | {"soft_log": Column("float", -10, 0, gaps=True), "bpb": ABOVE, "c_6nd": Column("float", 1e18, 1e24)},
        ["size", "chinchilla", "task", "format"],
    ),
    "olmo_mc_vs_rc_curves": Table(
        2529,
        {"size": one_of("1B", "7B", "13B"), "run": one_of("main", "long"), "step": COUNT, "task": TEXT}
        | {"mc_acc": SHARE, "rc_acc": SHARE, "rc_soft": SHARE, "rc_bpb": Column("float", 0, 12)}
        | {"tokens_1e9": Column("float", 0, 5001)},
        ["size", "run", "step", "task"],
    ),
    "olmo_mc_letter_loss": Table(
        189,
        {"size": one_of(*OLMO), "params": Column("int", 1e8, 2e10), "chinchilla": TEXT}
        | {"tokens": Column("int", 1e9, 1e13), "task": TEXT, "mc_acc": SHARE}
        | {"mc_letter_bits": Column("float", 0, 4), "rc_acc": SHARE, "rc_bpb": Column("float", 0, 4)},
        ["size", "chinchilla", "task"],
    ),
    "lambada_other_families": Table(
        14,
        {"family": one_of("Mamba", "RWKV", "GPT-J", "OPT"), "model": TEXT, "architecture": TEXT}
        | {"params_1e9": SIZE_B, "ppl": Column("float", 1, 100), "acc": SHARE, "source": TEXT},
        ["model"],
    ),
    "lm_eval_2023": Table(
        521,
        {"family": one_of("bloom", "llama", "mpt", "xglm"), "model": TEXT, "params_1e9": SIZE_B, "suite": TEXT}
        | {"shots": COUNT, "task": TEXT, "metric": TEXT, "value": Column("float", 0)}
        | {"stderr": ABOVE},
        ["model", "suite", "shots", "task", "metric"],
    ),
}


def check(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return `frame` if it is the table `name` as published, else raise ValueError naming table and column.

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
        if rule.kind == "counts":
            values = pd.Series(np.concatenate(values.to_numpy()).astype("int64"))
        right_kind = {
            "int": pd.api.types.is_integer_dtype,
            "counts": pd.api.types.is_integer_dtype,
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
    for total in {"samples", "n", "n_items"} & set(frame):
        if "correct" in frame and (frame["correct"] > frame[total]).any():
            fail("correct", f"exceeds {total!r}")
    return frame


# Questions in each set. Where the source does not say, the one size of which every published accuracy is a multiple.
ITEMS = {"arc_challenge": 1172, "arc_easy": 2376, "piqa": 1838, "winogrande": 1267, "hellaswag": 10042}
ITEMS |= {"openbookqa": 500, "csqa": 1221, "socialiqa": 1954, "boolq": 3270, "lambada_openai": 5153}
ITEMS |= {"logiqa": 651, "sciq": 1000, "wsc": 104}
ITEMS |= {"mmlu_humanities": 4705, "mmlu_other": 3242, "mmlu_social_sciences": 3077, "mmlu_stem": 3018}
VALIDATION = {"arc_challenge": 299, "arc_easy": 570, "hellaswag": 1000, "boolq": 1000, "piqa": 1000, "socialiqa": 1000}
BIGG_PARAMS = {size: float(size.replace("m", "e6").replace("b", "e9")) for size in BIGG}
OLMO_PARAMS = {"1B": 1_279_395_840, "7B": 6_887_575_552, "13B": 13_202_396_160}
OPTIONS = {"csqa": 5, "socialiqa": 3, "piqa": 2, "winogrande": 2, "boolq": 2}
WORDS = ["anagrams_1", "anagrams_2", "cycled_letters", "reversed_words", "symbol_insertion"]
NON_EMBEDDING = published.pythia_sizes().set_index("model")["non_embedding"]
# Two extra runs took more, smaller steps: tokens in a step of each.
SMALL_BATCH = {
    "pythia-1b-0.5MtokBS": published.STEP_TOKENS // 4,
    "pythia-70m-0.25MtokBS": published.STEP_TOKENS // 8,
}
REPLACED = ["task", "op", "params_1e9", "tokens_1e9", "tokens_1e12", "flops_1e21", "n", "old_name", "c_6nd"]


def scores(frame: pd.DataFrame, family, model, params, n_items, benchmark=None, **columns) -> pd.DataFrame:
    """The shared columns of a table of scores in front, then the others; what they replace is left out."""
    shared = {"benchmark": frame["task"] if benchmark is None else benchmark, "family": family, "model": model}
    # as floats: 6 N D would leave the whole numbers of 64 bits
    shared |= {"params": pd.Series(params, frame.index).astype(float), "n_items": n_items}
    if "tokens" in {*columns, *frame}:
        columns["tokens"] = columns.get("tokens", frame.get("tokens")).astype(float)
    table = frame.assign(**shared, **columns)
    return table[[*shared, *table.columns.difference([*shared, *REPLACED], sort=False)]]


def pythia_evals(table: pd.DataFrame) -> pd.DataFrame:
    table = table.rename(columns={"acc_stderr": "acc_se", "ppl_stderr": "ppl_se"})
    size, deduped = table["model"].str.split("-").str[1], table["model"].str.endswith("-deduped")
    n_items = table["task"].map(ITEMS)
    return table.assign(
        size=size,
        params=("pythia-" + size).map(NON_EMBEDDING),
        deduped=deduped,
        tokens=table["step"] * table["model"].map(SMALL_BATCH).fillna(published.STEP_TOKENS).astype("int64"),
        n_items=n_items,
        cross_entropy=np.log(table["ppl"]),
        # the published error is that of exp(mean CE_i)
        cross_entropy_sd=np.sqrt(n_items) * table["ppl_se"] / table["ppl"],
        benchmark=table["task"],
        family=np.where(deduped, "Pythia-deduped", "Pythia"),
    )


def pythia_math(table: pd.DataFrame) -> pd.DataFrame:
    size, step = table["model"].str.split("-").str[1], table["hf_revision"].str.removeprefix("step").astype("int64")
    more = {"size": size, "params": table["model"].map(NON_EMBEDDING), "step": step}
    return table.drop(columns="hf_revision").assign(tokens=step * published.STEP_TOKENS, **more)


def open_models(table: pd.DataFrame) -> pd.DataFrame:
    units = {"params": table["params_b"] * 1e9, "tokens": table["tokens_t"] * 1e12, "flops": table["flops_1e21"] * 1e21}
    return table.assign(**units)


def bigg_items(table: pd.DataFrame) -> pd.DataFrame:
    table = table.rename(columns=lambda name: name.removeprefix("b_"))
    table = table.melt(["task", "item"], var_name="size", value_name="is_greedy")
    model, params = "BIG-G " + table["size"], table["size"].map(BIGG_PARAMS)
    table = table.assign(family="BIG-G", model=model, params=params, is_greedy=table["is_greedy"].astype(bool))
    return table[["family", "model", "params", "task", "item", "is_greedy"]]


def pythia_arithmetic(table: pd.DataFrame) -> pd.DataFrame:
    model = "pythia-" + table["size"] + "-deduped"
    params = ("pythia-" + table["size"]).map(NON_EMBEDDING)
    more = {"acc": table["correct"] / table["n_items"], "tokens": table["step"] * published.STEP_TOKENS}
    return scores(table, "Pythia-deduped", model, params, table["n_items"], table["op"], **more)


def pythia_addition(table: pd.DataFrame) -> pd.DataFrame:
    table = table.rename(columns={"p_correct_sampled": "acc"})
    params = table.pop("params_non_embedding")
    return scores(table, "Pythia", "pythia-" + table["size"], params, 100, "two_digit_addition")


def gpt3(table: pd.DataFrame) -> pd.DataFrame:
    index, shares = ["task", "setting", "shots", "model", "params_1e9"], ["acc", "em", "f1", "f1a"]
    table = table.pivot(index=index, columns="metric", values="value").rename_axis(columns=None).reset_index()
    # a percent of two decimals has four in 1, and rounding takes the dust off the division
    table[shares] = (table[shares] / 100).round(4)
    kinds = [table["task"].str.contains("digit"), table["task"].isin(WORDS), table["task"] == "lambada"]
    n_items, params = np.select(kinds, [2000, 10_000, 5153], np.nan), table["params_1e9"] * 1e9
    table = scores(table, "GPT-3", table["model"], params, n_items, cross_entropy=np.log(table["ppl"]))
    return table.sort_values(["benchmark", "shots", "params"], ignore_index=True)


def open_models_emergent(table: pd.DataFrame) -> pd.DataFrame:
    columns = {"add2_acc": 2000, "add3_acc": 2000, "mul2_acc": 2000, "unscramble_exact_match": 2000}
    columns |= {"ipa_exact_match": 1003, "parsinlu_qa_acc": 1050}
    parts = []
    for name, n in columns.items():
        task = name.removesuffix("_acc").removesuffix("_exact_match")
        part = table[["model", "family", "params_1e9"]].assign(task=task, n=n, acc=table[name], bleu=np.nan)
        part["tokens"], part["flops"] = table["tokens_1e12"] * 1e12, table["flops_1e21"] * 1e21
        part["acc_chance"] = 0.25 if task == "parsinlu_qa" else 0.0
        if task == "ipa":
            part = part.assign(bleu=table["ipa_bleu"] / 100)[table["flag"].isna()]
        parts.append(part.dropna(subset="acc"))
    table = pd.concat(parts, ignore_index=True)
    return scores(table, table["family"], table["model"], table["params_1e9"] * 1e9, table["n"])


def bigg_tasks(table: pd.DataFrame) -> pd.DataFrame:
    more = {"emergent": table["wei2022_category"].str.startswith("emergent", na=False)}
    return scores(table, "BIG-G", "BIG-G " + table["size"], table["size"].map(BIGG_PARAMS), table["n"], **more)


def olmo(table: pd.DataFrame) -> pd.DataFrame:
    model = table["size"] + "-" + table["chinchilla"]
    return scores(table, "OLMo", model, table["params"], table["task"].map(ITEMS), flops=table["c_6nd"])


def olmo_curves(table: pd.DataFrame) -> pd.DataFrame:
    model = table["size"] + "-" + table["run"] + "-step" + table["step"].astype(str)
    params, tokens = table["size"].map(OLMO_PARAMS), table["tokens_1e9"] * 1e9
    return scores(table, "OLMo", model, params, table["task"].map(ITEMS), tokens=tokens, flops=6 * params * tokens)


def olmo_letters(table: pd.DataFrame) -> pd.DataFrame:
    options, n_items = table["task"].map(OPTIONS).fillna(4), table["task"].map(ITEMS | VALIDATION)
    more = {"blind_bits": np.log2(options), "mc_acc_chance": 1 / options}
    return scores(table, "OLMo", table["size"] + "-" + table["chinchilla"], table["params"], n_items, **more)


def lambada_families(table: pd.DataFrame) -> pd.DataFrame:
    name, params = "lambada_openai", table["params_1e9"] * 1e9
    return scores(table, table["family"], table["model"], params, ITEMS[name], name, cross_entropy=np.log(table["ppl"]))


def lm_eval_2023(table: pd.DataFrame) -> pd.DataFrame:
    wanted = table["suite"].isin(["arithmetic", "lambada", "lambada_openai"]) | (table["task"] == "triviaqa")
    index = ["family", "model", "params_1e9", "shots", "task"]
    table = table[wanted].pivot(index=index, columns="metric", values=["value", "stderr"])
    table.columns = [name if kind == "value" else f"{name}_se" for kind, name in table.columns]
    table = table.reset_index()
    kinds = [table["task"].str.startswith("arithmetic"), table["task"] == "triviaqa"]
    n_items, params = np.select(kinds, [2000, 11_313], ITEMS["lambada_openai"]), table["params_1e9"] * 1e9
    return scores(table, table["family"], table["model"], params, n_items, cross_entropy=np.log(table["ppl"]))


TIDY = {
    "pythia_evals": pythia_evals,
    "pythia_math_samples": pythia_math,
    "open_models_multiple_choice": open_models,
    "bigbench_tasks": lambda table: table.assign(emergent=table["wei2022_category"].str.startswith("emergent")),
    "pythia_arithmetic": pythia_arithmetic,
    "pythia_addition_sampled": pythia_addition,
    "gpt3_table_h1": gpt3,
    "bigbench_bigg_items": bigg_items,
    "bigbench_bigg_tasks": bigg_tasks,
    "open_models_emergent_tasks": open_models_emergent,
    "olmo_ladder_final": olmo,
    "olmo_mc_vs_rc_curves": olmo_curves,
    "olmo_mc_letter_loss": olmo_letters,
    "lambada_other_families": lambada_families,
    "lm_eval_2023": lm_eval_2023,
}


def arrow_type(values: pd.Series) -> pa.DataType:
    if pd.api.types.is_bool_dtype(values):
        return pa.bool_()
    if pd.api.types.is_integer_dtype(values):
        return pa.int64()
    if pd.api.types.is_float_dtype(values):
        return pa.float64()
    return pa.list_(pa.int8()) if isinstance(values.iloc[0], np.ndarray) else pa.string()


def read_csv(file: Path) -> pd.DataFrame:
    """A published table, checked; the right answers of `pythia_arithmetic` for each first operand become one column."""
    frame = pd.read_csv(file)
    if file.stem == "pythia_arithmetic":
        right = frame[[f"x{i}" for i in range(100)]].to_numpy()
        if (right.sum(1) != frame["correct"]).any():
            raise ValueError("pythia_arithmetic: 'correct' is not the sum of x0 to x99")
        # the columns left out follow from these: parameters from the size, accuracies from the counts
        frame = frame[list(TABLES[file.stem].columns)[:-1]].assign(right=list(right.astype("int8")))
    return check(frame, file.stem)


def to_parquet(folder: Path, out: Path = published.DATA) -> list[Path]:
    """Write every table of `folder` to `out`; the same CSVs give the same bytes."""
    written = []
    out.mkdir(parents=True, exist_ok=True)
    for name, table in TABLES.items():
        frame = read_csv(folder / f"{name}.csv")
        frame = TIDY[name](frame[list(table.columns)])
        schema = pa.schema([(column, arrow_type(frame[column])) for column in frame])
        arrow = pa.Table.from_pandas(frame, schema, preserve_index=False)
        path = out / f"{name}.parquet"
        pq.write_table(arrow.replace_schema_metadata(None), path, compression="zstd", compression_level=19)
        written.append(path)
    return written


def note_digests(files: list[Path], sources: Path = published.SOURCES) -> None:
    """Put the SHA-256 of every file into its section of sources.toml."""
    text = sources.read_text()
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        text, found = re.subn(rf'(\[{file.stem}\]\nsha256 = ")[^"]*', rf"\g<1>{digest}", text)
        if found != 1:
            raise ValueError(f"{sources.name} has no section [{file.stem}] that begins with its sha256")
    sources.write_text(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    files = to_parquet(Path(sys.argv[1]))
    note_digests(files)
    for path in files:
        print(f"{path}: {path.stat().st_size:,} bytes")

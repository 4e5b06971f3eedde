"""Numbers that others published: items where there are any, else scores, with what is known of the items behind them.

Items: `bigg_items`, which every metric can read that needs no more than right or wrong. Counts of right samples a
problem: `pythia_math`. Lists of models and tasks: `pythia_sizes`, `bigbench_tasks`. All others are tables of scores, a
row a benchmark and model (and number of shots, checkpoint or format, where there are several: choose one), as
`scores.table` gives them: `benchmark`, `family`, `model`, `params`, `tokens` where they are known, `n_items` (missing
where it is not known), a column for each metric, and its standard error `<metric>_se` where one was published. Shares
go from 0 to 1.

Every table carries `attrs["citation"]`, `attrs["licence"]` and `attrs["source"]`, from `data/sources.toml`.
`tools/import_published.py` checks the published files and makes the bundled ones; a digest says whether they are still
the same.
"""

from __future__ import annotations

import hashlib
import io
import tomllib
from pathlib import Path

import pandas as pd

from mirage_lib.items import items_table

DATA = Path(__file__).parent / "data"
SOURCES = DATA / "sources.toml"
TABLES: dict[str, dict[str, str]] = tomllib.loads(SOURCES.read_text())
STEP_TOKENS = 2_097_152  # 1,024 sequences of 2,048 tokens


def _read(name: str) -> pd.DataFrame:
    content = (DATA / f"{name}.parquet").read_bytes()
    source = dict(TABLES[name])
    if hashlib.sha256(content).hexdigest() != source.pop("sha256"):
        raise ValueError(f"{name}.parquet is not the published table (its SHA-256 is another): take it from git again")
    frame = pd.read_parquet(io.BytesIO(content))
    frame.attrs.update(source)
    return frame


def pythia_sizes() -> pd.DataFrame:
    """Parameters of the ten Pythia sizes, a row each, smallest first: `model` ("pythia-14m"), `total`, `non_embedding`.

    Numbers of weights, int64: `total` has the two embeddings of the padded vocabulary, `non_embedding` neither. Source:
    Biderman et al. (2023), table 1; 14m and 31m, released later, from their configurations.

    >>> pythia_sizes().set_index("model").loc["pythia-12b", "non_embedding"].item()
    11327027200
    """
    return pd.read_csv(DATA / "pythia_sizes.csv")


def pythia_evals() -> pd.DataFrame:
    """Pythia on eight benchmarks: scores, one row for a model, checkpoint (`step`), number of `shots` and `task`.

    `acc` is the fraction of items right; on LAMBADA the greedy answer must match the whole last word. `acc_norm` is the
    same after dividing log-likelihoods by length. LAMBADA has `ppl`, `cross_entropy` = ln ppl, the mean over items of
    CE_i, the nats of the whole word, and `cross_entropy_sd` = sqrt(n) ppl_se / ppl, the standard deviation of CE_i over
    items, because the published error is that of exp(mean CE_i). Beside these: `size` ("1.4b"), `params`
    (non-embedding), `deduped` (training data with duplicates removed), `tokens` and `n_items`.

    Sixteen models have 27 checkpoints with no shots and 15 with five. The two extra runs with smaller batches (names
    ending in `MtokBS`) have five shots only. `pythia-1b-bf16` is the standard 1b model.

    >>> evals = pythia_evals()
    >>> final = evals.query("task == 'lambada_openai' and shots == 0 and step == 143000").set_index("model")
    >>> final.loc["pythia-12b", ["acc", "cross_entropy"]].astype(float).round(3).to_dict()
    {'acc': 0.705, 'cross_entropy': 1.367}
    """
    return _read("pythia_evals")


def pythia_math() -> pd.DataFrame:
    """Sampled solutions of 128 MATH problems: one row for a model, checkpoint (`step`) and `problem`.

    `samples` were drawn, `correct` of them reached the right answer. The numbers of samples differ from 128 to 3.7
    million: resolution is 1 / samples of each row, not one number. `params` are non-embedding, `tokens` exact where the
    published column is rounded. Sampling was at temperature 1 or 0.6, and the table does not say which row has which.

    >>> math = pythia_math()
    >>> math.query("model == 'pythia-14m'")["correct"].sum().item()
    0
    """
    return _read("pythia_math_samples")


def pythia_arithmetic() -> pd.DataFrame:
    """Pythia (deduped, first release) on "What is {x} plus {y}?" and "times": scores by size, `step` and `shots`.

    x = 0 to 99, y = 1 to 50; the first number written must be the answer. `acc` is over all 5,000 questions,
    `acc_x1_2digit` over the 4,500 with x >= 10, `right` the right answers of 50 for each x: questions that share an
    operand are no independent items, and the counts allow for it. `params` are non-embedding. No soft score was kept.

    >>> last = pythia_arithmetic().query("benchmark == 'plus' and shots == 2 and step == 143000")
    >>> last["acc_x1_2digit"].round(3).tolist()
    [0.014, 0.005, 0.007, 0.018, 0.698, 0.426, 0.672]
    """
    return _read("pythia_arithmetic")


def pythia_addition() -> pd.DataFrame:
    """Two-digit addition by five Pythia sizes: share of sampled answers that are right, resolved to 1e-5.

    One hundred additions, "How much is 18 + 32? Answer: "; how many samples were drawn for each is not known.
    """
    return _read("pythia_addition_sampled")


def gpt3() -> pd.DataFrame:
    """GPT-3, eight sizes, on 23 tasks with no, one and a few examples (`setting`, `shots`): table H.1, scores.

    Columns `acc`, `em`, `f1`, `f1a` (0 to 1), `ppl` and `cross_entropy` = ln ppl, where the table has them. `params` as
    published, nominal. Scores are rounded to three digits or two decimals of a percent. `n_items` is known for
    arithmetic (2,000), scrambled words (10,000) and LAMBADA. Typed from a transcription; it agrees with the figures
    that the paper's text quotes, but for three-digit addition, 80.2 % there and 80.4 % in the table.

    >>> gpt3().query("benchmark == 'four_digit_addition' and setting == 'few'")["acc"].tolist()
    [0.0, 0.0005, 0.0005, 0.0, 0.0015, 0.0015, 0.004, 0.255]
    """
    return _read("gpt3_table_h1")


def open_models() -> pd.DataFrame:
    """Open base models on six multiple-choice benchmarks: scores, one row for a model and benchmark.

    `multiple_choice_grade` is the fraction of items whose correct option has the most probability;
    `brier_target_choice` the mean of (1 - probability of the correct option)^2 over the same items.
    `params` as published: total, with the embeddings. Tokens are unknown for four models. On arithmetic two models are
    listed twice.

    >>> open_models().groupby("benchmark")["n_items"].first().to_dict()["mmlu"]
    14042
    """
    return _read("open_models_multiple_choice")


def open_models_emergent() -> pd.DataFrame:
    """Open base models, two-shot, on tasks that Wei et al. call emergent: scores, one row a model and benchmark.

    Benchmarks: `add2`, `add3`, `mul2` (digits of the operands), `unscramble`, `ipa` (transliteration), `parsinlu_qa`.
    `acc` is the share of answers right, by exact match, but for parsinlu_qa, where one of four options is chosen
    (`acc_chance`); `bleu` (0 to 1) scores the same answers on `ipa`. `params` as published, total. Left out: rows that
    were not measured, and four models on `ipa` whose scores are inconsistent.

    >>> open_models_emergent().groupby("benchmark")["n_items"].first().to_dict()["ipa"]
    1003
    """
    return _read("open_models_emergent_tasks")


def bigbench_tasks() -> pd.DataFrame:
    """Every BIG-bench task that Wei et al. (2022) classified, with its preferred metric and all its metrics.

    `metrics` separates names by "|"; a programmatic task lists none. `emergent` is True where Wei et al. call the task
    emergent, with whichever model.

    >>> tasks = bigbench_tasks()
    >>> int(tasks["emergent"].sum()), len(tasks)
    (67, 197)
    """
    return _read("bigbench_tasks")


def bigg_items() -> pd.DataFrame:
    """BIG-bench, 58 tasks, answered by twelve sizes of Google's BIG-G, three-shot: an items table (`is_greedy`).

    `params` are non-embedding and nominal. The tasks were selected: 128b beats chance by .05 on each, so what 128b
    scores is a little too good. Only right or wrong is known.

    >>> items = bigg_items().query("task == 'modified_arithmetic'")
    >>> items.groupby("params")["is_greedy"].sum().tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 26]
    """
    answers = _read("bigbench_bigg_items")
    table = items_table(**answers)
    table.attrs.update(answers.attrs)
    return table


def bigg_tasks() -> pd.DataFrame:
    """BIG-G on BIG-bench: scores (`acc`), one row a task, size, number of `shots` and set of `items`.

    Set A is that of `bigg_items`, the same for every size; B is another random fifth, for 128b only. With
    `preferred_metric` and `wei2022_category` of the task (missing for three tasks) and `emergent`.
    """
    return _read("bigbench_bigg_tasks")


def olmo() -> pd.DataFrame:
    """27 OLMo models, 190M to 13B, each trained on 0.5 to 28 times 20 tokens a parameter: scores at the end.

    `format` "rc" scores the text of each option, "mc" names options by letters and scores the letter (7B and 13B only).
    `acc`, `soft` (softmax share of the right option), `soft_log` (its logarithm) and `bpb` (bits a byte of the right
    option) are from the same passes. `flops` = 6 N D.
    """
    return _read("olmo_ladder_final")


def olmo_curves() -> pd.DataFrame:
    """OLMo 7B and 13B in training, and the end of a long run of 1B: the same questions in two formats, scores.

    `mc_acc`: options named by letters, the letter scored. `rc_acc`, `rc_soft`, `rc_bpb`: their text, as in `olmo`.
    """
    return _read("olmo_mc_vs_rc_curves")


def olmo_letters() -> pd.DataFrame:
    """OLMo, 190M to 7B, last point of each run, validation questions: accuracy AND loss of the right letter, scores.

    `mc_letter_bits` is the loss of the letter, `blind_bits` that of guessing blindly, log2 of the number of options,
    `mc_acc_chance` its accuracy. `rc_acc` and `rc_bpb` score the text of the options of the same questions.
    """
    return _read("olmo_mc_letter_loss")


def lambada_families() -> pd.DataFrame:
    """LAMBADA by Mamba, RWKV, GPT-J and OPT: scores `acc`, `ppl`, `cross_entropy` = ln ppl; `params` as published."""
    return _read("lambada_other_families")


def lm_eval_2023() -> pd.DataFrame:
    """BLOOM, XGLM, LLaMA and MPT in spring 2023 on arithmetic, LAMBADA and TriviaQA: scores `acc`, `ppl`, their errors.

    LLaMA's zeros are a fault of the prompt, which ended in a space, and no lack of ability.

    >>> lm_eval_2023().query("model == 'llama-13B' and benchmark == 'arithmetic_2da'")["acc"].item()
    0.0
    """
    return _read("lm_eval_2023")

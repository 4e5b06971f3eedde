"""Every number of the lessons, slides and quizzes, computed from the book's library and its data.

`NUMBERS` names them; a page says `{{ name }}`, or `{{ name:.2f }}` with a format, and tools/teaching.py fills it in.
A number that no page shows, or a page's number that is not here, fails tests/test_teaching.py.
"""

from functools import cache
from itertools import combinations

import numpy as np

from mirage_lib import claims, compare, forecast, metrics, published, scores, stats, theory
from mirage_lib.claims import kept, vision
from mirage_lib.items import first_tokens

TOY = {"c": 5e8, "alpha": -0.35}  # the book's imagined task
WEB = {"c": 8.8e13, "alpha": -0.076}  # web text: Kaplan et al. (2020), equation 1.1
EXAMS = (20, 50_000)  # test items: few, and enough
TOP_WORDS = 20
LENET_K = 50
HARD, SOFT_C = 2, 32  # thresholds on the squared error of a picture


# ---- Pythia on LAMBADA


@cache
def pythia():
    """Pythia at the end of training, one row a size (mean of the two training texts): accuracy and loss m."""
    table = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000")
    return table.groupby("params")[["acc", "cross_entropy", "n_items"]].mean()


def all_right(words: int) -> np.ndarray:
    """Chance that so many words drawn from the test are all right, smallest size first."""
    table = published.pythia_evals().query("task == 'lambada_openai' and shots == 0 and step == 143000")
    right = np.rint(table["acc"] * table["n_items"])
    score = metrics.subset_probability(right, table["n_items"], words)
    return table.assign(score=score).groupby("params")["score"].mean().to_numpy()


def sizes() -> np.ndarray:
    return pythia().index.to_numpy()


def rise(words: int) -> tuple[float, float]:
    """Place, in parameters, and width, as a share of the window, of the rise when so many words must be right."""
    place, width = compare.rise(sizes(), all_right(words))
    return place, width / np.log10(sizes()[-1] / sizes()[0])


def miss(words: int) -> float:
    """By what share of the way a line in log size through the five smallest models misses the largest one."""
    score = all_right(words)
    line = forecast.straight_line(sizes()[:5], score[:5]).predict(sizes()[-1:])[0]
    return (line - score[-1]) / (score[-1] - score[0])


PYTHIA = claims.deciders("pythia-as-published")
checkpoints, stretched, rms = PYTHIA.lambada, PYTHIA.stretched, PYTHIA.rms  # from step 1,000 on; exp(-a m^g)


@cache
def repaired() -> tuple[float, float]:
    """a and g of `stretched`, fitted to checkpoints of the models of at most 410m, weighted by their errors."""
    return PYTHIA.fitted(checkpoints().query("params < 4e8"))


@cache
def gpt3():
    return published.gpt3().query("benchmark == 'lambada' and setting == 'zero'")


def by_size() -> np.ndarray:
    """What a line in log size through the small Pythias foretells for GPT-3, kept between 0 and 1."""
    six = checkpoints().query("step == 143000 and params < 4e8")
    line = np.polyfit(np.log(six["params"]), six["acc"], 1)
    return np.polyval(line, np.log(gpt3()["params"])).clip(0, 1)


def subsets(words: int = 1) -> np.ndarray:
    """Emergence scores of all ways to keep four of the eight sizes."""
    score = all_right(words)
    return np.array([stats.emergence_score(score[list(keep)]) for keep in combinations(range(len(score)), 4)])


# ---- the ladders, kept answers


@cache
def exam():
    """Held-out text, 50,000 places, eight characters: right or wrong by size and item."""
    table = kept.load("ladder-text-exam")
    return table.assign(right=table["right_for"] >= 8)


def seen(items: int) -> int:
    """At how many sizes of the text ladder so many items show a right answer."""
    return int(exam().query("item < @items").groupby("params")["right"].any().sum())


@cache
def text():
    """The text ladder's answers, 16 characters, seed 0."""
    return kept.load("ladder-text-continuation").query("seed == 0")


def sums(family: str):
    """Accuracy on, and nats a digit of, the first four digits: one row a model of a ladder."""
    answers = first_tokens(kept.ladder_answers(family), 4)
    by = ["task", "family", "model", "params", "seed"]
    table = scores.table(answers, metrics.exact_match, metrics.cross_entropy, by=by)
    return table.assign(cross_entropy=table["cross_entropy"] / 4)


# ---- OLMo by letter and by text


def olmo(benchmark: str = "arc_easy"):
    table = published.olmo_letters().query("benchmark == @benchmark")
    return table.assign(flops=6 * table["params"] * table["tokens"]).sort_values("flops")


# ---- image networks


@cache
def lenets():
    """Share of digits read, and chance that 50 digits are all read, by parameters: means of five seeds."""
    table = vision.stored("lenet")
    share = table.groupby(["params", "seed"])["is_greedy"].agg(["sum", "size"])
    one = (share["sum"] / share["size"]).groupby(level=0).mean()
    all_read = metrics.subset_probability(share["sum"].astype(int), share["size"].astype(int), LENET_K)
    return one, one.copy() * 0 + np.asarray(all_read, float).reshape(len(one), -1).mean(1)


@cache
def autoencoders():
    """By width: the mean squared error, and the share of pictures below two thresholds."""
    table = vision.stored("autoencoder")
    groups = table.assign(error=table["squared_error"].astype(float)).groupby("width")["error"]
    return groups.mean(), groups.apply(lambda e: (e < SOFT_C).mean()), groups.apply(lambda e: (e < HARD).mean())


# ---- all of them


def numbers() -> dict:
    """Name -> value, of every number that a page of the course shows."""
    found = {"items": int(pythia()["n_items"].iloc[0]), "smallest": sizes()[0] / 1e6, "first_1": all_right(1)[0]}
    for words in (1, 5, 20):
        score, (place, width) = all_right(words), rise(words)
        found |= {f"best_{words}": score[-1], f"place_{words}": place / 1e9}
        found |= {f"width_{words}": width, f"miss_{words}": miss(words)}
    sharp = [words for words in range(1, 21) if rise(words)[1] < compare.SHARP]
    found["first_sharp"] = sharp[0]
    found |= {
        "null_4": np.quantile(stats.emergence_null(4), 0.95),
        "null_20": np.quantile(stats.emergence_null(20), 0.95),
    }
    found |= {
        "null_8": np.quantile(stats.emergence_null(8), 0.95),
        "line_8": float(stats.emergence_score(np.arange(8.0))),
    }

    # the toy
    for p in (90, 95, 99):
        found[f"p{p}_20"] = float(theory.accuracy(p / 100, 20))
    spread = np.log10(np.log(0.1) / np.log(0.9))
    found |= {"decades_toy": spread / -TOY["alpha"], "decades_web": spread / -WEB["alpha"]}
    found |= {f"shift_{length}": np.log10(length) / -TOY["alpha"] for length in (5, 20)}
    soft, harsh, moved = (stats.emergence_score(y) for y in toy_windows(np.geomspace(1e8, 1e11, 8)))
    found |= {"toy_soft": soft, "toy_harsh": harsh, "toy_moved": moved}
    found |= {"p_one_nat": float(np.exp(-1)), "p_two_nats": float(np.exp(-2)), "p_tenth_nat": float(np.exp(-0.1))}
    found |= {"jensen_mean": float(np.exp(-2)), "jensen_items": (1 + np.exp(-4)) / 2}

    # seeing too little
    found |= {"rule_20": stats.wilson(0, 20).high, "need_1": stats.items_needed(0.01)}
    found |= {f"seen_{n}": seen(n) for n in EXAMS} | {"n_rungs": exam()["params"].nunique()}
    least = exam().groupby("params")["right"].mean().min()
    found |= {"least": least, "need_least": stats.items_needed(least)}
    four = subsets()
    found |= {"subsets": len(four), "subset_low": four.min(), "subset_high": four[np.isfinite(four)].max()}
    found |= {"subset_median": float(np.median(four)), "fish_39": 1 - 0.95**39}
    few = published.gpt3().query("setting == 'few'").pivot_table(index="params", columns="benchmark", values="acc")
    four_digits = few["four_digit_addition"].to_numpy()
    found |= {"gpt3_13b_four": four_digits[-2], "gpt3_175b_four": four_digits[-1]}

    # the loss decides
    ratio = pythia()["acc"] * np.exp(pythia()["cross_entropy"])
    found |= {"naive_low": ratio.min(), "naive_high": ratio.max()}
    curve, ce = repaired(), gpt3()["cross_entropy"]
    found |= {"gpt3_off": rms(stretched(ce, *curve) - gpt3()["acc"]), "gpt3_naive": rms(np.exp(-ce) - gpt3()["acc"])}
    found |= {"gpt3_by_size": rms(by_size() - gpt3()["acc"]), "gpt3_times": gpt3()["params"].max() / 410e6}
    others = published.lambada_families()
    found |= {"others_off": rms(stretched(others["cross_entropy"], *curve) - others["acc"])}
    early = [(all_right(k)[3] - all_right(k)[0]) / (all_right(k)[-1] - all_right(k)[0]) for k in (1, 20)]
    found |= {"early_1": early[0], "early_20": early[1]}

    # soft to harsh, and when the jump is real
    one, all_read = lenets()
    found |= {"lenet_first": one.iloc[0], "lenet_last": one.iloc[-1]}
    found |= {"lenet_first_50": all_read.iloc[0], "lenet_last_50": all_read.iloc[-1]}
    arc = olmo()
    small = arc[arc["size"] != "7B"]
    found |= {"letter_blind": arc["blind_bits"].iloc[0], "letter_1b": small["mc_letter_bits"].iloc[-5:].mean()}
    found |= {"letter_7b": arc["mc_letter_bits"].iloc[-1], "letter_acc_7b": arc["mc_acc"].iloc[-1]}
    found |= {"text_first": small["rc_bpb"].iloc[0], "text_1b": small["rc_bpb"].iloc[-1]}
    found |= {"letter_acc_1b": small["mc_acc"].iloc[-5:].mean()}
    decide = claims.deciders("multiple-choice")
    runs = decide.mmlu_in_training()
    run = runs[runs["size"] == "7B"]
    for key, column in (("letter_doubling", "mc_acc"), ("text_doubling", "rc_acc")):
        found[key] = decide.within_a_doubling(run["flops"].to_numpy(), run[column].to_numpy())
    largest = sums("ladder-16000")["params"].max()  # the largest that was trained for all lengths
    before, longer = (sums(family).query(f"params == {largest}") for family in ("ladder", "ladder-8000"))
    found["train_params"] = longer["params"].iloc[0]
    for key, models in (("before", before), ("after", longer)):
        found |= {f"train_{key}_low": models["exact_match"].min(), f"train_{key}_high": models["exact_match"].max()}
    found |= {"train_loss_before": before["cross_entropy"].min(), "train_loss_after": longer["cross_entropy"].max()}
    everyone = sums("ladder").groupby("params")["exact_match"].agg(["min", "max", "size"])
    apart = (everyone["max"] - everyone["min"])[everyone["size"] > 1]
    found |= {"seeds_low": everyone.loc[apart.idxmax(), "min"], "seeds_high": everyone.loc[apart.idxmax(), "max"]}
    return {name: getattr(value, "item", lambda value=value: value)() for name, value in found.items()}


def toy_windows(window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The toy in a window of sizes: one token, twenty tokens, and one token in the window moved as length moves it."""
    p = np.exp(-theory.scaling_law(window, **TOY))
    moved = np.exp(-theory.scaling_law(np.asarray(window) / 20 ** (1 / -TOY["alpha"]), **TOY))
    return p, theory.accuracy(p, 20), moved

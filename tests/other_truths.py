"""Data of another truth for the claims whose tests plant truths: a verdict that they do not turn is no verdict.

OTHER: the id of a claim, a function that puts other data before its decider, and the verdict that has to follow.
The function takes the decider's module and pytest's `monkeypatch.setattr`.
"""

import numpy as np
import pandas as pd


def table(name, column, change):
    """Replace a table of `mirage_lib.published`: `change(rows)` gives the column anew."""

    def other(module, setattr):
        rows = getattr(module.published, name)().copy()
        rows[column] = change(rows)
        setattr(module.published, name, lambda: rows)

    return other


def called(name, make):
    """Replace a function of the decider's module: `make(the real one, module)` gives the other."""
    return lambda module, setattr: setattr(module, name, make(getattr(module, name), module))


def scored(name, make):
    """Replace a function of `mirage_lib.metrics`."""
    return lambda module, setattr: setattr(module.metrics, name, make(getattr(module.metrics, name), module))


def ranked(rows, by, group):
    """Where each row's `by` stands in its group, from 0 for the least to 1 for the largest."""
    return rows.groupby(group)[by].rank("dense").sub(1) / rows.groupby(group)[by].transform("nunique").sub(1)


def one_step_of_accuracy(rows):
    """LAMBADA: the accuracy of the two models of a size jumps from a third to two thirds, their distance stays."""
    last = (rows["task"] == "lambada_openai") & (rows["shots"] == 0) & (rows["step"] == 143_000)
    own = rows["acc"] - rows[last].groupby("params")["acc"].transform("mean")
    return rows["acc"].where(~last, np.where(rows["params"] > 1e9, 0.67, 0.33) + own)


def straight_in_size(rows):
    x = np.log(rows["params"])
    return np.interp(x, [x.min(), x.max()], [0.001, 0.25])


def in_one_step(rows):
    """A fall of ln(-ln p) from the second size to the third, and none elsewhere."""
    return np.exp(-np.exp(np.where(rows["params"].rank() > 2, 0.0, 2.0)))


def step_in_training(rows):
    return np.where(rows["step"] > rows["step"].median(), 0.7, 0.01) + 0.02 * rows["params"].rank(pct=True)


def own_curve_for_each_size(rows):
    sizes = np.unique(rows["params"], return_inverse=True)[1]
    return (rows["acc"] + np.where(sizes % 2, 0.05, -0.05)).clip(0.001, 0.999)


def smooth_math(rows):
    """Rates that rise in equal steps, however many answers a problem has."""
    return (0.01 * (1 + 9 * ranked(rows, "params", "step")) * rows["samples"]).round().astype(int)


def as_early(rows):
    """160m keeps the rates that it had early."""
    early = rows[rows["step"] == 10_000].set_index(["model", "problem"])
    rate = (early["correct"] / early["samples"]).reindex(pd.MultiIndex.from_frame(rows[["model", "problem"]]))
    return (np.nan_to_num(rate.to_numpy()) * rows["samples"]).round().astype(int)


def jumped(column):
    """Means of our language models: all of the fall between two sizes."""

    def make(means, module):
        def other(family, length):
            mean = means(family, length).copy()
            first = np.arange(len(mean)) < len(mean) // 2
            mean[column] = np.where(first, mean[column].iloc[0], mean[column].iloc[-1])
            return mean

        return other

    return make


def on_a_power_law(column, scatter):
    def make(means, module):
        def other(family, length):
            mean = means(family, length).copy()
            noise = np.exp(scatter * np.random.default_rng(1).standard_normal(len(mean)))
            mean[column] = module.forecast.power_law(mean.index, mean[column]).predict(mean.index) * noise
            return mean

        return other

    return make


def in_proportion(means, module):
    def other(family, length):
        mean, first = means(family, length).copy(), means(family, 1)
        mean["token_edit_distance"] = length * first["token_edit_distance"]
        return mean

    return other


def exam(draw):
    """The exam with other counts of right characters: `draw(right, rng)`."""

    def make(real, module):
        def other(**of):
            sizes, right = real(**of)
            return sizes, draw(right, np.random.default_rng(0))

        return other

    return make


def eight_as_early_as_one(right, rng):
    return np.where(right >= 1, np.where(rng.random(right.shape) < 0.1, 16, 1), 0)


def geometric(right, rng):
    first = (right >= 1).mean(1, keepdims=True)
    return rng.geometric(1 - first, right.shape) - 1


def nothing_right(module, setattr):
    real = module.kept.load
    setattr(module.kept, "load", lambda name: real(name).assign(right_for=0))


def forty_metrics(curves, module):
    return lambda: pd.DataFrame({"metric": [f"metric {i}" for i in range(40)], "p": 0.5})


def eight_times_the_tasks(curves, module):
    rows = pd.concat([curves()] * 8)
    return lambda: rows


def grade_jumps_and_brier_does_not(open_models, module):
    """Models that scatter little: the grade rises in a tenth of the window, Brier along all of it."""

    def other(benchmark):
        rows = open_models(benchmark).copy()
        x = np.log(rows["flops"])
        way = (x - x.min()) / (x.max() - x.min())
        rng = np.random.default_rng(0)
        rows[module.GRADE] = np.interp(way, [0.6, 0.7], [0.25, 0.75]) + rng.normal(0, 0.002, len(rows))
        rows[module.BRIER] = 0.6 - 0.4 * way + rng.normal(0, 0.002, len(rows))
        return rows

    return other


def text_as_letter(real, module):
    rows = real()
    return lambda: rows.assign(rc_acc=rows["mc_acc"])


def off_any_curve(rows):
    """Neighbours in the loss lie a fifth apart."""
    place = rows.groupby(["benchmark", "format"])["bpb"].rank("first")
    return (rows["acc"] + np.where(place % 2, 0.1, -0.1)).clip(0.05, 0.95)


def as_wide_as_the_window(ipa, module):
    rows = ipa()
    x = np.log(rows["flops"].to_numpy())
    way = (x - x.min()) / np.ptp(x)
    return lambda: rows.assign(bleu=0.6 * way, acc=0.4 * way**4)


def languages_apart(foreign, module):
    """Translations whose items spread very differently, right as the model of items says."""
    rows = pd.concat([foreign()] * 4, ignore_index=True)
    rows["s"] = rows["cross_entropy"] * np.linspace(0.2, 3, len(rows))
    rows["acc"] = module.item_model(rows["cross_entropy"], rows["s"], module.rivals())
    return lambda: rows


def photographs_alike(sums, module):
    """Every photograph has the share of all seven."""

    def other(c):
        hits, whole = sums(c)
        return hits.sum(-1, keepdims=True) * whole / whole.sum(), whole

    return other


def straight_in_width(within, module):
    """However small c, its share grows by as much with every doubling of the width."""

    def other(c, *times):
        soft = within(None, *times)
        return soft if c is None else (np.linspace(0, 1, soft.shape[-1]) + soft - within(None)) / 2

    return other


def hundredfold(again, module):
    """Counts that scatter as those of a hundred times the seeds and images would."""

    def other(*args, **kwargs):
        counts = again(*args, **kwargs)
        return (counts.mean(0) + (counts - counts.mean(0)) / 10).round().astype(int)

    return other


def gradual_and_its_power(data, length):
    noise = 0.001 * np.random.default_rng(0).standard_normal((301, 9))
    return np.linspace(0.2, 1, 9) ** length + noise


def half_for_free(module, setattr):
    """Images so alike that half of them come for free; nothing of it stays in a cache."""
    real = module.single

    def other(source, length):
        free = length // 2 if module.HARSHNESS[source][0] == "vision" else 0
        return *real(source, length)[:2], real(source, length - free)[2]

    setattr(module, "DRAWS", 400)
    setattr(module, "single", other)
    for name in ("curves", "judged"):
        setattr(module, name, getattr(module, name).__wrapped__)


def no_later(module, setattr):
    """Harsh curves that are other draws of the soft ones."""
    real = module.curves

    def other(source, harshness):
        size, soft, _ = real(source, harshness)
        return size, soft, np.vstack([soft[:1], np.roll(soft[1:], 1, axis=0)])

    setattr(module, "curves", other)
    setattr(module, "six", module.six.__wrapped__)


def benchmark_scores(change):
    """Open models with other scores: `change(rows, module)`."""

    def make(open_models, module):
        return lambda benchmark: open_models(benchmark).assign(**change(open_models(benchmark), module))

    return make


def fallen_in_one_step(real, module):
    def other(*args):
        scores = real(*args)
        return scores.mul(np.where(np.arange(len(scores)) < 5, 1, 0.01), axis=0)

    return other


def at_rest_half_way(real, module):
    size, right = real()
    right = right.copy()
    right[3:9] = right[2]
    return lambda: (size, right)


def narrower(real, module):
    return lambda *which: real(*which) * np.array([1, 1, 0.7])


def trained_no_longer(real, module):
    """The models that were trained for longer score what those of their size score that were not."""

    def scored(family, length):
        rows = real("ladder", length)
        return rows if family == "ladder" else rows[rows["params"].isin(real(family, length)["params"])]

    return scored


OTHER = {
    "squared-error-smooth": (called("seed_scores", fallen_in_one_step), "fails"),
    "reconstruction-jumps": (called("within", straight_in_width), "fails"),
    "tall-rises-are-gradual": (called("_sums", photographs_alike), "holds"),
    "subset-accuracy-seems-to-emerge": (called("rises", narrower), "holds"),
    "subset-accuracy-is-a-power": (
        called("first_tokens", lambda real, m: lambda items, length: real(items, 1)),
        "fails",
    ),
    "longer-sequences-rise-later-and-as-widely": (
        called("rises", lambda real, m: lambda data, length: real(data, 6 - length)),
        "fails",
    ),
    "few-sizes-look-emergent": (called("again", lambda real, m: gradual_and_its_power), "holds"),
    "digit-accuracy-smooth": (called("hits", at_rest_half_way), "fails"),
    "five-of-five-seems-to-emerge": (called("rises", narrower), "holds"),
    "harder-lowers-the-emergence-score": (called("again", hundredfold), "holds"),
    "one-rule-in-both-directions": (half_for_free, "fails"),
    "harsher-comes-later": (no_later, "fails"),
    "the-rule-moves-the-jump": (table("pythia_evals", "acc", one_step_of_accuracy), "fails"),
    "late-and-sharp": (
        lambda m, setattr: setattr(m.theory, "accuracy", lambda p, n: np.linspace(0, 1, len(p))),
        "fails",
    ),
    "few-models-hide-a-jump": (
        lambda m, setattr: setattr(m, "PAPER_SIZES", np.geomspace(*m.PAPER_SIZES[[0, -1]], 4)),
        "fails",
    ),
    "gpt3-is-sharp-under-accuracy": (table("gpt3", "acc", straight_in_size), "fails"),
    "a-soft-metric-smooths-published-arithmetic": (
        table("gpt3", "cross_entropy", lambda rows: 5 - np.log10(rows["params"]) / 4),
        "holds",
    ),
    "sampled-addition-follows-the-law": (table("pythia_addition", "acc", in_one_step), "fails"),
    "addition-is-gradual-in-training": (table("pythia_arithmetic", "acc_x1_2digit", step_in_training), "fails"),
    "one-curve-of-the-loss": (table("pythia_evals", "acc", own_curve_for_each_size), "fails"),
    "small-pythias-forecast-gpt3": (table("gpt3", "acc", lambda rows: np.exp(-rows["cross_entropy"])), "fails"),
    "one-curve-for-all-architectures": (table("lambada_families", "acc", lambda rows: rows["acc"] + 0.1), "fails"),
    "samples-follow-the-loss": (
        scored("sampled_accuracy", lambda real, m: lambda t: m.metrics.expected_accuracy(t) / 2),
        "fails",
    ),
    "smollm2-exceeds-exp-of-its-mean-loss": (scored("exact_match", lambda real, m: lambda t: 0 * real(t)), "fails"),
    "layout-takes-the-score": (scored("exact_match", lambda real, m: lambda t: 0 * real(t) + 1), "fails"),
    "loss-of-text-falls-without-a-jump": (called("_means", jumped("cross_entropy")), "fails"),
    "the-largest-model-leaves-the-power-law": (called("_means", on_a_power_law("cross_entropy", 0.02)), "fails"),
    "longer-answers-come-later-on-text": (called("_exam", exam(eight_as_early_as_one)), "fails"),
    "edit-distance-is-smooth-on-text": (called("_means", jumped("token_edit_distance")), "fails"),
    "accuracy-falls-geometrically-from-length-one": (called("_exam", exam(geometric)), "holds"),
    "edit-distance-grows-linearly-from-length-one": (called("_means", in_proportion), "holds"),
    "every-size-is-above-chance-with-more-items": (nothing_right, "fails"),
    "loss-of-addition-falls-in-a-step": (
        called("_errors", lambda real, m: lambda mean, *names: np.full(len(mean), 0.01)),
        "fails",
    ),
    "training-counts-as-well-as-size": (called("_scored", trained_no_longer), "fails"),
    "more-curves-stand-out-than-by-luck": (called("curves", lambda real, m: lambda: real().assign(p=0.5)), "fails"),
    "few-metrics-score-emergent": (called("curves", forty_metrics), "holds"),
    "tasks-called-emergent-rise-late": (
        called("curves", lambda real, m: lambda: real().assign(late=lambda rows: 0.2 + 0.001 * rows["n"].rank())),
        "fails",
    ),
    "exact-match-jumps-and-multiple-choice-does-not": (called("curves", eight_times_the_tasks), "holds"),
    "brier-removes-jumps": (called("open_models", grade_jumps_and_brier_does_not), "holds"),
    "brier-at-chance-is-no-better-than-equal-shares": (
        called("open_models", benchmark_scores(lambda rows, m: {m.BRIER: rows[m.BRIER] - 0.1})),
        "fails",
    ),
    "mmlu-rises-within-families": (
        called(
            "open_models",
            benchmark_scores(lambda rows, m: {m.GRADE: rows.groupby("family")[m.GRADE].transform("mean")}),
        ),
        "fails",
    ),
    "mmlu-jumps-by-letter-and-not-by-text": (called("mmlu_in_training", text_as_letter), "fails"),
    "text-accuracy-is-one-curve-of-the-loss": (table("olmo", "acc", off_any_curve), "fails"),
    "letters-leave-chance-at-a-loss": (called("same_compute", lambda real, m: lambda: 0.2), "holds"),
    "bleu-moves-transliteration-and-leaves-it-sharp": (called("ipa", as_wide_as_the_window), "holds in part"),
    "three-sizes-miss-the-loss": (
        called("final", lambda real, m: lambda: real().assign(cross_entropy=lambda rows: 10 * rows["params"] ** -0.1)),
        "fails",
    ),
    "metric-link-forecasts": (
        called(
            "lambada",
            lambda real, m: lambda: real().assign(acc=lambda rows: rows["acc"] - 0.1 * (rows["params"] > 2e9)),
        ),
        "fails",
    ),
    "more-answers-show-math": (table("pythia_math", "correct", smooth_math), "holds"),
    "pythia-160m-unlearns-math": (table("pythia_math", "correct", as_early), "fails"),
    "spread-explains-other-languages": (called("foreign", languages_apart), "holds"),
}

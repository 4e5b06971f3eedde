"""Claims of the chapter pythia-as-published: LAMBADA, one curve of the loss."""

from functools import cache

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import gamma

from mirage_lib import metrics, published, stats
from mirage_lib.claims import Finding

from . import holds
from .planting import rates

UNTESTABLE = "not testable here"
N_ITEMS = 5153
GPT3_OFF, OTHERS_OFF = 0.045, 0.04  # planted distances from the curve, as the statements say


def lambada(shots=0) -> pd.DataFrame:
    """Pythia on LAMBADA from step 1,000 on, without the two runs with other batches."""
    evals = published.pythia_evals().query("task == 'lambada_openai' and shots == @shots and step >= 1000")
    return evals[~evals["model"].str.endswith("MtokBS")].sort_values(["params", "deduped", "step"])


def final(shots=0) -> pd.DataFrame:
    return lambada(shots).query("step == 143000")


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def stretched(m, a, g):
    return np.exp(-a * np.asarray(m, float) ** g)


def fitted(points: pd.DataFrame) -> tuple[float, float]:
    """a and g of exp(-a CE^g), each point weighted by its binomial error."""
    m, accuracy = points["cross_entropy"].to_numpy(), points["acc"].to_numpy()
    error = np.sqrt(accuracy * (1 - accuracy) / N_ITEMS)
    return tuple(least_squares(lambda q: (stretched(m, *q) - accuracy) / error, [0.3, 1.0]).x)


@cache
def curves(draws: int) -> list[tuple[float, float]]:
    """The curve of the small models, and of these models drawn again, each with all its checkpoints."""
    small = lambada().query("params < 4e8")
    runs, rng = [run for _, run in small.groupby("model")], np.random.default_rng(0)
    again = [pd.concat([runs[i] for i in rng.integers(len(runs), size=len(runs))]) for _ in range(draws)]
    return [fitted(small), *map(fitted, again)]


@cache
def own() -> float:
    """By how much trained Pythias leave the curve of the small ones, without and with five examples: RMS."""
    both = pd.concat([final(0), final(5)])
    return rms(both["acc"] - stretched(both["cross_entropy"], *curves(40)[0]))


def planted(losses, groups, off, scatter, rng) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies on a curve drawn again, each group shifted by `off` and by chance; what the curve itself says of them.

    off : shift that all groups share in size, not in sign; scatter : standard deviation of a shift by chance;
    Pythia's is `own`.
    """
    truth = curves(40)[1 + rng.integers(40)]
    names, group = np.unique(groups, return_inverse=True)
    shift = off * rng.choice([-1, 1], len(names)) + scatter * rng.standard_normal(len(names))
    p = np.clip(stretched(losses, *truth) + shift[group], 0.001, 0.999)
    return rng.binomial(N_ITEMS, p) / N_ITEMS, stretched(losses, *curves(40)[0])


def drawn_again(last: pd.DataFrame, share, draws=2000) -> float:
    """Upper end, 97.5 %, of the largest share(mean, SD, accuracy) over models, their passages being drawn again.

    Mean and SD of the item losses have the errors of as many passages, those of the SD as for exponential losses.
    """
    rng, size = np.random.default_rng(0), (draws, len(last))
    mean, sd, accuracy = (last[name].to_numpy() for name in ("cross_entropy", "cross_entropy_sd", "acc"))
    means = mean + sd / np.sqrt(N_ITEMS) * rng.standard_normal(size)
    # a fourth moment of 9 times the squared variance; for normal losses it is 3
    sds = sd * (1 + np.sqrt((9 - 1) / 4 / N_ITEMS) * rng.standard_normal(size))
    return float(np.quantile(share(means, sds, rng.binomial(N_ITEMS, accuracy, size) / N_ITEMS).max(1), 0.975))


def accuracy_exceeds_exp_of_the_mean_loss(tolerance: float) -> Finding:
    """exp(-CE) over accuracy on LAMBADA, last checkpoint of 16 models: the largest, passages drawn again."""
    last = final()
    share = np.exp(-last["cross_entropy"]) / last["acc"]
    most = drawn_again(last, lambda mean, sd, accuracy: np.exp(-mean) / accuracy)
    found = f"accuracy is {1 / share.max():.1f} to {1 / share.min():.0f} times exp(-CE), with their errors "
    return holds(most < tolerance, f"{found}{1 / most:.1f} times or more")


def one_curve_of_the_loss(tolerance: float) -> Finding:
    """RMS distance of accuracy from one cubic of ln(-ln accuracy) in ln CE, 16 models and 16 checkpoints each."""
    points = lambada()
    log_ce, accuracy = np.log(points["cross_entropy"].to_numpy()), points["acc"].to_numpy()

    def cubic(accuracy):
        weight = -np.log(accuracy) * np.sqrt(accuracy / (1 - accuracy))
        return np.exp(-np.exp(np.polyval(np.polyfit(log_ce, np.log(-np.log(accuracy)), 3, w=weight), log_ce)))

    band, sizes, rng = cubic(accuracy), np.unique(points["params"], return_inverse=True)[1], np.random.default_rng(1)

    def drawn(off):  # every size has its own curve, this far from the common one
        p = band + off * rng.permutation([-1, 1] * 4)[sizes]
        return rng.binomial(N_ITEMS, p.clip(0.01, 0.99)) / N_ITEMS

    rate = rates(
        lambda accuracy: rms(accuracy - cubic(accuracy)) < tolerance,
        lambda i: drawn(0.015),
        lambda i: drawn(0),
        draws=100,
    )
    left, binomial = rms(accuracy - band), rms(np.sqrt(accuracy * (1 - accuracy) / N_ITEMS))
    found = f"RMS {left:.4f} over {len(points)} points, binomial error {binomial:.4f}; {rate.words()}"
    return Finding(("holds" if left < tolerance else "fails") if rate.decides else UNTESTABLE, found)


def greedy_beats_any_spread(tolerance: float) -> Finding:
    """The most that sampling can reach, given mean and SD of item losses, over greedy accuracy: 410m and larger.

    The largest of these shares, passages being drawn again.
    """

    def most(mean, sd, accuracy):
        share = mean**2 / (mean**2 + sd**2)
        return (1 - share + share * np.exp(-(mean**2 + sd**2) / mean)) / accuracy

    last = final().query("params > 2e8")
    share, upper = most(last["cross_entropy"], last["cross_entropy_sd"], last["acc"]), drawn_again(last, most)
    found = f"sampling reaches at most {share.min():.2f} to {share.max():.2f} of the accuracy, 410m to 12b; "
    return holds(upper < tolerance, f"{found}with the error of the passages {upper:.2f} at most")


def small_pythias_forecast_gpt3(tolerance: float) -> Finding:
    """RMS distance of GPT-3 from the curve of Pythias up to 410m, in the worst of three settings."""
    table, rng = published.gpt3().query("benchmark == 'lambada'"), np.random.default_rng(2)
    losses, setting = table["cross_entropy"].to_numpy(), table["setting"].to_numpy()

    def worst(accuracy, predicted):
        return max(rms((accuracy - predicted)[setting == name]) for name in np.unique(setting))

    def agrees(drawn):
        return worst(*drawn) < tolerance

    def by(off):
        return lambda i: planted(losses, setting, off, own(), rng)

    accuracy, predicted = table["acc"].to_numpy(), stretched(losses, *curves(40)[0])
    naive, rate = rms(np.exp(-losses) - accuracy), rates(agrees, by(GPT3_OFF), by(0))
    zero = rms((accuracy - predicted)[setting == "zero"])
    found = f"RMS {zero:.3f} without examples, {worst(accuracy, predicted):.3f} in the worst setting, "
    found += f"{rms(accuracy - predicted):.3f} over all 24 scores, exp(-CE) {naive:.2f}; {rate.words()}"
    verdict = "holds" if worst(accuracy, predicted) < tolerance else "fails"
    return Finding(verdict if rate.decides else UNTESTABLE, found)


def one_curve_for_all_architectures(tolerance: float) -> Finding:
    """RMS distance of seven other families from the curve of Pythias up to 410m, in English, without examples."""
    columns = ["family", "acc", "cross_entropy"]
    english = published.lm_eval_2023().query("benchmark == 'lambada_openai' and family != 'llama'")
    table = pd.concat([published.lambada_families()[columns], english[columns]])
    losses, family, rng = table["cross_entropy"].to_numpy(), table["family"].to_numpy(), np.random.default_rng(3)

    def agrees(drawn):
        return rms(drawn[0] - drawn[1]) < tolerance

    def by(off):
        return lambda i: planted(losses, family, off, own(), rng)

    off, rate = table["acc"].to_numpy() - stretched(losses, *curves(40)[0]), rates(agrees, by(OTHERS_OFF), by(0))
    found = f"{len(table)} models of {table['family'].nunique()} families: RMS {rms(off):.3f}, "
    found += f"{off.min():.3f} to {off.max():.3f}; {rate.words()}"
    verdict = "holds" if rms(off) < tolerance else "fails"
    return Finding(verdict if rate.decides else UNTESTABLE, found)


def foreign() -> pd.DataFrame:
    """MPT on four translations, with the spread of its item losses."""
    table = published.lm_eval_2023().query("family == 'mpt' and benchmark.str.contains('_mt_(?:de|es|fr|it)')")
    return table.assign(s=np.sqrt(table["n_items"]) * table["ppl_se"] / table["ppl"])


@cache
def common_shift() -> float:
    """By how much another laboratory and format move a model off the curve in English, a root mean square.

    BLOOM, MPT and XGLM on both texts, with and without a blank to fill. So much may move one model in all languages.
    """
    english = published.lm_eval_2023().query("family in ['bloom', 'mpt', 'xglm']")
    english = english[english["benchmark"].str.match("lambada(?!.*_mt_)")]
    return rms(english["acc"] - stretched(english["cross_entropy"], *curves(40)[0]))


def in_languages(middle, rng) -> np.ndarray:
    """Accuracies of one model that move together by the common shift, and each by chance."""
    p = middle + common_shift() * rng.standard_normal() + own() * rng.standard_normal(len(middle))
    return rng.binomial(N_ITEMS, p.clip(0.001, 0.999)) / N_ITEMS


def other_languages_leave_the_curve(tolerance: float) -> Finding:
    """How much more MPT has right than the curve says, in the closest of four languages: above this."""
    table, rng = foreign(), np.random.default_rng(4)
    curve = stretched(table["cross_entropy"], *curves(40)[0])

    def leaves(accuracy):
        return (accuracy - curve).min() > tolerance

    gap = table["acc"].to_numpy() - curve
    rate = rates(leaves, lambda _: in_languages(curve, rng), lambda _: in_languages(curve + 2 * tolerance, rng), 2000)
    found = f"{gap.min():.3f} to {gap.max():.3f} above the curve; by chance all move by {common_shift():.3f}: "
    verdict = "holds" if leaves(table["acc"].to_numpy()) else "fails"
    return Finding(verdict if rate.decides else UNTESTABLE, found + rate.words())


def item_model(m, s, alpha) -> np.ndarray:
    """Accuracy of greedy decoding where item losses are Weibull and the rival's share is below t in t^alpha."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    shapes = np.geomspace(0.3, 12, 2000)
    spread = np.sqrt(gamma(1 + 2 / shapes) / gamma(1 + 1 / shapes) ** 2 - 1)
    m, s = np.asarray(m, float), np.asarray(s, float)
    shape = np.interp(-s / m, -spread, shapes)[:, None]
    losses = m[:, None] / gamma(1 + 1 / shape) * (-np.log1p(-(nodes + 1) / 2)) ** (1 / shape)
    return np.exp(alpha * np.minimum(0, -np.log(np.expm1(losses)))) @ (weights / 2)


@cache
def rivals() -> float:
    """alpha of the model of items, fitted to Pythias up to 410m in English."""
    small = lambada().query("params < 4e8")
    moments = small["cross_entropy"], small["cross_entropy_sd"]
    error = np.sqrt(small["acc"] * (1 - small["acc"]) / N_ITEMS)
    return float(least_squares(lambda q: (item_model(*moments, q[0]) - small["acc"]) / error, [0.5]).x[0])


def spread_explains_other_languages(tolerance: float) -> Finding:
    """RMS error of the item model, which knows the spread, over that of the curve, which does not: four languages."""
    table, loss, rng = foreign(), foreign()["cross_entropy"], np.random.default_rng(5)
    curve, items = stretched(loss, *curves(40)[0]), item_model(loss, table["s"], rivals())

    def explains(accuracy):
        return rms(accuracy - items) < tolerance * rms(accuracy - curve)

    # a shift that the spread has no part in, as large as seen and as often up as down; and the spread, with its shift
    by_chance = np.abs(table["acc"] - curve).mean()
    rate = rates(
        explains,
        lambda i: in_languages(curve + by_chance * rng.choice([-1, 1]), rng),
        lambda i: in_languages(items, rng),
        2000,
    )
    found = f"RMS {rms(table['acc'] - items):.3f} with the spread, {rms(table['acc'] - curve):.3f} without; "
    found += rate.words()
    return Finding(("holds" if explains(table["acc"]) else "fails") if rate.decides else UNTESTABLE, found)


def harsher_appears_later(tolerance: float) -> Finding:
    """Share of the rise over sizes that lies below 1b, for K of K with K = 1, 5, 20."""
    last = final().query("not deduped")
    correct = (last["acc"] * last["n_items"]).round()
    early = []
    for k in (1, 5, 20):
        score = metrics.subset_probability(correct, last["n_items"], k)
        early.append((score[3] - score[0]) / (score[-1] - score[0]))
    return holds(
        (np.diff(early) < -tolerance).all(),
        f"below 1b lie {early[0]:.0%} of the rise of 1 of 1, {early[1]:.0%} of 5 of 5, {early[2]:.0%} of 20 of 20",
    )


def soft_metrics_can_score_emergent(tolerance: float) -> Finding:
    """Emergence score of -CE over the least of K of K, K = 1 ... 10: above this."""
    last = final().query("not deduped")
    correct = (last["acc"] * last["n_items"]).round()
    soft = stats.emergence_score(-last["cross_entropy"])
    harsh = [stats.emergence_score(metrics.subset_probability(correct, last["n_items"], k)) for k in range(1, 11)]
    return holds(
        soft > min(harsh) * tolerance,
        f"-CE scores {soft:.1f}, 1 of 1 to 10 of 10 {min(harsh):.1f} to {max(harsh):.1f}",
    )

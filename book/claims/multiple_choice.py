"""Claims of the chapter multiple-choice: grade and Brier score of open models, and OLMo by text and by letter."""

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.stats import norm

from mirage_lib import compare, published, theory
from mirage_lib.claims import Finding

from . import holds
from .planting import rates

UNTESTABLE = "not testable here"
GRADE, BRIER = "multiple_choice_grade", "brier_target_choice"
# four options or five, so that a letter's loss has room to fall; 7B gains less than 0.2 bits on the three with two
LETTERED = ("arc_easy", "arc_challenge", "hellaswag", "openbookqa", "csqa", "socialiqa")


def worst(several) -> str:
    """The most false alarms and the least power of several tests, in words."""
    alarms, power = zip(*((rate.false_alarms.value, rate.power.value) for rate in several), strict=True)
    return f"false alarms at most {max(alarms):.2f}, power at least {min(power):.2f}"


def open_models(benchmark: str) -> pd.DataFrame:
    """Open models on a benchmark, least compute first; two that are listed twice keep the row with their true size."""
    models = published.open_models().drop_duplicates(["benchmark", "model"]).dropna(subset="flops")
    return models[models["benchmark"] == benchmark].sort_values("flops")


def width(x, scores) -> float:
    """Share of the window of log x that the middle 80 % of the rise takes; 0.8 for a straight line."""
    return compare.rise(x, scores)[1] / np.log10(x.max() / x.min())


def softer(x, hard, soft, rng, level=0.05, draws=60) -> bool:
    """Is the soft curve's rise wider than the hard one's, in nearly all draws of models (with both their scores)?"""
    wider = []
    for _ in range(draws):
        pick = np.sort(rng.integers(0, len(x), len(x)))
        wider.append(width(x[pick], soft[pick]) - width(x[pick], hard[pick]))
    return bool(np.nanquantile(wider, level / 2) > 0)


def straight(x, scores) -> np.ndarray:
    """A straight line in log x between the ends of the closest curve that never falls."""
    way = isotonic_regression(scores).x
    return np.interp(np.log(x), np.log(x[[0, -1]]), way[[0, -1]])


def brier_and_straight_line(benchmark: str, level=0.05, draws=120):
    """Widths under grade and Brier; what the test says of them; its rates where Brier is a straight line, or jumps."""
    rows, rng = open_models(benchmark), np.random.default_rng(0)
    x, hard, soft = rows["flops"].to_numpy(), rows[GRADE].to_numpy(), 1 - rows[BRIER].to_numpy()
    way, soft_way = isotonic_regression(hard).x, isotonic_regression(soft).x
    as_sharp = soft_way[0] + np.ptp(soft_way) * (way - way[0]) / np.ptp(way)

    def planted(truth):
        picks = (rng.integers(0, len(x), len(x)) for _ in range(draws))  # a model keeps the errors of both its scores
        return iter([(way + (hard - way)[i], truth + (soft - soft_way)[i]) for i in picks])

    sharp_curves, straight_curves = planted(as_sharp), planted(straight(x, soft))
    rate = rates(
        lambda curves: softer(x, *curves, rng, level),
        lambda i: next(sharp_curves),
        lambda i: next(straight_curves),
        draws=draws,
    )
    return width(x, hard), width(x, soft), softer(x, hard, soft, rng, level, 300), rate


def brier_removes_jumps(tolerance: float) -> Finding:
    """Figure 6 on open models: level of the test whether the rise is wider under Brier. Planted: a straight line."""
    found, wider, able = [], [], True
    for benchmark, name in (("mmlu", "MMLU"), ("conceptual_combinations", "conceptual combinations")):
        hard, soft, says, rate = brier_and_straight_line(benchmark, tolerance)
        wider.append(says)
        able &= rate.decides
        found.append(f"{name}: widths {hard:.2f} under the grade, {soft:.2f} under Brier, {rate.words()}")
    verdict = ("fails", "holds in part", "holds")[int(any(wider)) + int(all(wider))]
    return Finding(verdict if able else UNTESTABLE, "; ".join(found))


def brier_at_chance_is_no_better_than_equal_shares(tolerance: float) -> Finding:
    """MMLU, models whose grade is at chance: is a Brier score better than equal shares by this much ruled out?"""
    rows, blind = open_models("mmlu"), theory.brier_target(1 / 4)
    n = rows["n_items"].iloc[0]
    at_chance = rows[(rows[GRADE] - 1 / 4).abs() < 2 * np.sqrt(3 / 16 / n)]
    better, error = blind - at_chance[BRIER], np.sqrt(blind * (1 - blind) / n)  # at most this: x^2 <= x on [0, 1]
    z = norm.ppf(0.95)
    rng, m = np.random.default_rng(1), len(at_chance)
    rate = rates(
        lambda gain: gain.max() + z * error < tolerance,
        lambda i: np.append(rng.normal(0, error, m - 1), rng.normal(tolerance, error)),  # one of them knows something
        lambda i: rng.normal(0, error, m),
    )
    says = better.max() + z * error < tolerance
    found = (
        f"{m} models at chance: Brier from {at_chance[BRIER].max():.3f} to {at_chance[BRIER].min():.3f}, equal shares "
        f"{blind:.4f}; {rate.words()}"
    )
    return Finding(("fails", "holds")[int(says)] if rate.decides else UNTESTABLE, found)


def mmlu_rises_within_families(tolerance: float) -> Finding:
    """Level of a test that deals scores out anew among siblings: is the slope in compute left?"""
    rows, rng = open_models("mmlu"), np.random.default_rng(2)
    rows = rows[rows.groupby("family")["model"].transform("size") > 1]
    x, y, family = np.log10(rows["flops"].to_numpy()), rows[GRADE].to_numpy(), rows["family"].to_numpy()
    names, place = np.unique(family, return_inverse=True)

    def less_family(values):
        return values - (np.bincount(place, values) / np.bincount(place))[place]

    def among_siblings():
        order = np.arange(len(x))
        for k in range(len(names)):
            order[place == k] = rng.permutation(order[place == k])
        return order

    weights = less_family(x) / (less_family(x) ** 2).sum()
    dealt = np.array([among_siblings() for _ in range(999)])

    def p_value(scores):
        return (1 + (scores[dealt] @ weights >= scores @ weights - 1e-12).sum()) / 1000

    way = isotonic_regression(y).x
    rate = rates(
        lambda scores: p_value(scores) < tolerance,
        lambda i: y[among_siblings()],  # nothing but families
        lambda i: way + rng.permutation(y - way),  # nothing but compute
    )
    p, pooled = p_value(y), np.polyfit(np.log10(open_models("mmlu")["flops"]), open_models("mmlu")[GRADE], 1)[0]
    found = (
        f"{len(x)} models of {len(names)} families: {y @ weights:.3f} a decade of compute within families, "
        f"{pooled:.3f} over all, p = {p:.3f}; {rate.words()}"
    )
    return Finding(("fails", "holds")[int(p < tolerance)] if rate.decides else UNTESTABLE, found)


def mmlu_in_training() -> pd.DataFrame:
    """OLMo 7B and 13B in training, and the end of the long 1B: all of MMLU, by letter (mc_acc) and by text."""
    curves = published.olmo_curves()
    curves = curves[curves["benchmark"].str.startswith("mmlu") & (curves["tokens"] > 0)]
    scores = ["mc_acc", "rc_acc", "rc_bpb"]
    sums = curves[scores].mul(curves["n_items"], axis=0).join(curves[["size", "tokens", "flops", "n_items"]])
    sums = sums.groupby(["size", "tokens", "flops"])[[*scores, "n_items"]].sum()
    return sums[scores].div(sums["n_items"], axis=0).reset_index()


def within_a_doubling(flops, scores) -> float:
    """The most of the whole rise that one doubling of compute makes, on the closest curve that never falls."""
    way, doublings = isotonic_regression(scores).x, np.log2(flops)
    gains = np.interp(doublings + 1, doublings, way) - way
    return float(gains.max() / np.ptp(way))


def mmlu_jumps_by_letter_and_not_by_text(tolerance: float) -> Finding:
    """Share of the rise that one doubling of compute makes: above this by letter, below it by text, in both runs."""
    found, said, rng, able = [], [], np.random.default_rng(3), True
    for size, run in mmlu_in_training().groupby("size"):
        if len(run) < 2:
            continue
        flops, letter, text = (run[name].to_numpy() for name in ("flops", "mc_acc", "rc_acc"))
        jump, gradual = within_a_doubling(flops, letter), within_a_doubling(flops, text)
        said.append(jump > tolerance > gradual)
        way, sharp = isotonic_regression(text).x, isotonic_regression(letter).x
        sharp = way[0] + np.ptp(way) * (sharp - sharp[0]) / np.ptp(sharp)
        line = straight(flops, text)
        rate = rates(
            lambda scores, flops=flops: within_a_doubling(flops, scores) < tolerance,
            lambda i, sharp=sharp, left=text - way: sharp + rng.permutation(left),  # by text as sharp as by letter
            lambda i, line=line, left=text - way: line + rng.permutation(left),
        )
        able &= rate.decides
        found.append(f"{size}: {jump:.2f} by letter, {gradual:.2f} by text, {rate.words()}")
    verdict = ("fails", "holds in part", "holds")[int(any(said)) + int(all(said))]
    return Finding(verdict if able else UNTESTABLE, "; ".join(found))


def scatter(scores) -> float:
    """Root mean square distance from the closest curve that never falls; scores by falling loss."""
    return float(np.sqrt(np.mean((scores - isotonic_regression(scores).x) ** 2)))


def one_curve(axis: str, extra: float, seed=4) -> pd.DataFrame:
    """By benchmark: does text accuracy scatter about one curve of `axis` more than items alone make it scatter?

    extra : what models differ by for other reasons, planted to count the power.
    """
    rng, rows = np.random.default_rng(seed), []
    for benchmark, models in published.olmo().query("format == 'rc'").groupby("benchmark"):
        models = models.sort_values(axis, ascending=axis != "bpb")
        n, scores = models["n_items"].to_numpy(), models["acc"].to_numpy()
        way = isotonic_regression(scores).x
        limit = np.quantile([scatter(rng.binomial(n, way) / n) for _ in range(200)], 0.95)

        def drawn(extra, n=n, way=way):
            return rng.binomial(n, np.clip(way + rng.normal(0, extra, len(n)), 0, 1)) / n

        rate = rates(
            lambda scores, limit=limit: scatter(scores) > limit,
            lambda i, drawn=drawn: drawn(0),
            lambda i, drawn=drawn: drawn(extra),
            draws=100,
        )
        rows.append((benchmark, scatter(scores), limit, scatter(scores) <= limit, rate))
    return pd.DataFrame(rows, columns=["benchmark", "scatter", "limit", "one", "rate"])


def text_accuracy_is_one_curve_of_the_loss(tolerance: float) -> Finding:
    """OLMo by text. Tolerance: what else models may differ by, in accuracy; less power to see it, no verdict."""
    loss, compute = one_curve("bpb", tolerance), one_curve("flops", tolerance)
    able = all(rate.decides for rate in loss["rate"])
    verdict = "holds" if loss["one"].all() else "holds in part" if loss["one"].mean() > 0.5 else "fails"
    found = (
        f"of {len(loss)} benchmarks {loss['one'].sum()} on one curve of bits a byte (not "
        f"{', '.join(loss.loc[~loss['one'], 'benchmark'])}), {compute['one'].sum()} on one of compute; "
        f"{worst(loss['rate'])}"
    )
    return Finding(verdict if able else UNTESTABLE, found)


def letter_gains() -> pd.DataFrame:
    """Six benchmarks: bits gained over a blind guess by letter in five small runs, against half of a straight line.

    `gain` is the mean of the five runs up to 1B with most compute, `line` what a straight line in log compute from the
    smallest run to 7B gives there. `flat` if the gain is below half the line; with the rates of that test.
    """
    rng, rows = np.random.default_rng(5), []
    for benchmark in LETTERED:
        runs = published.olmo_letters().query("benchmark == @benchmark")
        gain = (runs["blind_bits"] - runs["mc_letter_bits"]).to_numpy()
        decade = np.log10(6 * runs["params"] * runs["tokens"]).to_numpy()
        small = (runs["size"] != "7B").to_numpy()
        way = (decade - decade[small].min()) / (decade[~small] - decade[small].min())
        most = np.flatnonzero(small)[decade[small].argsort()[-5:]]
        line = way[most].mean() * gain[~small].item()
        noise = gain[small].std(ddof=1)
        rate = rates(
            lambda five, line=line: five.mean() < line / 2,
            lambda i, line=line, noise=noise: line + rng.normal(0, noise, 5),
            lambda i, noise=noise: rng.normal(0, noise, 5),
        )
        seen = gain[most].mean()
        rows.append((benchmark, seen, line, seen < line / 2, rate))
    return pd.DataFrame(rows, columns=["benchmark", "gain", "line", "flat", "rate"])


def the_letters_own_loss_stays_flat_to_one_billion(tolerance: float) -> Finding:
    """Beside prediction 1: share of the benchmarks on which the letter's own loss stays flat, above this."""
    gains = letter_gains()
    found = "; ".join(f"{row.benchmark} {row.gain:+.2f}, a line {row.line:.2f}" for row in gains.itertuples())
    able = all(rate.decides for rate in gains["rate"])
    decided = holds(
        gains["flat"].mean() > tolerance,
        f"{gains['flat'].sum()} of {len(gains)} flat up to 1B, bits over a blind guess: {found}; "
        f"{worst(gains['rate'])}",
    )
    return decided if able else Finding(UNTESTABLE, decided.found)


def leaving_chance(above=0.1) -> pd.DataFrame:
    """By benchmark and run: loss of the text and compute where letters leave chance, and where the run ends."""
    curves, rows = published.olmo_curves(), []
    for (benchmark, size), run in curves[curves["tokens"] > 0].groupby(["benchmark", "size"]):
        run = run.sort_values("tokens")
        accuracy = run["mc_acc"].rolling(3, min_periods=1, center=True).median()
        out = run[accuracy > (0.2 if benchmark == "csqa" else 0.25) + above]
        left = out[["rc_bpb", "flops"]].iloc[0] if len(out) else (np.nan, np.nan)
        rows.append((benchmark, size, *left, run["rc_bpb"].iloc[-5:].mean(), run["flops"].iloc[-1]))
    columns = ["benchmark", "size", "loss", "flops", "last_loss", "last_flops"]
    return pd.DataFrame(rows, columns=columns).set_index(["benchmark", "size"]).unstack()


def same_compute(flops=1.2e22) -> float:
    """How much lower 13B's text loss is than 7B's after as much compute, bits a byte, mean of the benchmarks."""
    curves = published.olmo_curves().query("tokens > 0")
    there = [
        (size, np.interp(np.log(flops), np.log(run["flops"]), run["rc_bpb"]))
        for (_, size), run in curves[curves["size"] != "1B"].sort_values("flops").groupby(["benchmark", "size"])
    ]
    mean = pd.DataFrame(there, columns=["size", "loss"]).groupby("size")["loss"].mean()
    return float(mean["13B"] - mean["7B"])


def letters_leave_chance_at_a_loss(tolerance: float) -> Finding:
    """Not at a compute. Tolerance: half width, in bits a byte, of the test whether two runs leave at the same loss."""
    left = leaving_chance()
    compute = (left["last_flops", "1B"] > left["flops", "7B"]).sum()
    loss = (left["last_loss", "1B"] > left["loss", "7B"]).sum()
    gap = left["loss", "13B"] - left["loss", "7B"]
    orders = np.log10(left["flops", "13B"] / left["flops", "7B"])
    # two runs that leave chance at one compute have losses apart by what size alone does at that compute
    rng, apart = np.random.default_rng(6), same_compute()
    rate = rates(
        lambda gaps: abs(gaps.mean()) < tolerance,
        lambda i: apart + rng.choice(gap - gap.mean(), len(gap)),
        lambda i: rng.choice(gap - gap.mean(), len(gap)),
    )
    found = (
        f"1B at chance with more compute than 7B left it at on {compute} of {len(left)} benchmarks, with a higher loss "
        f"on {loss}; 13B and 7B leave it {gap.mean():+.3f} bits a byte and {orders.mean():+.2f} decades of compute "
        f"apart; {rate.words()}"
    )
    verdict = "holds" if compute == loss == len(left) and abs(gap.mean()) < tolerance else "fails"
    return Finding(verdict if rate.decides else UNTESTABLE, found)


def ipa() -> pd.DataFrame:
    """IPA transliteration by open models whose compute is known, least first: `acc` exact match, `bleu`."""
    rows = published.open_models_emergent().query("benchmark == 'ipa'")
    return rows.dropna(subset=["bleu", "flops"]).sort_values("flops")


def ipa_drawn_again(draws=400) -> pd.DataFrame:
    """Families drawn again: where exact match and BLEU have done half of their rise, and the width of BLEU's."""
    rows, rng, drawn = ipa(), np.random.default_rng(7), []
    x, hard, soft, family = (rows[name].to_numpy() for name in ("flops", "acc", "bleu", "family"))
    members = [np.flatnonzero(family == name) for name in np.unique(family)]
    for _ in range(draws):
        pick = np.sort(np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))]))
        places = [compare.rise(x[pick], scores[pick])[0] for scores in (hard, soft)]
        drawn.append((*places, width(x[pick], soft[pick])))
    return pd.DataFrame(drawn, columns=["acc", "bleu", "width"])


def bleu_moves_transliteration_and_leaves_it_sharp(tolerance: float) -> Finding:
    """Families drawn again: BLEU's rise is half done at less compute; its width, with interval, is below this share."""
    rows, drawn, rng = ipa(), ipa_drawn_again(), np.random.default_rng(8)
    x, hard, soft = (rows[name].to_numpy() for name in ("flops", "acc", "bleu"))
    low, high = drawn["width"].quantile([0.025, 0.975])
    least, most = np.log10(drawn["acc"] / drawn["bleu"]).quantile([0.025, 0.975])
    way, smooth = isotonic_regression(soft).x, isotonic_regression(hard).x
    line, sharp = straight(x, soft), way[-1] * smooth / smooth[-1]

    def says(scores):
        picks = (np.sort(rng.integers(0, len(x), len(x))) for _ in range(60))
        return np.nanquantile([width(x[pick], scores[pick]) for pick in picks], 0.975) < tolerance

    rate = rates(
        says,
        lambda i: np.clip(line + rng.choice(soft - way, len(x)), 0, 1),
        lambda i: np.clip(sharp + rng.choice(soft - way, len(x)), 0, 1),
        draws=60,
    )
    found = (
        f"{len(x)} models of {rows['family'].nunique()} families: BLEU takes {width(x, soft):.2f} of the window "
        f"({low:.2f} to {high:.2f}), exact match {width(x, hard):.2f}; "
        f"half way {least:.2f} to {most:.2f} decades earlier; {rate.words()}"
    )
    verdict = ("fails", "holds in part", "holds")[int(least > 0) + int(high < tolerance)]
    return Finding(verdict if rate.decides else UNTESTABLE, found)

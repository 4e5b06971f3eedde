"""Claims: what the paper says, and what this book says beyond it, each decided by a computation.

`claims.toml` states each claim with the verdict this book prints. Here is one function a claim: it computes what
decides the claim, from published data or from draws of the toy model, and returns the verdict that follows within the
claim's tolerance. `check` compares the two, so a verdict that no longer follows fails the tests and the book.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mirage_lib import metrics, published, stats, theory

FILE = Path(__file__).with_name("claims.toml")
VERDICTS = ("holds", "holds in part", "fails", "not testable here")
FIELDS = ("id", "figure", "statement", "chapter", "tolerance", "verdict", "why")


class Finding(NamedTuple):
    """What a computation found: the verdict that follows from it, and the numbers in words."""

    verdict: str
    found: str


class ClaimChanged(AssertionError):
    """A recomputed verdict is not the one that claims.toml states."""


def load(file: Path = FILE) -> pd.DataFrame:
    """Read the claims, one row each: id, figure, statement, chapter, tolerance, verdict, why.

    Raises ValueError for a claim with a field missing or unknown, a verdict that is none, an id used twice, or an id
    without a function of this module that decides it (and the other way round).

    >>> load().loc[0, ["id", "verdict"]].tolist()
    ['one-token', 'holds']
    """
    rows = tomllib.loads(file.read_text())["claim"]
    for row in rows:
        if set(row) != set(FIELDS):
            raise ValueError(f"claim {row.get('id')!r} has the fields {sorted(row)}, not {sorted(FIELDS)}")
        if row["verdict"] not in VERDICTS:
            raise ValueError(f"claim {row['id']!r}: the verdict {row['verdict']!r} is none of {VERDICTS}")
    claims = pd.DataFrame(rows, columns=list(FIELDS))
    if claims["id"].duplicated().any() or set(claims["id"]) != set(DECIDE):
        odd = set(claims["id"][claims["id"].duplicated()]) | set(claims["id"]) ^ set(DECIDE)
        raise ValueError(f"every claim needs one id and one function that decides it; look at {sorted(odd)}")
    return claims


def check(file: Path = FILE) -> pd.DataFrame:
    """Recompute every claim; the table of `load` with a column `found`. Raises ClaimChanged where a verdict differs."""
    claims = load(file)
    findings = [DECIDE[row.id](row.tolerance) for row in claims.itertuples()]
    changed = [
        f"{row.id}: claims.toml says {row.verdict!r}, recomputed {finding.verdict!r} ({finding.found})"
        for row, finding in zip(claims.itertuples(), findings, strict=True)
        if row.verdict != finding.verdict
    ]
    if changed:
        raise ClaimChanged("a verdict changed; find out why, then correct claims.toml:\n" + "\n".join(changed))
    return claims.assign(found=[finding.found for finding in findings])


def _holds(condition: bool, found: str) -> Finding:
    return Finding("holds" if condition else "fails", found)


# ---- the toy model (chapters 2 to 4)


def one_token(tolerance: float) -> Finding:
    """Sampled tokens against exp(-CE), from nearly sure to nearly hopeless."""
    rng = np.random.default_rng(2)
    ce = np.array([0.05, 0.5, 1.0, 2.0, 4.0])
    share = [metrics.exact_match(theory.draw_items(p, 1, 50_000, rng)).mean() for p in theory.token_probability(ce)]
    gap = np.abs(share - theory.token_probability(ce)).max()
    return _holds(gap < tolerance, f"largest gap {gap:.4f} at 50,000 samples each")


def late_and_sharp(tolerance: float) -> Finding:
    """Share of the rise of p^5 in the last half of a logarithmic range over which CE falls as a power law."""
    params = np.geomspace(1e7, 1e12, 101)
    ce = theory.cross_entropy(params, c=1e10, alpha=-0.3)
    late_score = _late_share(theory.accuracy(theory.token_probability(ce), 5))
    late_loss = _late_share(-ce)
    return _holds(
        late_score > 1 - tolerance and late_loss < 0.5,
        f"{late_score:.0%} of the rise of accuracy, {late_loss:.0%} of the fall of CE, in the last half of ln N",
    )


def _late_share(scores: np.ndarray) -> float:
    return float((scores[-1] - scores[len(scores) // 2]) / (scores[-1] - scores[0]))


def geometric_in_length(tolerance: float) -> Finding:
    """Slope of ln accuracy in L for drawn items against ln p."""
    rng, p, lengths = np.random.default_rng(3), 0.8, np.arange(1, 6)
    accuracy = [metrics.exact_match(theory.draw_items(p, L, 50_000, rng)).mean() for L in lengths]
    slope = np.polyfit(lengths, np.log(accuracy), 1)[0]
    return _holds(abs(slope / np.log(p) - 1) < tolerance, f"slope {slope:.4f}, ln p {np.log(p):.4f}")


def geometric_when_items_differ(tolerance: float) -> Finding:
    """The same for items of unequal difficulty, p ~ Beta(2, 1): p^L with the mean p, at L = 20."""
    accuracy, naive = theory.beta_accuracy(2, 1, 20), theory.accuracy(2 / 3, 20)
    ratio = accuracy / naive
    return _holds(abs(np.log(ratio)) < tolerance, f"accuracy at L = 20 is {accuracy:.3f}, {ratio:.0f} times p^L")


def edit_distance_linear(tolerance: float) -> Finding:
    """Measured Levenshtein distance against L(1 - p), largest relative gap over lengths 1 to 5."""
    rng = np.random.default_rng(4)
    gaps = []
    for p in (0.3, 0.6, 0.9):
        for length in range(1, 6):
            distance = metrics.token_edit_distance(theory.draw_items(p, length, 20_000, rng)).mean()
            gaps.append(1 - distance / theory.token_edit_distance(p, length))
    return _holds(max(map(abs, gaps)) < tolerance, f"largest relative gap {max(gaps, key=abs):.1%}")


def grade_steps_brier_does_not(tolerance: float) -> Finding:
    """Rise of grade and Brier score of the toy between p = 1/K and p = 1/2, as shares of the whole rise."""
    rng, options = np.random.default_rng(5), 4
    low, high = (theory.draw_choices(p, options, 20_000, rng) for p in (1 / options, 0.5 + 1e-6))
    grade = metrics.multiple_choice_grade(high).mean() - metrics.multiple_choice_grade(low).mean()
    brier = (metrics.brier_choices(low).mean() - metrics.brier_choices(high).mean()) / theory.brier_choices(
        0.0, options
    )
    return _holds(
        grade > 1 - tolerance and brier < 0.5,
        f"between p = 1/4 and 1/2: {grade:.0%} of the rise of the grade, {brier:.0%} of the fall of the Brier score",
    )


def more_items_smooth(tolerance: float) -> Finding:
    """Models that score zero under one smooth law, measured with 50 and with 100,000 items a model."""
    p = theory.token_probability(theory.cross_entropy(np.geomspace(1e8, 1e12, 9), c=6e8, alpha=-0.3))
    rng = np.random.default_rng(6)
    # only whether an item is right matters here, and that is one draw with probability p^5
    few, many = ((rng.binomial(n, theory.accuracy(p, 5)) == 0).sum() for n in (50, 100_000))
    return _holds(few >= 2 and many <= tolerance, f"of 9 models {few} score zero with 50 items, {many} with 100,000")


def zero_of_n(tolerance: float) -> Finding:
    """Upper 95 % bounds after no success in n, exact, against 3/n."""
    n = np.array([20, 100, 1000, 10_000])
    exact = 1 - 0.05 ** (1 / n)
    gap = np.abs(exact * n / 3 - 1).max()
    return _holds(gap < tolerance, f"largest relative gap {gap:.1%} from n = 20 to 10,000")


# ---- the corrections (chapters 1 and 5)


def score_needs_null(tolerance: float) -> Finding:
    """95th percentile of the emergence score of pure noise with 4 and with 20 models."""
    few, many = (np.quantile(stats.emergence_null(n), 0.95) for n in (4, 20))
    return _holds(many / few > 1 + tolerance, f"noise alone reaches {few:.1f} with 4 models and {many:.1f} with 20")


def mean_loss_gives_accuracy(tolerance: float) -> Finding:
    """Accuracy against exp(-mean CE) when item losses are Gamma with mean 2 nats and scale 4."""
    rng = np.random.default_rng(7)
    items = theory.draw_items(np.exp(-rng.gamma(0.5, 4.0, 100_000)), 1, 100_000, rng)
    accuracy, naive = metrics.exact_match(items).mean(), np.exp(-metrics.cross_entropy(items).mean())
    return _holds(abs(accuracy / naive - 1) < tolerance, f"accuracy {accuracy:.3f}, exp(-mean CE) {naive:.3f}")


def sampling_below_greedy(tolerance: float) -> Finding:
    """exp(-H) <= sum p^2 <= max p on random distributions, of 2 to 1,000 tokens, flat to spiky."""
    rng = np.random.default_rng(8)
    worst = 0.0
    for size in (2, 10, 1000):
        for concentration in (0.05, 1.0, 20.0):
            probs = rng.dirichlet(np.full(size, concentration), size=500)
            orders = [np.exp(-theory.renyi_entropy(probs, order)) for order in (1, 2, np.inf)]
            worst = max(worst, (orders[0] - orders[1]).max(), (orders[1] - orders[2]).max())
    return _holds(worst < tolerance, f"largest violation {worst:.0e} in 4,500 distributions")


def brier_removes_mmlu_jump(tolerance: float) -> Finding:
    """Emergence scores of MMLU's medians over half-decades of compute, grade and Brier score."""
    mmlu = published.open_models().query("benchmark == 'mmlu'").dropna(subset="flops")
    middle = mmlu.groupby(np.floor(2 * np.log10(mmlu["flops"])))[
        ["multiple_choice_grade", "brier_target_choice"]
    ].median()
    grade = stats.emergence_score(middle["multiple_choice_grade"])
    brier = stats.emergence_test(-middle["brier_target_choice"])
    return _holds(
        brier.p_value > tolerance,
        f"emergence score {grade:.0f} under the grade, {brier.score:.0f} under Brier (p = {brier.p_value:.4f})",
    )


# ---- Pythia as published (chapter 6)


def _lambada(shots=0) -> pd.DataFrame:
    """Pythia on LAMBADA from step 1,000 on, without the two runs with other batches."""
    evals = published.pythia_evals().query("task == 'lambada_openai' and shots == @shots and step >= 1000")
    return evals[~evals["model"].str.endswith("MtokBS")].sort_values(["params", "deduped", "step"])


def _final() -> pd.DataFrame:
    return _lambada().query("step == 143000")


def _rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def mean_loss_gives_pythias_accuracy(tolerance: float) -> Finding:
    """Accuracy on LAMBADA over exp(-CE), last checkpoint of 16 models."""
    final = _final()
    ratio = final["acc"] * np.exp(final["cross_entropy"])
    return _holds(
        (ratio - 1).abs().max() < tolerance, f"accuracy is {ratio.min():.1f} to {ratio.max():.0f} times exp(-CE)"
    )


def one_curve_of_the_loss(tolerance: float) -> Finding:
    """RMS distance of accuracy from one cubic of ln(-ln accuracy) in ln CE, 16 models and 16 checkpoints each."""
    points = _lambada()
    log_ce, accuracy = np.log(points["cross_entropy"]), points["acc"]
    weight = -np.log(accuracy) * np.sqrt(accuracy / (1 - accuracy))
    cubic = np.polyfit(log_ce, np.log(-np.log(accuracy)), 3, w=weight)
    left = _rms(accuracy - np.exp(-np.exp(np.polyval(cubic, log_ce))))
    binomial = _rms(np.sqrt(accuracy * (1 - accuracy) / points["n_items"]))
    return _holds(left < tolerance, f"RMS {left:.4f} over {len(points)} points, binomial error {binomial:.4f}")


def spread_explains_the_gap(tolerance: float) -> Finding:
    """The most that sampling can reach, given mean and SD of item losses, against greedy accuracy: 410m and larger."""
    final = _final().query("params > 2e8")
    mean, sd = final["cross_entropy"], final["cross_entropy_sd"]
    share = mean**2 / (mean**2 + sd**2)
    excess = final["acc"] - (1 - share + share * np.exp(-(mean**2 + sd**2) / mean))
    return _holds(
        excess.min() < tolerance, f"accuracy is {excess.min():.3f} to {excess.max():.3f} above any spread, 410m to 12b"
    )


def loss_forecast_from_three_sizes(tolerance: float) -> Finding:
    """Power law CE(N) fitted up to 410m, largest relative error from 2.8b up."""
    final = _final()
    small, large = final.query("params < 4e8"), final.query("params > 2e9")
    law = stats.fit_power_law(small["params"], small["cross_entropy"])
    error = law.predict(large["params"]) / large["cross_entropy"] - 1
    return _holds(error.abs().max() < tolerance, f"CE of 2.8b to 12b off by {error.max():.0%} to {error.min():.0%}")


def metric_link_forecasts(tolerance: float) -> Finding:
    """exp(-a CE^g) fitted on all checkpoints up to 410m; RMS error from 2.8b up, given the CE."""
    from scipy.optimize import least_squares

    points = _lambada()
    small, large = points.query("params < 4e8"), points.query("params > 2e9")
    a, g = least_squares(lambda q: np.exp(-q[0] * small["cross_entropy"] ** q[1]) - small["acc"], [0.3, 1.0]).x
    error = _rms(np.exp(-a * large["cross_entropy"] ** g) - large["acc"])
    return _holds(error < tolerance, f"RMS error {error:.4f}, a = {a:.3f}, g = {g:.3f}")


def harsher_appears_later(tolerance: float) -> Finding:
    """Share of the rise over sizes that lies below 1b, for K of K with K = 1, 5, 20."""
    final = _final().query("not deduped")
    correct = (final["acc"] * final["n_items"]).round()
    early = []
    for k in (1, 5, 20):
        score = metrics.subset_probability(correct, final["n_items"], k)
        early.append((score[3] - score[0]) / (score[-1] - score[0]))
    return _holds(
        (np.diff(early) < -tolerance).all(),
        f"below 1b lie {early[0]:.0%} of the rise of 1 of 1, {early[1]:.0%} of 5 of 5, {early[2]:.0%} of 20 of 20",
    )


def score_separates_harsh_from_soft(tolerance: float) -> Finding:
    """Emergence score of -CE against those of K of K, K = 1 ... 10: the soft metric should score lower than all."""
    final = _final().query("not deduped")
    correct = (final["acc"] * final["n_items"]).round()
    soft = stats.emergence_score(-final["cross_entropy"])
    harsh = [stats.emergence_score(metrics.subset_probability(correct, final["n_items"], k)) for k in range(1, 11)]
    return _holds(
        soft < min(harsh) * (1 + tolerance),
        f"-CE scores {soft:.1f}, 1 of 1 to 10 of 10 {min(harsh):.1f} to {max(harsh):.1f}",
    )


def more_answers_show_math(tolerance: float) -> Finding:
    """MATH, last checkpoint: sizes above zero, and the p-value of the emergence score over sizes, all samples used."""
    ends = published.pythia_math().query("step == 143000")
    rate = (ends["correct"] / ends["samples"]).groupby(ends["params"]).mean()
    jump = stats.emergence_test(rate)
    found = (
        f"{(rate > 0).sum()} of {len(rate)} sizes above zero; emergence score {jump.score:.1f} (p = {jump.p_value:.4f})"
    )
    parts = [(rate > 0).mean() > 0.5, (rate > 0).all() and jump.p_value > tolerance]  # most above zero; all, smoothly
    return Finding(["fails", "holds in part", "holds"][sum(parts)], found)


def training_only_helps(tolerance: float) -> Finding:
    """MATH, success rate of 160m at 300e9 training tokens over that at 21e9."""
    math = published.pythia_math().query("model == 'pythia-160m'")
    rate = (math["correct"] / math["samples"]).groupby(math["step"]).mean()
    return _holds(
        rate[143_000] > rate[10_000] * (1 - tolerance),
        f"160m solves {rate[10_000]:.1e} early and {rate[143_000]:.1e} at the end",
    )


# the id of a claim is the name of the function that decides it
DECIDE = {
    function.__name__.replace("_", "-"): function
    for function in (
        one_token,
        late_and_sharp,
        geometric_in_length,
        geometric_when_items_differ,
        edit_distance_linear,
        grade_steps_brier_does_not,
        more_items_smooth,
        zero_of_n,
        score_needs_null,
        mean_loss_gives_accuracy,
        sampling_below_greedy,
        brier_removes_mmlu_jump,
        mean_loss_gives_pythias_accuracy,
        one_curve_of_the_loss,
        spread_explains_the_gap,
        loss_forecast_from_three_sizes,
        metric_link_forecasts,
        harsher_appears_later,
        score_separates_harsh_from_soft,
        more_answers_show_math,
        training_only_helps,
    )
}

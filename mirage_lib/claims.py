"""Claims: what the paper says, and what this book says beyond it, each decided by a computation.

`claims.toml` states each claim with the verdict this book prints. Here is one function a claim: it computes what
decides the claim, from published data or from draws of the toy model, and returns the verdict that follows within the
claim's tolerance. `check` compares the two, so a verdict that no longer follows fails the tests and the book.
"""

import tomllib
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import fisher_exact

from mirage_lib import kept, metrics, published, stats, swap, theory, vision
from mirage_lib.items import first_tokens, items_table

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
    ['score-needs-null', 'holds']
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


def settled(chapter: int) -> "pd.io.formats.style.Styler":
    """The claims of one chapter with their verdicts, to show at its end.

    >>> "exp(-CE)" in settled(2).to_html()
    True
    """
    claims = load().query("chapter == @chapter")[["statement", "figure", "verdict", "why"]]
    return claims.rename(columns=str.capitalize).style.hide().set_table_attributes('class="claims"')


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
    """Of p^5 where CE falls as a power law: share of the rise in the last half of ln N, and decades of all of it."""
    params = np.geomspace(1e7, 1e12, 101)
    ce = theory.cross_entropy(params, c=1e10, alpha=-0.3)
    late_score = _late_share(theory.accuracy(theory.token_probability(ce), 5))
    late_loss = _late_share(-ce)
    wide = np.geomspace(1e5, 1e17, 12_001)
    width = _width(wide, theory.accuracy(theory.token_probability(theory.cross_entropy(wide, c=1e10, alpha=-0.3)), 5))
    late = late_score > 1 - tolerance and late_loss < 0.5
    return Finding(
        ("fails", "holds in part", "holds")[int(late) + int(late and width < 3)],
        f"{late_score:.0%} of the rise of accuracy, {late_loss:.0%} of the fall of CE, in the last half of ln N; "
        f"from 10 % to 90 % takes {width:.1f} factors of ten",
    )


def _late_share(scores: np.ndarray) -> float:
    return float((scores[-1] - scores[len(scores) // 2]) / (scores[-1] - scores[0]))


def one_token_jumps(tolerance: float) -> Finding:
    """Decades of N in which one token's accuracy goes from 10 % to 90 % under Kaplan's scaling law."""
    params = np.logspace(0, 40, 40_001)
    width = _width(params, theory.token_probability(theory.cross_entropy(params)))
    return _holds(width < tolerance, f"from 10 % to 90 % takes {width:.1f} factors of ten in N")


def _width(params: np.ndarray, accuracy: np.ndarray) -> float:
    """Decades of N between 10 % and 90 % accuracy."""
    return float(np.diff(np.interp((0.1, 0.9), accuracy, np.log10(params)))[0])


def linear_metric_smooth(tolerance: float) -> Finding:
    """Share of the change in the last half of eight sizes, of drawn exact match and edit distance, ten tokens."""
    rng, params = np.random.default_rng(9), np.geomspace(1e7, 1e12, 8)
    p = theory.token_probability(theory.cross_entropy(params, c=1e10, alpha=-0.3))
    items = pd.concat([theory.draw_items(q, 10, 5000, rng, params=n) for n, q in zip(params, p, strict=True)])
    harsh, soft = (
        _late_share(stats.curve(items, metric)["value"].to_numpy())
        for metric in (metrics.exact_match, metrics.token_edit_distance)
    )
    return _holds(
        harsh > 0.95 and abs(soft - 0.5) < tolerance,
        f"of the change over 8 sizes the last 4 bring {harsh:.0%} for accuracy, {soft:.0%} for edit distance",
    )


def length_sharpens(tolerance: float) -> Finding:
    """Decades of N from 10 % to 90 % accuracy, for answers of 1, 4 and 20 tokens."""
    params = np.logspace(0, 20, 20_001)
    p = theory.token_probability(theory.cross_entropy(params, c=5e8, alpha=-0.35))
    widths = [_width(params, theory.accuracy(p, length)) for length in (1, 4, 20)]
    return _holds(
        widths[0] - widths[-1] > tolerance * widths[0],
        f"from 10 % to 90 % takes {', '.join(f'{width:.2f}' for width in widths)} factors of ten for 1, 4, 20 tokens",
    )


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
    """Grade and Brier score of four options at p = 1/4 and 1/2: items that share p, then p_i ~ Beta with that mean."""
    rng, options, n = np.random.default_rng(5), 4, 20_000
    low, high = (theory.draw_choices(p, options, n, rng) for p in (1 / options, 0.5 + 1e-6))
    step = metrics.multiple_choice_grade(high).mean() - metrics.multiple_choice_grade(low).mean()
    brier = (metrics.brier_choices(low).mean() - metrics.brier_choices(high).mean()) / theory.brier_choices(0, options)
    unequal = []
    for mean in (1 / options, 0.5):
        p = np.clip(rng.beta(options * mean, options * (1 - mean), n), 1e-12, 1 - 1e-12)
        unequal.append(metrics.multiple_choice_grade(theory.draw_choices(p, options, n, rng)).mean())
    rounded = unequal[1] - unequal[0]
    parts = int(step > 1 - tolerance and brier < 0.5) + int(rounded > 1 - tolerance)
    return Finding(
        ("fails", "holds in part", "holds")[parts],
        f"from p = 1/4 to 1/2 the grade rises by {step:.2f} for equal items, by {rounded:.2f} for unequal ones; "
        f"the Brier score by {brier:.2f} of its whole way",
    )


def rouge_cliff(tolerance: float) -> Finding:
    """Fall of ROUGE-L-sum from 5 % to 10 % errors a token: 40 texts of ten lines of nine words, newlines err too."""
    rng = np.random.default_rng(9)
    target = rng.integers(1, 1000, (40, 100))
    target[:, 9::10] = 0  # the newline
    wrong = rng.integers(1, 999, target.shape)
    wrong += (wrong >= target) & (target != 0)
    luck = rng.random(target.shape)
    few, many = (
        metrics.rouge_l_sum(items_table(output=np.where(luck < error, wrong, target), target=target), newline=0)
        for error in (0.05, 0.1)
    )
    fall = stats.mean_interval(few - many, bounded=False)
    return _holds(
        fall.low > tolerance, f"it falls by {fall.value:.3f} (95 % interval {fall.low:.3f} to {fall.high:.3f})"
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


def resolution_sharpens(tolerance: float) -> Finding:
    """Share of infinite emergence scores of one smooth law, examined with 20 and with 2,000 items, eight sizes."""
    rng = np.random.default_rng(4)
    p = theory.token_probability(theory.cross_entropy(np.geomspace(7e7, 1.2e10, 8), c=5e8, alpha=-0.35))
    few, many = (
        np.mean([np.isinf(stats.emergence_score(exam / n)) for exam in rng.binomial(n, p**4, size=(500, 8))])
        for n in (20, 2000)
    )
    return _holds(few > tolerance and many == 0, f"infinite in {few:.0%} of exams of 20 items, in {many:.0%} of 2,000")


def zeros_flatten_law(tolerance: float) -> Finding:
    """Slope fitted on ln(-ln accuracy) axes with zeros left out, median of 200 exams of 200 items."""
    rng, n, alpha, params = np.random.default_rng(4), 200, -0.35, np.logspace(7.5, 9, 7)
    p = theory.token_probability(theory.cross_entropy(params, c=5e8, alpha=alpha))
    slopes = []
    for share in rng.binomial(n, p**4, size=(200, 7)) / n:
        seen = share > 0
        if seen.sum() > 2:
            slopes.append(stats.fit_power_law(params[seen], -np.log(share[seen])).parameters["alpha"].value)
    slope = np.median(slopes)
    return _holds(slope - alpha > tolerance, f"median slope {slope:.3f} where the law has {alpha}")


def choice_costs_the_square(tolerance: float) -> Finding:
    """Items needed for half of an ability: free answers, and a choice of four in which the rest is guessed."""
    free = stats.items_needed(0.02) / stats.items_needed(0.04)
    four = stats.items_needed(0.25 + 0.02 * 0.75, chance=0.25) / stats.items_needed(0.25 + 0.04 * 0.75, chance=0.25)
    return _holds(
        abs(free / 2 - 1) < tolerance and abs(four / 4 - 1) < tolerance,
        f"{free:.2f} times as many for free answers, {four:.2f} times for a choice of four",
    )


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


def chain_rule_exact(tolerance: float) -> Finding:
    """Answers sampled from a Markov chain over tokens against the mean of exp(-CE_i), in standard errors."""
    rng, n, length = np.random.default_rng(5), 20_000, 4
    chain = rng.dirichlet(np.full(11, 0.1), size=11)

    def write():
        tokens = np.full((n, 1), 10)
        for _ in range(length):
            draw = (chain[tokens[:, -1]].cumsum(1) < rng.random((n, 1))).sum(1).clip(max=10)
            tokens = np.column_stack([tokens, draw])
        return tokens

    target, output = write(), write()
    logprob = np.log(chain[target[:, :-1], target[:, 1:]])
    items = items_table(logprob=logprob, hit=output[:, 1:] == target[:, 1:])
    expected, seen = metrics.expected_accuracy(items).mean(), metrics.exact_match(items)
    gap = abs(seen.mean() - expected) / (seen.std() / np.sqrt(n))
    return _holds(gap < tolerance, f"mean exp(-CE_i) {expected:.4f}, sampled {seen.mean():.4f}")


def grade_from_loss(tolerance: float) -> Finding:
    """Grades of two items whose correct option has the same probability and whose competitors differ."""
    options = [[0.1, 0.05, 0.05, 0.05], [0.1, 0.13, 0.01, 0.01]]
    grades = metrics.multiple_choice_grade(items_table(choice_logprob=np.log(options), answer=[0, 0]))
    return _holds(np.ptp(grades) < tolerance, f"at one CE the grades are {grades[0]:.0f} and {grades[1]:.0f}")


def greedy_sharpens_items_smooth(tolerance: float) -> Finding:
    """Decades of N from 10 % to 90 %: the plain formula, greedy decoding, unequal items (Gamma), and both."""
    params = np.logspace(3, 17, 2801)
    ce = theory.cross_entropy(params, c=5e8, alpha=-0.35)
    difficulty = -np.log1p(-(np.arange(400) + 0.5) / 400)  # quantiles of an exponential
    plain = _width(params, np.exp(-4 * ce))
    greedy = _width(params, theory.multiple_choice_grade(np.exp(-ce), 10) ** 4)
    unequal = _width(params, theory.gamma_accuracy(1, 4 * ce))
    both = _width(params, np.mean([theory.multiple_choice_grade(np.exp(-d * ce), 10) ** 4 for d in difficulty], axis=0))
    return _holds(
        greedy < tolerance * plain and unequal > (1 + tolerance) * plain and abs(both / plain - 1) < tolerance,
        f"{plain:.1f} decades; greedy {greedy:.1f}, unequal items {unequal:.1f}, both {both:.1f}",
    )


def smooth_is_predictable(tolerance: float) -> Finding:
    """Forecast error of a smooth curve (two skills, one after the other) by a sigmoid fitted to the smaller models."""
    params = np.logspace(8, 12, 17)
    curve = (expit(2.5 * (np.log10(params) - 9)) + expit(4 * (np.log10(params) - 11))) / 2
    error = stats.forecast_error(params, curve, stats.fit_sigmoid, held_out=6)
    return _holds(error < tolerance, f"error {error:.2f} for the six largest of 17 models, without any noise")


def mean_log_accuracy(tolerance: float) -> Finding:
    """Mean logarithm of the 0/1 score of items that are right with probability 0.99."""
    with np.errstate(divide="ignore"):
        mean = np.log(metrics.exact_match(theory.draw_items(0.99, 1, 1000, np.random.default_rng(5)))).mean()
    return _holds(abs(mean - np.log(0.99)) <= tolerance, f"mean logarithm {mean}")


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
    # against straight lines with a generous noise in each median
    brier = stats.emergence_test(-middle["brier_target_choice"], noise=0.03)
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
    """MATH, last checkpoint: sizes above zero, and the share of the rise that the steepest step makes."""
    ends = published.pythia_math().query("step == 143000")
    rate = (ends["correct"] / ends["samples"]).groupby(ends["params"]).mean()
    step = _steepest(rate)
    found = f"{(rate > 0).sum()} of {len(rate)} sizes above zero; the steepest step makes {step:.0%} of the rise"
    parts = [(rate > 0).mean() > 0.5, (rate > 0).all() and step < tolerance]  # most above zero; all, smoothly
    return Finding(["fails", "holds in part", "holds"][sum(parts)], found)


def training_only_helps(tolerance: float) -> Finding:
    """MATH, success rate of 160m at 300e9 training tokens over that at 21e9."""
    math = published.pythia_math().query("model == 'pythia-160m'")
    rate = (math["correct"] / math["samples"]).groupby(math["step"]).mean()
    return _holds(
        rate[143_000] > rate[10_000] * (1 - tolerance),
        f"160m solves {rate[10_000]:.1e} early and {rate[143_000]:.1e} at the end",
    )


# ---- a real model (chapter 7)


def samples_follow_the_loss(tolerance: float) -> Finding:
    """Eight samples an item at temperature 1 against exp(-CE_i), SmolLM2 on sums of two digits; standard errors."""
    table = kept.load("smollm2-two-digits")
    sampled, expected = metrics.sampled_accuracy(table), metrics.expected_accuracy(table)
    gap = sampled - expected
    return _holds(
        abs(gap.mean()) / (gap.std() / np.sqrt(len(gap))) < tolerance,
        f"{sampled.mean():.3f} sampled, {expected.mean():.3f} from the loss",
    )


def mean_loss_gives_smollm2s_accuracy(tolerance: float) -> Finding:
    """Greedy accuracy of SmolLM2 on sums of two digits over exp(-mean CE)."""
    table = kept.load("smollm2-two-digits")
    accuracy, naive = metrics.exact_match(table).mean(), np.exp(-metrics.cross_entropy(table).mean())
    return _holds(abs(accuracy / naive - 1) < tolerance, f"accuracy {accuracy:.2f}, exp(-mean CE) {naive:.2f}")


def _six_digits(metric) -> np.ndarray:
    """A metric of the first 1 to 6 digits of SmolLM2's answers to six-digit sums; a space stands before them."""
    table = kept.load("smollm2-6-digits")
    return np.array([metric(first_tokens(table, 1 + length)).mean() for length in range(1, 7)])


def geometric_on_the_same_answers(tolerance: float) -> Finding:
    """Largest factor between the expected accuracy of L digits and a straight line of its logarithm, L = 1 to 6."""
    length, log = np.arange(1, 7), np.log(_six_digits(metrics.expected_accuracy))
    off = np.exp(np.abs(log - np.polyval(np.polyfit(length, log, 1), length)).max())
    fall = (log[0] - log[-1]) / np.log(10)
    return _holds(off < tolerance, f"off a line by a factor of {off:.2f} at most, in a fall of {fall:.1f} decades")


def edit_distance_linear_on_a_model(tolerance: float) -> Finding:
    """Largest distance of the edit distance of L digits from a straight line, as a share of its range."""
    length, edits = np.arange(1, 7), _six_digits(metrics.token_edit_distance)
    off = np.abs(edits - np.polyval(np.polyfit(length, edits, 1), length)).max()
    return _holds(off < tolerance * np.ptp(edits), f"off a line by {off:.2f} of {np.ptp(edits):.2f} edits")


def ability_survives_the_layout(tolerance: float) -> Finding:
    """Exact match of SmolLM2 on the same sums, without spaces between numbers and signs over with."""
    compact = kept.load("smollm2-compact")
    plain = kept.load("smollm2-two-digits").head(len(compact))  # the same problems
    plain, compact = (metrics.exact_match(table).mean() for table in (plain, compact))
    return _holds(compact > tolerance * plain, f"accuracy {plain:.2f} with spaces, {compact:.2f} without")


# ---- the ladder (chapter 8)


@cache
def ladder_answers(family: str) -> pd.DataFrame:
    """Kept answers of the last checkpoint of every model of a ladder: the chain, or sums of four digits.

    family : "ladder-chain" or "ladder"
    """
    if family == "ladder-chain":
        return kept.load("ladder-chain")
    table = kept.load("ladder-arithmetic")
    return table[table["task"] == "addition-4-compact"].reset_index(drop=True)


def _by_size(family: str, metric, length: int) -> pd.Series:
    """A metric of the first digits against size, mean over seeds."""
    part = first_tokens(ladder_answers(family), length)
    return metric(part).groupby(part["params"]).mean()


def _steepest(curve: pd.Series) -> float:
    """Largest step between neighbouring sizes, as a share of the curve's range."""
    return float(curve.diff().abs().max() / np.ptp(curve))


def _early(curve: pd.Series) -> float:
    """Share of the change from the smallest to the largest size that is reached at the middle one."""
    return float((curve.iloc[len(curve) // 2] - curve.iloc[0]) / (curve.iloc[-1] - curve.iloc[0]))


def accuracy_comes_late(tolerance: float) -> Finding:
    """Share of the change reached at the middle of the ladder: accuracy on eight digits of the chain, over the loss."""
    late, loss = (_early(_by_size("ladder-chain", m, 8)) for m in (metrics.exact_match, metrics.cross_entropy))
    return _holds(late < tolerance * loss, f"half-way up accuracy has gone {late:.0%} of its way, the loss {loss:.0%}")


def edit_distance_keeps_pace(tolerance: float) -> Finding:
    """Share of the change reached at the middle of the ladder: edit distance on the same answers, over the loss."""
    edit, loss = (_early(_by_size("ladder-chain", m, 8)) for m in (metrics.token_edit_distance, metrics.cross_entropy))
    found = f"half-way up the edit distance has gone {edit:.0%} of its way, the loss {loss:.0%}"
    return _holds(edit > loss / (1 + tolerance), found)


def edit_distance_softens_addition(tolerance: float) -> Finding:
    """Steepest step between neighbouring sizes, edit distance over accuracy, sums of four digits."""
    harsh, soft = (_steepest(_by_size("ladder", m, 4)) for m in (metrics.exact_match, metrics.token_edit_distance))
    return _holds(
        soft < tolerance * harsh,
        f"the steepest step makes {harsh:.0%} of the range of accuracy and {soft:.0%} of that of the edit distance",
    )


def _loss_step(family: str, length: int, tolerance: float) -> Finding:
    loss = _by_size(family, metrics.cross_entropy, length) / length
    step = float(-loss.diff().min() / np.ptp(loss))
    return _holds(
        step < tolerance,
        f"from {loss.max():.2f} to {loss.min():.2f} nats a digit; the steepest fall makes {step:.0%} of it",
    )


def loss_of_the_chain_is_smooth(tolerance: float) -> Finding:
    """Steepest fall of the cross-entropy of the chain between neighbouring sizes, as a share of its range."""
    return _loss_step("ladder-chain", 8, tolerance)


def loss_of_addition_is_smooth(tolerance: float) -> Finding:
    """Steepest fall of the cross-entropy of four-digit sums between neighbouring sizes, as a share of its range."""
    return _loss_step("ladder", 4, tolerance)


def seeds_agree(tolerance: float) -> Finding:
    """Range of accuracy on four-digit sums among models of one size that differ in their seed only."""
    part = first_tokens(ladder_answers("ladder"), 4)
    by_seed = metrics.exact_match(part).groupby([part["params"], part["seed"]]).mean().unstack()
    size = (by_seed.max(axis=1) - by_seed.min(axis=1)).idxmax()
    low, high = by_seed.loc[size].min(), by_seed.loc[size].max()
    return _holds(high - low < tolerance, f"at {size:,.0f} parameters from {low:.3f} to {high:.3f}")


def more_items_lift_the_ladder(tolerance: float) -> Finding:
    """Sizes with a right answer on five digits of the chain, in 20 questions and in all; intervals above chance."""
    part = first_tokens(ladder_answers("ladder-chain"), 5)
    hit = metrics.exact_match(part)
    few = hit[part["item"] < 20].groupby(part["params"]).sum() > 0
    right = hit.groupby(part["params"]).agg(["sum", "size"])
    seen, above = right["sum"] > 0, stats.wilson(right["sum"], right["size"]).low > tolerance
    asked = part["item"].nunique()
    found = f"right answers at {few.sum()} of {len(few)} sizes with 20 questions a model, {seen.sum()} with {asked:,}"
    return Finding(["fails", "holds in part", "holds"][int(seen.sum() > few.sum()) + int(above.all())], found)


def geometric_on_the_ladder(tolerance: float) -> Finding:
    """Largest factor between accuracy and p^L, 1 to 8 digits of the chain, where 20 answers or more are right."""
    p = _by_size("ladder-chain", metrics.token_accuracy, 8)
    factors = []
    for length in range(1, 9):
        part = first_tokens(ladder_answers("ladder-chain"), length)
        right = metrics.exact_match(part).groupby(part["params"]).agg(["sum", "mean"])
        factors.append(np.log((right["mean"] / theory.accuracy(p, length))[right["sum"] >= 20]).abs())
    off = np.exp(pd.concat(factors, axis=1).max(axis=1))
    near = off < tolerance
    return Finding(
        ("fails", "holds in part", "holds")[int(near.any()) + int(near.all())],
        f"within a factor of {tolerance:g} of p^L at {near.sum()} of {len(off)} sizes, within {off.max():.2f} at all",
    )


def edit_distance_linear_on_the_ladder(tolerance: float) -> Finding:
    """Edit distance of eight digits of the chain over L(1 - p), the three largest sizes."""
    linear = theory.token_edit_distance(_by_size("ladder-chain", metrics.token_accuracy, 8), 8)
    ratio = (_by_size("ladder-chain", metrics.token_edit_distance, 8) / linear).iloc[-3:]
    return _holds(abs(ratio - 1).max() < tolerance, f"{ratio.min():.1f} to {ratio.max():.1f} times L(1 - p)")


# ---- BIG-bench (chapter 9)


def _bigbench() -> pd.DataFrame:
    """BIG-bench tasks, with `harsh`: graded by multiple-choice grade or exact string match."""
    tasks = published.bigbench_tasks()
    return tasks.assign(harsh=tasks["preferred_metric"].isin(["multiple_choice_grade", "exact_str_match"]))


def few_metrics_score_emergent(tolerance: float) -> Finding:
    """What luck alone does to the count: curves of noise, eight models, above a score of 10."""
    lucky = (stats.emergence_null(8, draws=400_000) >= 10).mean() * 220 * 40 * 10
    return Finding(
        "not testable here",
        f"the tables have no scores by size; of 88,000 curves of noise {lucky:.0f} exceed an emergence score of 10",
    )


def four_metrics_by_hand(tolerance: float) -> Finding:
    """Preferred metrics of the tasks that Wei et al. call emergent, at most so many."""
    tasks = _bigbench()
    count = tasks.loc[tasks["emergent"], "preferred_metric"].nunique()
    return _holds(count <= tolerance, f"{count} of {tasks['preferred_metric'].nunique()} metrics by our count")


def two_metrics_carry_emergence(tolerance: float) -> Finding:
    """Share of emergent tasks with one of two harsh metrics, above one less the tolerance."""
    emergent = _bigbench().query("emergent")["harsh"]
    return _holds(emergent.mean() > 1 - tolerance, f"{emergent.sum()} of {len(emergent)}, {emergent.mean():.0%}")


def emergent_tasks_are_special(tolerance: float) -> Finding:
    """Share of harsh metrics among the other tasks, as a part of that among the emergent ones."""
    share = _bigbench().groupby("emergent")["harsh"].mean()
    return _holds(
        share[False] / share[True] < tolerance,
        f"{share[False]:.0%} of the other tasks have one of the two metrics, {share[True]:.0%} of the emergent ones",
    )


def harshness_goes_with_emergence(tolerance: float) -> Finding:
    """Fisher's test of harsh metric against emergence: JSON tasks, with GPT-3 or LaMDA, and with PaLM."""
    tasks = _bigbench().query("kind == 'json'")
    p_values = [
        fisher_exact(pd.crosstab(rows["emergent"], rows["harsh"])).pvalue
        for rows in (tasks[tasks["wei2022_category"] != other] for other in ("emergent:palm", "emergent:gpt3_lamda"))
    ]
    return Finding(
        ("fails", "holds in part", "holds")[sum(p < tolerance for p in p_values)],
        f"JSON tasks: p = {p_values[0]:.2f} for GPT-3 and LaMDA, {p_values[1]:.3f} for PaLM",
    )


def infinite_score_is_no_luck(tolerance: float) -> Finding:
    """Share of infinite emergence scores when eight models answer 20 items with one success rate of 2 %."""
    exams = np.random.default_rng(9).binomial(20, 0.02, size=(4000, 8)) / 20
    share = np.mean([stats.emergence_score(exam) == np.inf for exam in exams])
    return _holds(share < tolerance, f"{share:.0%} of exams without any difference between models")


# ---- multiple choice (chapter 10)

_GRADE = swap.Metric("multiple_choice_grade")
_BRIER = swap.Metric("brier_target_choice", worst=1, best=0)


def _open_models() -> pd.DataFrame:
    """Open models, one row for a model and benchmark: two that are listed twice keep the row with their true size."""
    return published.open_models().drop_duplicates(["benchmark", "model"])


def brier_removes_jumps(tolerance: float) -> Finding:
    """Of the sharp grades, within families and pooled, over parameters and compute: share that are artefacts."""
    sharp = pd.concat(
        [
            swap.calls(swap.describe(pd.concat([scores, swap.pooled(scores)])), _GRADE.column, _BRIER.column)["call"]
            for scores in (swap.tidy(_open_models(), [_GRADE, _BRIER], scale) for scale in ("params", "flops"))
        ]
    )
    sharp = sharp[~sharp.isin(["nothing shown", "gradual"])]
    artefacts = (sharp == "artefact of the metric").sum()
    return _holds(
        artefacts > (1 - tolerance) * len(sharp),
        f"of {len(sharp)} curves with a sharp grade {artefacts} are smooth under Brier, "
        f"{(sharp == 'transition').sum()} turn at the same place",
    )


def scale_explains_mmlu(tolerance: float) -> Finding:
    """Rise of MMLU's grade for ten times the compute, within families and over all, for two groups of families."""
    mmlu = swap.tidy(_open_models().query("benchmark == 'mmlu'"), [_GRADE], "flops")
    far = mmlu.groupby("family")["x"].transform("max") > 1e23
    slopes = [swap.slopes(part).iloc[0] for part in (mmlu[far], mmlu[~far])]
    agree = sum(slope["within"] > (1 - tolerance) * slope["pooled"] for slope in slopes)
    return Finding(
        ("fails", "holds in part", "holds")[agree],
        "families beyond 1e23 FLOPs and others: over all {:.3f} and {:.3f}, within {:.3f} and {:.3f}".format(
            *(slope[name] for name in ("pooled", "within") for slope in slopes)
        ),
    )


def brier_shows_knowledge(tolerance: float) -> Finding:
    """Pythia on MMLU: how far its best Brier score gets below that of the uniform guess."""
    brier = _open_models().query("benchmark == 'mmlu' and family == 'Pythia'")["brier_target_choice"]
    uniform = theory.brier_target(1 / 4)
    return _holds(
        uniform - brier.min() > tolerance,
        f"Brier falls from {brier.max():.3f} to {brier.min():.3f}; equal shares for four options score {uniform:.4f}",
    )


def sigmoid_forecasts_best(tolerance: float) -> Finding:
    """Pythia, six benchmarks, both metrics: how often a sigmoid through five sizes beats no change and a line."""
    pythia = swap.tidy(_open_models().query("family == 'Pythia'"), [_GRADE, _BRIER], "params")
    errors = swap.forecasts(pythia, held_out=3)[["rmse_sigmoid", "rmse_last", "rmse_line"]]
    best = errors.idxmin(axis=1).value_counts()
    return _holds(
        best.get("rmse_sigmoid", 0) > (1 - tolerance) * len(errors),
        f"of {len(errors)} curves the sigmoid is best on {best.get('rmse_sigmoid', 0)}, the line on "
        f"{best.get('rmse_line', 0)}, no change on {best.get('rmse_last', 0)}",
    )


# ---- vision (chapters 11 to 13), and both directions (chapter 14)


def _each_seed(scores: pd.DataFrame, decide) -> int:
    """At how many seeds `decide` is true of the curve: `scores` has a row a size and a column a seed."""
    return sum(bool(decide(scores[seed])) for seed in scores)


def _seeds(count: int, found: str) -> Finding:
    """Holds at every one of five seeds, in part at some."""
    verdict = {0: "fails", len(vision.SEEDS): "holds"}.get(count, "holds in part")
    return Finding(verdict, f"at {count} of {len(vision.SEEDS)} seeds; {found}")


def _middle(curve: pd.Series) -> float:
    """Decades of size that the middle 80 % of the rise takes."""
    return swap.rise(curve.index, curve)[1]


def _sharp(curve: pd.Series) -> bool:
    """Whether the middle 80 % of the rise takes less than half of the range of sizes, in decades."""
    return _middle(curve) < swap.SHARP * np.log10(curve.index[-1] / curve.index[0])


def squared_error_smooth(tolerance: float) -> Finding:
    """Steepest step between neighbouring widths, as a share of the range of the log of the mean squared error."""
    error = np.log(vision.seed_scores(vision.stored("autoencoder"), lambda table: table["squared_error"]))
    steps = [_steepest(error[seed]) for seed in error]
    found = f"of the fall of the log error the steepest step makes {min(steps):.0%} to {max(steps):.0%}"
    return _seeds(_each_seed(error, lambda curve: _steepest(curve) < tolerance), found)


@cache
def _reconstructed() -> dict[float, pd.DataFrame]:
    """Share of images within c, by width and seed, for thresholds c from few images within to most."""
    table = vision.stored("autoencoder")
    within = {c: partial(metrics.reconstruction_within, c=c) for c in np.geomspace(1, 100, 21)}
    return {c: vision.seed_scores(table, metric) for c, metric in within.items()}


def reconstruction_jumps(tolerance: float) -> Finding:
    """Share of thresholds c at which the share of images within c rises sharply, at every seed."""
    sharp = [c for c, scores in _reconstructed().items() if _each_seed(scores, _sharp) == len(scores.columns)]
    share = len(sharp) / len(_reconstructed())
    found = f"sharp at every seed for {len(sharp)} of {len(_reconstructed())} thresholds from 1 to 100"
    found += ": " + ", ".join(f"{c:.3g}" for c in sharp) if sharp else ""
    return Finding("holds" if share > tolerance else "holds in part" if sharp else "fails", found)


def jumps_are_sharp_and_tall(tolerance: float) -> Finding:
    """Height of the tallest rise that is sharp, over all thresholds c; curves are means over seeds."""
    curves = [scores.mean(axis=1) for scores in _reconstructed().values()]
    sharp, tall = (max(np.ptp(curve) for curve in curves if keep(curve)) for keep in (_sharp, lambda curve: True))
    return _holds(sharp > tolerance, f"the tallest sharp rise is of {sharp:.2f}, the tallest of all of {tall:.2f}")


def the_threshold_chooses_the_size(tolerance: float) -> Finding:
    """Gaps between neighbouring widths at which a threshold can be set that half of the images pass just there."""
    table = vision.stored("autoencoder")
    median = table.groupby(["seed", "width"])["squared_error"].median().unstack("seed").astype(float)
    falls = (median.diff().dropna() < 0).mean().to_list()
    count = sum(share > 1 - tolerance for share in falls)
    return _seeds(count, f"the median error falls at {min(falls):.0%} or more of the steps to a wider network")


def image_accuracy_smooth(tolerance: float) -> Finding:
    """Steepest step of the accuracy of one image between neighbouring sizes, share of its range, both data sets."""
    steps = [
        [_steepest(scores[seed]) for seed in scores]
        for scores in (
            vision.seed_scores(vision.stored("omniglot", data), metrics.token_accuracy)
            for data in vision.KEPT["omniglot"]
        )
    ]
    worst = np.max(steps, axis=0)
    found = f"the steepest step makes {worst.min():.0%} to {worst.max():.0%} of the range, at the smallest networks"
    return _seeds(int((worst < tolerance).sum()), found)


def subset_accuracy_is_a_power(tolerance: float) -> Finding:
    """Largest distance between the share of sequences with the first L images right and p^L, both data sets."""
    gaps = [
        (vision.seed_scores(first_tokens(table, length), metrics.exact_match) - p**length).abs().max()
        for table in (vision.stored("omniglot", data) for data in vision.KEPT["omniglot"])
        for p in [vision.seed_scores(table, metrics.token_accuracy)]
        for length in range(2, vision.LENGTH + 1)
    ]
    worst = pd.concat(gaps, axis=1).max(axis=1)
    return _seeds(int((worst < tolerance).sum()), f"off p^L by {worst.min():.3f} to {worst.max():.3f} at most")


def longer_sequences_sharpen(tolerance: float) -> Finding:
    """Decades of parameters that the middle 80 % of the rise takes, five images over one, both data sets."""
    ratios = []
    for data in vision.KEPT["omniglot"]:
        table = vision.stored("omniglot", data)
        size = table.groupby("width")["params"].first().astype(float)
        one, five = (
            vision.seed_scores(first_tokens(table, length), metrics.exact_match).set_axis(size)
            for length in (1, vision.LENGTH)
        )
        ratios.append([_middle(five[seed]) / _middle(one[seed]) for seed in one])
    worst = np.max(ratios, axis=0)
    found = f"five images take {np.min(ratios):.2f} to {np.max(ratios):.2f} times the decades that one takes"
    return _seeds(int((worst < tolerance).sum()), found)


def few_sizes_look_emergent(tolerance: float) -> Finding:
    """Emergence score of widths 2, 3, 4 and 24, five images right and one, over that of a straight line, 3."""
    scores = []
    for data in vision.KEPT["omniglot"]:
        table = vision.stored("omniglot", data)
        for length in (1, vision.LENGTH):
            curves = vision.seed_scores(first_tokens(table, length), metrics.exact_match).loc[[2, 3, 4, 24]]
            scores.append([stats.emergence_score(curves[seed]) / (len(curves) - 1) for seed in curves])
    one, five = np.max(scores[::2], axis=0), np.min(scores[1::2], axis=0)
    found = f"five images score {five.min():.1f} times a straight line or more, one image {one.max():.1f} times at most"
    return _seeds(int(((five > tolerance) & (one < tolerance)).sum()), found)


def digit_accuracy_smooth(tolerance: float) -> Finding:
    """Steepest step between neighbouring widths of the log of the error on digits, as a share of its range."""
    error = np.log(1 - vision.seed_scores(vision.stored("lenet"), metrics.exact_match))
    steps = [_steepest(error[seed]) for seed in error]
    found = f"of the fall of the log error the steepest step makes {min(steps):.0%} to {max(steps):.0%}"
    return _seeds(sum(step < tolerance for step in steps), found)


def _all_of(k: int) -> pd.DataFrame:
    """K-of-K accuracy of the LeNets by parameters, one column a seed; K = 1 is the accuracy."""
    table = vision.stored("lenet")
    hit = metrics.exact_match(table).groupby([table["params"].astype(float), table["seed"]])
    right = hit.sum().unstack()
    return right.apply(lambda count: metrics.subset_probability(count, int(hit.size().iloc[0]), k))


def all_of_five_jumps(tolerance: float) -> Finding:
    """Decades that the rise of five-of-five takes over those that the accuracy itself takes."""
    one, five = _all_of(1), _all_of(5)
    ratios = [_middle(five[seed]) / _middle(one[seed]) for seed in one]
    found = f"five of five take {min(ratios):.2f} to {max(ratios):.2f} times the decades of one"
    return _seeds(sum(ratio < tolerance for ratio in ratios), found)


def more_digits_come_later(tolerance: float) -> Finding:
    """How much larger the network is at which fifty of fifty has gone half of its way, than at which one has."""
    one, fifty = _all_of(1), _all_of(50)
    later = [swap.rise(fifty.index, fifty[s])[0] / swap.rise(one.index, one[s])[0] for s in one]
    found = f"half of the way is gone at {min(later):.1f} to {max(later):.1f} times the parameters"
    return _seeds(sum(ratio > tolerance for ratio in later), found)


def harder_raises_the_emergence_score(tolerance: float) -> Finding:
    """The paper's emergence score of fifty-of-fifty over that of the accuracy itself."""
    one, fifty = ({seed: stats.emergence_score(curves[seed]) for seed in curves} for curves in map(_all_of, (1, 50)))
    ratios = [fifty[seed] / one[seed] for seed in one]
    found = f"fifty of fifty scores {min(ratios):.2f} to {max(ratios):.2f} times what one digit does"
    return _seeds(sum(ratio > 2 - min(tolerance, 2) for ratio in ratios), found)


def image_accuracy_is_exp_ce(tolerance: float) -> Finding:
    """Largest gap between the accuracy of a LeNet and exp(-CE), CE its mean cross-entropy on the right label."""
    table = vision.stored("lenet")
    accuracy, loss = (vision.seed_scores(table, m) for m in (metrics.exact_match, metrics.cross_entropy))
    gap = (accuracy - theory.token_probability(loss)).abs().max()
    return _seeds(int((gap < tolerance).sum()), f"the largest gap is {gap.min():.2f} to {gap.max():.2f}")


def both_directions() -> pd.DataFrame:
    """Every harsh curve of this book's own models, beside what the soft curve and the metric say of it.

    A row a curve: `direction` ("language" or "vision"), `source`, `metric`, `harshness` (L, K or 1/c), the
    measured `place` and `width` of the rise (`swap.rise`) and those of the metric applied to the soft curve,
    `place_expected` and `width_expected`. Curves are means over seeds; a width is in decades of parameters, or of
    hidden units for autoencoders.

    p^L is applied to the accuracy of one token or image, mean over the L. For autoencoders, the share within c is read
    off one distribution of log errors, that of all networks pooled, moved to the mean log error of each.
    """
    rows = []

    def add(direction, source, metric, harshness, measured, expected):
        row = {"direction": direction, "source": source, "metric": metric, "harshness": harshness}
        for suffix, curve in (("", measured), ("_expected", expected)):
            row[f"place{suffix}"], row[f"width{suffix}"] = swap.rise(measured.index, curve)
        rows.append(row)

    sequences = [
        ("language", "chain", ladder_answers("ladder-chain"), 8),
        ("language", "addition", ladder_answers("ladder"), 4),
    ]
    for data in vision.KEPT["omniglot"]:
        sequences.append(("vision", data.split(",")[0], vision.stored("omniglot", data), vision.LENGTH))
    for direction, source, table, longest in sequences:
        size = table["params"].astype(float)
        for length in range(2, longest + 1):
            part = first_tokens(table, length)
            p, measured = (m(part).groupby(size).mean() for m in (metrics.token_accuracy, metrics.exact_match))
            add(direction, source, f"all of {length}", length, measured, theory.accuracy(p, length))
    p = _all_of(1).mean(axis=1)
    for k in (2, 5, 10, 20, 50):
        add("vision", "digits", f"all of {k}", k, _all_of(k).mean(axis=1), theory.accuracy(p, k))
    table = vision.stored("autoencoder")
    width = table["width"].astype(float)
    log_error = np.log(table["squared_error"].astype(float))
    mean = log_error.groupby(width).mean()
    spread = np.sort(log_error - width.map(mean))
    for c in (2, 4, 8, 16, 32):
        measured = metrics.reconstruction_within(table, c).groupby(width).mean()
        expected = np.searchsorted(spread, np.log(c) - mean) / len(spread)
        add("vision", "autoencoder", f"error below {c}", 1 / c, measured, expected)
    return pd.DataFrame(rows)


def one_rule_in_both_directions(tolerance: float) -> Finding:
    """Of curves whose metric is p^L: how far place and width are from the metric applied to the soft curve."""
    curves = both_directions().query("source != 'autoencoder'")
    place, width = (np.exp(np.log(curves[f"{c}_expected"] / curves[c]).abs()) for c in ("place", "width"))
    off = np.maximum(place, width)
    share = {side: (off[curves["direction"] == side] < tolerance).mean() for side in ("language", "vision")}
    found = f"within a factor of {tolerance:g}: " + ", ".join(f"{v:.0%} of curves in {k}" for k, v in share.items())
    least = min(share.values())
    return Finding("holds" if least == 1 else "holds in part" if least > 0.5 else "fails", found)


# the id of a claim is the name of the function that decides it
DECIDE = {
    function.__name__.replace("_", "-"): function
    for function in (
        one_token,
        late_and_sharp,
        one_token_jumps,
        linear_metric_smooth,
        length_sharpens,
        geometric_in_length,
        edit_distance_linear,
        grade_steps_brier_does_not,
        rouge_cliff,
        more_items_smooth,
        zero_of_n,
        resolution_sharpens,
        zeros_flatten_law,
        choice_costs_the_square,
        score_needs_null,
        brier_removes_mmlu_jump,
        chain_rule_exact,
        mean_loss_gives_accuracy,
        geometric_when_items_differ,
        sampling_below_greedy,
        grade_from_loss,
        greedy_sharpens_items_smooth,
        smooth_is_predictable,
        mean_log_accuracy,
        mean_loss_gives_pythias_accuracy,
        one_curve_of_the_loss,
        spread_explains_the_gap,
        loss_forecast_from_three_sizes,
        metric_link_forecasts,
        harsher_appears_later,
        score_separates_harsh_from_soft,
        more_answers_show_math,
        training_only_helps,
        samples_follow_the_loss,
        mean_loss_gives_smollm2s_accuracy,
        geometric_on_the_same_answers,
        edit_distance_linear_on_a_model,
        ability_survives_the_layout,
        accuracy_comes_late,
        edit_distance_keeps_pace,
        edit_distance_softens_addition,
        loss_of_the_chain_is_smooth,
        loss_of_addition_is_smooth,
        seeds_agree,
        more_items_lift_the_ladder,
        geometric_on_the_ladder,
        edit_distance_linear_on_the_ladder,
        few_metrics_score_emergent,
        four_metrics_by_hand,
        two_metrics_carry_emergence,
        emergent_tasks_are_special,
        harshness_goes_with_emergence,
        infinite_score_is_no_luck,
        brier_removes_jumps,
        scale_explains_mmlu,
        brier_shows_knowledge,
        sigmoid_forecasts_best,
        squared_error_smooth,
        reconstruction_jumps,
        jumps_are_sharp_and_tall,
        the_threshold_chooses_the_size,
        image_accuracy_smooth,
        subset_accuracy_is_a_power,
        longer_sequences_sharpen,
        few_sizes_look_emergent,
        digit_accuracy_smooth,
        all_of_five_jumps,
        more_digits_come_later,
        harder_raises_the_emergence_score,
        image_accuracy_is_exp_ce,
        one_rule_in_both_directions,
    )
}

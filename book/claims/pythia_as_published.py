"""Claims of the chapter pythia-as-published."""

import numpy as np
import pandas as pd

from mirage_lib import metrics, published, stats
from mirage_lib.claims import Finding

from . import holds, steepest_step


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
    return holds(
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
    return holds(left < tolerance, f"RMS {left:.4f} over {len(points)} points, binomial error {binomial:.4f}")


def spread_explains_the_gap(tolerance: float) -> Finding:
    """The most that sampling can reach, given mean and SD of item losses, against greedy accuracy: 410m and larger."""
    final = _final().query("params > 2e8")
    mean, sd = final["cross_entropy"], final["cross_entropy_sd"]
    share = mean**2 / (mean**2 + sd**2)
    excess = final["acc"] - (1 - share + share * np.exp(-(mean**2 + sd**2) / mean))
    return holds(
        excess.min() < tolerance, f"accuracy is {excess.min():.3f} to {excess.max():.3f} above any spread, 410m to 12b"
    )


def loss_forecast_from_three_sizes(tolerance: float) -> Finding:
    """Power law CE(N) fitted up to 410m, largest relative error from 2.8b up."""
    final = _final()
    small, large = final.query("params < 4e8"), final.query("params > 2e9")
    law = stats.fit_power_law(small["params"], small["cross_entropy"])
    error = law.predict(large["params"]) / large["cross_entropy"] - 1
    return holds(error.abs().max() < tolerance, f"CE of 2.8b to 12b off by {error.max():.0%} to {error.min():.0%}")


def metric_link_forecasts(tolerance: float) -> Finding:
    """exp(-a CE^g) fitted on all checkpoints up to 410m; RMS error from 2.8b up, given the CE."""
    from scipy.optimize import least_squares

    points = _lambada()
    small, large = points.query("params < 4e8"), points.query("params > 2e9")
    a, g = least_squares(lambda q: np.exp(-q[0] * small["cross_entropy"] ** q[1]) - small["acc"], [0.3, 1.0]).x
    error = _rms(np.exp(-a * large["cross_entropy"] ** g) - large["acc"])
    return holds(error < tolerance, f"RMS error {error:.4f}, a = {a:.3f}, g = {g:.3f}")


def harsher_appears_later(tolerance: float) -> Finding:
    """Share of the rise over sizes that lies below 1b, for K of K with K = 1, 5, 20."""
    final = _final().query("not deduped")
    correct = (final["acc"] * final["n_items"]).round()
    early = []
    for k in (1, 5, 20):
        score = metrics.subset_probability(correct, final["n_items"], k)
        early.append((score[3] - score[0]) / (score[-1] - score[0]))
    return holds(
        (np.diff(early) < -tolerance).all(),
        f"below 1b lie {early[0]:.0%} of the rise of 1 of 1, {early[1]:.0%} of 5 of 5, {early[2]:.0%} of 20 of 20",
    )


def score_separates_harsh_from_soft(tolerance: float) -> Finding:
    """Emergence score of -CE against those of K of K, K = 1 ... 10: the soft metric should score lower than all."""
    final = _final().query("not deduped")
    correct = (final["acc"] * final["n_items"]).round()
    soft = stats.emergence_score(-final["cross_entropy"])
    harsh = [stats.emergence_score(metrics.subset_probability(correct, final["n_items"], k)) for k in range(1, 11)]
    return holds(
        soft < min(harsh) * (1 + tolerance),
        f"-CE scores {soft:.1f}, 1 of 1 to 10 of 10 {min(harsh):.1f} to {max(harsh):.1f}",
    )


def more_answers_show_math(tolerance: float) -> Finding:
    """MATH, last checkpoint: sizes above zero, and the share of the rise that the steepest step makes."""
    ends = published.pythia_math().query("step == 143000")
    rate = (ends["correct"] / ends["samples"]).groupby(ends["params"]).mean()
    step = steepest_step(rate)
    found = f"{(rate > 0).sum()} of {len(rate)} sizes above zero; the steepest step makes {step:.0%} of the rise"
    parts = [(rate > 0).mean() > 0.5, (rate > 0).all() and step < tolerance]  # most above zero; all, smoothly
    return Finding(["fails", "holds in part", "holds"][sum(parts)], found)


def training_only_helps(tolerance: float) -> Finding:
    """MATH, success rate of 160m at 300e9 training tokens over that at 21e9."""
    math = published.pythia_math().query("model == 'pythia-160m'")
    rate = (math["correct"] / math["samples"]).groupby(math["step"]).mean()
    return holds(
        rate[143_000] > rate[10_000] * (1 - tolerance),
        f"160m solves {rate[10_000]:.1e} early and {rate[143_000]:.1e} at the end",
    )

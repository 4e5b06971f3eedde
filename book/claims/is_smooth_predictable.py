"""Claims of the chapter is-smooth-predictable: forecasts of larger models, and how many answers it takes."""

import numpy as np
from scipy.optimize import least_squares

from mirage_lib import published, stats
from mirage_lib.claims import Finding

from . import holds, steepest_step
from .pythia_as_published import final, lambada, rms


def loss_forecast_from_three_sizes(tolerance: float) -> Finding:
    """Power law CE(N) fitted up to 410m, largest relative error from 2.8b up."""
    last = final()
    small, large = last.query("params < 4e8"), last.query("params > 2e9")
    law = stats.fit_power_law(small["params"], small["cross_entropy"])
    error = law.predict(large["params"]) / large["cross_entropy"] - 1
    return holds(error.abs().max() < tolerance, f"CE of 2.8b to 12b off by {error.max():.0%} to {error.min():.0%}")


def metric_link_forecasts(tolerance: float) -> Finding:
    """exp(-a CE^g) fitted on all checkpoints up to 410m; RMS error from 2.8b up, given the CE."""
    points = lambada()
    small, large = points.query("params < 4e8"), points.query("params > 2e9")
    a, g = least_squares(lambda q: np.exp(-q[0] * small["cross_entropy"] ** q[1]) - small["acc"], [0.3, 1.0]).x
    error = rms(np.exp(-a * large["cross_entropy"] ** g) - large["acc"])
    return holds(error < tolerance, f"RMS error {error:.4f}, a = {a:.3f}, g = {g:.3f}")


def more_answers_show_math(tolerance: float) -> Finding:
    """MATH, checkpoints with a success: sizes above zero at the last, and the steepest step as a share of the rise."""
    math = published.pythia_math()
    math = math.assign(rate=math["correct"] / math["samples"])
    over_sizes = math.groupby(["step", "params"])["rate"].mean().unstack()
    over_sizes = over_sizes[over_sizes.max(axis=1) > 0]
    last, steps = over_sizes.loc[143_000], over_sizes.apply(steepest_step, axis=1)
    found = f"{(last > 0).sum()} of {len(last)} sizes above zero at the last checkpoint; the steepest step makes "
    found += f"{steps[143_000]:.0%} of the rise there, {steps.min():.0%} to {steps.max():.0%} over {len(steps)} of them"
    parts = [(last > 0).mean() > 0.5, (last > 0).all() and steps.max() < tolerance]  # most above zero; all, smoothly
    return Finding(["fails", "holds in part", "holds"][sum(parts)], found)


def small_models_unlearn_math(tolerance: float) -> Finding:
    """MATH, success rate of 160m at 300e9 training tokens over that at 21e9."""
    math = published.pythia_math().query("model == 'pythia-160m'")
    rate = (math["correct"] / math["samples"]).groupby(math["step"]).mean()
    return holds(
        rate[143_000] < rate[10_000] * tolerance,
        f"160m solves {rate[10_000]:.1e} early and {rate[143_000]:.1e} at the end",
    )

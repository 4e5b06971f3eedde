"""Claims of the chapter is-smooth-predictable: forecasts of larger models, and how many answers it takes."""

import numpy as np

from mirage_lib import forecast, published
from mirage_lib.claims import Finding

from . import holds
from .planting import rates
from .pythia_as_published import UNTESTABLE, curves, final, lambada, planted, rms, stretched


def three_sizes_miss_the_loss(tolerance: float) -> Finding:
    """Power law CE(N) fitted up to 410m: the largest relative error of the loss from 2.8b up, above this.

    Planted: that law; and a loss that leaves it from 410m on, to twice the tolerance at 12b. Both scatter as the two
    models of a size do, by sizes as well as by models.
    """
    last = final()
    n, loss = last["params"].to_numpy(), last["cross_entropy"].to_numpy()
    small, large, rng = n < 4e8, n > 2e9, np.random.default_rng(0)

    def errors(loss):
        return forecast.power_law(n[small], loss[small]).predict(n[large]) / loss[large] - 1

    def misses(loss):
        return np.abs(errors(loss)).max() > tolerance

    pairs = last.groupby("params")["cross_entropy"].agg(lambda pair: np.log(pair).std())
    spread = np.sqrt((pairs**2).mean())
    sizes, place = np.unique(n, return_inverse=True)
    law = forecast.power_law(n[small], loss[small]).predict(n)
    way = np.clip(np.log(n / n[small].max()) / np.log(n.max() / n[small].max()), 0, 1)

    def drawn(off):
        def draw(_):
            by_size = rng.standard_normal(len(sizes))[place]
            # a forecast is relative to the loss: x % too low is a loss of 1 / (1 - x)
            return law / (1 - off * way) * np.exp(spread * (by_size + rng.standard_normal(len(n))))

        return draw

    found, error = rates(misses, drawn(0), drawn(2 * tolerance)), errors(loss)
    return Finding(
        ("holds" if misses(loss) else "fails") if found.decides else UNTESTABLE,
        f"CE of 2.8b to 12b off by {error.max():.0%} to {error.min():.0%}; planted, off by {2 * tolerance:.0%} at 12b: "
        + found.words(),
    )


def metric_link_forecasts(tolerance: float) -> Finding:
    """exp(-a CE^g) fitted on all checkpoints up to 410m; RMS error from 2.8b up, given the CE.

    Planted: the large models on that curve, and off it by twice the tolerance; each scatters as the small ones do.
    """
    points, rng = lambada(), np.random.default_rng(1)
    small, large = points.query("params < 4e8"), points.query("params > 2e9")
    losses, models = large["cross_entropy"].to_numpy(), large["model"].to_numpy()
    curve = curves(40)[0]
    scatter = (small["acc"] - stretched(small["cross_entropy"], *curve)).groupby(small["model"]).mean().std()

    def near(drawn):
        return rms(drawn[0] - drawn[1]) < tolerance

    def by(off):
        return lambda _: planted(losses, models, off, scatter, rng)

    error, found = rms(large["acc"] - stretched(losses, *curve)), rates(near, by(2 * tolerance), by(0), draws=200)
    told = f"RMS error {error:.4f}, a = {curve[0]:.3f}, g = {curve[1]:.3f}; {found.words()}"
    return holds(error < tolerance, told) if found.decides else Finding(UNTESTABLE, told)


def _math() -> dict[int, np.ndarray]:
    """Success rates on MATH by checkpoint, if there are any: a row a size, smallest first, and a column a problem."""
    math = published.pythia_math()
    math = math.assign(rate=math["correct"] / math["samples"])
    tables = {step: rows.pivot(index="params", columns="problem", values="rate") for step, rows in math.groupby("step")}
    return {step: table.dropna().to_numpy() for step, table in tables.items() if table.mean(axis=1).max() > 0}


def _problems_again(rates: np.ndarray, draws: int, rng) -> np.ndarray:
    """Mean rates, shape (draws, sizes), of tests with as many problems, drawn again."""
    problems = rates.shape[1]
    weights = rng.multinomial(problems, np.full(problems, 1 / problems), draws) / problems
    return weights @ rates.T


def _steepest(curves) -> np.ndarray:
    """Largest step between neighbouring sizes as a share of the curve's range; curves in the last axis."""
    return np.abs(np.diff(curves)).max(-1) / np.ptp(curves, axis=-1)


def more_answers_show_math(tolerance: float) -> Finding:
    """MATH, checkpoints with a success: sizes above zero at the last, and the steepest step as a share of the rise.

    Smooth: the whole interval of that step, problems drawn again, lies below the tolerance at every checkpoint. Planted
    on the last one's problems: all of the rise in one step, and in equal steps; each size does on the problems as one
    of the three largest does.
    """
    rng, tables = np.random.default_rng(0), _math()
    last, steps = tables[143_000].mean(1), {}
    for step, table in tables.items():
        drawn = _steepest(_problems_again(table, 400, rng))
        steps[step] = (float(_steepest(table.mean(1))), *np.nanquantile(drawn, [0.025, 0.975]))
    best = tables[143_000][-3:] / last[-3:, None]

    def drawn(shares):
        def draw(_):
            problems = rng.integers(best.shape[1], size=best.shape[1])
            return shares[:, None] * best[rng.integers(len(best), size=len(shares))][:, problems]

        return draw

    even = np.linspace(0, 1, len(last))
    rate = rates(
        lambda table: np.nanquantile(_steepest(_problems_again(table, 100, rng)), 0.975) < tolerance,
        drawn((even > 0.5).astype(float)),
        drawn(even),
        draws=200,
    )
    value, low, high = steps[143_000]
    found = f"{(last > 0).sum()} of {len(last)} sizes above zero at the last checkpoint; the steepest step makes "
    found += f"{value:.0%} of the rise there ({low:.0%} to {high:.0%}), {min(steps.values())[0]:.0%} to "
    found += f"{max(steps.values())[0]:.0%} over {len(steps)} of them (equal steps: {rate.words()})"
    smooth = max(high for *_, high in steps.values()) < tolerance
    # most above zero; all, and smoothly
    verdict = ("fails", "holds in part", "holds")[int((last > 0).mean() > 0.5) + int((last > 0).all() and smooth)]
    return Finding(verdict if rate.decides else UNTESTABLE, found)


def pythia_160m_unlearns_math(tolerance: float) -> Finding:
    """MATH, success rate of 160m at 300e9 training tokens over that at 21e9: its interval, problems drawn again.

    Planted: every problem keeps its rate; and every problem keeps a tenth.
    """
    math, rng = published.pythia_math().query("model == 'pythia-160m'"), np.random.default_rng(0)
    early, late = (math.query("step == @step").set_index("problem").sort_index() for step in (10_000, 143_000))
    asked = early["samples"].to_numpy(), late["samples"].to_numpy()
    rate = (early["correct"] / early["samples"]).to_numpy(), (late["correct"] / late["samples"]).to_numpy()

    def ratio(early, late, draws):
        means = _problems_again(np.stack([early, late]), draws, rng)
        return np.quantile(means[:, 1] / means[:, 0], [0.025, 0.975])

    def drawn(kept):
        return lambda _: [rng.binomial(n, share * rate[0]) / n for n, share in zip(asked, (1, kept), strict=True)]

    planted = rates(lambda pair: ratio(*pair, 200)[1] < tolerance, drawn(1), drawn(0.1), draws=200)
    low, high = ratio(*rate, 2000)
    return Finding(
        ("holds" if high < tolerance else "fails") if planted.decides else UNTESTABLE,
        f"160m solves {rate[0].mean():.1e} early and {rate[1].mean():.1e} at the end, a share of "
        f"{rate[1].mean() / rate[0].mean():.2f} ({low:.2f} to {high:.2f}; planted, a tenth: {planted.words()})",
    )

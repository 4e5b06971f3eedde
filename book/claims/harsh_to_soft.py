"""Claims of the chapter harsh-to-soft."""

from functools import cache

import numpy as np
import pandas as pd

from mirage_lib import compare, forecast, items, metrics, scores, tasks
from mirage_lib.claims import Finding

from . import kept
from .kept import ladder_answers, ladder_scores
from .planting import Rates, jump, rates
from .rises import redrawn

LONG = 8  # characters of a long answer
LENGTHS = (2, 3, 4, 6, 8, 12, 16)
SUMS = ("ladder", "ladder-8000", "ladder-16000")  # 4,000, 8,000 and 16,000 steps
TWO_LAYERS = (6592, 25472, 56_640, 100_096)  # sizes of models that differ in width only


@cache
def _scored(family: str, length: int) -> pd.DataFrame:
    """A row a model: the first characters of its answers under a harsh metric, a soft one and the loss."""
    part = items.first_tokens(ladder_answers(family), length)
    names = metrics.exact_match, metrics.token_edit_distance, metrics.cross_entropy, metrics.expected_accuracy
    return scores.table(part, *names, by=["family", "params", "seed"])


def _means(family: str, length: int) -> pd.DataFrame:
    """Mean over seeds, a row a size, with standard errors of that mean over seeds and items."""
    by_size = _scored(family, length).groupby("params")
    mean = by_size.mean(numeric_only=True)
    for name in [name for name in mean if name.endswith("_se")]:
        mean[name] = by_size[name].apply(lambda se: np.sqrt((se**2).sum()) / len(se))
    return mean


def _rise(curve: pd.Series) -> tuple[float, float]:
    """Where the middle of a rise lies in the window of sizes, 0 to 1, and how much of the window it takes."""
    place, width = compare.rise(curve.index, curve)
    window = np.log10(curve.index[[0, -1]])
    return float((np.log10(place) - window[0]) / np.ptp(window)), float(width / np.ptp(window))


def _errors(mean: pd.DataFrame, metric: str, family: str, length: int) -> np.ndarray:
    """Standard errors of means over seeds: of items, and of seeds as far apart as at the size where most."""
    seeds = _scored(family, length).groupby("params")[metric]
    between = seeds.std().max() / np.sqrt(seeds.size())
    return np.hypot(mean[f"{metric}_se"], between).to_numpy()


def _worst(test, nothing, somethings) -> Rates:
    """False alarms of a test, and its power for the truth that it sees least of."""
    found = [rates(test, nothing, something) for something in somethings]
    return Rates(found[0].false_alarms, min((each.power for each in found), key=lambda power: power.value))


def _jumps(curve) -> list[np.ndarray]:
    """The same fall, all of it between two neighbouring sizes, for every such pair."""
    return [-jump(-curve, before) for before in range(1, len(curve))]


def loss_of_text_falls_without_a_jump(tolerance: float) -> Finding:
    """Largest step of the loss between neighbouring sizes, as a share of its fall, 16 characters."""
    mean = _means("ladder-text", 16)
    loss, se = mean["cross_entropy"], _errors(mean, "cross_entropy", "ladder-text", 16)
    law = forecast.power_law(loss.index, loss).predict(loss.index)
    rng = np.random.default_rng(0)

    def steep(curve):
        return np.max(-np.diff(curve)) / np.ptp(curve) > tolerance

    def drawn(truth):
        return lambda _: rng.normal(truth, se)

    found = _worst(steep, drawn(law), [drawn(each) for each in _jumps(loss)])
    return Finding(
        ("fails" if steep(loss) else "holds") if found.decides else "not testable here",
        f"the largest step makes {np.max(-np.diff(loss)) / np.ptp(loss):.0%} of the fall, the last one "
        f"{round(-np.diff(loss)[-1] / np.ptp(loss), 2) + 0.0:.0%} (a planted jump, at any place: {found.words()})",
    )


def the_largest_model_leaves_the_power_law(tolerance: float) -> Finding:
    """Loss of the largest model over the power law of the others, in standard errors of that forecast."""
    mean = _means("ladder-text", 16)
    loss = mean["cross_entropy"]
    law = forecast.power_law(loss.index, loss)
    others = forecast.power_law(loss.index[:-1], loss.iloc[:-1])
    scatter = np.log(loss / others.predict(loss.index)).iloc[:-1].std(ddof=2)
    rng = np.random.default_rng(0)

    def above(curve):
        """Distance from the law of the others, in the scatter of the others about it."""
        log, line = np.log(np.asarray(curve)), np.log(np.asarray(loss.index))
        slope, level = np.polyfit(line[:-1], log[:-1], 1)
        off = log - level - slope * line
        return off[-1] / off[:-1].std(ddof=2)

    def drawn(truth):
        # errors of items and seeds are part of the scatter
        return lambda _: truth * np.exp(rng.normal(0, scatter, len(truth)))

    straight = others.predict(loss.index)
    flat = np.append(straight[:-1], straight[-2])
    found = rates(lambda each: above(each) > tolerance, drawn(straight), drawn(flat))
    r2 = 1 - (np.log(loss) - np.log(law.predict(loss.index))).var() / np.log(loss).var()
    alpha = law.parameters["alpha"]
    return Finding(
        ("holds" if above(loss) > tolerance else "fails") if found.decides else "not testable here",
        f"{above(loss):.1f} times the scatter of the others above their law; R2 of one law for all {r2:.3f}, exponent "
        f"{-alpha.value:.3f} ({-alpha.high:.3f} to {-alpha.low:.3f}) (no gain in the last step: {found.words()})",
    )


def _exam(every_seed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The size of each model, smallest first, and for how many characters it goes on rightly: models by places.

    Models of seed 0, or of every seed.
    """
    exam = kept.load("ladder-text-exam").assign(seed=0)
    if every_seed:
        exam = pd.concat([exam, kept.load("ladder-text-exam-seeds")])
    table = exam.pivot(index=["params", "seed"], columns="item", values="right_for")
    return table.index.get_level_values("params").to_numpy(), table.to_numpy()


def longer_answers_come_later_on_text(tolerance: float) -> Finding:
    """Middle of the rise of accuracy on eight characters and on one, in shares of the window.

    The lower end with 50,000 places of one seed drawn again, and with the seeds and places of all.
    """
    sizes, right = _exam()
    rng = np.random.default_rng(0)

    def rises(each):
        return [_rise(pd.Series((each >= length).mean(1), sizes)) for length in (1, LONG)]

    drawn = np.array([rises(right[:, rng.integers(right.shape[1], size=right.shape[1])]) for _ in range(200)])
    later = drawn[:, 1, 0] - drawn[:, 0, 0]
    anew = [redrawn(ladder_scores("ladder-text", length)[2], 200) for length in (1, LONG)]
    (one, _), (place, width) = rises(right)
    n, first = right.shape[1], (right >= 1).mean(1)

    def gap(pair):
        a, b = (_rise(pd.Series(each, sizes))[0] for each in pair)
        return b - a

    # as rare as eight characters: the curve of one, and its eighth power; both with as many places
    level = (right >= LONG).mean() / first.mean()
    same, power = level * first, first**LONG

    def draw(truth):
        return lambda _: (rng.binomial(n, first) / n, rng.binomial(n, truth) / n)

    seeds = np.array([gap(pair) for pair in zip(*anew, strict=True)])
    noise = max(np.std([gap(draw(same)(0)) for _ in range(200)]), seeds.std())
    found = rates(lambda pair: gap(pair) > tolerance + 2 * noise, draw(same), draw(power))
    low, high = np.quantile(later, [0.025, 0.975])
    least = np.quantile(seeds, 0.025)
    narrow, wide = np.quantile(drawn[:, 1, 1], [0.025, 0.975])
    return Finding(
        ("holds" if min(low, least) > tolerance else "fails") if found.decides else "not testable here",
        f"half of the rise at {one:.0%} of the window for one character, {place:.0%} for eight, later by {low:.2f} to "
        f"{high:.2f}, with seeds drawn again by {least:.2f} or more; the rise on eight takes {width:.0%} of it "
        f"({narrow:.0%} to {wide:.0%}) (p^8: {found.words()})",
    )


def edit_distance_is_smooth_on_text(tolerance: float) -> Finding:
    """Token edit distance of the same eight characters: smooth and continuous, and predictable, each tested.

    Smooth: no step makes more than the tolerance of its fall, and the middle lies between a quarter and three quarters
    of the window; planted, a jump between any two sizes. Predictable: a power law through the others forecasts the
    three largest sizes as well as it does in 95 % of draws of a true law; planted, a law that stops before the last.
    """
    mean = _means("ladder-text", LONG)
    curve, se = mean["token_edit_distance"], _errors(mean, "token_edit_distance", "ladder-text", LONG)
    rng = np.random.default_rng(0)

    def rough(values):
        place, _ = _rise(pd.Series(-np.asarray(values), curve.index))
        return np.max(-np.diff(values)) / np.ptp(values) > tolerance or not 0.25 < place < 0.75

    def error(values):
        law = forecast.power_law(curve.index[:-3], values[:-3])
        return np.abs(law.predict(curve.index[-3:]) - values[-3:]).max() / np.ptp(values)

    law = forecast.power_law(curve.index, curve).predict(curve.index)

    def drawn(truth):
        return lambda _: rng.normal(truth, se)

    smooth = _worst(rough, drawn(law), [drawn(each) for each in _jumps(curve)])
    limit = np.quantile([error(drawn(law)(0)) for _ in range(1000)], 0.95)
    stopped = np.append(law[:-1], law[-2])
    foreseen = rates(lambda values: error(values) > limit, drawn(law), drawn(stopped))
    missed, (place, _) = error(curve.to_numpy()), _rise(-curve)
    verdict = "fails" if rough(curve) else "holds" if foreseen.decides and missed <= limit else "holds in part"
    return Finding(
        verdict if smooth.decides else "not testable here",
        f"largest step {np.max(-np.diff(curve)) / np.ptp(curve):.0%} of the fall, its middle at {place:.0%} of the "
        f"window (a jump: {smooth.words()}); the three largest are forecast to {missed:.0%} of the range, where a true "
        f"law is to {limit:.0%} or better in 19 of 20 draws (a law that stops: {foreseen.words()})",
    )


def accuracy_falls_geometrically_from_length_one(tolerance: float) -> Finding:
    """Largest factor between accuracy and the L-th power of that at length 1, 50,000 places, 100 right or more.

    Short answers, up to eight characters, and longer ones: in part if at most sizes the short ones are within it, for
    every seed of the size.
    """
    sizes, right = _exam(every_seed=True)
    n = right.shape[1]
    share = {length: pd.Series((right >= length).mean(1), sizes) for length in (1, *LENGTHS)}
    rng = np.random.default_rng(0)

    def off(share):
        """The factor of each model and length, where enough are right."""
        ratios = {length: (share[length] / share[1] ** length).where(share[length] * n >= 100) for length in LENGTHS}
        return np.exp(np.log(pd.DataFrame(ratios)).abs())

    def drawn(factor):
        """Accuracy that leaves the law more and more, by that factor at 16 characters."""

        def draw(_):
            truth = {length: share[1] ** length * factor ** ((length - 1) / 15) for length in share}
            return {length: pd.Series(rng.binomial(n, np.minimum(p, 1)) / n, p.index) for length, p in truth.items()}

        return draw

    found = rates(lambda each: off(each).max().max() > tolerance, drawn(1.0), drawn(tolerance**4), draws=200)
    factors = off(share).groupby(level=0).max()  # of the seed that is furthest off
    short = factors[[length for length in LENGTHS if length <= LONG]].max(axis=1) < tolerance
    long = factors[[length for length in LENGTHS if length > LONG]].max(axis=1).dropna() < tolerance
    verdict = "holds" if short.all() and long.all() else "holds in part" if short.mean() > 0.5 else "fails"
    return Finding(
        verdict if found.decides else "not testable here",
        f"within a factor of {tolerance:g} up to eight characters at {short.sum()} of {len(short)} sizes, beyond at "
        f"{long.sum()} of {len(long)}; up to {factors[4].max():.2f} at 4 characters, {factors[8].max():.2f} at 8, "
        f"{factors[12].max():.2f} at 12 (a growing factor: {found.words()})",
    )


def edit_distance_grows_linearly_from_length_one(tolerance: float) -> Finding:
    """Largest distance of the edit distance from L times that at length 1, as a share of the latter."""
    first = _means("ladder-text", 1)
    ratios = pd.DataFrame(
        {
            length: _means("ladder-text", length)["token_edit_distance"] / (length * first["token_edit_distance"])
            for length in LENGTHS
        }
    )
    rng = np.random.default_rng(0)
    relative = (first["token_edit_distance_se"] / first["token_edit_distance"]).to_numpy()

    def drawn(factor):
        return lambda _: factor * (1 + rng.normal(0, relative))

    found = rates(lambda r: np.abs(r - 1).max() > tolerance, drawn(1.0), drawn(1 + 1.5 * tolerance))
    off = float((ratios - 1).abs().max().max())
    return Finding(
        ("holds" if off < tolerance else "fails") if found.decides else "not testable here",
        f"{ratios[2].min():.2f} to {ratios[2].max():.2f} times what proportion predicts at L = 2, "
        f"{ratios[16].min():.2f} to {ratios[16].max():.2f} at 16 (a planted factor: {found.words()})",
    )


def every_size_is_above_chance_with_more_items(tolerance: float) -> Finding:
    """Sizes right more often than the most frequent answer, with every seed: eight characters, 20 items and all.

    Right answers less those that it would give, at the same places, in standard errors of their mean over blocks of the
    text: places near each other share characters. Planted: what it gives in blocks drawn at random, and twice that.
    """
    sizes, right = _exam(every_seed=True)
    n = right.shape[1]
    task = tasks.continuation(n)
    eight = task["target"].str[:LONG]
    usual = (eight == eight.value_counts().index[0]).to_numpy()
    block = task["place"].to_numpy() // 5000

    def by_block(values, n):
        return np.bincount(block[:n], values[:n], block.max() + 1)

    def above(hits, n):
        """Whether hits, a number a block, less the usual are two standard errors above zero."""
        more = hits - tolerance * by_block(usual, n)
        apart = more - more.sum() / n * by_block(np.ones(n), n)
        return more.sum() > 1.96 * np.sqrt((apart**2).sum()) + 1e-9

    few, many = (
        pd.Series([above(by_block(hits >= LONG, size), size) for hits in right]).groupby(sizes).all().sum()
        for size in (20, n)
    )
    each, rng = by_block(usual, n), np.random.default_rng(0)

    def drawn():
        return rng.choice(each, len(each))

    found = rates(lambda hits: above(hits, n), lambda _: drawn(), lambda _: drawn() + drawn())
    least = (right >= LONG).mean(axis=1).min()
    return Finding(
        ("holds" if many == len(set(sizes)) > few else "holds in part" if many > few else "fails")
        if found.decides
        else "not testable here",
        f"{few} of {len(set(sizes))} sizes with 20 items, {many} with {n:,}; the least able of {len(right)} models "
        f"gets {least:.4f}, the most frequent answer {usual.mean():.4f} (twice that: {found.words()})",
    )


def loss_of_addition_falls_in_a_step(tolerance: float) -> Finding:
    """By how much the share of a step in the fall of the loss exceeds its share of the window; mean over seeds.

    Four digits, the largest of all steps, after the longest training; models of two layers, as a step of size that is
    one of layers, too, says nothing. Planted: a straight line over the logarithm of size, and the same fall between any
    two neighbouring sizes.
    """
    mean = _means(SUMS[-1], 4)
    here = mean.index.isin(TWO_LAYERS)
    loss, se = mean["cross_entropy"][here], _errors(mean, "cross_entropy", SUMS[-1], 4)[here]
    sizes, rng = np.log(loss.index.to_numpy()), np.random.default_rng(0)

    def excess(values):
        return -np.diff(values) / np.ptp(values) - np.diff(sizes) / np.ptp(sizes)

    def drawn(truth):
        return lambda _: rng.normal(truth, se)

    def steep(values):
        return excess(values).max() > tolerance

    straight = np.interp(sizes, sizes[[0, -1]], loss.iloc[[0, -1]])
    found = _worst(steep, drawn(straight), [drawn(each) for each in _jumps(loss)])
    after = int(excess(loss).argmax())
    return Finding(
        ("holds" if steep(loss) else "fails") if found.decides else "not testable here",
        f"{len(loss)} sizes of two layers, 16,000 steps: {loss.index[after]:,.0f} to {loss.index[after + 1]:,.0f} "
        f"parameters make {-np.diff(loss)[after] / np.ptp(loss):.0%} of the fall, {excess(loss).max():.0%} more than "
        f"their share of the window (a jump at any place: {found.words()})",
    )


def seeds_differ_on_sums(tolerance: float) -> Finding:
    """Range of accuracy on four digits among models of one size with different seeds, the largest of all sizes."""
    seeds = _scored("ladder", 4).pivot(index="params", columns="seed", values="exact_match").dropna()
    ranges = seeds.max(axis=1) - seeds.min(axis=1)
    size, n = ranges.idxmax(), int(_scored("ladder", 4)["n_items"].iloc[0])
    rng = np.random.default_rng(0)
    # all sizes with the accuracy that blurs most, and one with seeds a little further apart than asked for
    same = np.full(seeds.shape, 0.5)
    apart = same.copy()
    apart[-1] = 0.5 + 0.6 * tolerance * np.array([-1, 0, 1])
    wide = rates(
        lambda p: np.ptp(p, axis=1).max() > tolerance,
        lambda _: rng.binomial(n, same) / n,
        lambda _: rng.binomial(n, apart) / n,
    )
    return Finding(
        ("holds" if ranges.max() > tolerance else "fails") if wide.decides else "not testable here",
        f"{', '.join(f'{value:.2f}' for value in sorted(seeds.loc[size]))} at {size:,.0f} parameters; over "
        f"{tolerance:g} at {(ranges > tolerance).sum()} of {len(ranges)} sizes (items alone: {wide.words()})",
    )


def training_counts_as_well_as_size(tolerance: float) -> Finding:
    """Whether more sums are right after 8,000 steps than after 4,000: mean over all sizes with three seeds of each.

    Chance of as much if seeds of a size are exchanged between the two lengths. Planted: seeds exchanged, and
    models of the three largest sizes that gain a half of the scale, or up to its end.
    """
    tables = [_scored(family, 4).pivot(index="params", columns="seed", values="exact_match") for family in SUMS[:2]]
    sizes = tables[0].dropna().index.intersection(tables[1].dropna().index)
    pair = np.stack([table.loc[sizes].to_numpy() for table in tables], axis=1)  # size, length of training, seed
    rng = np.random.default_rng(0)

    def gain(pair):
        return (pair[..., 1, :] - pair[..., 0, :]).mean((-2, -1))

    def exchanged(pair, draws):
        six = np.broadcast_to(pair.reshape(len(sizes), -1), (draws, len(sizes), 6))
        return rng.permuted(six, axis=2).reshape(draws, *pair.shape)

    def chance(pair):
        return (1 + (gain(exchanged(pair, 1000)) >= gain(pair) - 1e-12).sum()) / 1001

    def gained(_):
        drawn = rng.choice(pair[:, 0], 6, axis=1).reshape(pair.shape)
        drawn[-3:, 1] = np.minimum(drawn[-3:, 1] + 0.5, 1)
        return drawn

    found = rates(lambda each: chance(each) < tolerance, lambda _: exchanged(pair, 1)[0], gained)
    means = pair.mean(axis=2)
    gains = ", ".join(
        f"{before:.2f} to {after:.2f} at {size / 1e3:.0f}k"
        for size, (before, after) in zip(sizes, means, strict=True)
        if after > 0.1
    )
    return Finding(
        ("holds" if chance(pair) < tolerance else "fails") if found.decides else "not testable here",
        f"means of three seeds go from {gains}; as much if seeds are exchanged: p = {chance(pair):.3f} (a gain of "
        f"a half: {found.words()})",
    )

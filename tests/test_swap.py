"""The metric swap: planted truths are found, numbers equal those made by other means, bad tables are refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from mirage_lib import claims, compare, metrics, stats, theory

swap = claims.deciders("swap")
SIZES = np.geomspace(7e7, 1.2e10, 8)  # eight models over the range of Pythia
ITEMS = 300
HARSH, SOFT = swap.Metric("harsh"), swap.Metric("soft")


def credit(items):
    return 1 - metrics.brier_target(items)


def artefact(share, rng):
    """Single tokens get better in step with log N; all ten must be right."""
    return theory.draw_items(0.3 + 0.65 * share, 10, share.size, rng), metrics.exact_match, metrics.token_accuracy


def transition(share, rng, most=0.8):
    """Items are known or guessed at, and from one size on they are known: both metrics see it."""
    known = rng.random(share.size) < most / (1 + np.exp(-25 * (share - 0.65)))
    p = np.where(known, rng.beta(18, 2, share.size), rng.beta(2, 6, share.size)).clip(1e-6, 1 - 1e-6)
    return theory.draw_choices(p, 4, share.size, rng), metrics.multiple_choice_grade, credit


def noise(share, rng):
    """No model knows anything."""
    return transition(share, rng, most=0.0)


def draws(plant, how_many, seed=0) -> pd.DataFrame:
    """A table of `how_many` families of eight models with one planted truth, as so many benchmarks."""
    share = np.tile(np.repeat(np.linspace(0, 1, 8), ITEMS), how_many)
    items, harsh, soft = plant(share, np.random.default_rng(seed))
    table = pd.DataFrame(
        {"benchmark": np.repeat(np.arange(how_many), 8).astype(str), "params": np.tile(SIZES, how_many)}
    )
    for name, metric in (("harsh", harsh), ("soft", soft)):
        scores = metric(items).to_numpy().reshape(-1, ITEMS)
        table[name], table[f"{name}_se"] = scores.mean(1), scores.std(1) / np.sqrt(ITEMS)
    return table.assign(family="drawn", model=table["params"].astype(str), n_items=ITEMS)


@pytest.mark.parametrize(
    ("plant", "truth"),
    [(artefact, "artefact of the metric"), (transition, "transition"), (noise, "nothing shown")],
)
def test_planted_truth_is_called_right_in_95_of_100_draws(plant, truth):
    described = swap.describe(swap.tidy(draws(plant, 100), [HARSH, SOFT], "params"))
    calls = swap.verdicts(described, "harsh", "soft")["verdict"]
    assert (calls == truth).sum() >= 95, calls.value_counts()
    if plant is transition:  # planted at 65 % of the range of log N
        place = np.log10(described["place"] / SIZES[0]).groupby(described["metric"]).median()
        assert place.to_numpy() == pytest.approx(0.65 * np.log10(SIZES[-1] / SIZES[0]), abs=0.15)


@pytest.mark.parametrize(("n", "p"), [(20, 0.02), (50, 0.01), (300, 0.002), (300, 0.2)])
def test_false_alarms_of_equal_models_are_at_most_5_percent(n, p, monkeypatch):
    """Equal models, right by luck. At a true rate of 5 % fewer than one run in a thousand has 18 alarms of 150."""
    monkeypatch.setattr(swap, "RESAMPLES", 2)  # for intervals that are not looked at
    rng = np.random.default_rng(1)
    curves = [
        family(harsh=rng.binomial(n, p, 8) / n, soft=rng.beta(2, 6, (8, n)).mean(1), n_items=n, benchmark=str(i))
        for i in range(150)
    ]
    described = swap.describe(swap.tidy(pd.concat(curves), [HARSH, SOFT], "params"))
    alarms = (described["p_value"] < 0.05).groupby(described["metric"]).mean()
    assert (alarms < 18 / 150).all(), alarms
    assert swap.verdicts(described, "harsh", "soft")["verdict"].ne("nothing shown").mean() < 0.01


def test_a_harsh_metric_that_is_luck_is_no_artefact(monkeypatch):
    """A soft metric rises, and of twenty items one is right now and then: nothing is shown of the harsh one."""
    monkeypatch.setattr(swap, "RESAMPLES", 20)
    rng = np.random.default_rng(2)
    curves = [
        family(harsh=rng.binomial(20, 0.02, 8) / 20, soft=np.linspace(0.2, 0.8, 8), n_items=20, benchmark=str(i))
        for i in range(200)
    ]
    described = swap.describe(swap.tidy(pd.concat(curves), [HARSH, SOFT], "params"))
    assert (described.query("metric == 'soft'")["p_value"] < 0.05).all()
    assert swap.verdicts(described, "harsh", "soft")["verdict"].ne("nothing shown").mean() <= 0.01


def test_a_jump_that_moves_and_one_that_the_data_do_not_tell():
    """Curves made by hand: the same jump in two places, and widths on both sides of the line that errors blur."""
    steps = {"early": [0, 0, 0.9, 1, 1, 1, 1, 1], "late": [0, 0, 0, 0, 0, 0.1, 0.9, 1]}
    slow = {"slow": [0, 0, 0.05, 0.18, 0.31, 0.44, 0.57, 0.7], "slower": [0, 0, 0.1, 0.22, 0.34, 0.46, 0.58, 0.7]}
    table = family(**steps, **slow)
    described = swap.describe(swap.tidy(table, [swap.Metric(name) for name in (*steps, *slow)], "params"))
    assert swap.verdicts(described, "late", "early")["verdict"].item() == "moves with the metric"
    assert swap.verdicts(described, "slow", "slower")["verdict"].item() == "gradual"
    wide = described.assign(width=np.where(described["metric"] == "slow", 1.0, 1.3))
    assert swap.verdicts(wide, "slow", "slower")["verdict"].item() == "undecided"


def family(name="drawn", params=SIZES, n_items=400, benchmark="quiz", **scores) -> pd.DataFrame:
    """A table of one family with the scores given."""
    models = [f"{name}-{i}" for i in range(len(params))]
    return pd.DataFrame(
        {"benchmark": benchmark, "family": name, "model": models, "params": params, "n_items": n_items} | scores
    )


def test_scores_are_put_on_one_range_with_their_errors():
    table = family(harsh=np.linspace(0.2, 0.9, 8), loss=np.linspace(2, 0.5, 8), loss_se=0.1, harsh_chance=0.25)
    tidy = swap.tidy(table, [HARSH, swap.Metric("loss", worst=2, best=0)], "params")
    harsh, loss = (tidy[tidy["metric"] == name].reset_index() for name in ("harsh", "loss"))
    assert harsh["score"].tolist() == table["harsh"].tolist()
    assert harsh["se"].to_numpy() == pytest.approx(scipy_stats.binom(400, table["harsh"]).std() / 400)
    assert harsh["chance"].eq(0.25).all() and loss["chance"].isna().all()
    assert loss["score"].iloc[[0, -1]].tolist() == [0.0, 0.75]
    assert loss["se"].to_numpy() == pytest.approx(0.05)


def test_the_error_without_items_is_at_least_the_true_one():
    rng = np.random.default_rng(0)
    for mean in (0.1, 0.5, 0.8):
        items = theory.draw_choices(np.clip(rng.beta(2 * mean, 2 - 2 * mean, 2000), 1e-9, 1 - 1e-9), 4, 2000, rng)
        brier = metrics.brier_target(items)
        table = family(params=[1, 10], soft=1 - brier.mean()).assign(n_items=2000)
        bound = swap.tidy(table, [SOFT], "params")["se"].iloc[0]
        assert 0.5 * bound < brier.std() / np.sqrt(2000) < bound


def test_errors_of_models_of_one_size_are_those_of_their_mean():
    """Two seeds of one size with errors .03 and .04: their mean has sqrt(.03^2 + .04^2) / 2 = .025, and all items."""
    seeds = family(params=[*SIZES, SIZES[0]], harsh=0.5, harsh_se=[0.03] + [0.02] * 7 + [0.04])
    ((_, curve),) = swap._curves(swap.tidy(seeds, [HARSH], "params"))
    assert curve["se"].tolist() == pytest.approx([0.025] + [0.02] * 7)
    assert curve["n_items"].tolist() == [800] + [400] * 7


def test_numbers_of_a_curve_equal_those_of_their_sources():
    score = np.array([0.1, 0.12, 0.11, 0.2, 0.5, 0.6, 0.55, 0.7])
    row = swap.compare(family(harsh=score), [HARSH], "params").iloc[0]
    assert (row["emergence"], row["p_value"]) == stats.emergence_test(score, n_items=400)
    mixed = family(harsh=score, n_items=[20, *[400] * 7])
    row = swap.compare(mixed, [HARSH], "params").iloc[0]
    assert row["p_value"] == stats.emergence_test(score, n_items=[20, *[400] * 7]).p_value
    assert row["tau"] == scipy_stats.kendalltau(SIZES, score).statistic
    assert (row["models"], row["first"], row["last"]) == (8, 0.1, 0.7)
    assert row["place_low"] < row["place"] < row["place_high"] and row["width_low"] < row["width"] < row["width_high"]
    assert row["rmse_last"] == pytest.approx(np.sqrt(np.mean((score[5:] - 0.5) ** 2)))
    slope, level = np.polyfit(np.log(SIZES[:5]), score[:5], 1)
    assert row["rmse_line"] == pytest.approx(np.sqrt(np.mean((score[5:] - slope * np.log(SIZES[5:]) - level) ** 2)))
    assert row["rmse_sigmoid"] == stats.forecast_error(SIZES, score, stats.fit_sigmoid, 3)
    short = swap.compare(family(params=SIZES[:5], harsh=score[:5]), [HARSH], "params", held_out=4).iloc[0]
    assert np.isnan(short["rmse_sigmoid"]) and np.isnan(short["rmse_line"]) and short["rmse_last"] > 0


def test_models_of_one_size_count_as_one_in_any_order():
    rng = np.random.default_rng(0)
    table = family(harsh=np.linspace(0, 1, 8))
    seeds = pd.concat(
        [table.assign(harsh=abs(table["harsh"] - shift), model=table["model"] + str(shift)) for shift in (0, 0.1)]
    )
    described = [swap.describe(swap.tidy(seeds.iloc[rng.permutation(16)], [HARSH], "params")) for _ in range(5)]
    assert all(one.equals(described[0]) for one in described)
    assert described[0]["models"].item() == 8
    mean = seeds.groupby("params")["harsh"].mean()
    assert described[0][["place", "width"]].iloc[0].tolist() == pytest.approx(list(compare.rise(mean.index, mean)))


GOOD = family(harsh=np.linspace(0, 1, 8))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (GOOD.drop(columns=["family", "n_items"]), "lacks 'family', 'n_items'; it has benchmark, model, params, harsh"),
        (GOOD.drop(columns="harsh"), "lacks 'harsh'"),
        (GOOD.iloc[:1], "'quiz' has one model only"),
        (GOOD.assign(params=1e9), "'params' does not vary on benchmark 'quiz'"),
        (GOOD.assign(params=0.0), "'params' must be above 0"),
        (GOOD.assign(harsh=2.0), r"'harsh' should go from 0 \(worst\) to 1 \(best\), and is 2 for 'drawn-0' on 'quiz'"),
        (GOOD.assign(harsh=np.nan), "and is nan for 'drawn-0'"),
        (GOOD.assign(n_items=[300] * 7 + [np.nan]), "'harsh' has no error for 'drawn-7' on 'quiz': see n_items"),
        (GOOD.assign(harsh_se=-1.0), "'harsh' has no error for 'drawn-0'"),
        (GOOD.assign(model="one"), "'one' is listed twice on 'quiz'"),
        (GOOD.assign(n_items=0), "'harsh' has no error for 'drawn-0' on 'quiz': see n_items"),
        (GOOD.assign(family=["F"] * 6 + [None] * 2), "'family' is empty in 2 rows, the first is row 6"),
        (GOOD.assign(benchmark=["quiz"] * 6 + [None] * 2), "'benchmark' is empty in 2 rows"),
        (GOOD.assign(model=[None, *"bcdefgh"]), "'model' is empty in 1 rows"),
        (GOOD.assign(params=[f"{n}M" for n in range(1, 9)]), r"'params' must hold numbers, such as 1.4e9.*'1M'"),
        (GOOD.assign(harsh="high"), "'harsh' must hold numbers"),
        (GOOD.assign(n_items="300 items"), "'n_items' must hold numbers"),
        (GOOD.iloc[:4], "no family has 5 models"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        swap.compare(table, [HARSH], "params")


def test_whole_numbers_above_2_to_63_are_numbers():
    flops = [6 * 15 * 10**12 * 10**n for n in range(8, 16)]
    assert pd.Series(flops).dtype == object
    found = swap.compare(GOOD.assign(params=pd.Series(flops)), [HARSH], "params")
    assert found["place"].item() == pytest.approx(compare.rise([float(n) for n in flops], GOOD["harsh"])[0])


def test_places_in_either_order_move():
    described = swap.describe(
        swap.tidy(
            family(early=[0, 0, 0.9, 1, 1, 1, 1, 1], late=[0, 0, 0, 0, 0, 0.1, 0.9, 1]),
            [swap.Metric("early"), swap.Metric("late")],
            "params",
        )
    )
    for harsh, soft in (("early", "late"), ("late", "early")):
        assert swap.verdicts(described, harsh, soft)["verdict"].item() == "moves with the metric"


def test_a_metric_without_a_curve_is_named():
    with pytest.raises(ValueError, match="no curve of 'brier', only of harsh"):
        swap.verdicts(swap.compare(GOOD, [HARSH], "params"), "harsh", "brier")

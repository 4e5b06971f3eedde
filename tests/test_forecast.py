"""Forecasts: rules find what was planted, and an interval holds as often as it says where the future is as the past."""

import numpy as np
import pytest

from mirage_lib import forecast


def test_power_law_fit_recovers_what_was_planted_and_its_intervals_cover():
    rng = np.random.default_rng(1)
    x = np.logspace(6, 10, 9)
    inside = []
    for _ in range(300):
        y = (x / 1e12) ** -0.1 * np.exp(0.02 * rng.standard_normal(9))
        fit = forecast.power_law(x, y)
        alpha, c = fit.parameters["alpha"], fit.parameters["c"]
        inside.append((alpha.low <= -0.1 <= alpha.high, c.low <= 1e12 <= c.high))
    assert fit.predict(x) == pytest.approx(y, rel=0.1)
    assert fit.predict(c.value) == pytest.approx(1)
    assert (np.mean(inside, axis=0) > 0.91).all()
    with pytest.raises(ValueError, match="x > 0 and y > 0"):
        forecast.power_law(x, y - y[0])
    with pytest.raises(ValueError, match="at least 3 long"):
        forecast.power_law(x[:2], y[:2])


def test_sigmoid_fit_recovers_what_was_planted_and_its_intervals_cover():
    rng = np.random.default_rng(1)
    x = np.logspace(6, 12, 25)
    truth = {"floor": 0.25, "ceiling": 0.8, "slope": 1.5, "midpoint": 1e9}
    clean = 0.25 + 0.55 / (1 + (x / 1e9) ** -1.5)
    inside = []
    for _ in range(60):
        fit = forecast.s_curve(x, np.clip(clean + 0.01 * rng.standard_normal(25), 0, 1))
        inside.append([fit.parameters[name].low <= value <= fit.parameters[name].high for name, value in truth.items()])
    assert (np.mean(inside, axis=0) > 0.85).all()
    assert fit.predict(x) == pytest.approx(clean, abs=0.02)
    with pytest.raises(ValueError, match=r"scores y in \[0, 1\]"):
        forecast.s_curve(x, 2 * clean)


def test_a_sigmoid_may_fall():
    rng = np.random.default_rng(0)
    x = np.logspace(6, 11, 10)
    for _ in range(20):
        y = 0.1 + 0.8 / (1 + (x / 10 ** rng.uniform(7, 10)) ** rng.uniform(0.5, 2))
        y = (y + rng.normal(0, 0.01, 10)).clip(0, 1)
        up, down = (np.sqrt(np.mean((forecast.s_curve(x, s).predict(x) - s) ** 2)) for s in (1 - y, y))
        assert down == pytest.approx(up, abs=0.003) and down < 0.03


@pytest.mark.parametrize(
    ("fit", "y"), [(forecast.s_curve, [0.1, 0.2, 0.3, 0.4, 0.5]), (forecast.power_law, [1, 2, 3, 4, 5])]
)
def test_points_that_fix_no_curve_are_refused(fit, y):
    with pytest.raises(ValueError, match="more than one"):
        fit([5.0] * 5, y)
    if fit is forecast.power_law:
        with pytest.raises(ValueError, match="more than one of each"):
            fit([1, 2, 3], [2, 2, 2])


def test_a_sigmoid_says_what_the_points_do_not_fix():
    rng = np.random.default_rng(0)
    fit = forecast.s_curve(np.logspace(6, 9, 12), 0.25 + 0.005 * rng.standard_normal(12))  # nothing but the floor
    slope, midpoint = fit.parameters["slope"], fit.parameters["midpoint"]
    assert not np.isfinite([slope.low, slope.high]).all() or slope.high - slope.low > 10
    assert midpoint.high > 30 * midpoint.low  # of a thousandfold range of x


def test_forecast_error_holds_out_the_largest():
    x, y = np.array([1e9, 1e6, 1e8, 1e7]), np.array([9.0, 8.0, 2.0, 4.0])
    assert forecast.error(x, y, forecast.power_law, held_out=1) == pytest.approx(8.0)  # 8, 4, 2 foretell 1
    for held_out in (0, 4):
        with pytest.raises(ValueError, match="between 1 and 3"):
            forecast.error(x, y, forecast.power_law, held_out)
    with pytest.raises(ValueError, match="of one length"):
        forecast.error(x, y[:2], forecast.power_law, 1)


def test_a_forecast_to_beat_goes_on_from_the_largest_model_in_any_order():
    x, score = np.array([100.0, 1.0, 10.0]), np.array([0.5, 0.1, 0.3])
    assert forecast.last_value(x, score).predict([1e3, 1e4]).tolist() == [0.5, 0.5]
    assert forecast.straight_line(x, score).predict([1e3, 1e4]) == pytest.approx([0.7, 0.9])


def test_the_largest_size_may_have_several_models():
    assert forecast.last_value([1, 10, 10], [0.1, 0.2, 0.4]).predict([100.0]) == pytest.approx([0.3])


def test_a_law_with_a_floor_recovers_what_was_planted_and_its_intervals_cover():
    rng = np.random.default_rng(2)
    x, truth = np.logspace(6, 10, 9), {"floor": 1.7, "alpha": -0.3}
    inside = []
    for _ in range(200):
        fit = forecast.law_with_floor(x, 1.7 + (x / 1e8) ** -0.3 + 0.005 * rng.standard_normal(9))
        inside.append([fit.parameters[name].low <= value <= fit.parameters[name].high for name, value in truth.items()])
    assert (np.mean(inside, axis=0) > 0.9).all()
    assert fit.predict([1e12]) == pytest.approx(1.7 + 1e4**-0.3, abs=0.05)
    assert fit.predict(np.inf) == pytest.approx(fit.parameters["floor"].value)
    # without a floor it is the power law
    assert forecast.law_with_floor(x, (x / 1e12) ** -0.1).predict([1e12]) == pytest.approx([1], abs=1e-4)
    for bad in ([1, 1, 10, 100], [0, 1, 10, 100]):
        with pytest.raises(ValueError, match="at four sizes or more"):
            forecast.law_with_floor(bad, [4, 3, 2, 1])


def test_through_the_loss_a_forecast_is_the_links_of_the_law():
    x, loss = np.logspace(6, 9, 4), np.array([4.0, 3.0, 2.2, 1.6])
    law, link = forecast.power_law(x, loss), forecast.straight_line(loss, [0.1, 0.2, 0.3, 0.4])
    both = forecast.through(law, link).predict([1e10, 1e11])
    assert both.tolist() == link.predict(law.predict([1e10, 1e11])).tolist()


def noisy_lines(rng, curves, models=10):
    x = np.logspace(6, 9, models)
    return [(x, rng.uniform(0, 0.1) * np.arange(models) + 0.03 * rng.standard_normal(models)) for _ in range(curves)]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_where_the_future_is_as_the_past_an_interval_holds_as_often_as_it_says(level):
    """Lines and noise: as often, or more, for errors get smaller with the history; 400 curves, two hidden sizes."""
    rng = np.random.default_rng(3)
    held = forecast.coverage(noisy_lines(rng, 400), forecast.straight_line, held_out=2, level=level)
    assert level - 0.05 < held.mean() < level + 0.15


def test_a_rise_that_the_past_does_not_know_leaves_its_interval():
    rng = np.random.default_rng(4)
    curves = noisy_lines(rng, 100)
    jumps = [(x, np.where(x == x.max(), y + 1, y)) for x, y in curves]
    assert forecast.coverage(jumps, forecast.straight_line, held_out=1, level=0.98).mean() < 0.05


def test_a_spread_is_the_past_error_for_each_unit_ahead_by_hand():
    """Sizes e^0 .. e^4, last value from 3 sizes on: off by .3 at 1 ahead, by .9 at 2; then by .6 at 1."""
    curve = np.exp(np.arange(5)), [0.0, 0.1, 0.2, 0.5, 1.1]
    past = sorted([0.3 / 1, 0.9 / 2, 0.6 / 1])
    found = [forecast.spread([curve], forecast.last_value, level) for level in (0.2, 0.5, 0.7)]
    assert found == pytest.approx(past)
    assert forecast.spread([curve], forecast.last_value, 0.8) == np.inf  # of four errors the fourth may be any
    said = forecast.interval(*curve, forecast.last_value, np.exp([5.0, 6.0]), spread=0.1)
    assert said.value == pytest.approx([1.1, 1.1])
    assert said.high - said.low == pytest.approx([0.2, 0.4])


def test_what_cannot_be_forecast_is_told():
    curve = [1.0, 10.0, 100.0], [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match="no curve has more than 3 sizes"):
        forecast.spread([curve], forecast.last_value)
    with pytest.raises(ValueError, match=r"such as 0\.8: not 80"):
        forecast.spread([curve], forecast.last_value, level=80, least=2)
    with pytest.raises(ValueError, match="sizes must be above 0"):
        forecast.spread([([0, 1, 10, 100], [1, 2, 3, 4])], forecast.last_value)
    with pytest.raises(ValueError, match="larger than the largest known"):
        forecast.interval(*curve, forecast.last_value, [50.0], spread=0.1)
    with pytest.raises(ValueError, match="more than one"):
        forecast.straight_line([5.0, 5.0], [0.1, 0.2])
    for held_out in (0, 3):
        with pytest.raises(ValueError, match="between 1 and 2 sizes"):
            forecast.coverage([curve], forecast.last_value, held_out)

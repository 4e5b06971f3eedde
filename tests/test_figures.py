"""Figures: the style is set, intervals are drawn, charts carry their specification and alternative text."""

import html
import json
import re

import altair as alt
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from mirage_lib import figures

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

CURVE = pd.DataFrame({"x": [1.0, 10.0], "value": [0.1, 0.5], "low": [0.05, 0.4], "high": [0.2, 0.6], "n": [9, 9]})


@pytest.fixture
def in_the_book(monkeypatch):
    monkeypatch.setenv("MIRAGE_BOOK", "1")
    figures.use_style()
    yield
    alt.renderers.enable("default")


def chart(**properties):
    data = pd.DataFrame({"x": [1, 2], "text": ["</script>", "b"]})
    return alt.Chart(data).mark_point().encode(x="x", y="text").properties(**properties)


def test_a_chart_in_the_book_is_its_specification_and_nothing_from_elsewhere(in_the_book):
    page = alt.renderers.get()(chart(description='Two "points"').to_dict())["text/html"]
    assert html.unescape(re.search('aria-label="([^"]*)"', page).group(1)) == 'Two "points"'
    assert page.count("</script>") == 1  # the one in the data must not end the element
    spec = json.loads(re.search(r"<script[^>]*>(.*)</script>", page).group(1))
    assert spec["config"]["range"]["category"] == figures.COLOURS
    assert "http" not in page.replace(spec["$schema"], "")


def test_a_chart_without_alternative_text_stops_the_book(in_the_book):
    with pytest.raises(ValueError, match="alternative text"):
        alt.renderers.get()(chart().to_dict())


def test_outside_the_book_altair_shows_charts_its_own_way(monkeypatch):
    monkeypatch.delenv("MIRAGE_BOOK", raising=False)
    before = alt.renderers.active
    figures.use_style()
    assert alt.renderers.active == before != "book"


def test_draw_curve_draws_every_point_with_its_interval_and_label():
    fig, ax = plt.subplots()
    colour = figures.draw_curve(ax, CURVE, "accuracy", color=figures.GREEN)
    assert colour == figures.GREEN
    (bars,) = ax.containers
    segments = np.array(bars.lines[2][0].get_segments())
    assert segments[:, :, 1] == pytest.approx(CURVE[["low", "high"]].to_numpy())
    (label,) = ax.texts
    assert label.get_text() == "accuracy"
    assert label.xy == (10.0, 0.5)
    plt.close(fig)


def test_a_label_stands_at_the_last_finite_point():
    fig, ax = plt.subplots()
    figures.label_end(ax, [1, 2, 3], [1.0, 2.0, np.nan], "end")
    assert ax.texts[0].xy == (2, 2.0)
    plt.close(fig)


def test_text_and_lines_stand_out_from_white():
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mpl.colors.to_rgb(colour)]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    contrast = {c: 1.05 / (luminance(c) + 0.05) for c in [*figures.COLOURS, figures.INK]}
    assert contrast[figures.INK] > 7
    assert contrast[figures.GREY] > 4.5  # used for text
    assert min(contrast.values()) > 2.2  # lines and marks


def test_glue_keeps_a_number_for_the_text_and_is_silent_without_a_book(monkeypatch):
    import sys

    kept = {}
    fake = type(sys)("myst_nb")
    fake.glue = lambda name, value, display: kept.update({name: (value, display)})
    monkeypatch.setitem(sys.modules, "myst_nb", fake)
    figures.glue("x", np.float64(1.5))
    assert repr(kept["x"][0]) == "1.5"
    assert kept == {"x": (1.5, False)}
    monkeypatch.setitem(sys.modules, "myst_nb", None)
    figures.glue("x", 2.5)
    assert kept == {"x": (1.5, False)}

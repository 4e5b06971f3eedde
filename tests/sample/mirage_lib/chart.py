"""What the sample chapter draws, with a module that it loads itself."""

import json
from pathlib import Path

from IPython.display import HTML


def glue(name, value):
    import myst_nb

    myst_nb.glue(name, value, display=False)


def draw():
    from .numbers import VALUES

    values = VALUES + json.loads((Path(__file__).parent / "data" / "more.json").read_text())
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": "Points on a line",
        "data": {"values": [{"x": v, "y": v} for v in values]},
        "params": [{"name": "size", "value": 60, "bind": {"input": "range", "min": 10, "max": 200, "name": "Size: "}}],
        "mark": {"type": "point", "filled": True, "size": {"expr": "size"}},
        "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}},
        "width": 520,
        "height": 300,
    }
    return HTML(
        '<div class="mirage-chart" role="group" aria-label="Points on a line">'
        f'<script type="application/json">{json.dumps(spec)}</script></div>'
    )

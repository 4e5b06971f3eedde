"""One style for every figure: matplotlib for still ones, Altair for those a reader moves. These functions draw.

Colours are Okabe & Ito's (2008), told apart by colour-blind eyes. Figures have a white ground; in the book ink, grey
and ground are the page's, light or dark, and whatever is drawn in INK or GREY follows it.
"""

import html
import json
import os

BLUE, ORANGE, GREEN, PINK, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#6B6B6B"
COLOURS = [BLUE, ORANGE, GREEN, PINK, SKY, GREY]
INK = "#222222"


def use_style() -> None:
    """Set the book's style for matplotlib and Altair, once, at the top of a chapter."""
    import altair as alt
    import matplotlib as mpl
    from IPython import get_ipython

    mpl.rcParams.update(
        {
            "figure.figsize": (7.2, 3.8),
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "figure.facecolor": "white",
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": GREY,
            "axes.labelcolor": INK,
            "axes.prop_cycle": mpl.cycler(color=COLOURS),
            "xtick.color": INK,
            "ytick.color": INK,
            "text.color": INK,
            "lines.linewidth": 2,
            "lines.markersize": 5,
            "legend.frameon": False,
            # the same figure gives the same file: no random ids, no date
            "svg.hashsalt": "mirage",
            "svg.fonttype": "path",
        }
    )
    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})

    alt.theme.register("mirage", enable=True)(_altair_theme)
    if os.environ.get("MIRAGE_BOOK"):
        alt.renderers.register("book", _book_renderer)
        alt.renderers.enable("book")


def _altair_theme() -> dict:
    return {
        "config": {
            "view": {"continuousWidth": 520, "continuousHeight": 300, "stroke": None},
            "axis": {
                "labelFontSize": 12,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "gridOpacity": 0.4,
            },
            "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
            "title": {"fontSize": 13, "fontWeight": "normal", "anchor": "start"},
            "text": {"fontSize": 12},
            "line": {"strokeWidth": 2.5},
            "point": {"filled": True, "size": 60},
            "range": {"category": COLOURS},
        }
    }


def _book_renderer(spec: dict, **_) -> dict:
    """A chart for a page that loads nothing from elsewhere: the specification, which the page's own script draws."""
    description = spec.get("description")
    if not description:
        raise ValueError("an Altair chart in the book needs an alternative text: .properties(description=...)")
    # a script element ends at the first "</", whatever quotes it stands in
    source = json.dumps(spec).replace("</", "<\\/")
    label = html.escape(description, quote=True)
    return {
        "text/html": f'<div class="mirage-chart" role="group" aria-label="{label}">'
        f'<script type="application/json">{source}</script></div>'
    }


def glue(name: str, value) -> None:
    """Keep a computed number for the text of the page ({glue:text} in MyST); does nothing where there is no book.

    >>> glue("answer", 42)
    """
    try:
        import myst_nb
    except ImportError:
        return
    # numpy prints its scalars as np.float64(1.5), which no format specification understands
    myst_nb.glue(name, getattr(value, "item", lambda: value)(), display=False)


def what_ran(live: bool | None = None, **rows):
    """A card that says what a chapter ran on: a row a keyword, its underscores as spaces; empty ones are left out.

    live : whether models ran or networks were trained; if not, the answers are kept ones. None where neither is so.
    """
    from IPython.display import HTML

    if live is not None:
        rows["live_or_kept"] = "run for this page" if live else "kept answers, measured before"
    shown = "".join(
        f"<dt>{name.replace('_', ' ').capitalize()}</dt><dd>{html.escape(str(value))}</dd>"
        for name, value in rows.items()
        if value
    )
    return HTML(f'<dl class="what-ran" aria-label="What ran here">{shown}</dl>')


def draw_curve(ax, curve, label=None, color=None, **line):
    """Draw a `scores.curve` table (x, value, low, high) on `ax`, its intervals as whiskers, its label at the end.

    Other keywords go to `ax.errorbar`. Returns the colour used.
    """
    low, high = curve["value"] - curve["low"], curve["high"] - curve["value"]
    (marks, *_) = ax.errorbar(
        curve["x"],
        curve["value"],
        # rounding can leave an end a hair inside its value
        yerr=[low.clip(lower=0), high.clip(lower=0)],
        **{"fmt": "o-", "elinewidth": 1, "capsize": 2, "color": color} | line,
    )
    if label:
        label_end(ax, curve["x"], curve["value"], label, marks.get_color())
    return marks.get_color()


def label_end(ax, x, y, text, color=INK, dx=6, dy=0) -> None:
    """Write `text` beside the last finite point of a line, in the line's colour; dx, dy in points."""
    points = [(a, b) for a, b in zip(x, y, strict=True) if b == b]
    ax.annotate(
        text,
        points[-1],
        (dx, dy),
        textcoords="offset points",
        color=color,
        va="center",
        annotation_clip=False,
    )


# what the form of `ask_models` offers: lines before, the beginning of a line, what should follow
EXAMPLES = {
    "ladder": [
        ("76+96=172\n17+56=73\n", "24+91=", "115"),
        ("2219+1653=3872\n5601+7839=13440\n", "5055+8947=", "14002"),
        ("15*82=1230\n11*67=737\n", "33*43=", "1419"),
    ],
    "ladder-text": [
        ("", "if __name__ ==", " '__main__':"),
        ("class Node:\n", "    def __", "init__(self"),
        ("        if not isinstance(other, Node):\n", "            return Not", "Implemented"),
    ],
}


def ask_models(family: str):
    """Ask every size of a bundled family: in the book a form that runs them in the page, elsewhere a table of one line.

    family : "ladder" (sums and products) or "ladder-text" (source code); seed 0 of each size.
    """
    import warnings
    from importlib import import_module

    import pandas as pd
    from IPython.display import HTML

    # by name: what only draws depends on no model; tools/mirage_book.py knows that a chapter with this call does
    names = ("families", "lm", "metrics", "tasks")
    families, lm, metrics, tasks = (import_module(f"mirage_lib.{name}") for name in names)
    members = families.members(family).query("seed == 0 and revision == 'main'")
    if os.environ.get("MIRAGE_BOOK"):
        models = [{"name": row.model, "params": row.params} for row in members.itertuples()]
        corpus, presets = models[0]["name"].split("-")[0], html.escape(json.dumps(EXAMPLES[family]))
        data = f'data-family="{corpus}" data-models="{html.escape(json.dumps(models))}" data-presets="{presets}"'
        told = "With JavaScript there is a form here: every size answers a line of yours, and each metric scores it."
        return HTML(f'<div class="mirage-models" {data}><noscript><p>{told}</p></noscript></div>')
    before, begun, target = EXAMPLES[family][0]
    target += "\n" if family == "ladder" else ""  # a sum is done at the end of its line
    task = pd.DataFrame([("line", 0, 0, before + begun, target, 0)], columns=tasks.COLUMNS)
    scores = [metrics.exact_match, metrics.token_edit_distance, metrics.cross_entropy, metrics.expected_accuracy]
    rows = []
    for member in members.itertuples():
        model = families.load(member.model)
        with warnings.catch_warnings(action="ignore"):  # a text has no stop, and only so many characters count
            answer = lm.measure(model, task)
        row = {"params": member.params, "answer": model.tokenizer.decode(answer["output"][0])}
        rows.append(row | {score.__name__: score(answer)[0] for score in scores})
    return pd.DataFrame(rows)

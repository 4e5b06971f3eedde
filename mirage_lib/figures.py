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

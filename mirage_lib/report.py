"""What an audit found (`mirage_lib.audit`), in words, as a figure, and on one page that needs no other host."""

import html
import io
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd

from mirage_lib import audit, compare, figures

COLOURS = (figures.ORANGE, figures.BLUE)  # harsh, soft
PAGE = Path(__file__).with_name("report.html")


def _known(row, name: str) -> bool:
    return name in row and pd.notna(row[name])


def answers(row) -> list[tuple[str, str]]:
    """The questions of the audit and its answers to them, for one row of its table, each with its number.

    >>> row = {"verdict": "too few sizes", "sizes": 3, "models": 3, "n_items": 50, "resolution": 0.02, "gap": 0.5}
    >>> answers(row)[2]
    ('Could so few sizes show one?', 'No: 3 sizes, and a shape needs 5.')
    """
    sizes, items = f"{row['sizes']} sizes", f"{row['n_items']:,} items"
    a, d = f"No curve of {sizes} has a shape.", "Not asked: an earlier answer decides."
    b = f"{items}: scores come in steps of {row['resolution']:.2g}; none right leaves up to "
    b += f"{3 * row['resolution']:.2g} unseen."
    c, e, rises = f"No: {sizes}, and a shape needs {audit.LEAST}.", d, row.get("p_rise", 1) < 1 - audit.SURE
    if _known(row, "p_rise"):
        a = f"It rises by {row['height']:.3f}" if rises else f"No rise is told from noise ({row['height']:.3f})"
        a += f"; noise alone does so much with probability {row['p_rise']:.3f}."
        if rises:
            a += f" The rise's middle 80 % takes {row['width']:.0%} of the window, after a floor of {row['floor']:.0%}."
        c = f"{sizes}; the widest stretch without one, where the rise is, takes {row['gap']:.0%} of the window."
    if _known(row, "power"):
        what = "such curves, drawn again, would have an answer" if rises else f"rises of {audit.MATTERS} would be seen"
        told = "Yes" if row["power"] >= audit.POWER else "No"
        b = f"{told}: with {items} and these sizes {row['power']:.0%} of {what}."
        if rises:
            c += f" It jumps in {row['sharp']:.0%} of the draws (items and models again, a size left out)."
    if row["verdict"] in ("the metric", "the model", "undecided") and rises and _known(row, "given_back"):
        d = f"Through {row['link']} {max(row['given_back'], 0):.0%} of the harsh curve's variance, beside noise. "
        d += f"Its own rise takes {row['soft_width']:.0%} of the window."
        e = f"It jumps in {row['soft_sharp']:.0%} of the draws; the rises are {row['apart']:.0%} of the window apart."
    return [
        ("Is there a jump, against the noise of items?", a),
        ("Could this test set show one?", b),
        ("Could so few sizes show one?", c),
        ("Does the soft score give the harsh curve back?", d),
        ("Does the soft score jump as well?", e),
    ]


def sentence(row) -> str:
    """The verdict of one row of an audit in a sentence, with its reserve.

    >>> sentence({"verdict": "the metric", "link": "an S-shaped curve"})[-66:]
    "not the metric's formula: a soft score blind to the jump can pass."
    """
    told = audit.SAID[row["verdict"]]
    if row["verdict"] == "the metric" and row["link"].startswith("an S"):
        told += " The link is an S-shaped curve fitted here, "
        told += "not the metric's formula: a soft score blind to the jump can pass."
    return told


def next_step(row) -> str:
    """What to measure next, for one row of an audit.

    >>> next_step({"verdict": "too few sizes", "sizes": 3, "scale": "params"})
    'Add sizes: at least 5, and one in the widest gap of params.'
    """
    more = f"{row['items_needed']:,.0f} items" if _known(row, "items_needed") else "more items"
    return {
        "no jump": "Nothing: say how large the rise is, and give its interval.",
        "test set too small": f"Ask {more} of the same kind; every model the same ones.",
        "too few sizes": f"Add sizes: at least {audit.LEAST}, and one in the widest gap of {row.get('scale')}.",
        "the metric": "Report both scores. Put the soft one through the link to say when the harsh one will be seen.",
        "the model": "Ask the same questions in another format. Measure a second model at the sizes of the jump.",
        "undecided": "More models at each size, as of other seeds; and a soft score nearer to the loss.",
    }[row["verdict"]]


def draw(curves: audit.Curves):
    """A figure of both scores, harsh above soft, with 95 % intervals and the rise's middle 80 % shaded."""
    fig, axes = _axes(2, 1, (4.4, 5.0), curves.names[2])
    log_x, error = np.log(curves.x), np.sqrt(np.diag(curves.covariance)).reshape(2, -1)
    sides = zip(axes[:, 0], ("harsh", "soft"), curves.names, (curves.harsh, curves.soft), error, COLOURS, strict=False)
    for ax, title, name, values, se, colour in sides:
        start, _, end = compare.shapes(log_x, values)
        if np.isfinite(start):
            ax.axvspan(*np.exp(log_x[0] + np.array([start, end]) * np.ptp(log_x)), color=colour, alpha=0.13, lw=0)
        _curve(ax, curves.x, values, se, colour)
        ax.set_ylabel(_plain(name.removeprefix("-")) + ("" if (values >= 0).all() else ", sign turned"))
        ax.set_title(title, color=colour)
    return fig


def plot(scored: pd.DataFrame):
    """A figure of a table of scores: a column a benchmark, a row a score, a line a family, with 95 % intervals."""
    scale = next((name for name in ("params", "tokens") if name in scored and scored[name].nunique() > 1), None)
    if scale is None:
        raise ValueError("there is nothing to plot against: the models have one size, or none that is known")
    names = [name.removesuffix("_se") for name in scored if name.endswith("_se")]
    groups = scored.sort_values(scale).groupby("benchmark")
    fig, axes = _axes(len(names), len(groups), (3.2 * len(groups) + 1.2, 2 * len(names) + 0.8), scale)
    for column, (benchmark, rows) in zip(axes.T, groups, strict=True):
        column[0].set_title(_plain(benchmark))
        for ax, name, colour in zip(column, names, [COLOURS[0], *[COLOURS[1]] * len(names)], strict=False):
            ax.set_ylabel(_plain(name))
            for i, (family, one) in enumerate(rows.groupby(rows.get("family", pd.Series("", rows.index)))):
                line = {"marker": "os^Dv<>"[i % 7], "label": _plain(family), "linestyle": ""}
                ax.plot(one.groupby(scale)[name].mean(), color=colour, lw=1)  # through the models of a size
                _curve(ax, one[scale], one[name], one[f"{name}_se"].fillna(0), colour, **line)
        if i:
            column[0].legend()
    return fig


def _axes(rows: int, columns: int, size: tuple[float, float], scale: str):
    import matplotlib.pyplot as plt

    figures.use_style()
    fig, axes = plt.subplots(rows, columns, figsize=size, sharex=True, squeeze=False)
    for ax in axes[-1]:
        ax.set(xscale="log", xlabel=f"{_plain(scale)} (log scale)")
        ax.minorticks_off()
    return fig, axes


def _curve(ax, x, values, se, colour, **line) -> None:
    values, bar = np.asarray(values, float), 1.96 * np.asarray(se, float)
    share = ((values >= 0) & (values <= 1)).all()  # whose intervals stay from 0 to 1
    ends = np.minimum(bar, [values, 1 - values]) if share else bar
    ax.errorbar(x, values, yerr=ends, color=colour, elinewidth=1, capsize=2, **{"marker": "o"} | line)


def _plain(text) -> str:
    return str(text).replace("_", " ").replace("$", r"\$")  # no formula begins there


def svg(figure, prefix: str = "") -> str:
    """A matplotlib figure as SVG text in the page's ink; `prefix` keeps the names of several apart."""
    import matplotlib.pyplot as plt

    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)
    text = stream.getvalue()
    for colour in (figures.INK, figures.GREY):
        text = text.replace(colour.lower(), "currentColor")
    for before in ('id="', 'href="#', "url(#"):
        text = text.replace(before, before + prefix)
    return text[text.index("<svg") :]


def page(curves: list[audit.Curves], audited: pd.DataFrame, wrong=()) -> str:
    """The report as one HTML page: for each row the verdict, both scores, how it was decided, and the data to copy.

    wrong : why other benchmarks could not be audited
    """
    parts = [f"<p><strong>Not audited:</strong> {html.escape(each)}</p>" for each in wrong]
    for number, (each, (_, row)) in enumerate(zip(curves, audited.iterrows(), strict=True)):
        told = "".join(f"<dt>{html.escape(q)}</dt><dd>{html.escape(a)}</dd>" for q, a in answers(row))
        data = pd.DataFrame({each.names[2]: each.x, each.names[0]: each.harsh, each.names[1]: each.soft})
        m = len(each.x)
        data["harsh_se"], data["soft_se"] = np.sqrt(np.diag(each.covariance)).reshape(2, m)
        picture = svg(draw(each), f"r{number}-")
        said = f"{row['harsh']} above, {row['soft']} below, against {row['scale']}"
        parts.append(
            f"<section><h2>{html.escape(each.benchmark)}, {html.escape(each.family)}</h2>"
            f"<p class=verdict><strong>{row['verdict']}.</strong> {sentence(row)}</p>"
            f'<figure role="img" aria-label="{html.escape(said)}">{picture}<figcaption>The same answers, harsh and '
            "soft. Shaded: the middle 80 % of each rise. Bars: 95 %.</figcaption></figure>"
            f"<h3>How it was decided</h3><dl>{told}</dl>"
            f"<h3>What to measure next</h3><p>{html.escape(next_step(row))}</p>"
            f"<details><summary>Data to copy</summary><pre>{html.escape(data.to_csv(index=False))}</pre></details>"
            "</section>"
        )
    numbers = html.escape(audited.to_csv(index=False))
    return Template(PAGE.read_text()).substitute(title="Audit of an evaluation", parts="".join(parts), numbers=numbers)

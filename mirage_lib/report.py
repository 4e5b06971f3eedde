"""What an audit found (`mirage_lib.audit`), in words, as a figure, and on one page that needs no other host."""

import html
import io
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd

from mirage_lib import audit, figures

PAGE = Path(__file__).with_name("report.html")


def _known(row, name: str) -> bool:
    return name in row and pd.notna(row[name])


def answers(row) -> list[tuple[str, str]]:
    """The questions of the audit and its answers to them, for one row of its table, each with its number.

    >>> row = {"verdict": "too few sizes", "sizes": 3, "models": 3, "n_items": 50, "resolution": 0.02, "gap": 0.5}
    >>> answers(row)[2]
    ('Could so few sizes show one?', 'No: 3 sizes, and a shape needs 5.')
    """
    sizes, known, waits = row["sizes"], _known(row, "p_rise"), "Not asked: an earlier answer decides."
    a = f"No curve of {sizes} sizes has a shape."
    b = f"{row['n_items']:,} items: scores come in steps of {row['resolution']:.2g}; none right leaves up to "
    b += f"{3 * row['resolution']:.2g} unseen."
    c = f"No: {sizes} sizes, and a shape needs {audit.LEAST}."
    if known:
        rises = row["p_rise"] < 1 - audit.SURE
        a = (
            f"It rises by {row['height']:.3f}"
            if rises
            else f"No rise is told from noise (it would be {row['height']:.3f})"
        )
        a += f"; noise alone does so much with probability {row['p_rise']:.3f}."
        if rises:
            a += f" The rise's middle 80 % takes {row['width']:.0%} of the window, after a floor of {row['floor']:.0%}."
        c = f"{sizes} sizes; the widest stretch without one, where the rise is, takes {row['gap']:.0%} of the window. "
        c += "Each inner size can be left out." if row["steady"] else "The answer changes when one is left out."
    d = e = waits
    if _known(row, "power"):
        b = f"{'Yes' if row['power'] >= audit.POWER else 'No'}: with {row['n_items']:,} items and these sizes, "
        b += f"{row['power']:.0%} of " + (
            "such curves, drawn again, would have an answer." if rises else f"rises of {audit.MATTERS} would be seen."
        )
        if rises:
            c += f" It jumps in {row['sharp']:.0%} of the draws (items and models drawn again)."
    if row["verdict"] in ("the metric", "the model", "undecided") and _known(row, "given_back"):
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
    """A figure of both scores side by side, with 95 % intervals, the rise's middle 80 % shaded."""
    import matplotlib.pyplot as plt

    figures.use_style()
    fig, axes = plt.subplots(2, 1, figsize=(4.4, 5.0), sharex=True)
    error = np.sqrt(np.diag(curves.covariance)).reshape(2, -1)
    for ax, name, values, se, colour in zip(
        axes, curves.names, (curves.harsh, curves.soft), error, (figures.ORANGE, figures.BLUE), strict=False
    ):
        start, _, end = audit.shapes(np.log(curves.x), values)
        if np.isfinite(start):
            ends = np.exp(np.log(curves.x[0]) + np.array([start, end]) * np.log(curves.x[-1] / curves.x[0]))
            ax.axvspan(*ends, color=colour, alpha=0.13, lw=0)
        _panel(ax, curves.x, values, se, colour)
        turned = "" if (values >= 0).all() else ", sign turned"
        ax.set_ylabel(_plain(name.removeprefix("-")) + turned)
    axes[0].set_title("harsh", color=figures.ORANGE)
    axes[1].set_title("soft", color=figures.BLUE)
    axes[1].set_xlabel(f"{_plain(curves.names[2])} (log scale)")
    return fig


def plot(scored: pd.DataFrame):
    """A figure of a table of scores: a column a benchmark, a row a score, a line a family, with 95 % intervals."""
    import matplotlib.pyplot as plt

    figures.use_style()
    scale = next((name for name in ("params", "tokens") if name in scored and scored[name].nunique() > 1), None)
    if scale is None:
        raise ValueError("there is nothing to plot against: the models have one size, or none that is known")
    names = [name.removesuffix("_se") for name in scored if name.endswith("_se")]
    groups = list(scored.groupby("benchmark", sort=False))
    size = (3.2 * len(groups) + 1.2, 2.1 * len(names) + 0.6)
    fig, axes = plt.subplots(len(names), len(groups), figsize=size, sharex=True, squeeze=False)
    for column, (benchmark, rows) in zip(axes.T, groups, strict=True):
        column[0].set_title(_plain(benchmark))
        column[-1].set_xlabel(f"{_plain(scale)} (log scale)")
        for ax, name, colour in zip(column, names, [figures.ORANGE] + [figures.BLUE] * len(names), strict=False):
            ax.set_ylabel(_plain(name))
            families = rows.assign(family=rows.get("family", "")).sort_values(scale).groupby("family", dropna=False)
            for (family, one), mark in zip(families, "os^Dv<>" * 99, strict=False):
                label = _plain(family) if len(families) > 1 else None
                _panel(ax, one[scale], one[name], one[f"{name}_se"].fillna(0), colour, marker=mark, label=label)
        if len(families) > 1:
            column[0].legend()
    return fig


def _plain(text) -> str:
    return str(text).replace("_", " ").replace("$", r"\$")  # no formula begins there


def _panel(ax, x, values, se, colour, **line) -> None:
    values, bar = np.asarray(values, float), 1.96 * np.asarray(se, float)
    share = bool(((values >= 0) & (values <= 1)).all())  # whose intervals stay from 0 to 1
    ends = np.array([np.minimum(bar, values), np.minimum(bar, 1 - values)]) if share else [bar, bar]
    ax.errorbar(x, values, yerr=ends, color=colour, elinewidth=1, capsize=2, **{"marker": "o"} | line)
    ax.set_xscale("log")
    ax.minorticks_off()


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

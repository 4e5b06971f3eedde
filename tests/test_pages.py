"""Every page, opened in a browser that reaches no other host, in light and in dark."""

import re

import pages
import pytest
import sample_book

HTML = sample_book.ROOT / "_build" / "html"
PAGES = sorted(
    str(path.relative_to(HTML)) for path in HTML.rglob("*.html") if path.relative_to(HTML).parts[0] != "_static"
)

pytestmark = pytest.mark.skipif(
    not pages.CHROMIUM, reason="Chromium is not installed; name one with CHROMIUM=/path/to/it"
)

BARE = (
    "<!doctype html><html lang='en'><head><title>A page</title>{head}</head>"
    "<body><main><h1>A page</h1>{body}</main></body></html>"
)
CHART = (
    '<div class="mirage-chart" role="group" aria-label="Points"><script type="application/json">'
    '{"mark": "point", "data": {"values": [VALUES]}, "encoding": {"x": {"field": "x", "type": "quantitative"}}}'
    '</script></div><script src="_static/mirage.js"></script>'
)
# what is wrong with the page -> (head, body, how it is told)
FAULTS = {
    "another host": (
        "<link rel='stylesheet' href='https://cdn.example.org/a.css'>",
        "",
        "asks another host: https://cdn",
    ),
    "script error": ("", "<script>throw new Error('planted')</script>", "script: planted"),
    "console error": ("", "<script>console.error('planted')</script>", "console: planted"),
    "missing file": ("<script src='nowhere.js'></script>", "", "status 404"),
    "chart without marks": ("", CHART.replace("VALUES", ""), "chart without marks: Points"),
    "chart not drawn": ("", CHART.replace("VALUES", '{"x": 1}, oops'), "a chart is not drawn"),
    "inline formula": ("", "<p>So \\(x^2\\) it is</p>", "formula not rendered"),
    "displayed formula": ("", "<p>$$x^2$$</p>", "formula not rendered"),
    "formula without MathJax": ("", "<span class='math'>x^2</span>", "formula not rendered"),
    "pale box": ("", "<p class='cell_output'><b class='text_html' style='background: #ddd'>A</b></p>", "in a pale box"),
    "picture without words": ("", "<img src='_static/dot.svg'>", "axe image-alt"),
    "pale words": ("", "<p style='color: #ccc; background: #fff'>Hardly to be read</p>", "axe color-contrast"),
    "pale code": (
        "<style>.n { color: #333 } .k { color: #ccc }</style>",
        "<div class='highlight' style='background: #fff'><pre><span class='n'>a</span> <span class='k'>if</span> "
        "<span class='n'>b</span> <span class='k'>if</span></pre></div>",
        "axe color-contrast",
    ),
    "pale words far down": (
        "",
        "<p>Dark <em>words</em></p>" * 5 + "<p>Dark and <em>then <b style='color: #ccc'>pale</b></em></p>",
        "axe color-contrast",
    ),
    "slider without name": ("", "<input type='range'>", "axe label"),
    "pale words in the dark": (
        "<style>[data-theme=dark] p { color: #333; background: #111 }</style>",
        "<p>Hardly to be read</p>",
        "in the dark: axe color-contrast",
    ),
    "scalar of numpy": ("", "<pre class='cell_output'>(np.float64(0.5), 1)</pre>", "raw output: (np.float64(0.5)"),
    "array": ("", "<pre class='cell_output'>array([1, 2])</pre>", "raw output: array("),
    "series": ("", "<pre class='cell_output'>x 1\nName: x, dtype: int64</pre>", "raw output: x 1"),
    "object": ("", "<p>&lt;matplotlib.lines.Line2D at 0x7f&gt;</p>", "raw output: <matplotlib"),
    "no number": ("", "<table><tr><td>NaN</td></tr></table>", "raw output: NaN"),
    "impossible p-value": ("", "<p>So clear (p = 0.0000) it is.</p>", "raw output: So clear"),
    "formula in a table": ("", "<table><tr><td>exp(-a m$^g$)</td></tr></table>", "raw output: exp(-a"),
    "code cut": ("", f"<pre style='overflow: auto'>{'long ' * 40}</pre>", "on a desk, code cut"),
    "code cut on a phone": ("", f"<pre style='overflow: auto'>{'long ' * 16}</pre>", "on a phone, code cut"),
    "table cut": (
        "",
        "<div style='overflow: auto; width: 300px'><table><tr><td style='min-width: 400px'>A</td></tr></table></div>",
        "on a desk, table cut",
    ),
    "table that does not say that it scrolls": (
        "",
        f"<div style='overflow: auto'><table><tr>{'<td>aaaaaaaaaaaaaa</td>' * 5}</tr></table></div>",
        "on a phone, table cut",
    ),
    "formula cut": (
        "",
        "<p class='math' style='overflow: auto'><mjx-container style='display: block; width: 500px'>x</mjx-container>",
        "on a phone, formula cut",
    ),
    "formula too small": (
        "",
        "<div class='math'><mjx-container style='font-size: 30%'>x</mjx-container></div>",
        "formula too small",
    ),
    "figure cut": (
        "",
        "<figure style='overflow: hidden'><img alt='A dot' src='_static/dot.svg' style='width: 600px'></figure>",
        "on a phone, figure cut",
    ),
    "words cut": (
        "",
        f"<p style='overflow: hidden; white-space: nowrap'>{'words ' * 20}</p>",
        "on a phone, words cut",
    ),
    "too wide": ("", "<p style='width: 900px'>A wide page</p>", "wider than a phone"),
}


@pytest.fixture(scope="module")
def browser():
    with pages.browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def book():
    with pages.served(HTML) as address:
        yield address


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A folder that is served, with the scripts of the book."""
    import mirage_book

    folder = tmp_path_factory.mktemp("pages")
    (folder / "_static").mkdir()
    for file in ("mirage.js", "mirage.css"):
        (folder / "_static" / file).write_text((sample_book.ROOT / "book" / "_static" / file).read_text())
    (folder / "_static" / "dot.svg").write_text((sample_book.ROOT / "tests/sample/book/_static/dot.svg").read_text())
    mirage_book.write_vega(folder / "_static" / "vega.js")
    with pages.served(folder) as address:
        yield folder, address


@pytest.mark.skipif(not PAGES, reason="the book is not built: make book")
@pytest.mark.parametrize("page", PAGES)
def test_page_is_whole(book, browser, page):
    assert pages.problems(browser, book, page) == []


def test_sound_page_has_no_problem(scratch, browser):
    folder, address = scratch
    body = CHART.replace("VALUES", '{"x": 1}, {"x": 2}') + "<p>A price of 5 $, and <code>\\(x\\)</code></p>"
    (folder / "sound.html").write_text(BARE.format(head="<link rel='icon' href='data:,'>", body=body))
    assert pages.problems(browser, address, "sound.html") == []


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(scratch, browser, fault, monkeypatch):
    monkeypatch.setattr(pages, "PATIENCE", 2)
    folder, address = scratch
    head, body, told = FAULTS[fault]
    # a name of its own, for the browser keeps what it has seen
    name = f"{fault.replace(' ', '-')}.html"
    (folder / name).write_text(BARE.format(head=f"<link rel='icon' href='data:,'>{head}", body=body))
    found = pages.problems(browser, address, name)
    assert any(told in problem for problem in found), found


def test_choices_of_a_chart_are_named(scratch, browser):
    folder, address = scratch
    bind = '{"input": "radio", "options": ["one", "two"], "name": "Score: "}'
    params = f'[{{"name": "score", "value": "one", "bind": {bind}}}]'
    spec = f'{{"params": {params}, "mark": "point", "data": {{"values": [{{}}]}}}}'
    body = (
        f'<div class="mirage-chart" role="group" aria-label="A point"><script type="application/json">{spec}</script>'
        '</div><script src="_static/mirage.js"></script>'
    )
    (folder / "choices.html").write_text(BARE.format(head="<link rel='icon' href='data:,'>", body=body))
    assert pages.problems(browser, address, "choices.html") == []
    page = browser.new_page()
    page.goto(f"{address}/choices.html")
    page.wait_for_selector("[data-drawn]")
    assert page.get_by_role("radiogroup", name="Score").count() == 1
    page.get_by_role("radio", name="two").check()
    page.close()


def test_chart_follows_the_theme_and_its_slider(scratch, browser):
    """A chart is redrawn when its slider moves, and turns with the theme without being drawn again."""
    folder, address = scratch
    spec = (
        '{"params": [{"name": "most", "value": 1, "bind": {"input": "range", "min": 0, "max": 9, "name": "Most: "}}],'
        '"data": {"values": [{"x": 1}, {"x": 5}]}, "transform": [{"filter": "datum.x <= most"}],'
        '"mark": "point", "encoding": {"x": {"field": "x", "type": "quantitative"}}}'
    )
    body = (
        f'<div class="mirage-chart" role="group" aria-label="Points"><script type="application/json">{spec}</script>'
        '</div><script src="_static/mirage.js"></script>'
    )
    style = "<link rel='stylesheet' href='_static/mirage.css'><link rel='icon' href='data:,'>"
    (folder / "slider.html").write_text(BARE.format(head=style, body=f'<div class="bd-content">{body}</div>'))
    page = browser.new_page()
    page.goto(f"{address}/slider.html")
    page.wait_for_selector("[data-drawn]")
    marks = page.locator(".mark-symbol.role-mark path")
    assert marks.count() == 1
    slider = page.get_by_label("Most")
    slider.fill("6")
    page.wait_for_timeout(300)
    assert marks.count() == 2
    words = page.locator(".mirage-chart .role-axis-label text").first
    data = marks.first.evaluate("mark => getComputedStyle(mark).fill")
    for theme, ink in (("light", "rgb(34, 34, 34)"), ("dark", "rgb(230, 230, 230)")):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        assert words.evaluate("e => getComputedStyle(e).fill") == ink
        assert marks.first.evaluate("mark => getComputedStyle(mark).fill") == data
    page.close()


def luminance(colour: str) -> float:
    """Return the relative luminance (WCAG 2) of a computed style's rgb(...)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_still_figure_follows_the_theme_and_its_photograph_does_not(scratch, browser):
    """Words are legible on both grounds; a picture inside a figure has the same pixels."""
    import matplotlib.pyplot as plt
    import mirage_book

    from mirage_lib import figures

    folder, address = scratch
    assert set(mirage_book.INKS) == {colour.lower() for colour in (figures.INK, figures.GREY, figures.BLUE)}
    with plt.rc_context():
        figures.use_style()
        figure, ax = plt.subplots(figsize=(4, 3))
        ax.imshow([[0.0, 0.5], [0.7, 1.0]], cmap="viridis")
        ax.set_xlabel("place")
        ax.set_ylabel("in blue", color=figures.BLUE)
        figure.savefig(folder / "figure.svg")
        plt.close(figure)
    svg = (folder / "figure.svg").read_text()
    drawing = mirage_book.figure_ink(svg[svg.index("<svg") :])
    style = (
        "<link rel='stylesheet' href='_static/mirage.css'><link rel='icon' href='data:,'>"
        "<style>html { --pst-color-background: #fff } html[data-theme=dark] { --pst-color-background: #14181e }</style>"
    )
    (folder / "figure.html").write_text(BARE.format(head=style, body=f"<div class='cell_output'>{drawing}</div>"))
    page = browser.new_page()
    page.goto(f"{address}/figure.html")
    photographs = []
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        fill = "e => getComputedStyle(e).fill"
        ground = luminance(page.locator("#patch_1 path").evaluate(fill))
        ink = luminance(page.locator("#text_1 use, #text_1 g").first.evaluate(fill))
        assert (max(ground, ink) + 0.05) / (min(ground, ink) + 0.05) > 7
        blue = max(luminance(word.evaluate(fill)) for word in page.locator("[id^=text_] g[style*=blue]").all())
        assert (max(ground, blue) + 0.05) / (min(ground, blue) + 0.05) > 4.5
        box = page.locator("image").bounding_box()
        # without the spines on its edge
        middle = {"x": box["x"] + 20, "y": box["y"] + 20, "width": box["width"] - 40, "height": box["height"] - 40}
        photographs.append(page.screenshot(clip=middle))
    assert photographs[0] == photographs[1]
    page.close()

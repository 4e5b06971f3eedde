"""Open a built page in a headless browser and list what a reader would find broken."""

import functools
import http.server
import threading
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import teaching

AXE = Path(find_spec("axe_playwright_python").origin).parent / "axe.min.js"
PATIENCE = 10  # seconds that a chart may take
FRAMES = 200  # milliseconds until a page has settled in another width
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 800}
CHROMIUM = teaching.chromium()

# Formulas left as they were typed, outside code
RAW_MATHEMATICS = r"""() => {
  const raw = [];
  const walk = document.createTreeWalker(document.querySelector("main, body"), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent;
    if (walk.currentNode.parentElement.closest("script, style, pre, code, mjx-container, textarea")) continue;
    if (/\\\(|\\\[|\$\$/.test(text)) raw.push(text.trim().slice(0, 80));
  }
  for (const math of document.querySelectorAll(".math"))
    if (!math.querySelector("mjx-container")) raw.push(math.textContent.trim().slice(0, 80));
  for (const error of document.querySelectorAll("mjx-merror, [data-mjx-error]"))
    raw.push("MathJax: " + (error.getAttribute("data-mjx-error") || error.textContent));
  return raw;
}"""

# What Python or a formula's source says, where a reader expects a number or a word; code may say it
RAW_OUTPUT = r"""() => {
  const raw = new RegExp([
    "np\\.(float|int|str|bool)\\w*\\(", "\\barray\\(\\[", "\\bdtype:", "<(matplotlib|altair|function|module)\\b",
    "\\bp = 0\\.0+(?!\\d)", "\\w\\$[\\^_]", "(?<![\\w.-])nan(?![\\w.-])",
  ].join("|"), "i");
  const found = [], main = document.querySelector("main");
  const walk = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent, parent = walk.currentNode.parentElement;
    if (parent.closest("script, style, code, .cell_input, mjx-container, .highlight:not(.cell_output *)")) continue;
    if (raw.test(text)) found.push(text.trim().slice(0, 80));
  }
  return found;
}"""

EMPTY_CHARTS = """() => [...document.querySelectorAll(".mirage-chart")].filter(chart =>
  !chart.querySelector(".role-mark path, .role-mark rect, .role-mark line, .role-mark text")
).map(chart => chart.getAttribute("aria-label"))"""


# Output that the theme puts in a pale box on dark pages, where turned-around colours cannot be read
BOXES = """() => [...document.querySelectorAll(".cell_output .text_html, .cell_output img")].filter(output =>
  getComputedStyle(output).backgroundColor !== "rgba(0, 0, 0, 0)"
).map(output => output.outerHTML.slice(0, 80))"""

# What a reader cannot see whole: code, formulas, tables and figures wider than their place, words cut off. A table of
# many columns may scroll if it says so; a formula set small enough to fit must still be read.
UNFOLD = "() => document.querySelectorAll('details').forEach(folded => { folded.open = true; })"
OVERFLOW = """() => {
  const found = [], text = parseFloat(getComputedStyle(document.body).fontSize);
  const tell = (what, element) => {
    const words = (element.textContent || element.outerHTML).trim().replace(/\\s+/g, " ");
    found.push(`${what}: ${words.slice(0, 60)}`);
  };
  const columns = (table) => Math.max(...[...table.rows].map(row => row.cells.length));
  const right = (element) => {
    const column = element.parentElement.closest("div, section, figure, main, article");
    return Math.min(column.getBoundingClientRect().right, document.documentElement.clientWidth);
  };
  const sticksOut = (element) => {
    const { left, right: end, width } = element.getBoundingClientRect();
    return width > 0 && (end > right(element) + 1 || left < -1);
  };
  const main = document.querySelector("main");
  for (const code of main.querySelectorAll("pre")) if (code.scrollWidth > code.clientWidth + 1) tell("code cut", code);
  for (const table of main.querySelectorAll("table"))
    if (sticksOut(table) && !(columns(table) > 2 && table.closest(".scrolls"))) tell("table cut", table);
  for (const formula of main.querySelectorAll("mjx-container, .math > *")) {
    if (formula.closest("mjx-container *")) continue;
    // in a line, scrollWidth would count what only a screen reader reads
    const displayed = formula.getAttribute("display") === "true";
    if (sticksOut(formula) || displayed && formula.scrollWidth > formula.clientWidth + 1) tell("formula cut", formula);
    if (parseFloat(getComputedStyle(formula).fontSize) < 0.55 * text) tell("formula too small", formula);
  }
  for (const figure of main.querySelectorAll("img, .mirage-chart svg, figure, canvas"))
    if (sticksOut(figure)) tell("figure cut", figure);
  for (const words of main.querySelectorAll("p, li, a, dd, figcaption, h1, h2, h3")) {
    const hides = getComputedStyle(words).overflowX !== "visible" && words.clientWidth > 1;
    if (hides && words.scrollWidth > words.clientWidth + 1) tell("words cut", words);
  }
  return found;
}"""

# Contrast takes axe long, and elements of one kind look alike: two of a kind are left (rows of tables alternate), and
# an element goes only with everything in it. What tells kinds apart is whatever style sheets here look at. Formulas
# have the colour of the text around them. Axe takes a word in a drawing for one of the page.
THIN_OUT = """() => {
  const kinds = new Map(), seen = {};
  const kind = (element) => {
    if (!kinds.has(element)) {
      const told = ["class", "style", "role", "fill"].map(name => element.getAttribute(name) || "");
      const above = element === document.body ? "" : kind(element.parentElement);
      kinds.set(element, `${above}>${element.tagName} ${told.join(" ")}`);
    }
    return kinds.get(element);
  };
  for (const drawn of [...document.querySelectorAll("mjx-container")].slice(2)) drawn.remove();
  for (const drawn of document.querySelectorAll("svg")) drawn.remove();
  for (const element of [...document.body.querySelectorAll("*")]) {
    if (!element.isConnected) continue;
    if ([element, ...element.querySelectorAll("*")].every(each => seen[kind(each)] >= 2)) element.remove();
    else seen[kind(element)] = (seen[kind(element)] || 0) + 1;
  }
}"""

# A page has the same elements in light and in dark, so only what depends on colours is looked at again.
COLOUR_RULES = ["color-contrast", "link-in-text-block"]
COLOURS = {"runOnly": {"type": "rule", "values": COLOUR_RULES}}
# Axe calls what it finds by "region" moderate, which is not listed here, and takes a fifth of its time for it.
ALL_ELSE = {"rules": {rule: {"enabled": False} for rule in [*COLOUR_RULES, "region"]}}


class Silent(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        # a browser asks for a host's icon by itself, once
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@contextmanager
def served(folder: Path):
    """Serve a folder on loopback; gives its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # no other host is found; to route requests through this process would switch the browser's cache off
        args = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        try:
            # one context: scripts are fetched and compiled once, not once a page
            context = chromium.new_context(viewport=DESK, reduced_motion="reduce")
            context.add_init_script("localStorage.setItem('mode', 'light'); localStorage.setItem('theme', 'light')")
            yield context
        finally:
            chromium.close()


def problems(browser, address: str, path: str) -> list[str]:
    """Open a page, no other host in reach, in light, then in dark, then on a phone; say what is wrong with it."""
    found = []

    def seen(request):
        if not request.url.startswith((address, "data:", "blob:")):
            found.append(f"asks another host: {request.url}")

    page = browser.new_page()
    page.on("request", seen)
    page.on("console", lambda m: found.append(f"console: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on("requestfailed", lambda r: found.append(f"failed: {r.url}") if r.url.startswith(address) else None)
    page.on("response", lambda r: found.append(f"status {r.status}: {r.url}") if r.status >= 400 else None)
    try:
        page.goto(f"{address}/{path}", wait_until="networkidle")  # one page leads to another
        if page.evaluate("Boolean(window.MathJax && MathJax.startup)"):
            page.evaluate("MathJax.startup.promise.then(() => true)")
        if page.locator(".mirage-chart").count():
            try:
                page.wait_for_function(
                    "[...document.querySelectorAll('.mirage-chart')].every(c => c.dataset.drawn)",
                    timeout=1000 * PATIENCE,
                )
            except Exception:
                found.append(f"a chart is not drawn after {PATIENCE} seconds")
        found += [f"formula not rendered: {text}" for text in page.evaluate(RAW_MATHEMATICS)]
        found += [f"raw output: {text}" for text in page.evaluate(RAW_OUTPUT)]
        found += [f"chart without marks: {label}" for label in page.evaluate(EMPTY_CHARTS)]
        found += [f"in a pale box: {start}" for start in page.evaluate(BOXES)]
        page.evaluate(UNFOLD)
        for size, name in ((PHONE, "phone"), (DESK, "desk")):
            page.set_viewport_size(size)
            page.wait_for_timeout(FRAMES)
            if page.evaluate("document.documentElement.scrollWidth") > size["width"]:
                found.append(f"wider than a {name}")
            found += [f"on a {name}, {what}" for what in page.evaluate(OVERFLOW)]
        # a drawing is one picture to who does not see it; its thousand parts take axe most of its time
        page.evaluate("document.querySelectorAll('svg.still > *').forEach(part => part.remove())")
        found += violations(page, ALL_ELSE)
        page.evaluate(THIN_OUT)
        found += violations(page, COLOURS)
        # the switch of the theme does this, and style sheets do the rest
        page.evaluate("document.documentElement.dataset.theme = document.documentElement.dataset.mode = 'dark'")
        found += [f"in a pale box, in the dark: {start}" for start in page.evaluate(BOXES)]
        found += [f"in the dark: {violation}" for violation in violations(page, COLOURS)]
    finally:
        page.close()
    return found


def violations(page, options: dict) -> list[str]:
    """Return what axe-core finds serious or critical in an open page."""
    options = {"preload": False, "resultTypes": ["violations"]} | options
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE.read_text())
    said = []
    for violation in page.evaluate("options => axe.run(options)", options)["violations"]:
        if violation["impact"] in ("serious", "critical"):
            nodes = "; ".join(
                f"{node['html'][:120]} {node['any'][0]['message'] if node['any'] else ''}"
                for node in violation["nodes"][:5]
            )
            said.append(f"axe {violation['id']} ({violation['impact']}): {nodes}")
    return said

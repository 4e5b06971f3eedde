"""Open a built page in a headless browser and list what a reader would find broken."""

import functools
import http.server
import os
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 10  # seconds that a chart may take
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

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

EMPTY_CHARTS = """() => [...document.querySelectorAll(".mirage-chart")].filter(chart =>
  !chart.querySelector(".role-mark path, .role-mark rect, .role-mark line, .role-mark text")
).map(chart => chart.getAttribute("aria-label"))"""


# Output that the theme puts in a pale box on dark pages, where turned-around colours cannot be read
BOXES = """() => [...document.querySelectorAll(".cell_output .text_html, .cell_output img")].filter(output =>
  getComputedStyle(output).backgroundColor !== "rgba(0, 0, 0, 0)"
).map(output => output.outerHTML.slice(0, 80))"""

# Words of code by the thousand have few kinds, each with one colour: one of a kind is left, for contrast takes long
FEWER_WORDS = """() => {
  const seen = new Set();
  for (const word of document.querySelectorAll(".highlight span[class]")) {
    if (word.children.length) continue;
    if (seen.has(word.className)) word.replaceWith(word.textContent);
    seen.add(word.className);
  }
}"""

# A page has the same elements in light and in dark, so only what depends on colours is looked at again.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


class Silent(http.server.SimpleHTTPRequestHandler):
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
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            chromium.close()


def problems(chromium, address: str, path: str) -> list[str]:
    """Open a page with every other host blocked, in light, then in dark, then on a phone; say what is wrong with it."""
    found = []
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.add_init_script("localStorage.setItem('mode', 'light'); localStorage.setItem('theme', 'light')")

    def route(request):
        if request.request.url.startswith((address, "data:", "blob:")):
            request.continue_()
        else:
            found.append(f"asks another host: {request.request.url}")
            request.abort()

    context.route("**/*", route)
    page = context.new_page()
    page.on("console", lambda m: found.append(f"console: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on("requestfailed", lambda r: found.append(f"failed: {r.url}") if r.url.startswith(address) else None)
    page.on("response", lambda r: found.append(f"status {r.status}: {r.url}") if r.status >= 400 else None)
    try:
        page.goto(f"{address}/{path}", wait_until="networkidle")
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
        found += [f"chart without marks: {label}" for label in page.evaluate(EMPTY_CHARTS)]
        found += [f"in a pale box: {start}" for start in page.evaluate(BOXES)]
        page.evaluate(FEWER_WORDS)
        found += violations(page, {})
        # the switch of the theme does this, and style sheets do the rest
        page.evaluate("document.documentElement.dataset.theme = document.documentElement.dataset.mode = 'dark'")
        found += [f"in a pale box, in the dark: {start}" for start in page.evaluate(BOXES)]
        found += [f"in the dark: {violation}" for violation in violations(page, COLOURS)]
        page.set_viewport_size({"width": 390, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth") > 390:
            found.append("wider than a phone")
    finally:
        context.close()
    return found


def violations(page, options: dict) -> list[str]:
    """Return what axe-core finds serious or critical in an open page."""
    from axe_playwright_python.sync_playwright import Axe

    result = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]} | options)
    said = []
    for violation in result.response["violations"]:
        if violation["impact"] in ("serious", "critical"):
            nodes = "; ".join(
                f"{node['html'][:120]} {node['any'][0]['message'] if node['any'] else ''}"
                for node in violation["nodes"][:5]
            )
            said.append(f"axe {violation['id']} ({violation['impact']}): {nodes}")
    return said

"""The ladder's models in the page: a browser computes what torch computes, and everyone can ask them."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pack_ladder
import pages
import pandas as pd
import pytest
import sample_book

from mirage_lib import claims, families, lm, tasks

asking = claims.deciders("asking")
SCRIPT = (sample_book.ROOT / "book" / "_static" / "ladder.js").read_text()
THEME = Path(find_spec("pydata_sphinx_theme").origin).parent / "theme/pydata_sphinx_theme/static/styles"
PAGE = (
    "<!doctype html><html lang='en' data-theme='light'><head><meta charset='utf-8'><title>A page</title>{styles}"
    "<meta name='viewport' content='width=device-width'></head><body><main><h1>A page</h1>{body}</main>"
    "<script src='_static/{script}' defer></script></body></html>"
)
TOLERANCE = 1e-3  # nats
ASK = "([name, lines]) => Promise.all(lines.map(([prompt, target]) => askLadder(name, prompt, target)))"
SUMS = [("multiplication", 2), ("addition", 4)]
FAULTS = {
    "no rotary positions": ("this.turn(head)", "head"),
    "rotary positions from one": ("this.position += 1;\n", "this.position += 1 + 1 * (this.position === 3);\n"),
    "other pairs turn": ("apart = this.rotary / 2; i < apart", "apart = 1; i < apart"),
    "fits not scaled": (" / Math.sqrt(size);", ";"),
    "GELU by tanh": ("erf(z / Math.SQRT2)", "Math.tanh(0.7978845608 * (z + 0.044715 * z ** 3))"),
    "one after the other": ("_attention_layernorm`, x)", "_attention_layernorm`, x.map((v, i) => v + attended[i]))"),
    "cache not wound back": ("this.position = prompt.length;", ""),
}


def questions(family: str, n: int) -> pd.DataFrame:
    if family == "text":
        return tasks.continuation(n)
    return pd.concat([tasks.arithmetic(*what, n=n // 2, layout="compact") for what in SUMS], ignore_index=True)


@pytest.fixture(scope="module")
def browser():
    if not pages.CHROMIUM:
        pytest.skip("Chromium is not installed; name one with CHROMIUM=/path/to/it")
    with pages.browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the book's script and style, and every model of seed 0 packed."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "_static").mkdir()
    pack_ladder.pack(families.LADDER, folder / "_static" / "ladder")
    (folder / "_static" / "mirage.css").write_text((sample_book.ROOT / "book/_static/mirage.css").read_text())
    return folder


@pytest.fixture
def opened(site, browser):
    """Open a page with some HTML, as a file, and perhaps with another script; what goes wrong in it fails the test."""
    pages_open, wrong = [], []

    def opened(body: str = "", script: str = SCRIPT, context=browser):
        (site / "_static" / "ladder.js").write_text(script)
        sheets = [file.as_uri() for file in sorted(THEME.glob("*.css"))] + ["_static/mirage.css"]
        styles = "".join(f"<link rel='stylesheet' href='{sheet}'>" for sheet in sheets)
        (site / "page.html").write_text(PAGE.format(styles=styles, body=body, script="ladder.js"))
        page = context.new_page()
        pages_open.append(page)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((site / "page.html").as_uri())
        return page

    yield opened
    for page in pages_open:
        assert [url for url in page.asked if not url.startswith(("file:", "blob:", "data:"))] == []
        page.close()
    assert wrong == []


def compare(page, name: str, task: pd.DataFrame) -> tuple[float, int]:
    """The largest difference of log-probabilities between page and torch, and how many greedy answers differ."""
    model = families.load(name)
    items = lm.measure(model, task)
    given = page.evaluate(ASK, [name, task[["prompt", "target"]].to_numpy().tolist()])
    worst, other = 0.0, 0
    for answered, logprob, output, target in zip(
        given, items["logprob"], items["output"], items["target"], strict=True
    ):
        worst = max(worst, *(abs(a - b) for a, b in zip(answered["logprob"], logprob, strict=True)))
        other += answered["answer"] != model.tokenizer.convert_ids_to_tokens(list(output[: len(target)]))
    return worst, other


@pytest.mark.parametrize(
    "rung", ["arithmetic-3k", "arithmetic-57k", "arithmetic-2.1m", "text-7k", "text-57k", "text-2.1m"]
)
def test_a_page_computes_what_torch_computes(opened, rung):
    name, n = f"{rung}-seed0", 6 if rung.endswith("m") else 50
    if not (families.LADDER / name / "training.json").exists():
        pytest.skip(f"{name} is not trained")
    worst, other = compare(opened(), name, questions(name.split("-")[0], n))
    assert worst < TOLERANCE
    assert other == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_script_is_found(opened, fault):
    right, wrong = FAULTS[fault]
    assert SCRIPT.count(right) == 1
    worst, other = compare(opened(script=SCRIPT.replace(right, wrong)), "arithmetic-57k-seed0", questions("", 20))
    assert worst > TOLERANCE or other > 0


@pytest.fixture
def form(monkeypatch):
    """The form as the book has it."""
    monkeypatch.setenv("MIRAGE_BOOK", "1")
    return asking.ask_models("ladder").data


def answered(page, sizes: int) -> list[list[str]]:
    """Wait until so many sizes have answered; return the scores of each."""
    page.wait_for_function(f"document.querySelectorAll('.mirage-models li').length === {sizes}")
    return page.evaluate(
        "[...document.querySelectorAll('li')].map(li => [...li.querySelectorAll('dd')].map(d => d.textContent))"
    )


def test_the_form_says_what_a_notebook_says(opened, form, monkeypatch):
    monkeypatch.delenv("MIRAGE_BOOK")
    table = asking.ask_models("ladder")
    page = opened(form)
    assert not [url for url in page.asked if "/ladder/" in url]  # nothing before it is wanted
    page.get_by_role("button").click()
    assert len(answered(page, 8)) == 8
    assert not [url for url in page.asked if "2.1m" in url]
    page.get_by_label("largest").check()
    page.get_by_role("button").click()
    scores = answered(page, 9)
    assert len(page.workers) == 1
    for said, row in zip(scores, table.itertuples(), strict=True):
        assert [float(value) for value in said[:2]] == [row.exact_match, row.token_edit_distance]
        assert float(said[2]) == pytest.approx(row.cross_entropy, abs=0.006)
        assert float(said[3]) == pytest.approx(row.expected_accuracy, rel=0.06, abs=0.0006)
    last = page.locator("li").last
    assert "2.1m" in last.inner_text() and "2,087,904 parameters" in last.inner_text()
    assert last.get_by_role("img").get_attribute("aria-label").startswith("Probability of 1 ")


def test_the_form_works_by_keyboard(opened, form):
    page = opened(form)
    order = []
    for _ in range(7):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.name || document.activeElement.tagName"))
    assert order == ["preset", "before", "begun", "target", "count", "large", "BUTTON"]
    for _ in range(4):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("27+58=")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("85")
    page.keyboard.press("Enter")
    whole = answered(page, 8)
    status = page.get_by_role("status")
    exact = sum(scores[0] == "1" for scores in whole)
    assert status.inner_text() == f"8 of 8 sizes have answered, {exact} with the first 3 right."
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    first = answered(page, 8)
    exact = sum(scores[0] == "1" for scores in first)
    assert status.inner_text() == f"8 of 8 sizes have answered, {exact} with the first 1 right."
    assert all(float(a[2]) <= float(b[2]) for a, b in zip(first, whole, strict=True))


def test_the_form_fits_a_phone_in_light_and_in_dark(opened, form):
    page = opened(form)
    page.set_viewport_size(pages.PHONE)
    page.locator("[name=begun]").fill("1234567890+1234567890=")
    page.locator("[name=target]").fill("1" * 32)
    page.get_by_role("button").click()
    answered(page, 8)
    page.locator("[name=count]").fill("20")
    own = page.locator("li").last.locator(".letters :is(u, s)").all_inner_texts()
    assert own[own.index("¶") + 1 :] == [""] * (32 - own.index("¶"))  # an answer ends with its line
    assert page.evaluate("document.documentElement.scrollWidth") <= pages.PHONE["width"]
    assert page.evaluate(pages.OVERFLOW) == []
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        assert pages.violations(page, {}) == []


def test_what_cannot_be_asked_is_said(opened, form, site):
    page = opened(form)
    status = page.get_by_role("status")
    page.locator("[name=begun]").fill("1-2=")
    page.get_by_role("button").click()
    page.wait_for_function("document.querySelector('[role=status]').textContent.includes('“-”')")
    file = site / "_static" / "ladder" / "arithmetic-7k-seed0.js"
    kept = file.read_text()
    file.unlink()
    page.locator("[name=begun]").fill("1+2=")
    page.get_by_role("button").click()
    page.wait_for_function("document.querySelector('[role=status]').textContent.includes('arithmetic-7k-seed0')")
    file.write_text(kept)
    page.get_by_role("button").click()
    answered(page, 8)
    assert status.inner_text().startswith("8 of 8")


def test_without_javascript_the_page_says_what_would_be_there(opened, form, browser):
    context = browser.browser.new_context(java_script_enabled=False)
    text = opened(form, context=context).locator("main").inner_text()
    context.close()
    assert "With JavaScript" in text


def test_examples_ask_what_no_model_has_seen():
    for before, begun, target in asking.EXAMPLES["ladder"]:
        a, sign, b = re.fullmatch(r"(\d+)([+*])(\d+)=", begun).groups()
        assert tasks.held_out(int(a), int(b))
        assert int(target) == (int(a) + int(b) if sign == "+" else int(a) * int(b))
        for line in before.splitlines():
            a, _, b, answer = re.fullmatch(r"(\d+)([+*])(\d+)=(\d+)", line).groups()
            assert not tasks.held_out(int(a), int(b))
            assert int(answer) == (int(a) + int(b) if sign == "+" else int(a) * int(b))


def test_a_model_that_the_script_would_compute_wrongly_is_not_packed(tmp_path):
    name = "arithmetic-3k-seed0"
    (tmp_path / name).mkdir()
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name / file).write_bytes((families.LADDER / name / file).read_bytes())
    config = json.loads((tmp_path / name / "config.json").read_text())
    (tmp_path / name / "config.json").write_text(json.dumps(config | {"use_parallel_residual": False}))
    with pytest.raises(ValueError, match="use_parallel_residual"):
        pack_ladder.pack(tmp_path, tmp_path, [name])

// Draws each chart of a page from the Vega-Lite specification that the page holds, with the Vega that the book
// itself serves. The bundle is loaded only on pages that have a chart. Ink in the dark is left to mirage.css.
const bundle = new URL("vega.js", document.currentScript.src);

function load(url) {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: url, onload: resolve });
    script.onerror = () => reject(new Error(`${url} could not be loaded: the charts are not drawn.`));
    document.head.append(script);
  });
}

async function drawCharts() {
  const charts = document.querySelectorAll(".mirage-chart");
  if (!charts.length) return;
  await load(bundle);
  for (const chart of charts) {
    const spec = JSON.parse(chart.querySelector("script").textContent);
    const faceted = ["row", "column", "facet"].some((channel) => spec.encoding?.[channel]);
    if ((spec.mark || spec.layer) && !faceted) {
      // one view fills the width of the page, up to the width that its author gave it
      const width = typeof spec.width === "number" ? spec.width : spec.config?.view?.continuousWidth ?? 520;
      chart.style.maxWidth = `${width + 100}px`;
      spec.width = "container";
      spec.autosize = { type: "fit-x", contains: "padding" };
    }
    // views below each other have no such setting
    for (const view of spec.vconcat ?? []) if (view.width) view.width = Math.min(520, chart.clientWidth - 80);
    spec.background = "transparent";
    const drawing = document.createElement("div");
    chart.append(drawing);
    await window.vegaEmbed(drawing, spec, { actions: false, renderer: "svg" });
    // the chart's description is said once, by its frame
    for (const svg of drawing.querySelectorAll("svg")) svg.setAttribute("aria-hidden", "true");
    for (const bind of drawing.querySelectorAll(".vega-bind")) {
      const name = bind.querySelector(".vega-bind-name")?.textContent.replace(/[:\s]+$/, "");
      const choices = bind.querySelector(".vega-bind-radio");
      // choices have their own labels, and the name is that of the group
      choices?.setAttribute("role", "radiogroup");
      for (const named of choices ? [choices] : bind.querySelectorAll("input, select")) named.setAttribute("aria-label", name);
    }
    chart.dataset.drawn = "true";
  }
}

// A formula wider than its column is set smaller, and a table that no column holds says that it scrolls.
function fit() {
  for (const formula of document.querySelectorAll("mjx-container")) {
    formula.style.fontSize = "";
    const column = formula.closest("p, li, dd, td, div");
    const displayed = formula.getAttribute("display") === "true";
    const share = displayed ? formula.clientWidth / formula.scrollWidth : column.clientWidth / formula.offsetWidth;
    if (share < 1) formula.style.fontSize = `${Math.floor(100 * share) - 1}%`;
  }
  for (const table of document.querySelectorAll(".bd-article table")) {
    table.style.fontSize = "";
    const share = table.parentElement.clientWidth / table.offsetWidth;
    // its words wrap no further: a little smaller, as long as it can be read
    if (share < 1) table.style.fontSize = `${Math.max(0.68, 0.9 * share)}rem`;
    const box = table.closest(".text_html, .pst-scrollable-table-container");
    if (!box) continue;
    const scrolls = table.offsetWidth > table.parentElement.clientWidth;
    box.classList.toggle("scrolls", scrolls);
    // the theme has made some of them reachable by keyboard already
    if (scrolls) box.tabIndex = 0;
  }
}

document.addEventListener("DOMContentLoaded", async () => {
  // formulas and tables fit whether or not the charts are there
  await drawCharts().catch((error) => console.error(error.message));
  await window.MathJax?.startup?.promise;
  // whatever changes the column's size: the window, the theme's sidebars, something unfolded
  new ResizeObserver(fit).observe(document.querySelector(".bd-article") ?? document.body);
});

// Menus show a part of a page's claims. Without this script there are no menus, and every claim is shown.
function filterClaims() {
  const menus = document.querySelector(".claim-menus");
  if (!menus) return;
  const claims = [...document.querySelectorAll(".claim")];
  const show = () => {
    const wanted = [...new FormData(menus)].filter(([, value]) => value);
    for (const claim of claims) claim.hidden = !wanted.every(([name, value]) => claim.dataset[name] === value);
    for (const section of document.querySelectorAll("section section"))
      section.hidden = section.querySelector(".claim") !== null && !section.querySelector(".claim:not([hidden])");
    // one may stand at several figures
    const told = new Set(claims.filter((claim) => !claim.hidden).map((claim) => claim.querySelector(".statement").textContent));
    menus.querySelector("output").value = `${told.size} shown`;
  };
  menus.addEventListener("change", show);
  menus.hidden = false;
  show();
}

document.addEventListener("DOMContentLoaded", filterClaims);

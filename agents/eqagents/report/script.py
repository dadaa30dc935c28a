"""The page's one script: hover texts, and searching and sorting the tables of strategies; pages are whole without it.

What is searched for stands in the address after #, so that a link keeps it: `#filter=raise&player=1&sort=gain`.

- `filter`: words that a row must all have; or `reach>0.01`, `gain>0.1`, or an action: `raise>0.5`.
- `player`: its number.
- `sort`: `reach`, `gain`, `state` or `player`; `reach-2` of the second run; with `&order=up` the least first.
"""

SCRIPT = """
"use strict";
(() => {
const tip = document.getElementById("tip");
document.addEventListener("pointermove", event => {
  const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
  tip.style.display = mark ? "block" : "none";
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)) + "px";
});
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(part => { part.open = true; }));

const number = text => parseFloat(text.replace(/,/g, "").replace("<", ""));
const browsers = [...document.querySelectorAll(".browser")].map(box => {
  const heads = [...box.querySelectorAll("th[data-sort]")];
  return {box, heads, body: box.querySelector("tbody"), field: box.querySelector(".filter"),
    player: box.querySelector(".player"), said: box.querySelector("output"), keys: heads.map(head => head.dataset.sort),
    cells: heads.map(head => head.cellIndex),
    rows: [...box.querySelectorAll("tbody tr")].map((row, place) => ({row, place}))};
});
if (!browsers.length) return;
let asked = new URLSearchParams(location.hash.slice(1));

function told(entry) {
  if (entry.text === undefined) {
    entry.text = entry.row.cells[1].textContent.toLowerCase();
    entry.mix = [...entry.row.querySelectorAll(".mix span")].map(span => {
      const at = span.textContent.lastIndexOf(" ");
      return [span.textContent.slice(0, at - 1).toLowerCase(), number(span.textContent.slice(at + 1))];
    });
  }
  return entry;
}
function rule(browser, word) {
  const found = /^(.+?)([<>])([0-9.e-]+)$/.exec(word);
  if (!found) return entry => told(entry).text.includes(word) || told(entry).mix.some(([name]) => name === word);
  const holds = value => found[2] === ">" ? value > Number(found[3]) : value < Number(found[3]);
  const columns = browser.cells.filter((_, k) => browser.keys[k].split("-")[0] === found[1]);
  if (columns.length) return entry => columns.some(k => holds(number(entry.row.cells[k].textContent)));
  return entry => told(entry).mix.some(([name, value]) => name === found[1] && holds(value));
}
function show() {
  const words = (asked.get("filter") || "").toLowerCase().split(/\\s+/).filter(Boolean);
  const player = asked.get("player") || "", sort = asked.get("sort") || "", up = asked.get("order") === "up";
  for (const browser of browsers) {
    if (document.activeElement !== browser.field) browser.field.value = asked.get("filter") || "";
    browser.player.value = player;
    const rules = words.map(word => rule(browser, word));
    let left = 0;
    for (const entry of browser.rows) {
      const kept = (!player || entry.row.cells[0].textContent === player) && rules.every(holds => holds(entry));
      entry.row.hidden = !kept;
      left += kept;
    }
    browser.said.textContent = `${left.toLocaleString("en")} of ${browser.rows.length.toLocaleString("en")} rows`;
    const at = browser.keys.indexOf(sort);
    browser.heads.forEach((head, k) => k === at
      ? head.setAttribute("aria-sort", up ? "ascending" : "descending") : head.removeAttribute("aria-sort"));
    const order = [...browser.rows];
    if (at >= 0) {
      const cell = browser.cells[at], words = sort === "state", sign = up ? 1 : -1;
      const value = new Map(order.map(entry => {
        const text = entry.row.cells[cell].textContent, known = number(text);
        return [entry, words ? text : Number.isNaN(known) ? -Infinity : known];
      }));
      order.sort((a, b) => {
        const x = value.get(a), y = value.get(b);
        return (x < y ? -sign : x > y ? sign : 0) || a.place - b.place;
      });
    }
    if (at >= 0 || browser.sorted) browser.body.append(...order.map(entry => entry.row));
    browser.sorted = at >= 0;
  }
}
function ask(changes) {
  for (const [key, value] of Object.entries(changes)) value ? asked.set(key, value) : asked.delete(key);
  const text = asked.toString();
  try { history.replaceState(null, "", text ? "#" + text : location.pathname + location.search); } catch (error) {}
  show();
}
for (const browser of browsers) {
  browser.box.querySelector(".controls").hidden = false;
  browser.field.addEventListener("input", () => ask({filter: browser.field.value}));
  browser.player.addEventListener("change", () => ask({player: browser.player.value}));
  browser.heads.forEach((head, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      const words = ["state", "player"].includes(browser.keys[k]), same = asked.get("sort") === browser.keys[k];
      const up = same ? asked.get("order") !== "up" : words;
      ask({sort: browser.keys[k], order: up ? "up" : ""});
    });
    head.replaceChildren(button);
  });
}
addEventListener("hashchange", () => { asked = new URLSearchParams(location.hash.slice(1)); show(); });
show();
})();
"""

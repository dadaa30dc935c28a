"""The look of a report: colours for light and dark, and the one script, which shows a mark's `data-tip` on hover."""

CSS = """
:root { color-scheme: light dark;
  --page: #f9f9f7; --surface: #fcfcfb; --ink: #0b0b0b; --ink-2: #52514e; --muted: #73716b; --edge: #e1e0d9;
  --grid: #e8e7e1; --axis: #b5b4ab; --zero: #efeeea; --pos: #1c5cab; --neg: #c9302f; --weight: #73716b;
  --s0: #2a78d6; --s1: #eb6834; --s2: #1baf7a; --s3: #eda100; --s4: #e87ba4; --s5: #008300; --s6: #4a3aa7;
  --s7: #e34948; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0d0d0d; --surface: #1a1a19; --ink: #ffffff; --ink-2: #c3c2b7; --muted: #9b9a92; --edge: #2f2f2c;
  --grid: #2c2c2a; --axis: #55544f; --zero: #34342f; --pos: #6da7ec; --neg: #f07a78; --weight: #9b9a92;
  --s0: #3987e5; --s1: #d95926; --s2: #199e70; --s3: #c98500; --s4: #d55181; --s5: #2f9a2f; --s6: #9085e9;
  --s7: #e66767; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 34px 0 10px; }
h3 { font-size: 14px; margin: 0 0 6px; font-weight: 600; overflow-wrap: anywhere; }
p { margin: 4px 0; } .note, .sub { color: var(--ink-2); font-size: 13px; max-width: 100ch; }
.sub { max-width: none; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 14px; }
.panel { background: var(--surface); border: 1px solid var(--edge); border-radius: 8px; padding: 14px; min-width: 0; }
.panels.lone { max-width: 640px; }
.scroll { overflow-x: auto; background: var(--surface); border: 1px solid var(--edge); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 6px 12px; border-bottom: 1px solid var(--edge); vertical-align: top; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--ink-2); font-weight: 500; font-size: 13px; white-space: nowrap; }
tbody th { font-weight: 500; }
td.num { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.value { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
tr.differs > th { box-shadow: inset 3px 0 0 var(--s0); }
.kind { display: inline-block; border: 1px solid var(--axis); border-radius: 99px; padding: 0 9px; font-size: 12.5px;
  white-space: nowrap; }
.kind.exact { border-color: var(--s5); } .kind.lower_bound { border-color: var(--s3); border-style: dashed; }
.kind.estimate { border-color: var(--s6); border-style: dotted; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; color: var(--ink-2); margin: 0 0 6px; }
.legend svg { width: 22px; height: 10px; margin-right: 6px; vertical-align: middle; display: inline; }
summary { cursor: pointer; color: var(--ink-2); font-size: 13px; margin: 0 0 10px; }
pre { margin: 6px 0; padding: 10px 12px; background: var(--surface); border: 1px solid var(--edge); border-radius: 8px;
  overflow-x: auto; font: 13px/1.5 ui-monospace, monospace; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink-2); font: 13px system-ui, sans-serif; }
svg text.small { font-size: 11.5px; font-variant-numeric: tabular-nums; } svg text.label { font-size: 12px; }
svg text.mid { text-anchor: middle; } svg text.end { text-anchor: end; }
.grid { stroke: var(--grid); } .axis { stroke: var(--axis); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.dash1 { stroke-dasharray: 6 4; } .dash2 { stroke-dasharray: 2 4; } .dash3 { stroke-dasharray: 9 3 2 3; }
.dot { stroke: var(--surface); stroke-width: 1; } .dot.faint { opacity: 0; }
[data-tip]:hover { opacity: 1; } rect[data-tip]:hover { stroke: var(--ink); stroke-width: 1.5; }
.zero { fill: var(--zero); } .pos { fill: var(--pos); } .neg { fill: var(--neg); } .weight { fill: var(--weight); }
.unknown { fill: none; stroke: var(--axis); }
#tip { position: fixed; display: none; pointer-events: none; z-index: 1; max-width: 320px; white-space: pre-line;
  background: var(--ink); color: var(--page); font-size: 12.5px; padding: 4px 8px; border-radius: 5px; }
""" + "\n".join(f".s{k} {{ stroke: var(--s{k}); }} .f{k} {{ fill: var(--s{k}); }}" for k in range(8))

# The text goes in as text, never as markup.
SCRIPT = """
const tip = document.getElementById("tip");
document.addEventListener("pointermove", event => {
  const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
  tip.style.display = mark ? "block" : "none";
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)) + "px";
});
"""

"""The look of a report, in light, in dark and on paper."""

CSS = """
:root { color-scheme: light dark;
  --page: #f9f9f7; --surface: #fcfcfb; --ink: #0b0b0b; --ink-2: #52514e; --muted: #73716b; --edge: #e1e0d9;
  --grid: #e8e7e1; --axis: #b5b4ab; --zero: #efeeea; --pos: #1c5cab; --neg: #c9302f; --weight: #73716b;
  --s0: #2a78d6; --s1: #eb6834; --s2: #1baf7a; --s3: #eda100; --s4: #e87ba4; --s5: #008300; --s6: #4a3aa7;
  --s7: #e34948; }
@media screen and (prefers-color-scheme: dark) { :root {
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
tbody th { font-weight: 500; min-width: 8em; }
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
.unknown { fill: none; stroke: var(--axis); } .nowhere { fill: var(--axis); fill-opacity: 0.35; }
.block { shape-rendering: crispEdges; } .s2-fill { fill: var(--s2); }
.band { fill-opacity: 0.18; } .bar { stroke-width: 7; stroke-opacity: 0.25; }
.side { fill: none; stroke: var(--axis); } .ring { fill: var(--surface); stroke-width: 2; }
.minor { stroke-width: 1; stroke-opacity: 0.45; } .cross { stroke: var(--ink); stroke-width: 2; fill: none; }
.target { fill: transparent; stroke: var(--ink); stroke-width: 1; }
.member { stroke-width: 1; stroke-opacity: 0.55; display: none; } .each:checked ~ .panels .member { display: inline; }
.each { margin: 0 6px 0 0; vertical-align: middle; }
.each + label { display: inline-block; margin: 0 0 8px; font-size: 13px; color: var(--ink-2); vertical-align: middle; }
h3 .kind { font-weight: 400; }
tr.mean > * { background: color-mix(in srgb, var(--ink) 5%, transparent); }
.controls { display: flex; flex-wrap: wrap; gap: 8px 18px; align-items: center; font-size: 13px; margin: 0 0 8px;
  color: var(--ink-2); }
.controls[hidden] { display: none; }
.controls input, .controls select { font: inherit; color: var(--ink); background: var(--surface); padding: 4px 8px;
  border: 1px solid var(--axis); border-radius: 6px; } .controls input { width: min(340px, 80vw); margin-left: 4px; }
.browser { margin: 0 0 8px; } .wide .mix { min-width: 9em; } .tall { max-height: min(75vh, 640px); overflow: auto; }
.states thead { position: sticky; top: 0; background: var(--surface); box-shadow: inset 0 -1px var(--edge); }
.states td, .states th { padding: 3px 12px; }
.states tbody th { font: 13px/1.5 ui-monospace, monospace; min-width: 8em; }
.states th button { all: unset; cursor: pointer; } .states th button:focus-visible { outline: 2px solid var(--s0); }
.states th button::after { content: " \\2195"; color: var(--muted); }
.states th[aria-sort="ascending"] button::after { content: " \\2191"; color: var(--ink); }
.states th[aria-sort="descending"] button::after { content: " \\2193"; color: var(--ink); }
.mix { min-width: 16em; } .mix span, .mix em { display: inline-block; min-width: 6.8em; margin: 0 10px 2px 0;
  font-size: 12.5px; font-style: normal; font-variant-numeric: tabular-nums; padding-bottom: 4px; }
.mix span { background: linear-gradient(var(--s0), var(--s0)) no-repeat 0 100% / var(--w, 0%) 3px,
  linear-gradient(var(--edge), var(--edge)) no-repeat 0 100% / 100% 3px; }
.scroll:focus-visible, summary:focus-visible, .each:focus-visible { outline: 2px solid var(--s0); }
#tip { position: fixed; display: none; pointer-events: none; z-index: 1; max-width: 320px; white-space: pre-line;
  background: var(--ink); color: var(--page); font-size: 12.5px; padding: 4px 8px; border-radius: 5px; }
""" + "\n".join(f".s{k} {{ stroke: var(--s{k}); }} .f{k} {{ fill: var(--s{k}); }}" for k in range(8))
CSS += "\n" + " ".join(f".w{k} {{ --w: {k}%; }}" for k in range(1, 101))
CSS += """
@media print {
  body { font-size: 12px; background: none; } main { max-width: none; padding: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .controls, .each, .each + label { display: none; } .tall { max-height: none; } .scroll { overflow: visible; }
  .panels { grid-template-columns: 1fr 1fr; } table { font-size: 10px; }
  th, td, .states td, .states th { padding: 2px 5px; }
  td.num, thead th { white-space: normal; } tbody th, .mix { min-width: 0; }
  .panel, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } .states thead { position: static; }
  .states tbody tr:nth-child(n+61) { display: none; } pre { white-space: pre-wrap; }
}
"""

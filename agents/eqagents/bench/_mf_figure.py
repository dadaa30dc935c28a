"""The curves of a stored run as one figure: a panel per game, exploitability against CPU seconds, both logarithmic.

    python -m eqagents.bench._mf_figure benchmarks/results/mean_field.json docs/images/mean_field_curves.svg

Lines are last iterates, dots the least exploitable iterates looked at.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eqagents.drawing.marks import NUM_COLOURS, escape, format_number
from eqagents.drawing.scales import Scale, log_ticks

WIDTH, HEIGHT, ACROSS = 360.0, 250.0, 3  # of a panel; panels in a row
LEFT, RIGHT, TOP, BOTTOM = 56.0, 10.0, 26.0, 40.0
KEY, KEYS_ACROSS = 20.0, 6  # height of a line of the key, methods in one
FLOOR = 1e-14  # exploitability that is drawn at the bottom: nothing but rounding is left
CSS = """
.light { --surface: #fcfcfb; --ink: #52514e; --grid: #e8e7e1; --axis: #b5b4ab; }
.s0 { --c: #2a78d6; } .s1 { --c: #eb6834; } .s2 { --c: #1baf7a; } .s3 { --c: #eda100; } .s4 { --c: #e87ba4; }
.s5 { --c: #008300; } .s6 { --c: #4a3aa7; } .s7 { --c: #e34948; }
@media (prefers-color-scheme: dark) {
.light { --surface: #1a1a19; --ink: #c3c2b7; --grid: #2c2c2a; --axis: #55544f; }
.s0 { --c: #3987e5; } .s1 { --c: #d95926; } .s2 { --c: #199e70; } .s3 { --c: #c98500; } .s4 { --c: #d55181; }
.s5 { --c: #2f9a2f; } .s6 { --c: #9085e9; } .s7 { --c: #e66767; } }
.page { fill: var(--surface); } text { fill: var(--ink); font: 11.5px system-ui, sans-serif; }
.title { font-size: 13px; font-weight: 600; } .mid { text-anchor: middle; } .end { text-anchor: end; }
.grid { stroke: var(--grid); } .axis { stroke: var(--axis); }
path { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round; }
circle { fill: var(--c); stroke: var(--surface); } .dash { stroke-dasharray: 5 3; }
"""


def figure(rows: Sequence[dict[str, Any]]) -> str:
    """The section `curves` as one `<svg>`."""
    games = list(dict.fromkeys(row["game"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    across = min(ACROSS, len(games))
    width = across * WIDTH
    panels_end = math.ceil(len(games) / across) * HEIGHT
    height = panels_end + KEY * math.ceil(len(methods) / KEYS_ACROSS) + 10
    title = "Exploitability of mean-field solvers against CPU seconds"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" class="light" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title><style>{CSS}</style>'
        f'<rect width="{width:g}" height="{height:g}" class="page"/>'
    ]
    for number, game in enumerate(games):
        down, right = divmod(number, across)
        parts.append(f'<g transform="translate({right * WIDTH:g} {down * HEIGHT:g})">')
        parts += [_panel(game, [row for row in rows if row["game"] == game], methods), "</g>"]
    for number, method in enumerate(methods):
        down, right = divmod(number, KEYS_ACROSS)
        x, y = 16 + right * (width - 16) / KEYS_ACROSS, panels_end + KEY * down + 12
        line = f'<path d="M{x:.1f} {y - 4:.1f}h22" class="{style(number)}"/>'
        parts.append(line + _text(x + 27, y, method))
    return "".join([*parts, "</svg>\n"])


def _panel(game: str, rows: Sequence[dict[str, Any]], methods: Sequence[str]) -> str:
    seconds = [x for row in rows for x in row["curve"]["seconds"]]
    found = [max(FLOOR, y) for row in rows for y in row["curve"]["exploitability"]]
    across, up = log_ticks(min(seconds), max(seconds)), log_ticks(min(found), max(found))
    x = Scale(low=across[0], high=across[-1], start=LEFT, stop=WIDTH - RIGHT, log=True)
    y = Scale(low=up[0], high=up[-1], start=HEIGHT - BOTTOM, stop=TOP, log=True)
    bottom = HEIGHT - BOTTOM
    parts = [_text((LEFT + WIDTH - RIGHT) / 2, 16, game, "title mid")]
    for tick in up:
        parts.append(_line(LEFT, y(tick), WIDTH - RIGHT, y(tick), "grid"))
        parts.append(_text(LEFT - 6, y(tick) + 4, power(tick), "end"))
    for tick in across:
        parts.append(_line(x(tick), bottom, x(tick), bottom + 4, "axis"))
        parts.append(_text(x(tick), bottom + 17, power(tick), "mid"))
    parts.append(_line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "CPU seconds", "mid"))
    dots = []
    for row in rows:
        curve, look = row["curve"], style(methods.index(row["method"]))
        pairs = zip(curve["seconds"], curve["exploitability"], strict=True)
        path = "L".join(f"{x(a):.1f} {y(max(FLOOR, b)):.1f}" for a, b in pairs)
        parts.append(f'<path d="M{path}" class="{look}"/>')
        tip = f"{row['method']}: {format_number(row['best'])} at iteration {row['best_iteration']:,}"
        dots.append(
            f'<circle cx="{x(row["best_seconds"]):.1f}" cy="{y(max(FLOOR, row["best"])):.1f}" r="3.6" '
            f'class="{look}"><title>{escape(tip)}</title></circle>'
        )
    return "".join([*parts, *dots])


def style(number: int) -> str:
    """The classes of the curve of that number: colours first, then the same dashed.

    >>> style(1), style(9)
    ('s1', 's1 dash')
    """
    return f"s{number % NUM_COLOURS}" + (" dash" if number >= NUM_COLOURS else "")


def power(value: float) -> str:
    """A tick's label, short.

    >>> power(1e-06), power(0.5), power(20.0)
    ('1e-6', '0.5', '20')
    """
    return format_number(value) if 1e-2 <= value < 1e4 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _text(x: float, y: float, text: str, css: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css}"/>'


if __name__ == "__main__":
    stored = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(sys.argv[2]).write_text(figure(stored["sections"]["curves"]["rows"]), encoding="utf-8")

"""The critical-difference diagram of Demšar (2006), figure 1, as an SVG file of its own.

Average ranks on an axis, the best on the left; bars join entries that do not differ significantly; the length of the
critical difference stands above.
"""

from __future__ import annotations

from html import escape

from eqagents.leaderboard.rankings import Ranking

AXIS, LETTER, MARGIN = 400, 7.5, 80  # pixels: the axis; beside it, for each letter of the longest name, and more
TOP, STEP, GAP = 70, 22, 9  # of the axis, between two names, between two bars
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}line{stroke:#222}.bar{stroke:#2a78d6;stroke-width:4}"
    ".lead{stroke:#999}rect{fill:#fff}"
)


def critical_difference_diagram(ranking: Ranking) -> str:
    """The diagram; with nothing but a line of text where there is no test."""
    k = len(ranking.entries)
    if ranking.critical_difference is None or k < 2:
        return _svg(AXIS, 60, [_text(AXIS / 2, 35, "no test: that takes two tasks that two entries cover", "middle")])
    side, scale = MARGIN + LETTER * max(map(len, ranking.entries)), AXIS / (k - 1)

    def x(rank: float) -> float:
        return side + (rank - 1) * scale

    bars = TOP + 18 + GAP * len(ranking.alike)
    left = (k + 1) // 2
    parts = [_line(x(1), TOP, x(k), TOP)]
    for rank in range(1, k + 1):
        parts += [_line(x(rank), TOP - 5, x(rank), TOP), _text(x(rank), TOP - 10, str(rank), "middle")]
    parts += _difference(ranking.critical_difference, x(1), scale)
    for index, group in enumerate(ranking.alike):
        ends = [float(ranking.average_ranks[ranking.entries.index(name)]) for name in (group[0], group[-1])]
        height = TOP + 12 + GAP * index
        parts.append(_line(x(ends[0]) - 4, height, x(ends[1]) + 4, height, "bar"))
    for j, name in enumerate(ranking.entries):
        at, on_left = x(float(ranking.average_ranks[j])), j < left
        y = bars + STEP * ((j if on_left else k - 1 - j) + 0.5)
        end, anchor = (side - 12, "end") if on_left else (side + AXIS + 12, "start")
        label = f"{name}  {ranking.average_ranks[j]:.2f}" if on_left else f"{ranking.average_ranks[j]:.2f}  {name}"
        parts += [_line(at, TOP, at, y, "lead"), _line(at, y, end, y, "lead")]
        parts.append(_text(end - 5 if on_left else end + 5, y + 4, label, anchor))
    return _svg(AXIS + 2 * side, bars + STEP * left + 12, parts)


def _difference(difference: float, start: float, scale: float) -> list[str]:
    """The critical difference as a length; it can be longer than the axis."""
    end = start + difference * scale
    return [
        _line(start, 30, end, 30),
        _line(start, 26, start, 34),
        _line(end, 26, end, 34),
        _text(start, 20, f"critical difference {difference:.2f}", "start"),
    ]


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{named}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, parts: list[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><style>{STYLE}</style>'
    return "\n".join([head, f'<rect width="{width:.0f}" height="{height:.0f}"/>', *parts, "</svg>\n"])

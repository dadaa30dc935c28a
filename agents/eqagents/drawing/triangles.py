"""Distributions over three actions as points of a triangle, in SVG.

A point is as far from each side as the action of the corner opposite is probable (barycentric coordinates).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eqagents.drawing.marks import NUM_COLOURS, escape, line, opened, shorten, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WIDTH, SIDE, LEFT, TOP = 460.0, 340.0, 60.0, 30.0  # of the drawing, of the triangle, and where it begins
HEIGHT = SIDE * math.sqrt(3) / 2
LABEL = 24  # characters at a corner


@dataclass(frozen=True, eq=False, kw_only=True)
class Trail:
    """Points, joined by a line or not.

    Attributes:
        points: [K, 3] float64, each a distribution.
        tips: what each says on hover.
        index: picks colour and dash.
        joined: whether a line goes through them, its beginning a ring and its end a dot.
        minor: whether it is less than another trail: thinner and paler.
        strength: [K], the opacity of each point where they are not joined; none: full.
    """

    points: NDArray[np.float64]
    tips: Sequence[str]
    index: int = 0
    joined: bool = True
    minor: bool = False
    strength: Sequence[float] = ()


def places(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels of distributions: action 0 is bottom left, 1 bottom right, 2 on top.

    Args:
        points: [..., 3] float64.

    Returns:
        [..., 2] float64.
    """
    corners = np.array([(LEFT, TOP + HEIGHT), (LEFT + SIDE, TOP + HEIGHT), (LEFT + SIDE / 2, TOP)])
    found: NDArray[np.float64] = points @ corners
    return found


def triangle(
    trails: Sequence[Trail],
    *,
    title: str,
    corners: Sequence[str],
    marks: Sequence[tuple[str, Sequence[float]]] = (),
) -> str:
    """Trails of strategies over three actions.

    Args:
        trails: what to draw, the last on top.
        title: what the picture shows, for readers of the page by ear.
        corners: the names of the three actions.
        marks: names and distributions to mark with a cross, such as equilibria.

    Returns:
        One `<svg>` element.
    """
    parts = [opened(WIDTH, round(TOP + HEIGHT + 34), title), _ground(corners)]
    parts += [_trail(trail) for trail in sorted(trails, key=lambda trail: not trail.minor)]
    for name, point in marks:
        x, y = places(np.asarray(point, dtype=np.float64))
        cross = f"M{x - 7:.1f} {y:.1f}H{x + 7:.1f}M{x:.1f} {y - 7:.1f}V{y + 7:.1f}"
        spot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" class="target" data-tip="{escape(name)}"/>'
        parts.append(f'<path d="{cross}" class="cross"/>{spot}')
    return "".join([*parts, "</svg>"])


def _ground(corners: Sequence[str]) -> str:
    ends = places(np.eye(3))
    drawn = []
    for share in (0.25, 0.5, 0.75):
        for at in range(3):
            a, b = (share * ends[at] + (1 - share) * ends[other] for other in range(3) if other != at)
            drawn.append(line(a[0], a[1], b[0], b[1], "grid"))
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in ends)
    drawn.append(f'<path d="M{path}Z" class="side"/>')
    names = [shorten(name, LABEL) for name in corners]
    below = TOP + HEIGHT + 18
    drawn += [text(LEFT, below, names[0], "mid label"), text(LEFT + SIDE, below, names[1], "mid label")]
    return "".join([*drawn, text(LEFT + SIDE / 2, TOP - 10, names[2], "mid label")])


def _trail(trail: Trail) -> str:
    at, colour = places(trail.points), trail.index % NUM_COLOURS
    if not len(at):
        return ""
    tips = [f'data-tip="{escape(tip)}"' for tip in trail.tips]
    if not trail.joined:
        strength = trail.strength or [1.0] * len(at)
        return "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="dot f{colour}" fill-opacity="{own:.2f}" {tip}/>'
            for (x, y), own, tip in zip(at, strength, tips, strict=True)
        )
    dash = f" dash{trail.index // NUM_COLOURS}" if trail.index >= NUM_COLOURS else ""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    drawn = [f'<path d="M{path}" class="line s{colour}{dash}{" minor" if trail.minor else ""}"/>']
    drawn += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="dot faint f{colour}" {tip}/>'
        for (x, y), tip in zip(at, tips, strict=True)
    ]
    (x, y), (end_x, end_y) = at[0], at[-1]
    drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="ring s{colour}" {tips[0]}/>')
    radius = 3.5 if trail.minor else 5
    drawn.append(f'<circle cx="{end_x:.1f}" cy="{end_y:.1f}" r="{radius}" class="dot f{colour}" {tips[-1]}/>')
    return "".join(drawn)

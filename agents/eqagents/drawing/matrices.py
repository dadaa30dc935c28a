"""Matrices as heat maps in SVG; `eqagents.drawing.heat_maps` draws them as pixels."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eqagents.drawing.marks import escape, format_number, fraction, opened, rect, shorten, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eqagents.drawing.heat_maps import HeatMap

LEVELS = 32  # of colour in maps of many cells, which are drawn as one path each
GAP = 10.0  # between small maps


def heat_map(shown: HeatMap, *, width: int = 560) -> str:
    """A matrix in diverging colours around 0, with a bar for the weight of each row and column along the margins.

    Args:
        shown: what to draw.
        width: of the drawing, in pixels.

    Returns:
        One `<svg>` element.
    """
    values, row_labels, column_labels = shown.values, shown.row_labels, shown.column_labels
    rows, columns = values.shape
    finite = np.abs(values[np.isfinite(values)])
    limit = float(finite.max(initial=0.0)) if shown.limit is None else shown.limit
    left, bar = 96.0, 44.0  # room for the row labels, the longest weight bar
    grid_x = left + bar + 6
    cell = min((width - grid_x - 10) / columns, 48.0, max(4.0, 440.0 / rows))
    every = max(1, math.ceil(13 / cell))  # labels are this far apart, to stay legible
    upright = cell * every < 7.0 * max(len(shorten(label)) for label in column_labels)
    top = 26.0 + (84.0 if upright else 14.0)
    grid_y = top + bar + 6
    # Bars share one scale, so that two players' weights compare; relative to the largest, or a wide mix would vanish.
    longest = max((fraction(w) for w in (*shown.row_weights, *shown.column_weights)), default=0.0) or 1.0
    height = grid_y + rows * cell + 48
    # Surface-coloured gaps keep neighbours apart; in a large map they would eat the cells.
    gap = 2.0 if cell >= 12 else 0.0
    parts = [opened(width, round(height), shown.title)]
    for r, c in np.ndindex(rows, columns):
        name = f"{row_labels[r]} against {column_labels[c]}"
        parts.append(_cell(float(values[r, c]), limit, grid_x + c * cell, grid_y + r * cell, cell - gap, name))
    for r, (label, weight) in enumerate(zip(row_labels, shown.row_weights, strict=True)):
        length, y = bar * fraction(weight) / longest, grid_y + r * cell
        tip = escape(f"{label}: played with probability {format_number(weight)}")
        parts.append(rect(grid_x - 6 - length, y, length, cell - gap, "weight", tip))
        if r % every == 0:
            parts.append(text(left - 6, y + (cell - gap) / 2 + 4, shorten(label), "end small"))
    for c, (label, weight) in enumerate(zip(column_labels, shown.column_weights, strict=True)):
        length, x = bar * fraction(weight) / longest, grid_x + c * cell
        tip = escape(f"{label}: played with probability {format_number(weight)}")
        parts.append(rect(x, grid_y - 6 - length, cell - gap, length, "weight", tip))
        middle = x + (cell - gap) / 2
        if c % every == 0 and upright:
            turn = f'transform="translate({middle + 4:.1f} {top - 6:.1f}) rotate(-90)"'
            parts.append(f'<text {turn} class="small">{escape(shorten(label))}</text>')
        elif c % every == 0:
            parts.append(text(middle, top - 6, shorten(label), "mid small"))
    parts.append(text(grid_x, 14, f"{shown.column_title} →", "small"))
    parts.append(text(left - 6, grid_y - 8, f"{shown.row_title} ↓", "end small"))
    parts.append(_colour_key(limit, grid_x, grid_y + rows * cell + 16))
    return "".join([*parts, "</svg>"])


class SmallMap(NamedTuple):
    """One of several matrices that share a scale.

    Attributes:
        title: above it.
        values: [rows, columns] float64 from 0 up; NaN for cells that are none.
    """

    title: str
    values: NDArray[np.float64]


def small_maps(
    maps: Sequence[SmallMap],
    *,
    title: str,
    limit: float,
    across: int,
    row_title: str = "",
    column_title: str = "",
    row_ends: tuple[str, str] = ("", ""),
    column_ends: tuple[str, str] = ("", ""),
    square: bool = False,
    colour: str = "pos",
    width: int = 560,
) -> str:
    """Small multiples of matrices of one shape, with one key of colours.

    Args:
        maps: at least one.
        title: what they show, for readers of the page by ear.
        limit: the value of the full colour, > 0.
        across: maps in a row.
        row_title: what a row is, beside the first map of each line.
        column_title: what a column is, below the lowest line.
        row_ends: labels of the first and the last row.
        column_ends: labels of the first and the last column.
        square: whether cells are squares; else maps fill their room.
        colour: class of the full colour.
        width: of the drawing, in pixels.

    Returns:
        One `<svg>` element.
    """
    rows, columns = maps[0].values.shape
    across = min(across, len(maps))
    left = 46.0 if row_title or any(row_ends) else 4.0
    room = (width - left - 4 - GAP * (across - 1)) / across
    cell_width = room / columns
    cell_height = cell_width = min(cell_width, 220.0 / rows) if square else cell_width
    if not square:
        cell_height = min(14.0, max(2.0, 150.0 / rows))
    lines = math.ceil(len(maps) / across)
    step_x = columns * cell_width + GAP if square else room + GAP
    step_y = 20 + rows * cell_height + GAP
    bottom = lines * step_y
    parts = [opened(width, round(bottom + 56), title)]
    for at, shown in enumerate(maps):
        x, y = left + at % across * step_x, at // across * step_y + 20
        parts.append(text(x, y - 5, shorten(shown.title, max(6, int(step_x / 7))), "small"))
        parts.append(_block(shown.values, limit, x, y, cell_width, cell_height, colour))
        if at % across == 0:
            parts.append(text(left - 6, y + min(10.0, rows * cell_height), row_ends[0], "end small"))
            if rows > 1 and rows * cell_height >= 26:
                parts.append(text(left - 6, y + rows * cell_height, row_ends[1], "end small"))
            middle = y + rows * cell_height / 2
            if rows * cell_height >= 40:
                turn = f'transform="translate(12 {middle:.1f}) rotate(-90)"'
                parts.append(f'<text {turn} class="mid small label">{escape(row_title)}</text>')
    end = left + columns * cell_width
    parts.append(text(left, bottom + 5, column_ends[0], "small"))
    parts.append(text((left + end) / 2, bottom + 5, column_title, "mid small label"))
    parts.append(text(end, bottom + 5, column_ends[1], "end small"))
    parts.append(_shades(limit, left, bottom + 22, colour))
    return "".join([*parts, "</svg>"])


def _block(
    values: NDArray[np.float64], limit: float, x: float, y: float, width: float, height: float, colour: str
) -> str:
    """The cells of a map, one path for each level of colour; neighbours of one level in a row are one rectangle."""
    rows, columns = values.shape
    known = np.isfinite(values)
    shade = np.where(known, np.clip(np.nan_to_num(values) / limit, 0.0, 1.0) * LEVELS, -1.0).round().astype(int)
    paths: dict[int, list[str]] = {}
    for r in range(rows):
        edges = [0, *(np.flatnonzero(np.diff(shade[r])) + 1).tolist(), columns]
        for begin, end in pairwise(edges):
            across = (end - begin) * width
            place = f"M{x + begin * width:.1f} {y + r * height:.1f}h{across:.1f}v{height:.1f}h-{across:.1f}z"
            paths.setdefault(int(shade[r, begin]), []).append(place)
    whole = f"M{x:.1f} {y:.1f}h{columns * width:.1f}v{rows * height:.1f}h-{columns * width:.1f}z"
    drawn = [f'<path d="{whole}" class="zero"/>'] if known.all() else []
    for level, places in sorted(paths.items()):
        if level < 0:
            drawn.append(f'<path d="{"".join(places)}" class="block nowhere"/>')
        elif level > 0:
            drawn.append(f'<path d="{"".join(places)}" class="block {colour}" fill-opacity="{level / LEVELS:.3f}"/>')
        elif not known.all():
            drawn.append(f'<path d="{"".join(places)}" class="block zero"/>')
    return "".join(drawn)


def _shades(limit: float, x: float, y: float, colour: str) -> str:
    boxes = [rect(x + 8.0 * k, y, 8.0, 8.0, "zero") for k in range(21)]
    boxes += [rect(x + 8.0 * k, y, 8.0, 8.0, colour, opacity=k / 20) for k in range(21)]
    return "".join([*boxes, text(x, y + 22, "0", "small"), text(x + 168, y + 22, format_number(limit), "end small")])


def _cell(value: float, limit: float, x: float, y: float, size: float, name: str) -> str:
    tip = escape(f"{name}: {format_number(value) if math.isfinite(value) else 'not known'}")
    if not math.isfinite(value):
        cross = f'<path d="M{x:.1f} {y + size:.1f}L{x + size:.1f} {y:.1f}" class="axis"/>'
        return rect(x, y, size, size, "unknown", tip) + cross
    if value == 0 or limit == 0:
        return rect(x, y, size, size, "zero", tip)
    # The sign's colour over the neutral ground: the strength alone says how far from 0, in light and in dark.
    sign = "pos" if value > 0 else "neg"
    return rect(x, y, size, size, "zero") + rect(x, y, size, size, sign, tip, abs(value) / limit)


def _colour_key(limit: float, x: float, y: float) -> str:
    if limit == 0:
        return text(x, y + 10, "every known payoff is 0", "small")
    steps = np.linspace(-1.0, 1.0, 21)
    boxes = [rect(x + 8.0 * k, y, 8.0, 8.0, "zero") for k in range(len(steps))]
    boxes += [
        rect(x + 8.0 * k, y, 8.0, 8.0, "pos" if t > 0 else "neg", opacity=abs(float(t))) for k, t in enumerate(steps)
    ]
    ends = [(0.0, -limit, ""), (84.0, 0.0, "mid"), (168.0, limit, "end")]
    return "".join(boxes + [text(x + at, y + 22, format_number(value), f"{css} small") for at, value, css in ends])

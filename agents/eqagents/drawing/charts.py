"""Line charts and stacked bars, as pure functions from numbers to SVG text.

A curve has as many points as there are to see: of those that fall on one column of pixels the first, the lowest, the
highest and the last (Jugel, Jerzak, Hackenbroich and Markl 2014, "M4: a visualization-oriented time series data
aggregation", VLDB). Cost: O(points).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from eqagents.drawing.marks import NUM_COLOURS, escape, format_number, line, opened, rect, text
from eqagents.drawing.scales import Scale, linear_ticks, log_ticks, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_MARKERS = 150  # hover targets for each series; a longer one gets them evenly spread
ROUNDING = 1e-14  # of the highest value: what a logarithmic axis takes for 0
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 64.0, 16.0, 12.0, 44.0


@dataclass(frozen=True, kw_only=True)
class Series:
    """One curve.

    Attributes:
        label: its name.
        x: where its points are.
        y: what they are, as many; NaN for a gap.
        index: picks colour and dash.
        low: the lower ends of an interval around each point; none where there is no interval.
        high: its upper ends.
        note: what the hover text says of the interval, such as "95 %".
        member: whether it is one of several that another curve sums up: thin, shown when asked for, and as far as the
            axis goes, which is as far as the curves that are no members.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    index: int = 0
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    note: str = ""
    member: bool = False


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_y: bool = False,
    integer_x: bool = False,
    width: int = 560,
    height: int = 300,
) -> str:
    """Curves over one pair of axes.

    On a logarithmic axis, values at or below 0, and those that are rounding beside the highest, are drawn on a line of
    their own, marked 0, under the axis; intervals end where the axis ends.

    Args:
        series: what to draw; points that are not finite leave a gap.
        title: what the chart shows, for readers of the page by ear.
        x_label: name and unit of the horizontal axis.
        y_label: name and unit of the vertical axis.
        log_y: whether the vertical axis is logarithmic.
        integer_x: whether x counts things, so that no tick falls between two of them.
        width: of the drawing, in pixels.
        height: of the drawing, in pixels.

    Returns:
        One `<svg>` element.
    """
    whole = [s for s in series if not s.member]
    series = [*(_cut(s, whole) for s in series if s.member), *whole]  # those that sum up lie over those summed up
    xs = [x for s in series for x, y in zip(s.x, s.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
    ys = [y for s in series for x, y in zip(s.x, s.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
    ys += [y for s in series for x, y in zip(s.x, s.high, strict=bool(s.high)) if math.isfinite(x) and math.isfinite(y)]
    if not log_y:  # on a logarithmic axis lower ends near 0 would leave no room for the curves: they are cut off
        ys += [y for s in series for y in s.low if math.isfinite(y)]
    if not xs:
        return opened(width, 60, title) + text(width / 2, 34, "nothing recorded", "mid") + "</svg>"
    x_scale, x_ticks = _x_axis(xs, width, integer_x)
    y_scale, y_ticks = _y_axis(ys, height, log_y)
    parts = [opened(width, height, title), _frame(x_scale, x_ticks, y_scale, y_ticks, x_label, y_label, width, height)]
    parts += [_band(s, x_scale, y_scale) for s in series if s.low]
    parts += [_curve(s, x_scale, y_scale, x_label) for s in series]
    return "".join([*parts, "</svg>"])


def stacked_bars(
    labels: Sequence[str],
    parts_by_name: Sequence[tuple[str, Sequence[float]]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    width: int = 560,
    height: int = 260,
) -> str:
    """One bar for each label, stacked from the parts in order; what is not finite or not above 0 adds nothing.

    Args:
        labels: a name for each bar.
        parts_by_name: the parts from the bottom up, each with one value for each bar.
        title: what the chart shows, for readers of the page by ear.
        x_label: what a bar is.
        y_label: name and unit of the height.
        width: of the drawing, in pixels.
        height: of the drawing, in pixels.

    Returns:
        One `<svg>` element.
    """
    sizes = np.array([values for _, values in parts_by_name], dtype=float).reshape(len(parts_by_name), len(labels))
    sizes = np.where(np.isfinite(sizes) & (sizes > 0), sizes, 0.0)
    ticks = linear_ticks(0.0, float(sizes.sum(axis=0).max(initial=0.0)) or 1.0)
    y_scale = Scale(low=ticks[0], high=ticks[-1], start=height - MARGIN_BOTTOM, stop=MARGIN_TOP)
    slot = (width - MARGIN_LEFT - MARGIN_RIGHT) / max(1, len(labels))
    thickness = min(24.0, slot * 0.75)
    out = [opened(width, height, title), _y_grid(y_scale, ticks, width), _axis_titles(x_label, y_label, width, height)]
    every = max(1, math.ceil(max(len(label) for label in labels) * 8 / slot)) if labels else 1
    for b, label in enumerate(labels):
        middle, bottom = MARGIN_LEFT + (b + 0.5) * slot, y_scale(0.0)
        for p, (name, _) in enumerate(parts_by_name):
            size = y_scale(0.0) - y_scale(float(sizes[p, b]))
            if size > 0:
                tip = escape(f"{x_label} {label}, {name}: {format_number(float(sizes[p, b]))} s")
                drawn = size - 1.5 if size > 4 else size  # a gap between segments, unless it would hide one
                out.append(rect(middle - thickness / 2, bottom - size, thickness, drawn, f"f{p % NUM_COLOURS}", tip))
            bottom -= size
        if b % every == 0:
            out.append(text(middle, height - MARGIN_BOTTOM + 17, label, "mid small"))
    return "".join([*out, "</svg>"])


def _x_axis(xs: Sequence[float], width: float, integer: bool) -> tuple[Scale, list[float]]:
    low, high = min(xs), max(xs)
    low, high = (low - 1, high + 1) if integer and low == high else widened(low, high)
    ticks = [t for t in linear_ticks(low, high, count=6, integer=integer) if low <= t <= high]
    return Scale(low=low, high=high, start=MARGIN_LEFT, stop=width - MARGIN_RIGHT), ticks


def _y_axis(ys: Sequence[float], height: float, log: bool) -> tuple[Scale, list[float]]:
    bottom = height - MARGIN_BOTTOM
    if not log:
        ticks = linear_ticks(*widened(min(0.0, *ys), max(0.0, *ys)))
        return Scale(low=ticks[0], high=ticks[-1], start=bottom, stop=MARGIN_TOP), ticks
    floor = max(0.0, max(ys) * ROUNDING)
    positive = [y for y in ys if y > floor]
    has_zero = len(positive) < len(ys)
    ticks = log_ticks(min(positive), max(positive)) if positive else [0.1, 1.0]
    start = bottom - 24.0 if has_zero else bottom
    zero = bottom if has_zero else None
    return Scale(low=ticks[0], high=ticks[-1], start=start, stop=MARGIN_TOP, log=True, zero=zero, floor=floor), ticks


def _frame(
    x_scale: Scale,
    x_ticks: Sequence[float],
    y_scale: Scale,
    y_ticks: Sequence[float],
    x_label: str,
    y_label: str,
    width: float,
    height: float,
) -> str:
    bottom = height - MARGIN_BOTTOM
    parts = [_y_grid(y_scale, y_ticks, width), line(MARGIN_LEFT, bottom, width - MARGIN_RIGHT, bottom, "axis")]
    if y_scale.zero is not None:
        parts.append(text(MARGIN_LEFT - 8, y_scale.zero + 4, "0", "end small"))
        parts.append(line(MARGIN_LEFT - 4, bottom - 10, MARGIN_LEFT + 4, bottom - 14, "axis"))  # the break
    parts += [text(x_scale(tick), bottom + 17, format_number(tick), "mid small") for tick in x_ticks]
    return "".join([*parts, _axis_titles(x_label, y_label, width, height)])


def _y_grid(y_scale: Scale, ticks: Sequence[float], width: float) -> str:
    return "".join(
        line(MARGIN_LEFT, y_scale(t), width - MARGIN_RIGHT, y_scale(t), "grid" if t or y_scale.log else "axis")
        + text(MARGIN_LEFT - 8, y_scale(t) + 4, format_number(t), "end small")
        for t in ticks
    )


def _axis_titles(x_label: str, y_label: str, width: float, height: float) -> str:
    middle = (MARGIN_TOP + height - MARGIN_BOTTOM) / 2
    return text((MARGIN_LEFT + width - MARGIN_RIGHT) / 2, height - 8, x_label, "mid small label") + (
        f'<text transform="translate(13 {middle:.1f}) rotate(-90)" class="mid small label">{escape(y_label)}</text>'
    )


def _cut(member: Series, whole: Sequence[Series]) -> Series:
    """The part of a curve that is within what other curves span; all of it where they span nothing."""
    xs = [x for s in whole for x in s.x if math.isfinite(x)]
    kept = [(x, y) for x, y in zip(member.x, member.y, strict=True) if not xs or min(xs) <= x <= max(xs)]
    return replace(member, x=[x for x, _ in kept], y=[y for _, y in kept])


def _band(series: Series, x_scale: Scale, y_scale: Scale) -> str:
    """The interval around a curve, within the axis."""
    top, bottom = y_scale.stop, y_scale.start
    ends = [
        (x_scale(x), y_scale(high), y_scale(low) if not y_scale.log or low > y_scale.floor else bottom)
        for x, low, high in zip(series.x, series.low, series.high, strict=True)
    ]
    out = []
    for known, group in groupby(ends, key=lambda end: all(map(math.isfinite, end))):
        if not known:
            continue
        points = [(x, max(top, min(high, bottom)), max(top, min(low, bottom))) for x, high, low in group]
        if len(points) == 1:
            x, high, low = points[0]
            out.append(line(x, high, x, low, f"bar s{series.index % NUM_COLOURS}"))
        else:
            upper = [(x, high) for x, high, _ in points]
            lower = [(x, low) for x, _, low in reversed(points)]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in (*upper, *lower))
            out.append(f'<path d="M{path}Z" class="band f{series.index % NUM_COLOURS}"/>')
    return "".join(out)


def _curve(series: Series, x_scale: Scale, y_scale: Scale, x_label: str) -> str:
    points = [(x_scale(x), y_scale(y)) for x, y in zip(series.x, series.y, strict=True)]
    known = [k for k, point in enumerate(points) if all(map(math.isfinite, point))]
    if not known:
        return ""
    path = []
    for _, run in groupby(enumerate(known), key=lambda entry: entry[1] - entry[0]):  # points without a gap
        path += _seen([points[k] for _, k in run])
    colour = f"s{series.index % NUM_COLOURS}"
    dash = f" dash{series.index // NUM_COLOURS}" if series.index >= NUM_COLOURS else ""
    css = f"line {colour}{dash}{' member' if series.member else ''}"
    drawn = f'<path d="{" ".join(path)}" class="{css}"/>'
    return drawn if series.member else drawn + _dots(series, points, known, x_label)


def _dots(series: Series, points: Sequence[tuple[float, float]], known: Sequence[int], x_label: str) -> str:
    """Where a curve tells its numbers on hover."""
    stride = max(1, math.ceil(len(known) / MAX_MARKERS))
    roomy = len(known) == 1 or abs(points[known[-1]][0] - points[known[0]][0]) / len(known) >= 9
    dots = "dot" if roomy else "dot faint"  # a crowded curve shows its dots on hover only
    out = []
    for k in known[::-stride]:
        tip = f"{series.label}\n{x_label} {format_number(series.x[k])}: {format_number(series.y[k])}"
        if series.low and math.isfinite(series.low[k]):
            tip += f"\n{series.note}: {format_number(series.low[k])} to {format_number(series.high[k])}"
        place = f'cx="{points[k][0]:.1f}" cy="{points[k][1]:.1f}" r="3.5"'
        out.append(f'<circle {place} class="{dots} f{series.index % NUM_COLOURS}" data-tip="{escape(tip)}"/>')
    return "".join(out)


def _seen(points: Sequence[tuple[float, float]]) -> list[str]:
    """A path through points in the order of x: of those in one column of pixels first, lowest, highest and last."""
    kept: list[tuple[float, float]] = []
    for _, column in groupby(points, key=lambda point: round(point[0])):
        own = list(column)
        places = {0, len(own) - 1, *(pick(range(len(own)), key=lambda k: own[k][1]) for pick in (min, max))}
        kept += [own[k] for k in sorted(places)]
    return [f"{'L' if k else 'M'}{x:.1f} {y:.1f}" for k, (x, y) in enumerate(kept)]

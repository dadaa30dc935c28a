"""Scales, ticks and the charts of a report, as pure functions from numbers to SVG text.

Every chart is well-formed XML of its own. Colours are CSS classes (`s0`..`s7` for series, `pos` and `neg` for the two
signs of a heat map), so that the page decides on light and dark. `data-tip` carries what the page shows on hover.
"""

from __future__ import annotations

import html
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NUM_COLOURS = 8  # series past these repeat the colours with a dashed line
MAX_MARKERS = 150  # hover targets for each series; a longer one gets them evenly spread
MAX_LABEL = 13  # characters of a strategy's name beside a heat map; the hover text has it whole
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 64.0, 16.0, 12.0, 44.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A map from data to pixels: linear or logarithmic, from `low..high` to `start..stop`.

    On a logarithmic scale with `zero` set, values at or below 0 land on that pixel: the axis is broken there.

    >>> Scale(low=0.01, high=1, start=100, stop=0, log=True)(0.1)
    50.0
    >>> Scale(low=0.01, high=1, start=100, stop=0, log=True, zero=120)(0)
    120.0
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False
    zero: float | None = None

    def __call__(self, value: float) -> float:
        """The pixel of `value`; NaN where there is none."""
        if not math.isfinite(value):
            return math.nan
        if self.log and value <= 0:
            return math.nan if self.zero is None else float(self.zero)
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        position = math.log10(value) if self.log else value
        return self.start + (position - low) / (high - low) * (self.stop - self.start)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One curve: `x` and `y` of equal length, NaN in `y` for a gap; `index` picks colour and dash."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    index: int = 0


def escape(value: object) -> str:
    r"""Text for HTML and XML alike; characters that XML forbids become U+FFFD.

    >>> escape("<b> & \x00")
    '&lt;b&gt; &amp; \ufffd'
    """
    return html.escape(FORBIDDEN.sub("\ufffd", str(value)))


def format_number(value: float | None) -> str:
    """At most four significant digits, for people; an en dash for nothing.

    >>> [format_number(v) for v in (0.0, -0.5, 1e-7, 0.0001, 123456.0, 1 / 3, math.nan)]
    ['0', '-0.5', '1e-7', '0.0001', '123,456', '0.3333', '–']
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e3:
        return f"{value:.4g}"
    if 1e3 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def linear_ticks(low: float, high: float, *, count: int = 5, integer: bool = False) -> list[float]:
    """Round values spaced by 1, 2 or 5 times a power of ten that cover `low..high`, the ends included.

    >>> linear_ticks(0, 10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    >>> linear_ticks(1, 2, integer=True)
    [1.0, 2.0]
    """
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    if integer:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) if step > 1e-9 else k * step for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Values of the form 1, 2 or 5 times a power of ten that cover `low..high`; whole decades where it is wide.

    >>> log_ticks(0.03, 0.4)
    [0.02, 0.05, 0.1, 0.2, 0.5]
    >>> log_ticks(1e-9, 1)
    [1e-10, 1e-08, 1e-06, 0.0001, 0.01, 1.0]
    """
    decades = math.log10(high / low)
    if decades <= 2:
        first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
        ticks = [float(f"{m}e{k}") for k in range(first - 1, last + 1) for m in (1, 2, 5)]
        below = [t for t in ticks if t <= low * (1 + 1e-9)]
        above = [t for t in ticks if t >= high * (1 - 1e-9)]
        return [t for t in ticks if below[-1] <= t <= above[0]] if below[-1] < above[0] else [below[-2], below[-1]]
    step = max(1, math.ceil(decades / 8))
    last = math.ceil(math.log10(high) - 1e-9)
    first = math.floor(math.log10(low) + 1e-9)
    first = last - math.ceil((last - first) / step) * step
    return [float(f"1e{k}") for k in range(first, last + 1, step)]


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

    On a logarithmic axis, values at or below 0 are drawn on a line of their own, marked 0, under the axis.

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
    xs = [x for s in series for x, y in zip(s.x, s.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
    ys = [y for s in series for x, y in zip(s.x, s.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
    if not xs:
        return _open(width, 60, title) + _text(width / 2, 34, "nothing recorded", "mid") + "</svg>"
    x_scale, x_ticks = _x_axis(xs, width, integer_x)
    y_scale, y_ticks = _y_axis(ys, height, log_y)
    parts = [_open(width, height, title), _frame(x_scale, x_ticks, y_scale, y_ticks, x_label, y_label, width, height)]
    parts += [_curve(s, x_scale, y_scale, x_label) for s in series]
    return "".join([*parts, "</svg>"])


def heat_map(
    values: NDArray[np.float64],
    *,
    title: str,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    row_weights: Sequence[float],
    column_weights: Sequence[float],
    row_title: str,
    column_title: str,
    width: int = 560,
) -> str:
    """A matrix in diverging colours around 0, with a bar for the weight of each row and column along the margins.

    Args:
        values: [rows, columns] float64; NaN for a cell that is not known.
        title: what the map shows, for readers of the page by ear.
        row_labels: a name for each row.
        column_labels: a name for each column.
        row_weights: probability of each row, the bars on the left.
        column_weights: probability of each column, the bars on top.
        row_title: what a row is.
        column_title: what a column is.
        width: of the drawing, in pixels.

    Returns:
        One `<svg>` element.
    """
    rows, columns = values.shape
    finite = np.abs(values[np.isfinite(values)])
    limit = float(finite.max(initial=0.0))
    left, bar = 96.0, 44.0  # room for the row labels, the longest weight bar
    grid_x = left + bar + 6
    cell = min((width - grid_x - 10) / columns, 48.0, max(4.0, 440.0 / rows))
    every = max(1, math.ceil(13 / cell))  # labels are this far apart, to stay legible
    upright = cell * every < 7.0 * max(len(shorten(label)) for label in column_labels)
    top = 26.0 + (84.0 if upright else 14.0)
    grid_y = top + bar + 6
    # Bars share one scale, so that two players' weights compare; relative to the largest, or a wide mix would vanish.
    longest = max((fraction(w) for w in (*row_weights, *column_weights)), default=0.0) or 1.0
    height = grid_y + rows * cell + 48
    # Surface-coloured gaps keep neighbours apart; in a large map they would eat the cells.
    gap = 2.0 if cell >= 12 else 0.0
    parts = [_open(width, round(height), title)]
    for r, c in np.ndindex(rows, columns):
        parts.append(
            _cell(
                float(values[r, c]),
                limit,
                grid_x + c * cell,
                grid_y + r * cell,
                cell - gap,
                f"{row_labels[r]} against {column_labels[c]}",
            )
        )
    for r, (label, weight) in enumerate(zip(row_labels, row_weights, strict=True)):
        length, y = bar * fraction(weight) / longest, grid_y + r * cell
        tip = escape(f"{label}: played with probability {format_number(weight)}")
        parts.append(_rect(grid_x - 6 - length, y, length, cell - gap, "weight", tip))
        if r % every == 0:
            parts.append(_text(left - 6, y + (cell - gap) / 2 + 4, shorten(label), "end small"))
    for c, (label, weight) in enumerate(zip(column_labels, column_weights, strict=True)):
        length, x = bar * fraction(weight) / longest, grid_x + c * cell
        tip = escape(f"{label}: played with probability {format_number(weight)}")
        parts.append(_rect(x, grid_y - 6 - length, cell - gap, length, "weight", tip))
        middle = x + (cell - gap) / 2
        if c % every == 0 and upright:
            turn = f'transform="translate({middle + 4:.1f} {top - 6:.1f}) rotate(-90)"'
            parts.append(f'<text {turn} class="small">{escape(shorten(label))}</text>')
        elif c % every == 0:
            parts.append(_text(middle, top - 6, shorten(label), "mid small"))
    parts.append(_text(grid_x, 14, f"{column_title} →", "small"))
    parts.append(_text(left - 6, grid_y - 8, f"{row_title} ↓", "end small"))
    parts.append(_colour_key(limit, grid_x, grid_y + rows * cell + 16))
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
    out = [_open(width, height, title), _y_grid(y_scale, ticks, width), _axis_titles(x_label, y_label, width, height)]
    every = max(1, math.ceil(max(len(label) for label in labels) * 8 / slot)) if labels else 1
    for b, label in enumerate(labels):
        middle, bottom = MARGIN_LEFT + (b + 0.5) * slot, y_scale(0.0)
        for p, (name, _) in enumerate(parts_by_name):
            size = y_scale(0.0) - y_scale(float(sizes[p, b]))
            if size > 0:
                tip = escape(f"{x_label} {label}, {name}: {format_number(float(sizes[p, b]))} s")
                drawn = size - 1.5 if size > 4 else size  # a gap between segments, unless it would hide one
                out.append(_rect(middle - thickness / 2, bottom - size, thickness, drawn, f"f{p % NUM_COLOURS}", tip))
            bottom -= size
        if b % every == 0:
            out.append(_text(middle, height - MARGIN_BOTTOM + 17, label, "mid small"))
    return "".join([*out, "</svg>"])


def _open(width: float, height: float, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title)}">'
    )


def _text(x: float, y: float, text: str, css: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css}"/>'


def _rect(x: float, y: float, width: float, height: float, css: str, tip: str = "", opacity: float = 1.0) -> str:
    extra = f' fill-opacity="{opacity:.3f}"' if opacity < 1 else ""
    extra += f' data-tip="{tip}"' if tip else ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{css}"{extra}/>'


def shorten(label: str, length: int = MAX_LABEL) -> str:
    """The label, cut to `length` characters."""
    return label if len(label) <= length else label[: length - 1] + "…"


def fraction(weight: float) -> float:
    """A weight as a share in [0, 1]; 0 where it is not finite."""
    return min(1.0, max(0.0, weight)) if math.isfinite(weight) else 0.0


def _widen(low: float, high: float) -> tuple[float, float]:
    """The range itself, or one around it when it is a single point (or too thin for floats to divide)."""
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    margin = max(1.0, abs(low)) * 0.5
    return low - margin, high + margin


def _x_axis(xs: Sequence[float], width: float, integer: bool) -> tuple[Scale, list[float]]:
    low, high = min(xs), max(xs)
    low, high = (low - 1, high + 1) if integer and low == high else _widen(low, high)
    ticks = [t for t in linear_ticks(low, high, count=6, integer=integer) if low <= t <= high]
    return Scale(low=low, high=high, start=MARGIN_LEFT, stop=width - MARGIN_RIGHT), ticks


def _y_axis(ys: Sequence[float], height: float, log: bool) -> tuple[Scale, list[float]]:
    bottom = height - MARGIN_BOTTOM
    if not log:
        ticks = linear_ticks(*_widen(min(0.0, *ys), max(0.0, *ys)))
        return Scale(low=ticks[0], high=ticks[-1], start=bottom, stop=MARGIN_TOP), ticks
    positive = [y for y in ys if y > 0]
    has_zero = len(positive) < len(ys)
    ticks = log_ticks(min(positive), max(positive)) if positive else [0.1, 1.0]
    start = bottom - 24.0 if has_zero else bottom
    zero = bottom if has_zero else None
    return Scale(low=ticks[0], high=ticks[-1], start=start, stop=MARGIN_TOP, log=True, zero=zero), ticks


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
    parts = [_y_grid(y_scale, y_ticks, width), _line(MARGIN_LEFT, bottom, width - MARGIN_RIGHT, bottom, "axis")]
    if y_scale.zero is not None:
        parts.append(_text(MARGIN_LEFT - 8, y_scale.zero + 4, "0", "end small"))
        parts.append(_line(MARGIN_LEFT - 4, bottom - 10, MARGIN_LEFT + 4, bottom - 14, "axis"))  # the break
    parts += [_text(x_scale(tick), bottom + 17, format_number(tick), "mid small") for tick in x_ticks]
    return "".join([*parts, _axis_titles(x_label, y_label, width, height)])


def _y_grid(y_scale: Scale, ticks: Sequence[float], width: float) -> str:
    return "".join(
        _line(MARGIN_LEFT, y_scale(t), width - MARGIN_RIGHT, y_scale(t), "grid" if t or y_scale.log else "axis")
        + _text(MARGIN_LEFT - 8, y_scale(t) + 4, format_number(t), "end small")
        for t in ticks
    )


def _axis_titles(x_label: str, y_label: str, width: float, height: float) -> str:
    middle = (MARGIN_TOP + height - MARGIN_BOTTOM) / 2
    return _text((MARGIN_LEFT + width - MARGIN_RIGHT) / 2, height - 8, x_label, "mid small label") + (
        f'<text transform="translate(13 {middle:.1f}) rotate(-90)" class="mid small label">{escape(y_label)}</text>'
    )


def _curve(series: Series, x_scale: Scale, y_scale: Scale, x_label: str) -> str:
    points = [(x_scale(x), y_scale(y), x, y) for x, y in zip(series.x, series.y, strict=True)]
    path, pen_down = [], False
    for x, y, _, _ in points:
        drawn = math.isfinite(x) and math.isfinite(y)
        if drawn:
            path.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        pen_down = drawn
    shown = [p for p in points if math.isfinite(p[0]) and math.isfinite(p[1])]
    if not shown:
        return ""
    colour = f"s{series.index % NUM_COLOURS}"
    dash = f" dash{series.index // NUM_COLOURS}" if series.index >= NUM_COLOURS else ""
    out = [f'<path d="{" ".join(path)}" class="line {colour}{dash}"/>'] if path else []
    stride = max(1, math.ceil(len(shown) / MAX_MARKERS))
    roomy = len(shown) == 1 or abs(shown[-1][0] - shown[0][0]) / len(shown) >= 9
    dots = "dot" if roomy else "dot faint"  # a crowded curve shows its dots on hover only
    for x, y, x_value, y_value in shown[::-stride]:
        tip = escape(f"{series.label}\n{x_label} {format_number(x_value)}: {format_number(y_value)}")
        out.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="{dots} f{series.index % NUM_COLOURS}" data-tip="{tip}"/>'
        )
    return "".join(out)


def _cell(value: float, limit: float, x: float, y: float, size: float, name: str) -> str:
    tip = escape(f"{name}: {format_number(value) if math.isfinite(value) else 'not known'}")
    if not math.isfinite(value):
        cross = f'<path d="M{x:.1f} {y + size:.1f}L{x + size:.1f} {y:.1f}" class="axis"/>'
        return _rect(x, y, size, size, "unknown", tip) + cross
    if value == 0 or limit == 0:
        return _rect(x, y, size, size, "zero", tip)
    # The sign's colour over the neutral ground: the strength alone says how far from 0, in light and in dark.
    sign = "pos" if value > 0 else "neg"
    return _rect(x, y, size, size, "zero") + _rect(x, y, size, size, sign, tip, abs(value) / limit)


def _colour_key(limit: float, x: float, y: float) -> str:
    if limit == 0:
        return _text(x, y + 10, "every known payoff is 0", "small")
    steps = np.linspace(-1.0, 1.0, 21)
    boxes = [_rect(x + 8.0 * k, y, 8.0, 8.0, "zero") for k in range(len(steps))]
    boxes += [
        _rect(x + 8.0 * k, y, 8.0, 8.0, "pos" if t > 0 else "neg", opacity=abs(float(t))) for k, t in enumerate(steps)
    ]
    ends = [(0.0, -limit, ""), (84.0, 0.0, "mid"), (168.0, limit, "end")]
    return "".join(boxes + [_text(x + at, y + 22, format_number(value), f"{css} small") for at, value, css in ends])

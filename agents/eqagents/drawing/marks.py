"""The marks that pictures are made of, as SVG text: every picture is well-formed XML of its own.

Colours are CSS classes (`s0`..`s7` for series, `pos` and `neg` for the two signs of a heat map), so that the page
decides on light and dark. `data-tip` carries what the page shows on hover.
"""

from __future__ import annotations

import html
import math
import re

NUM_COLOURS = 8  # series past these repeat the colours with a dashed line
MAX_LABEL = 13  # characters of a strategy's name beside a heat map; the hover text has it whole
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


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


def shorten(label: str, length: int = MAX_LABEL) -> str:
    """The label, cut to `length` characters."""
    return label if len(label) <= length else label[: length - 1] + "…"


def fraction(weight: float) -> float:
    """A weight as a share in [0, 1]; 0 where it is not finite."""
    return min(1.0, max(0.0, weight)) if math.isfinite(weight) else 0.0


def opened(width: float, height: float, title: str) -> str:
    """The beginning of an `<svg>` element; `title` is what it shows, for readers of the page by ear."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title)}">'
    )


def text(x: float, y: float, content: str, css: str = "") -> str:
    """A line of text, its baseline from (x, y)."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css}">{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """A line from one point to another."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css}"/>'


def rect(x: float, y: float, width: float, height: float, css: str, tip: str = "", opacity: float = 1.0) -> str:
    """A rectangle; `tip` is escaped already."""
    extra = f' fill-opacity="{opacity:.3f}"' if opacity < 1 else ""
    extra += f' data-tip="{tip}"' if tip else ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{css}"{extra}/>'

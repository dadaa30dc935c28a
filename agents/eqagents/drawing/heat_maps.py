"""Heat maps as pixels, for TensorBoard, which shows no SVG; `eqagents.drawing.matrices` draws them for pages.

What to draw is said once, as a `HeatMap`. Pictures have a palette of at most 256 colours: a third of the bytes, and a
tenth of the time to compress them. Cost: about three milliseconds for half a million pixels.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eqagents.drawing.marks import format_number, fraction, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ZERO, POSITIVE, NEGATIVE = (239, 238, 234), (28, 92, 171), (201, 48, 47)  # as in `eqagents.report.style`, in light
SURFACE, UNKNOWN, INK, WEIGHT = (252, 252, 251), (181, 180, 171), (82, 81, 78), (115, 113, 107)
STEPS, SHADES = 100, 16  # of a sign's colour, and of letters' edges


def _between(start: tuple[int, ...], end: tuple[int, ...], count: int) -> NDArray[np.uint8]:
    return np.linspace(start, end, count).round().astype(np.uint8)


PALETTE = np.vstack(
    (
        _between(NEGATIVE, ZERO, STEPS + 1)[:-1],
        _between(ZERO, POSITIVE, STEPS + 1),
        np.array([UNKNOWN, WEIGHT], dtype=np.uint8),
        _between(SURFACE, INK, SHADES),
    )
)
UNKNOWN_AT, WEIGHT_AT, SURFACE_AT = 2 * STEPS + 1, 2 * STEPS + 2, 2 * STEPS + 3  # places in the palette

TEXT, LETTER = 12, 7  # height of a line and width of a letter, in pixels
HEAD = 2 * TEXT + 8  # height of the title
BAR = 36  # length of the longest weight
SIDE = 768  # that all cells may take, one pixel at least each
LABEL = 24  # characters of a label


@dataclass(frozen=True, eq=False, kw_only=True)
class HeatMap:
    """A matrix with named rows and columns.

    Attributes:
        title: what it shows.
        values: [rows, columns] float64; NaN for what is not known.
        row_labels: a name for each row.
        column_labels: a name for each column.
        row_title: what a row is.
        column_title: what a column is.
        row_weights: the probability of each row; none where rows have none.
        column_weights: of each column.
        limit: the absolute value of the strongest colour; None: the largest there is.
    """

    title: str
    values: NDArray[np.float64]
    row_labels: Sequence[str]
    column_labels: Sequence[str]
    row_title: str
    column_title: str
    row_weights: Sequence[float] = ()
    column_weights: Sequence[float] = ()
    limit: float | None = None


class Png(NamedTuple):
    """An encoded picture, and its size in pixels."""

    data: bytes
    width: int
    height: int


class Layout(NamedTuple):
    """Where things are, in pixels: the cells begin at (left, top)."""

    left: int
    top: int
    cell_width: int
    cell_height: int
    upright: bool  # whether column labels are written from the bottom up


def colours(values: NDArray[np.float64], limit: float) -> NDArray[np.uint8]:
    """Each value's place in the palette: its sign's colour, the stronger the nearer to `limit`.

    Args:
        values: any shape; NaN is grey.
        limit: >= 0; at and beyond it colours are full.

    >>> PALETTE[colours(np.array([0.0, 2.0, -1.0, np.nan]), 1.0)].tolist()
    [[239, 238, 234], [28, 92, 171], [201, 48, 47], [181, 180, 171]]
    """
    strength = np.clip(np.nan_to_num(values) / limit, -1.0, 1.0) if limit > 0 else np.zeros(values.shape)
    return np.where(np.isfinite(values), np.round(STEPS + STEPS * strength), UNKNOWN_AT).astype(np.uint8)


def pixels(shown: HeatMap) -> NDArray[np.uint8]:
    """The picture: title, labels, cells, and along the margins a bar for each weight.

    Args:
        shown: what to draw, of at least one cell.

    Returns:
        [height, width], places in the palette.
    """
    rows, columns = shown.values.shape
    known = np.abs(shown.values[np.isfinite(shown.values)])
    limit = float(known.max(initial=0.0)) if shown.limit is None else shown.limit
    heads = (
        f"{shown.title}; full colour: {format_number(limit)}",
        f"rows: {shown.row_title}, columns: {shown.column_title}",
    )
    at = _layout(shown)
    width = max(at.left + columns * at.cell_width + 8, LETTER * max(map(len, heads)) + 8)
    canvas = np.full((at.top + rows * at.cell_height + 8, width), SURFACE_AT, dtype=np.uint8)
    for line, text in enumerate(heads):
        _paste(canvas, _written(text), 2 + line * (TEXT + 2), 4)
    _paste(canvas, _cells(shown.values, limit, at), at.top, at.left)
    _draw_weights(canvas, shown, at)
    for r in range(0, rows, math.ceil(TEXT / at.cell_height)):
        y = at.top + r * at.cell_height + (at.cell_height - TEXT) // 2
        _paste(canvas, _written(shorten(shown.row_labels[r], LABEL)), max(HEAD, y), 4)
    for c in range(0, columns, math.ceil(TEXT / at.cell_width)):
        label, x = _written(shorten(shown.column_labels[c], LABEL)), at.left + c * at.cell_width
        if at.upright:
            label, x = np.rot90(label), x + max(0, (at.cell_width - TEXT) // 2)
        _paste(canvas, label, HEAD, x)
    return canvas


def png(shown: HeatMap) -> Png:
    """The picture as a PNG file."""
    from PIL import Image

    drawn = pixels(shown)
    image = Image.fromarray(drawn)
    image.putpalette(PALETTE.tobytes())
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=1)
    return Png(file.getvalue(), drawn.shape[1], drawn.shape[0])


def _layout(shown: HeatMap) -> Layout:
    rows, columns = shown.values.shape
    names = shown.row_labels, shown.column_labels
    widest = [LETTER * max(len(shorten(name, LABEL)) for name in own) for own in names]
    cell_width, cell_height = min(48, max(1, SIDE // columns)), min(24, max(1, SIDE // rows))
    upright = widest[1] > cell_width
    bars = [BAR + 4 if len(weights) else 0 for weights in (shown.row_weights, shown.column_weights)]
    top = HEAD + (widest[1] if upright else TEXT) + 4 + bars[1]
    return Layout(widest[0] + 8 + bars[0], top, cell_width, cell_height, upright)


def _cells(values: NDArray[np.float64], limit: float, at: Layout) -> NDArray[np.uint8]:
    """The cells alone; where they are large enough a gap keeps neighbours apart."""
    cells = colours(values, limit).repeat(at.cell_height, axis=0).repeat(at.cell_width, axis=1)
    if min(at.cell_height, at.cell_width) >= 8:
        cells[at.cell_height - 1 :: at.cell_height] = SURFACE_AT
        cells[:, at.cell_width - 1 :: at.cell_width] = SURFACE_AT
    return cells


def _draw_weights(canvas: NDArray[np.uint8], shown: HeatMap, at: Layout) -> None:
    """Bars share one scale, so that two players' weights compare."""
    most = max((fraction(weight) for weight in (*shown.row_weights, *shown.column_weights)), default=0.0) or 1.0
    for r, weight in enumerate(shown.row_weights):
        length, y = round(BAR * fraction(weight) / most), at.top + r * at.cell_height
        canvas[y : y + max(1, at.cell_height - 1), at.left - 4 - length : at.left - 4] = WEIGHT_AT
    for c, weight in enumerate(shown.column_weights):
        length, x = round(BAR * fraction(weight) / most), at.left + c * at.cell_width
        canvas[at.top - 4 - length : at.top - 4, x : x + max(1, at.cell_width - 1)] = WEIGHT_AT


def _paste(canvas: NDArray[np.uint8], part: NDArray[np.uint8], y: int, x: int) -> None:
    """Puts `part` there, as far as it fits; a picture is drawn in place, on a canvas that nobody else has."""
    place = canvas[y : y + part.shape[0], x : x + part.shape[1]]
    place[:] = part[: place.shape[0], : place.shape[1]]


@lru_cache(maxsize=1024)  # labels are the same at every step, and cost more than all else to draw
def _written(text: str) -> NDArray[np.uint8]:
    """A line of text, in what the one font that is always there can write."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (LETTER * max(1, len(text)), TEXT), 0)
    plain = text.encode("latin-1", "replace").decode("latin-1").replace("\n", " ")
    ImageDraw.Draw(image).text((0, 0), plain, fill=255, font=ImageFont.load_default())
    drawn: NDArray[np.uint8] = SURFACE_AT + np.asarray(image) // (256 // SHADES)
    drawn.setflags(write=False)
    return drawn

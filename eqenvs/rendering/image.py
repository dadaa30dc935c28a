"""A picture as an image, drawn with Pillow and the font that it brings.

Cells are as large as fits a side of about `SIDE` pixels, 1 to `LARGEST` pixels wide. An image is as large for every
state of a game, and its sides are even, as video encoders want them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from math import ceil, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from eqenvs.rendering.picture import WALL_GLYPH, Board, Colour, Picture

SIDE, LARGEST = 480, 56
NARROWEST, PAGE = 480, 640  # width of an image with boards at least, and of one without
MARGIN, GAP, LINE = 12, 16, 22  # around everything, between boards, of a line of text
FONT, SMALLEST = 15, 9  # sizes of text
LINED, LETTERED = 6, 10  # pixels of a cell from which on it has a border, and from which on its glyph is drawn
PAPER: Colour = (255, 255, 255)
INK: Colour = (30, 30, 30)
BORDER: Colour = (160, 160, 160)
HEXAGON = sqrt(0.75)  # from one row to the next, in widths of a cell


class Layout(NamedTuple):
    """Where things are, in pixels.

    Attributes:
        width: of the image.
        height: of the image.
        cell: width of a cell.
        corners: (x, y) of the top left cell of each board.
    """

    width: int
    height: int
    cell: int
    corners: tuple[tuple[int, int], ...]


def layout(picture: Picture, header: int) -> Layout:
    """Boards in rows of as many as there are rows, below `header` lines of text."""
    boards = picture.boards
    text = (header + len(picture.lines)) * LINE
    if not boards:
        return Layout(PAGE, text + 2 * MARGIN, 0, ())
    across = ceil(sqrt(len(boards)))
    down = ceil(len(boards) / across)
    columns, rows = (max(size) for size in zip(*map(_extent, boards), strict=True))
    cell = max(1, min(LARGEST, int(SIDE // max(across * columns, down * rows))))
    left = max(max(map(len, board.rows), default=0) for board in boards) * 9 + 4 * any(board.rows for board in boards)
    above = LINE * (any(board.title for board in boards) + any(board.columns for board in boards))
    slot = left + ceil(columns * cell) + 1 + GAP, above + ceil(rows * cell) + 1 + GAP
    top = MARGIN + header * LINE
    places = (divmod(number, across) for number in range(len(boards)))
    corners = tuple((MARGIN + column * slot[0] + left, top + row * slot[1] + above) for row, column in places)
    width = max(NARROWEST, 2 * MARGIN + across * slot[0] - GAP)
    height = MARGIN + text + down * slot[1] - GAP + MARGIN
    return Layout(width + width % 2, height + height % 2, cell, corners)


def _extent(board: Board) -> tuple[float, float]:
    """Width and height in cells."""
    height, width = board.glyphs.shape
    if not board.hexagonal:
        return width, height
    return width + (height - 1) / 2, (height - 1) * HEXAGON + 1 / HEXAGON


def middle(board: Board, corner: tuple[int, int], cell: int, row: int, column: int) -> tuple[float, float]:
    """(x, y) of the middle of a cell, in pixels."""
    x, y = corner
    if board.hexagonal:
        return x + (column + row / 2 + 0.5) * cell, y + (row * HEXAGON + 0.5 / HEXAGON) * cell
    return x + (column + 0.5) * cell, y + (row + 0.5) * cell


def as_image(picture: Picture, header: Sequence[str] = ()) -> NDArray[np.uint8]:
    """Lines above, the boards, lines below: [height, width, 3] uint8."""
    plan = layout(picture, len(header))
    pixels = np.full((plan.height, plan.width, 3), PAPER, dtype=np.uint8)
    for board, (x, y) in zip(picture.boards, plan.corners, strict=True):
        if not board.hexagonal:
            block = _squares(board.ground, plan.cell)
            pixels[y : y + len(block), x : x + block.shape[1]] = block
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for board, corner in zip(picture.boards, plan.corners, strict=True):
        _draw_board(draw, board, corner, plan.cell)
    room = plan.width - 2 * MARGIN
    for number, line in enumerate(header):
        _write(draw, line, (MARGIN, MARGIN + (number + 0.5) * LINE), room)
    below = plan.height - MARGIN - len(picture.lines) * LINE
    for number, line in enumerate(picture.lines):
        _write(draw, line, (MARGIN, below + (number + 0.5) * LINE), room)
    return np.array(image)


def _squares(ground: NDArray[np.uint8], cell: int) -> NDArray[np.uint8]:
    """The ground of a board, with a border around cells that are large enough for one."""
    block = np.repeat(np.repeat(ground, cell, axis=0), cell, axis=1)
    if cell < LINED:
        return block
    block = np.pad(block, ((0, 1), (0, 1), (0, 0)))
    block[::cell] = block[:, ::cell] = BORDER
    return block


def _draw_board(draw: ImageDraw.ImageDraw, board: Board, corner: tuple[int, int], cell: int) -> None:
    """Everything but the ground of squares."""
    height, width = board.glyphs.shape
    places = [(row, column) for row in range(height) for column in range(width)] if cell >= LETTERED else []
    at = {place: middle(board, corner, cell, *place) for place in [*places, *board.discs]}
    if board.hexagonal:
        for row, column in np.ndindex(height, width):
            x, y = at.get((row, column)) or middle(board, corner, cell, row, column)
            half, tip = cell / 2, cell / 2 / HEXAGON
            outline = [(0, -tip), (half, -tip / 2), (half, tip / 2), (0, tip), (-half, tip / 2), (-half, -tip / 2)]
            fill = tuple(board.ground[row, column].tolist())
            draw.polygon([(x + right, y + down) for right, down in outline], fill=fill, outline=BORDER)
    for place, colour in board.discs.items():
        x, y = at[place]
        radius = 0.38 * cell
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    for row, column in places:
        glyph = str(board.glyphs[row, column])
        if glyph and glyph != WALL_GLYPH:
            on = board.discs.get((row, column)) or tuple(board.ground[row, column].tolist())
            size = max(SMALLEST - 2, min(cell * 0.5, cell * 1.2 / len(glyph)))
            draw.text(at[row, column], glyph, fill=_readable(on), font=_font(round(size)), anchor="mm")
    _label(draw, board, corner, cell)


def _label(draw: ImageDraw.ImageDraw, board: Board, corner: tuple[int, int], cell: int) -> None:
    x, y = corner
    if board.title:
        above = LINE * (1.5 if board.columns else 0.5)
        draw.text((x, y - above), board.title, fill=INK, font=_font(FONT), anchor="lm")
    if cell < LETTERED:
        return
    for row, label in enumerate(board.rows):
        place = middle(board, corner, cell, row, 0)
        draw.text((place[0] - cell / 2 - 5, place[1]), label, fill=INK, font=_font(FONT), anchor="rm")
    for column, label in enumerate(board.columns):
        draw.text(
            (middle(board, corner, cell, 0, column)[0], y - LINE / 2), label, fill=INK, font=_font(FONT), anchor="mm"
        )


def _write(draw: ImageDraw.ImageDraw, text: str, place: tuple[float, float], room: int) -> None:
    """A line of text, in a smaller font or cut at its end where it is too long."""
    size = FONT
    while size > SMALLEST and _font(size).getlength(text) > room:
        size -= 1
    font = _font(size)
    if font.getlength(text) > room:
        fits = bisect_left(range(len(text)), True, key=lambda count: font.getlength(text[:count] + "...") > room)
        text = text[: fits - 1] + "..."
    draw.text(place, text, fill=INK, font=font, anchor="lm")


def _readable(on: Sequence[int]) -> Colour:
    """Black or white, by the luminance of what it stands on (Rec. 601)."""
    red, green, blue = on
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)

"""What a picture of a game holds: boards of cells, and lines of text below them.

A cell has a glyph, the colour of its ground, and a disc if a piece is on it. Text shows the glyphs, an image all three.
The same game gives boards of the same sizes and as many lines in every state, so that frames make a film.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eqenvs.errors import InputError

Colour: TypeAlias = tuple[int, int, int]  # red, green, blue, 0 to 255
Mark: TypeAlias = tuple[int, str, Colour]  # the number of a cell, row by row; a glyph; a colour

GROUND: Final[Colour] = (236, 236, 230)
GOAL: Final[Colour] = (250, 222, 140)
SEA: Final[Colour] = (198, 222, 240)
GRASS: Final[Colour] = (148, 182, 134)
WALL: Final[Colour] = (70, 70, 74)
WALL_GLYPH: Final = "#"  # text alone shows it: an image has the wall's colour

# Told apart by the colour-blind too: Okabe and Ito (2008), "Color universal design".
PLAYERS: Final[tuple[Colour, ...]] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (240, 228, 66),
    (60, 60, 60),
)


def player_colour(player: int) -> Colour:
    """Of the player's pieces; the ninth player has the first one's again."""
    return PLAYERS[player % len(PLAYERS)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Board:
    """R rows of C cells, the first row on top.

    Attributes:
        glyphs: [R, C] str, a few characters each; "" for an empty cell.
        ground: [R, C, 3] uint8, the colours of the cells.
        discs: the colours of pieces, by (row, column).
        title: above the board.
        rows: a label of each row, or none at all.
        columns: a label of each column, or none at all.
        hexagonal: cells are hexagons, each row half a cell further to the right.
    """

    glyphs: NDArray[np.str_]
    ground: NDArray[np.uint8]
    discs: Mapping[tuple[int, int], Colour] = field(default_factory=dict)
    title: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    hexagonal: bool = False

    def __post_init__(self) -> None:
        shape = self.glyphs.shape
        if len(shape) != 2 or self.ground.shape != (*shape, 3) or self.ground.dtype != np.uint8:
            raise InputError(f"a board needs glyphs [R, C] and ground [R, C, 3] uint8, got {shape} {self.ground.shape}")
        for name, labels, count in (("rows", self.rows, shape[0]), ("columns", self.columns, shape[1])):
            if labels and len(labels) != count:
                raise InputError(f"a board's labels of {name} must be {count} or none, got {len(labels)}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture:
    """What a spectator sees of a state.

    Attributes:
        boards: side by side in an image, one below the other in text.
        lines: text below the boards.
    """

    boards: tuple[Board, ...] = ()
    lines: tuple[str, ...] = ()


def squares(
    height: int,
    width: int,
    *,
    marks: Iterable[Mark] = (),
    pieces: Iterable[Mark] = (),
    ground: Colour = GROUND,
    title: str = "",
    rows: tuple[str, ...] = (),
    columns: tuple[str, ...] = (),
    hexagonal: bool = False,
) -> Board:
    """A board by its cells' numbers, row by row from the top left.

    Args:
        height: R.
        width: C.
        marks: what cells themselves show; a later mark takes the place of an earlier one.
        pieces: what is on them. Of several on one cell the first gives the colour; their glyphs stand in a row.
        ground: the colour of other cells.
        title: see `Board`, as for the rest.
        rows: see there.
        columns: see there.
        hexagonal: see there.

    >>> squares(1, 3, marks=[(0, "#", WALL)], pieces=[(2, "A", PLAYERS[0]), (2, "B", PLAYERS[1])]).glyphs.tolist()
    [['#', '', 'AB']]
    """
    shown = [""] * (height * width)
    colours = np.full((height * width, 3), ground, dtype=np.uint8)
    for cell, glyph, colour in marks:
        shown[cell], colours[cell] = glyph, colour
    discs: dict[tuple[int, int], Colour] = {}
    for cell, glyph, colour in pieces:
        at = divmod(cell, width)
        shown[cell] = shown[cell] + glyph if at in discs else glyph
        discs.setdefault(at, colour)
    return Board(
        glyphs=np.array(shown).reshape(height, width),
        ground=colours.reshape(height, width, 3),
        discs=discs,
        title=title,
        rows=rows,
        columns=columns,
        hexagonal=hexagonal,
    )

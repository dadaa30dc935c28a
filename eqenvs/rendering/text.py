"""A picture as plain text, to be read in a terminal or a log: no colours, no control codes."""

from __future__ import annotations

from collections.abc import Sequence

from eqenvs.rendering.picture import Board, Picture

EMPTY = "."
MOST_CELLS = 10_000  # of all boards; what is larger is an image only


def as_text(picture: Picture, header: Sequence[str] = ()) -> str:
    """Lines above, the boards, lines below; every line ends with a line break.

    >>> from eqenvs.rendering import squares
    >>> board = squares(2, 2, pieces=[(0, "X", (0, 0, 0))], rows=("1", "2"), columns=("a", "b"))
    >>> print(as_text(Picture(boards=(board,), lines=("a line",)), ["a game"]), end="")
    a game
      a b
    1 X .
    2 . .
    a line
    """
    count = sum(board.glyphs.size for board in picture.boards)
    shown = (
        [line for board in picture.boards for line in _board(board)]
        if count <= MOST_CELLS
        else [f"{count:,} cells are too many for text; see them as an image"]
    )
    return "".join(f"{line.rstrip()}\n" for line in [*header, *shown, *picture.lines])


def _board(board: Board) -> list[str]:
    cells = [[glyph or EMPTY for glyph in row] for row in board.glyphs.tolist()]
    wide = max(map(len, [*(glyph for row in cells for glyph in row), *board.columns]), default=1)
    margin = max(map(len, board.rows), default=-1) + 1
    lines = [board.title] if board.title else []
    if board.columns:
        lines.append(" " * margin + " ".join(label.ljust(wide) for label in board.columns))
    for number, row in enumerate(cells):
        label = board.rows[number] if board.rows else ""
        # Half a cell a row, to the nearest character.
        shift = " " * (number * (wide + 1) // 2) if board.hexagonal else ""
        lines.append(shift + label.ljust(margin) + " ".join(glyph.ljust(wide) for glyph in row))
    return lines

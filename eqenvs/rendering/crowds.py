"""Agents of mean-field games as heat maps: how many are in each state, by the place that the state's key tells.

A key of one number is a place on a line, which goes on in the next row where it is long; of two a row and a column; of
three a floor too. Where keys are none of these, states are in a line in their order.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import IntArray
from eqenvs.rendering.picture import WALL, WALL_GLYPH, Board

ROW = 25  # places of a line in one row
SPARSEST = 4  # cells for each state that a grid may have
MOST_BOARDS = 36
NOBODY, MOST = np.array([(246, 249, 252), (8, 69, 148)], dtype=np.float64)  # colours, mixed in proportion


class Places(NamedTuple):
    """Where the states of a game are drawn.

    Attributes:
        cells: [floors, R, C] int64, the state in each cell, -1 for none.
        numbers: [S] int64, what the states of a line are labelled with.
        line: whether states are on a line.
    """

    cells: IntArray
    numbers: IntArray
    line: bool


def places_of(keys: IntArray, axes: tuple[int, ...] | None = None) -> Places:
    """The places of states with these keys, [S, W].

    Args:
        keys: unique.
        axes: which columns of the keys are the row and the column, or the floor, the row and the column; default all in
            their order.
    """
    states = len(keys)
    at = keys - keys.min(axis=0)
    if axes is not None:
        at = at[:, list(axes)]
    if at.shape[1] in (2, 3):
        at = np.concatenate([np.zeros((states, 3 - at.shape[1]), dtype=np.int64), at], axis=1)
        size = at.max(axis=0) + 1
        if size.prod() <= SPARSEST * states:
            cells = np.full(size, -1)
            cells[tuple(at.T)] = np.arange(states)
            return Places(cells, np.arange(states), line=False)
    width = min(states, max(ROW, ceil(sqrt(states))))
    cells = np.full((1, ceil(states / width), width), -1)
    numbers = keys[:, 0] if keys.shape[1] == 1 else np.arange(states)
    cells.reshape(-1)[:states] = np.argsort(numbers)
    return Places(cells, numbers, line=True)


def crowd_boards(counts: IntArray, places: Places) -> tuple[Board, ...]:
    """A board for each population and floor, or one with a row for each population where one row is enough.

    Args:
        counts: [P, S], agents by population and state.
        places: of the states.
    """
    floors, rows, _ = places.cells.shape
    names = [f"population {number}" for number in range(len(counts))] if len(counts) > 1 else [""]
    most = max(1, int(counts.max()))
    if places.line and rows == 1:
        columns = tuple(map(str, places.numbers[places.cells[0, 0]].tolist()))
        board = _heat(counts[:, places.cells[0, 0]], np.zeros((1, 1), dtype=bool), most)
        return (replace(board, rows=tuple(names) if len(counts) > 1 else (), columns=columns),)
    if len(counts) * floors > MOST_BOARDS:
        counts, names = counts.sum(axis=0, keepdims=True), ["all populations"]
        most = max(1, int(counts.max()))
    boards = []
    for name, population in zip(names, counts, strict=True):
        for number, floor in enumerate(places.cells):
            title = ", ".join(part for part in (name, f"floor {number}" if floors > 1 else "") if part)
            starts = tuple(map(str, places.numbers[floor[:, 0]].tolist())) if places.line else ()
            boards.append(replace(_heat(population[floor], floor < 0, most), title=title, rows=starts))
    return tuple(boards)


def _heat(counts: IntArray, nowhere: NDArray[np.bool_], most: int) -> Board:
    share = counts[..., None] / most
    ground = np.rint((1 - share) * NOBODY + share * MOST)
    glyphs = np.where(counts > 0, counts.astype(f"U{len(str(most))}"), "")
    return Board(
        glyphs=np.where(nowhere, WALL_GLYPH, glyphs),
        ground=np.where(nowhere[..., None], WALL, ground).astype(np.uint8),
    )

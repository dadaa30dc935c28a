"""What games of crowds have in common: aversion to density, and moves on grids with walls.

A move into a wall is illegal. Where noise moves a player on, it picks one of the legal moves of the cell that the
player's own move reached, staying included, all alike (OpenSpiel's convention; Geist et al., 2022, "Concave utility
reinforcement learning: the mean-field game viewpoint", AAMAS, for the exploration of rooms and mazes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Array, BoolArray, Float64Array, IntArray, namespace
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.spec import Parameter

MAX_ENTRIES = 200_000_000  # of a table of successors: 1.6 GB
EMPTY = 1e-25  # density below which a place counts as empty: -log of it is the most that being alone is worth
NORTH, WEST, STAY, EAST, SOUTH = range(5)
MOVES = np.array([[-1, 0], [0, -1], [0, 0], [0, 1], [1, 0]])  # rows and columns that each action moves by


class Grid(NamedTuple):
    """The open cells of a grid, numbered row by row from the north-west.

    Attributes:
        cells: [S, 2] int64, row and column of each.
        to: [S, 5] int64, where each move leads; the cell itself where a wall is.
        legal: [S, 5] bool, whether no wall is there.
    """

    cells: IntArray
    to: IntArray
    legal: BoolArray


def log_density(mean_field: Array) -> Array:
    """Log mu, with the limit of an empty place: finite, so that a best response may go where nobody is."""
    return namespace(mean_field).log(mean_field + EMPTY)


def grid_of(is_open: BoolArray, *, torus: bool) -> Grid:
    """The open cells of [H, W]; beyond its edges are the opposite ones on a torus, and walls elsewhere."""
    size = np.array(is_open.shape)
    number = np.full(is_open.shape, -1)
    cells = np.argwhere(is_open)
    number[tuple(cells.T)] = np.arange(len(cells))
    after = cells[:, None] + MOVES
    inside = np.ones(after.shape[:2], dtype=bool) if torus else ((after >= 0) & (after < size)).all(axis=-1)
    row, column = np.moveaxis(after % size, -1, 0)
    reached = np.where(inside, number[row, column], -1)
    own = np.arange(len(cells))[:, None]
    return Grid(cells, np.where(reached < 0, own, reached), reached >= 0)


def drawn(rows: Sequence[str]) -> BoolArray:
    """The open cells of a drawing in which # is a wall, [H, W].

    >>> drawn(["# #", "#  "]).astype(int).tolist()
    [[0, 1, 0], [0, 1, 1]]
    """
    return np.array([[letter != "#" for letter in row] for row in rows])


def scattered(grid: Grid, noise: float) -> tuple[IntArray, Float64Array]:
    """Where a move and then noise lead to, [S, 5, 5] successors and probabilities."""
    legal = grid.legal[grid.to]
    probability = noise * legal / legal.sum(axis=-1, keepdims=True)
    probability[..., STAY] += 1 - noise
    return grid.to[grid.to], probability


def exploration(
    game_id: str, rows: Sequence[str], *, horizon: int, noise: float, aversion: float, starts: str
) -> MeanFieldModel:
    """A crowd that spreads over the open cells of a drawing: the reward is -aversion log mu(x)."""
    grid = grid_of(drawn(rows), torus=False)
    successors, probability = scattered(grid, noise)

    def reward(mean_field: Array, moment: Moment) -> Array:
        return -aversion * log_density(mean_field)[..., None]

    return MeanFieldModel(
        probability,
        reward,
        start_at(game_id, starts, grid),
        successors=successors,
        horizon=horizon,
        legal=grid.legal,
        keys=grid.cells,
    )


def check_entries(game_id: str, states: int, actions: int, successors: int) -> None:
    """Refuse a game whose table of successors would not fit.

    Raises:
        GameTooLargeError: naming the game and its size.
    """
    if states * actions * successors > MAX_ENTRIES:
        raise GameTooLargeError(
            f"{game_id}: {states:,} cells, {actions:,} actions and {successors:,} successors of each are "
            f"{states * actions * successors:,} entries, more than {MAX_ENTRIES:,}"
        )


def start_at(game_id: str, text: str, grid: Grid) -> Float64Array:
    """Everybody spread evenly over the cells named by the parameter `starts`, or over all of them, [S]."""
    found = read_cells(game_id, "starts", text, grid)
    share: Float64Array = np.zeros(len(grid.cells))
    share[[cell for cell, _ in found] or slice(None)] = 1 / (len(found) or len(grid.cells))
    return share


def read_cells(game_id: str, name: str, text: str, grid: Grid, *, value: str | None = None) -> list[tuple[int, float]]:
    """The cells of "0,1;2,3" (row and column, from 0 at the north-west), each with a number where `value` names one.

    Returns:
        The number of each cell, and its value or 1.

    Raises:
        InputError: naming the parameter, if the text is no such list, or a cell is a wall, off the grid or there twice.
    """
    form = "row,column" + (f",{value}" if value else "")
    known = {cell: number for number, cell in enumerate(map(tuple, grid.cells.tolist()))}
    found: dict[int, float] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        try:
            row, column, *rest = part.split(",")
            (worth,) = (float(number) for number in rest) if value else (1.0,)
            cell = (int(row), int(column))
        except ValueError:
            cell = None
        if cell is None or not np.isfinite(worth) or (value is None and rest):
            raise InputError(f"{game_id}: parameter {name!r} must be {form};{form};..., got {text!r}")
        if cell not in known:
            height, width = grid.cells.max(axis=0)
            raise InputError(
                f"{game_id}: parameter {name!r}: {cell[0]},{cell[1]} is no open cell; rows go to {height}, columns to "
                f"{width}"
            )
        if known[cell] in found:
            raise InputError(f"{game_id}: parameter {name!r}: cell {cell[0]},{cell[1]} is there twice")
        found[known[cell]] = worth
    return list(found.items())


def horizon_of(default: int) -> Parameter:
    """The parameter `horizon`."""
    return Parameter(name="horizon", default=default, low=1, high=100_000, description="decisions")


def starts_at(default: str) -> Parameter:
    """The parameter `starts`."""
    return Parameter(
        name="starts",
        default=default,
        kind=str,
        description='cells over which everybody is spread at time 0: "row,column;row,column;..."; empty: all cells',
    )


NOISE = Parameter(
    name="noise", default=1.0, kind=float, low=0.0, high=1.0, description="probability of a random move after one's own"
)
AVERSION = Parameter(
    name="aversion", default=1.0, kind=float, low=0.0, high=1e6, description="weight of -log density in the reward"
)

"""Predator and prey: populations on one grid that hunt and flee each other, each averse to its own crowd.

Perolat et al. (2022), "Scaling up mean field games with online mirror descent", AAMAS (arXiv 2103.00623), section 5.4,
in OpenSpiel's version. A player stays or moves a cell; then, with probability `noise`, it is moved by a cell in one of
the four directions, all alike. Moves off the grid are staying, or go round on a torus. A player of population p gets

    -aversion log mu_p(x) + sum_q matrix[p, q] mu_q(x).

Published for three populations, 5 x 5 cells and 10 decisions (the default), and for four populations and 20; every
population starts in a corner.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Array, Constants, Float64Array, namespace
from eqenvs.errors import InputError
from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

STAY = 0
MOVES = np.array([[0, 0], [0, 1], [1, 0], [-1, 0], [0, -1]])  # rows and columns that each action moves by


class Published(NamedTuple):
    """What a number of populations has been published with.

    Attributes:
        matrix: who gains by being where whom is.
        corners: rows and columns of the starts, in units of the last one.
    """

    matrix: tuple[tuple[float, ...], ...]
    corners: tuple[tuple[int, int], ...]


PUBLISHED = {
    3: Published(((0, -1, 1), (1, 0, -1), (-1, 1, 0)), ((0, 0), (0, 1), (1, 0))),
    4: Published(
        ((0, 1, 0, -1), (-1, 0, 1, 0), (0, -1, 0, 1), (1, 0, -1, 0)),
        ((0, 0), (1, 0), (1, 1), (0, 1)),
    ),
}


def build(
    populations: int,
    height: int,
    width: int,
    horizon: int,
    torus: bool,
    noise: float,
    aversion: float,
    matrix: str,
    starts: str,
) -> MeanFieldModel:
    """The model."""
    grid = _crowds.grid_of(np.ones((height, width), dtype=bool), torus=torus)
    order = [_crowds.MOVES.tolist().index(move) for move in MOVES.tolist()]
    to = grid.to[:, order]
    chance = np.full(len(MOVES), noise / 4)
    chance[STAY] = 1 - noise
    successors = to[to]
    constants = Constants(matrix=_matrix(matrix, populations))

    def reward(mean_field: Array, moment: Moment) -> Array:
        met = namespace(mean_field).matmul(constants.on("matrix", mean_field), mean_field)
        return (met - aversion * _crowds.log_density(mean_field))[..., None]

    return MeanFieldModel(
        np.broadcast_to(chance, successors.shape),
        reward,
        _starts(starts, populations, grid, (height - 1, width - 1)),
        successors=successors,
        horizon=horizon,
        keys=grid.cells,
    )


def _matrix(text: str, populations: int) -> Float64Array:
    """[P, P], from "a,b;c,d" or as published."""
    if not text.strip():
        return np.array(_published("matrix", populations).matrix, dtype=np.float64)
    try:
        rows = [[float(entry) for entry in row.split(",")] for row in text.split(";")]
    except ValueError:
        rows = []
    if len(rows) != populations or any(len(row) != populations for row in rows) or not np.isfinite(rows).all():
        raise InputError(
            f"predator_prey: parameter 'matrix' must be {populations} rows of {populations} numbers, "
            f'"a,b,...;c,d,...", got {text!r}'
        )
    return np.array(rows)


def _starts(text: str, populations: int, grid: _crowds.Grid, last: tuple[int, int]) -> Float64Array:
    """[P, S], everybody of a population in one cell."""
    if not text.strip():
        corners = _published("starts", populations).corners
        text = ";".join(f"{row * last[0]},{column * last[1]}" for row, column in corners)
    parts = text.split(";")
    if len(parts) != populations:
        raise InputError(
            f"predator_prey: parameter 'starts' must be a cell for each of the {populations} populations, got {text!r}"
        )
    rows: list[Float64Array] = []
    for part in parts:
        found = _crowds.read_cells("predator_prey", "starts", part, grid)
        if not found:
            raise InputError(
                f"predator_prey: parameter 'starts' names no cell for population {len(rows)}, got {text!r}"
            )
        rows.append(np.eye(1, len(grid.cells), found[0][0])[0])
    return np.array(rows)


def _published(name: str, populations: int) -> Published:
    if populations not in PUBLISHED:
        raise InputError(f"predator_prey: parameter {name!r} must be given unless there are 3 or 4 populations")
    return PUBLISHED[populations]


SPEC = mean_field_spec(
    id="predator_prey",
    title="Predator and prey",
    build=build,
    source="Perolat et al. (2022), AAMAS; OpenSpiel's python_mfg_predator_prey",
    parameters=(
        Parameter(name="populations", default=3, low=2, high=20, description="populations"),
        Parameter(name="height", default=5, low=2, high=1000, description="rows"),
        Parameter(name="width", default=5, low=2, high=1000, description="columns"),
        _crowds.horizon_of(10),
        Parameter(name="torus", default=False, kind=bool, description="whether the grid goes round"),
        Parameter(
            name="noise",
            default=0.8,
            kind=float,
            low=0.0,
            high=1.0,
            description="probability of being moved on after one's own move",
        ),
        _crowds.AVERSION,
        Parameter(
            name="matrix",
            default="",
            kind=str,
            description='what a population gains by the density of another: "a,b,c;d,e,f;g,h,i"; empty: as published',
        ),
        Parameter(
            name="starts",
            default="",
            kind=str,
            description='where each population starts: "row,column;row,column;..."; empty: the corners as published',
        ),
    ),
    facts=(
        Fact(source="OpenSpiel 2.0.2", uniform_nash_conv=36.968383924225865, tolerance=1e-8),
        Fact(
            source="OpenSpiel 2.0.2",
            parameters={"populations": 4, "horizon": 20},
            uniform_nash_conv=67.89876237335486,
            tolerance=1e-8,
        ),
    ),
)

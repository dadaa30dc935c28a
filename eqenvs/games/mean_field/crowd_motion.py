"""Crowd motion: everybody wants to be near a place that moves about, and nobody in a crowd.

Perolat et al. (2022), "Scaling up mean field games with online mirror descent", AAMAS (arXiv 2103.00623), in MFGLib's
adaptation. A player stays or moves a cell, and noise moves it by a cell in one of the four directions, all alike, or,
with probability `still`, not at all. In row y and column x of a grid of `height` rows and `width` columns it gets at
time t

    weight (1 - (|y - y_t| + |x - x_t|) / (height + width)) - aversion log mu(y, x),

where (y_t, x_t) is the place of interest, known beforehand. At walls the sum of both moves is cut short, as in MFGLib;
a torus is an option. The default path is the one that MFGLib draws with its seed 0.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants
from eqenvs.errors import InputError
from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter


def build(
    height: int, width: int, horizon: int, path: str, weight: float, aversion: float, still: float, torus: bool
) -> MeanFieldModel:
    """The model."""
    grid = _crowds.grid_of(np.ones((height, width), dtype=bool), torus=torus)
    shape = np.array([height, width])
    target = grid.cells[:, None, None] + _crowds.MOVES[:, None] + _crowds.MOVES
    row, column = np.moveaxis(target % shape if torus else np.clip(target, 0, shape - 1), -1, 0)
    chance = np.where(np.arange(5) == _crowds.STAY, still, (1 - still) / 4)
    place = grid.cells[_path(path, grid, horizon)]
    distance = np.abs(place[:, None] - grid.cells).sum(axis=-1)
    constants = Constants(worth=weight * (1 - distance / (height + width)))

    def reward(mean_field: Array, moment: Moment) -> Array:
        worth = constants.on("worth", mean_field)[moment.time][..., None, :]
        return (worth - aversion * _crowds.log_density(mean_field))[..., None]

    return MeanFieldModel(
        np.broadcast_to(chance, row.shape),
        reward,
        np.full(len(grid.cells), 1 / len(grid.cells)),
        successors=row * width + column,
        horizon=horizon,
        keys=grid.cells,
    )


def _path(text: str, grid: _crowds.Grid, horizon: int) -> list[int]:
    """The number of the cell of interest at each time; it stays in the last one named."""
    found = [_crowds.read_cells("crowd_motion", "path", part, grid) for part in text.split(";")]
    if not all(found):
        raise InputError(f"crowd_motion: parameter 'path' must be row,column;row,column;..., got {text!r}")
    path = [cells[0][0] for cells in found]
    return [path[min(time, len(path) - 1)] for time in range(horizon)]


SPEC = mean_field_spec(
    id="crowd_motion",
    title="Crowd motion",
    build=build,
    source="Perolat et al. (2022), AAMAS; MFGLib's crowd_motion",
    parameters=(
        Parameter(name="height", default=20, low=2, high=1000, description="rows"),
        Parameter(name="width", default=20, low=2, high=1000, description="columns"),
        _crowds.horizon_of(4),
        Parameter(
            name="path",
            default="10,10;10,10;9,11",
            kind=str,
            description='the place of interest at times 0, 1, ...: "row,column;row,column;..."; the last one stays',
        ),
        Parameter(name="weight", default=10.0, kind=float, low=0.0, high=1e6, description="of nearness in the reward"),
        _crowds.AVERSION,
        Parameter(
            name="still", default=0.5, kind=float, low=0.0, high=1.0, description="probability that noise does not move"
        ),
        Parameter(name="torus", default=False, kind=bool, description="whether the grid goes round"),
    ),
    facts=(
        Fact(source="MFGLib 0.3.0, whose emptiness is 1e-10", uniform_nash_conv=1.4674829515747234, tolerance=1e-8),
        Fact(
            source="MFGLib 0.3.0, seed 3",
            parameters={
                "height": 4,
                "width": 6,
                "horizon": 8,
                "path": "2,3;2,3;1,2;1,2;2,3;2,3;1,2",
                "weight": 3.0,
                "still": 0.3,
            },
            uniform_nash_conv=3.2107287001643385,
            tolerance=1e-8,
        ),
    ),
)

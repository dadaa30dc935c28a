"""Crowd modelling in two dimensions: a torus with places worth being near to, and where nobody wants to be in a crowd.

Perrin, Perolat, Lauriere, Geist, Elie and Pietquin (2020), "Fictitious play for mean field games: continuous time
analysis and applications", NeurIPS, section 4.2, in OpenSpiel's extension to two dimensions. A player moves north,
west, not at all, east or south, and then noise moves it on. In row y and column x it gets

    2 - sum_i (2 v_i / size) (|y - y_i| + |x - x_i|) - aversion log mu(y, x),

the distance to place i not going round the torus, and pays 1 / size for its last move where it arrives, so that the
last move of all is free.

OpenSpiel's evaluator keeps one value for each place and time, whatever the last move was and cost; hence its
5.4428533232640 for the uniform policy of the default instance. Its rules, walked with the last move kept, give the
figure stated here. It also swaps the two coordinates of a start.

Memory: a policy takes 40 horizon size^2 bytes, its evaluation three and a half times as much again. 100 x 100 cells and
200 decisions are 80 MB and 270 MB.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants, namespace
from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter


def build(size: int, horizon: int, noise: float, aversion: float, positions: str, starts: str) -> MeanFieldModel:
    """The model."""
    grid = _crowds.grid_of(np.ones((size, size), dtype=bool), torus=True)
    successors, probability = _crowds.scattered(grid, noise)
    worth = np.full(len(grid.cells), 2.0)
    middle = f"{size // 2},{size // 2},1"
    for place, value in _crowds.read_cells("crowd_2d", "positions", positions or middle, grid, value="value"):
        worth -= 2 * value / size * np.abs(grid.cells - grid.cells[place]).sum(axis=1)
    cost = np.abs(_crowds.MOVES).sum(axis=1) / size
    constants = Constants(worth=worth[:, None], cost=cost)

    def reward(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        paid = xp.astype(moment.time < horizon - 1, xp.float64)[..., None, None, None]
        crowd = aversion * _crowds.log_density(mean_field)[..., None]
        return constants.on("worth", mean_field) - paid * constants.on("cost", mean_field) - crowd

    start = _crowds.start_at("crowd_2d", starts, grid)
    return MeanFieldModel(probability, reward, start, successors=successors, horizon=horizon, keys=grid.cells)


SPEC = mean_field_spec(
    id="crowd_2d",
    title="Crowd modelling on a torus",
    build=build,
    source="Perrin et al. (2020), NeurIPS; OpenSpiel's mfg_crowd_modelling_2d",
    parameters=(
        Parameter(name="size", default=10, low=2, high=1000, description="rows, and columns"),
        _crowds.horizon_of(10),
        _crowds.NOISE,
        _crowds.AVERSION,
        Parameter(
            name="positions",
            default="",
            kind=str,
            description='places worth being near to: "row,column,value;..."; empty: the middle, of value 1',
        ),
        _crowds.starts_at(""),
    ),
    facts=(
        Fact(
            source="OpenSpiel 2.0.2's rules, walked with the last move kept as part of the state",
            uniform_nash_conv=5.354777245184067,
        ),
    ),
)

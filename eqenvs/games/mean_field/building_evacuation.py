"""Building evacuation: everybody wants to be on the ground floor, and nobody in a crowd.

Perolat et al. (2022), "Scaling up mean field games with online mirror descent", AAMAS (arXiv 2103.00623), in the size
of MFGLib's version. On each floor players go south, north, west or east, and down or up where stairs are; a move into a
wall, or to stairs that are not there, is staying. Moves are certain. The reward of a step is

    ground 1[floor = 0] - aversion log mu(floor, row, column).

The stairs from floor f to f + 1 are in the south-east corner where f is even and in the north-west one where it is odd,
so that the crowd has to cross every floor, as in the paper. With `crossing` off, as in MFGLib, one goes down in every
floor's north-west corner and up in the south-east one: then whoever arrives from above stands at the next stairs
already.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants
from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

MOVES = np.array([[0, 1, 0], [0, -1, 0], [0, 0, -1], [0, 0, 1], [-1, 0, 0], [1, 0, 0]])  # floors, rows, columns
DOWN, UP = 4, 5


def build(
    floors: int, height: int, width: int, horizon: int, aversion: float, ground: float, crossing: bool
) -> MeanFieldModel:
    """The model."""
    shape = (floors, height, width)
    cells = np.indices(shape).reshape(3, -1).T
    after = np.clip(cells[:, None] + MOVES, 0, np.array(shape) - 1)
    first, last = (cells[:, 1:] == 0).all(axis=1), (cells[:, 1:] == [height - 1, width - 1]).all(axis=1)
    even = cells[:, 0] % 2 == 0
    up, down = (np.where(even, last, first), np.where(even, first, last)) if crossing else (last, first)
    after[~down, DOWN] = cells[~down]
    after[~up, UP] = cells[~up]
    successors = np.ravel_multi_index(tuple(np.moveaxis(after, -1, 0)), shape)
    constants = Constants(ground=ground * (cells[:, 0] == 0))

    def reward(mean_field: Array, moment: Moment) -> Array:
        crowd = aversion * _crowds.log_density(mean_field)
        return (constants.on("ground", mean_field) - crowd)[..., None]

    return MeanFieldModel(
        np.ones((*successors.shape, 1)),
        reward,
        np.full(len(cells), 1 / len(cells)),
        successors=successors[..., None],
        horizon=horizon,
        keys=cells,
    )


def _size(name: str, default: int, description: str) -> Parameter:
    return Parameter(name=name, default=default, low=1, high=1000, description=description)


SPEC = mean_field_spec(
    id="building_evacuation",
    title="Evacuation of a building",
    build=build,
    source="Perolat et al. (2022), AAMAS; MFGLib's building_evacuation",
    parameters=(
        _size("floors", 5, "floors, the ground floor counted"),
        _size("height", 10, "rows of a floor"),
        _size("width", 10, "columns of a floor"),
        _crowds.horizon_of(4),
        _crowds.AVERSION,
        Parameter(name="ground", default=10.0, kind=float, low=0.0, high=1e6, description="of a step on the ground"),
        Parameter(name="crossing", default=True, kind=bool, description="whether stairs are in alternating corners"),
    ),
    facts=(
        Fact(source="MFGLib 0.3.0", parameters={"crossing": False}, uniform_nash_conv=0.32126509367461153),
        Fact(
            source="MFGLib 0.3.0",
            parameters={"crossing": False, "floors": 3, "height": 4, "width": 3, "horizon": 7, "aversion": 0.5},
            uniform_nash_conv=20.128561793868222,
        ),
    ),
)

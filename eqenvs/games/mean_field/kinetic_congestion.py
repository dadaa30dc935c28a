"""Kinetic congestion: a crowd on its way to one cell, in which moves into dense cells fail.

Magnino, Shen, Geist, Pietquin and Lauriere (2026), "Bench-MFG: a benchmark suite for learning in stationary mean field
games", arXiv 2602.12517. A player on a grid moves to a neighbouring cell or stays. A move into cell y succeeds with
probability 1 - min(1, mu(y) / capacity) and leaves the player where it is otherwise; a move off the grid does nothing.
The reward does not depend on the crowd: -1[x is not the target] - cost 1[the action is a move].

Stationary and discounted: the population is judged where it comes to rest from the uniform distribution. As a cell as
dense as `capacity` takes nobody in, a population may come to rest in more than one place; what is reported is the
place reached from the start.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants, namespace
from eqenvs.errors import InputError
from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

MOVES = (_crowds.NORTH, _crowds.EAST, _crowds.SOUTH, _crowds.WEST, _crowds.STAY)


def build(height: int, width: int, discount: float, capacity: float, cost: float, target: str) -> MeanFieldModel:
    """The model."""
    grid = _crowds.grid_of(np.ones((height, width), dtype=bool), torus=False)
    goals = _crowds.read_cells("kinetic_congestion", "target", target or f"{height - 1},{width - 1}", grid)
    if len(goals) != 1:
        raise InputError(f"kinetic_congestion: parameter 'target' must be one cell, row,column, got {target!r}")
    goal = goals[0][0]
    to = grid.to[:, MOVES]
    own = np.broadcast_to(np.arange(len(to))[:, None], to.shape)
    away = 1.0 * (np.arange(len(to)) != goal)
    constants = Constants(to=to, reward=-away[:, None] - cost * (np.array(MOVES) != _crowds.STAY))

    def transition(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        succeeds = xp.clip(1 - mean_field / capacity, 0.0, 1.0)[..., constants.on("to", mean_field)]
        return xp.stack([1 - succeeds, succeeds], axis=-1)

    def reward(mean_field: Array, moment: Moment) -> Array:
        return constants.on("reward", mean_field)

    return MeanFieldModel(
        transition,
        reward,
        np.full(len(to), 1 / len(to)),
        successors=np.stack([own, to], axis=-1),
        horizon=None,
        discount=discount,
        keys=grid.cells,
    )


SPEC = mean_field_spec(
    id="kinetic_congestion",
    title="Kinetic congestion",
    build=build,
    source="Magnino et al. (2026), arXiv 2602.12517",
    parameters=(
        Parameter(name="height", default=5, low=1, high=1000, description="rows"),
        Parameter(name="width", default=5, low=1, high=1000, description="columns"),
        Parameter(name="discount", default=0.9, kind=float, low=0.0, high=1 - 1e-6, description="factor a step"),
        Parameter(
            name="capacity", default=0.18, kind=float, low=1e-6, high=1.0, description="density at which a cell is full"
        ),
        Parameter(name="cost", default=0.1, kind=float, low=0.0, high=1e6, description="of trying to move"),
        Parameter(name="target", default="", kind=str, description='"row,column" of the target; empty: the last cell'),
    ),
    facts=(
        Fact(
            source="by hand: uniform play rests in the uniform distribution, where 7 moves of 9 succeed, so a cell "
            "next to one of value v is worth (.7 v - 1.1) / .8",
            uniform_nash_conv=6.081176974773416,
        ),
    ),
)

"""Crowd modelling in one dimension: a ring whose middle is worth most, and where nobody wants to be in a crowd.

Perrin, Perolat, Lauriere, Geist, Elie and Pietquin (2020), "Fictitious play for mean field games: continuous time
analysis and applications", NeurIPS, section 5, in OpenSpiel's discretisation: at x of a ring of `size` places a player
moves by -1, 0 or 1, and noise by as much with equal probabilities; it gets 1 - |x - size // 2| / (size // 2)
- log mu(x), and pays |a| / size for its last move where it arrives, so that the last move of all is free.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants, namespace
from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

MOVES = np.array([-1, 0, 1])


def build(size: int, horizon: int) -> MeanFieldModel:
    """The model."""
    place = np.arange(size)
    worth = 1 - np.abs(place - size // 2) / (size // 2)
    constants = Constants(worth=worth[:, None], cost=np.abs(MOVES) / size)

    def reward(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        paid = xp.astype(moment.time < horizon - 1, xp.float64)[..., None, None, None]
        aversion = _crowds.log_density(mean_field)[..., None]
        return constants.on("worth", mean_field) - paid * constants.on("cost", mean_field) - aversion

    successors = (place[:, None, None] + MOVES[:, None] + MOVES) % size
    return MeanFieldModel(
        np.full(successors.shape, 1 / 3), reward, np.full(size, 1 / size), successors=successors, horizon=horizon
    )


SPEC = mean_field_spec(
    id="crowd_1d",
    title="Crowd modelling on a ring",
    build=build,
    source="Perrin et al. (2020), NeurIPS",
    parameters=(
        Parameter(name="size", default=10, low=3, high=100_000, description="places"),
        Parameter(name="horizon", default=10, low=1, high=10_000, description="decisions"),
    ),
    facts=(
        Fact(
            source="backward induction on the flow; OpenSpiel's 2.8135365543870 tells two moves of one cost apart only",
            uniform_nash_conv=2.7866824162983,
        ),
    ),
)

"""Left or right: one choice, and a place is the worse the more are there, the right one twice as much.

Cui and Koeppl (2021), "Approximately solving mean field games via entropy-regularized deep reinforcement learning",
AISTATS, as the smallest game that fictitious play and pure best responses cannot settle.

Everybody starts in the centre and goes left or right; being there pays -mu(left) or -2 mu(right). In equilibrium two
thirds are on the left, and everybody gets -2/3.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, namespace
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact

CENTRE, LEFT, RIGHT = range(3)


def reward(mean_field: Array, moment: Moment) -> Array:
    """-mu(L) in L, -2 mu(R) in R, whatever is done there."""
    left, right = mean_field[..., LEFT], mean_field[..., RIGHT]
    return namespace(mean_field).stack([0.0 * left, -left, -2.0 * right], axis=-1)[..., None]


def build() -> MeanFieldModel:
    """The model; the second decision has no consequence."""
    kernel = np.zeros((3, 2, 3))
    kernel[:, 0, LEFT] = kernel[:, 1, RIGHT] = 1.0
    return MeanFieldModel(kernel, reward, [1.0, 0.0, 0.0], horizon=2)


SPEC = mean_field_spec(
    id="left_right",
    title="Left or right",
    build=build,
    source="Cui and Koeppl (2021), AISTATS",
    facts=(Fact(source="by hand: mu(L) = 2 mu(R)", values=(-2 / 3,), uniform_nash_conv=0.25),),
)

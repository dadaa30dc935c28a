"""Games of one choice: from anywhere to the state of the chosen action, where the crowd decides what that is worth."""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants, Float64Array, namespace
from eqenvs.games.mean_field import _time
from eqenvs.models.mean_field import MeanFieldModel, Moment

NEUTRAL = 0  # where everybody starts; the state of action a is 1 + a


def model_of(payoffs: Float64Array, horizon: int | None, discount: float | None) -> MeanFieldModel:
    """The model.

    Args:
        payoffs: [A, A], of a player in the state of action a per unit of mass in the state of action b.
        horizon: decisions; the first is made in the neutral state, where nothing is paid, the last has no consequence.
        discount: factor a step.
    """
    actions = len(payoffs)
    kernel = np.zeros((actions + 1, actions, actions + 1))
    kernel[:, np.arange(actions), 1 + np.arange(actions)] = 1.0
    constants = Constants(payoffs=np.asarray(payoffs, dtype=np.float64).T)

    def reward(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        chosen = xp.matmul(mean_field[..., 1:], constants.on("payoffs", mean_field))
        return xp.concat([0.0 * mean_field[..., :1], chosen], axis=-1)[..., None]

    steps, factor = _time.resolved(horizon, discount)
    return MeanFieldModel(kernel, reward, np.eye(1, actions + 1)[0], horizon=steps, discount=factor)

"""Values and best deviations against a mixture of product policies, for each family of models.

Everything that scoring needs of a model is here: what each player gets, and the most it could get by deviating.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.models import ExtensiveFormModel, NormalFormModel


@dataclass(frozen=True)
class Deviation:
    """One player's position against a weighted set of product policies.

    Attributes:
        value: the player's expected payoff under the device.
        best_value: the payoff of its best fixed policy against the others' joint play, ignoring recommendations.
        best_policy: that policy, [I, A]: a pure table.
    """

    value: float
    best_value: float
    best_policy: Float64Array


@singledispatch
def deviation(
    model: Any, player: int, profiles: Sequence[Sequence[Float64Array]], weights: Sequence[float]
) -> Deviation:
    """The player's best deviation against `profiles` (behaviour tables by player), drawn with `weights`.

    Weights need not sum to 1: values then scale with their sum.

    Raises:
        UnsupportedGame: if the model's family has no exact evaluation.
    """
    raise UnsupportedGame(f"no exact scoring for {type(model).__name__} yet")


@deviation.register
def _(
    model: ExtensiveFormModel, player: int, profiles: Sequence[Sequence[Float64Array]], weights: Sequence[float]
) -> Deviation:
    gradient = np.zeros(model.treeplexes[player].num_sequences)
    value = 0.0
    for tables, weight in zip(profiles, weights, strict=True):
        plans = [treeplex.realisation_plan(table) for treeplex, table in zip(model.treeplexes, tables, strict=True)]
        component = weight * model.gradient(player, plans)
        gradient += component
        value += float(component @ plans[player])
    best_value, best_policy = model.treeplexes[player].best_response(gradient)
    return Deviation(value, best_value, best_policy)


@deviation.register
def _(
    model: NormalFormModel, player: int, profiles: Sequence[Sequence[Float64Array]], weights: Sequence[float]
) -> Deviation:
    gradient = np.zeros(model.num_actions[player])
    value = 0.0
    for tables, weight in zip(profiles, weights, strict=True):
        component = weight * model.gradient(player, [table[0] for table in tables])
        gradient += component
        value += float(component @ tables[player][0])
    best_policy = np.zeros((1, len(gradient)))
    best_policy[0, np.argmax(gradient)] = 1.0
    return Deviation(value, float(gradient.max()), best_policy)

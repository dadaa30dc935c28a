"""The policy that a population plays as a whole when its parts keep to policies of their own.

A part that stays away from a state has none in what is played there, so the whole plays the mean of the parts' policies
weighted by where each of them is. Without a horizon that is where they come to rest together, half of the mass moving
at a time, which ends cycles. Cost: O(components S A K) a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import PolicyError
from eqenvs.models.mean_field_kernels import given_kernel, push

if TYPE_CHECKING:
    from eqenvs.models.mean_field import MeanFieldModel

RESTS, MAX_STEPS = 1e-14, 20_000  # total variation a step of parts at rest, without a horizon; steps to get there


def mixed_table(model: MeanFieldModel, player: int, tables: Float64Array, weights: Float64Array) -> Float64Array:
    """See `MeanFieldModel.mix`."""
    if model.num_populations > 1 and (model.kernel is None or model.coupling is not None):
        raise PolicyError(
            f"population {player} moves with the others, so a mixture of its policies has no table of its own; mix "
            "joint policies with the same components for all, or score the components"
        )
    moments, _, states, actions = model.policy_shape
    policies = tables.reshape(len(tables), moments, states, actions)
    parts = np.empty((moments, len(tables), states))
    first = weights[:, None] * model.initial[player]
    if model.horizon is None:
        parts[0] = parts_at_rest(model, {player: policies[:, 0]}, {player: first})[player]
    else:
        for moment in range(moments):
            origin = int(model.moments.parent[moment])
            if origin < 0:
                parts[moment] = first
            else:
                parts[moment] = _moved(model, {player: policies[:, origin]}, {player: parts[origin]}, origin)[player]
    mixed = [weighted(policies[:, moment], parts[moment], weights) for moment in range(moments)]
    return np.concatenate(mixed)


def parts_at_rest(
    model: MeanFieldModel, policies: Mapping[int, Float64Array], parts: Mapping[int, Float64Array]
) -> Mapping[int, Float64Array]:
    """Where the parts of populations come to rest together in a game without a horizon.

    Args:
        model: the game.
        policies: [components, S, A] of each population that moves; the others stay as they are at first, so they must
            not matter to these.
        parts: [components, S], the mass of each component at first.
    """
    for _ in range(MAX_STEPS):
        after = _moved(model, policies, parts, 0)
        if max(float(np.abs(after[p] - parts[p]).sum()) for p in parts) <= RESTS:
            break
        parts = {p: 0.5 * (parts[p] + after[p]) for p in parts}
    return parts


def weighted(policies: Float64Array, mass: Float64Array, weights: Float64Array) -> Float64Array:
    """The mean [S, A] of policies [components, S, A] by their mass [components, S]; by `weights` where nobody is."""
    total = mass.sum(axis=0)[:, None]
    mean = np.einsum("k,ksa->sa", weights, policies)
    played: Float64Array = np.divide((mass[:, :, None] * policies).sum(axis=0), total, out=mean, where=total > 0)
    return played


def _moved(
    model: MeanFieldModel, policies: Mapping[int, Float64Array], parts: Mapping[int, Float64Array], moment: int
) -> dict[int, Float64Array]:
    """The parts a step later; all meet the mean field of the whole."""
    whole = model.initial.copy()
    for population, mass in parts.items():
        whole[population] = mass.sum(axis=0)
    probability = np.asarray(model.probabilities(whole, model.at(moment)))
    after = {population: np.empty_like(mass) for population, mass in parts.items()}
    for population, mass in parts.items():
        row = population if len(probability) > 1 else 0
        push(given_kernel(model, probability[row : row + 1]), mass, policies[population], after[population])
    return after

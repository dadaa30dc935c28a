"""The policy that a population plays as a whole when its parts keep to policies of their own."""

from __future__ import annotations

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
        parts[0] = _at_rest(model, player, policies[:, 0], first)
    else:
        for moment in range(moments):
            origin = int(model.moments.parent[moment])
            parts[moment] = first if origin < 0 else _moved(model, player, policies[:, origin], parts[origin], origin)
    mass = parts[..., None]  # [M, components, S, 1]
    total = mass.sum(axis=1)
    unseen = np.einsum("k,kmsa->msa", weights, policies)  # where nobody is, as if all had come
    played = (mass * policies.swapaxes(0, 1)).sum(axis=1)
    mixed: Float64Array = np.divide(played, total, out=unseen, where=total > 0)
    return mixed.reshape(-1, actions)


def _moved(
    model: MeanFieldModel, player: int, policies: Float64Array, parts: Float64Array, moment: int
) -> Float64Array:
    """The parts [components, S] a step later; all meet the mean field of the whole."""
    whole = model.initial.copy()
    whole[player] = parts.sum(axis=0)
    probability = np.asarray(model.probabilities(whole, model.at(moment)))
    kernel = given_kernel(model, probability[player : player + 1] if len(probability) > 1 else probability)
    after = np.empty_like(parts)
    push(kernel, parts, policies, after)
    return after


def _at_rest(model: MeanFieldModel, player: int, policies: Float64Array, parts: Float64Array) -> Float64Array:
    """Where the parts come to rest together; half of each moves at a time, which ends cycles."""
    for _ in range(MAX_STEPS):
        after = _moved(model, player, policies, parts, 0)
        if np.abs(after - parts).sum() <= RESTS:
            break
        parts = 0.5 * (parts + after)
    return parts

"""What actions are worth against a given flow, backward in time: compiled, O(M P S A K)."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array, IntArray
from eqenvs.kernels import compiled
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.models.mean_field_kernels import features_of, kernel_at
from eqenvs.models.mean_field_rows import meet


@compiled
def pull(
    kernel: Any,
    legal: BoolArray,
    discount: float,
    best: bool,
    mean_field: Float64Array,
    reward: Float64Array,
    policy: Float64Array,
    future: Float64Array,
    quality: Float64Array,
    value: Float64Array,
) -> None:
    """One moment: write what actions are worth into `quality` [P, S, A] and what states are into `value` [P, S].

    `future` [P, S] is what states are worth a step later; `value` is that of the policy [P, S, A], or of the best
    action.
    """
    feature = features_of(kernel, mean_field)
    wide, outcomes = len(kernel.weight), kernel.successors.shape[2]
    populations, states, actions = reward.shape
    for population in range(populations):
        own = population if len(kernel.base) > 1 else 0
        for state in range(states):
            total, top = 0.0, -np.inf
            for action in range(actions):
                if not legal[state, action]:
                    quality[population, state, action] = 0.0
                    continue
                later = 0.0
                for k in range(outcomes):
                    probability = kernel.base[own, state, action, k]
                    for j in range(wide):
                        probability += feature[population, j] * kernel.slope[j, own, state, action, k]
                    later += probability * future[population, kernel.successors[state, action, k]]
                worth = reward[population, state, action] + discount * later
                quality[population, state, action] = worth
                total += policy[population, state, action] * worth
                top = max(top, worth)
            value[population, state] = top if best else total


# Flat arguments and one body, see `eqenvs.models.mean_field_rows`.
@compiled
def pull_all(
    number: IntArray,
    successors: IntArray,
    base: Float64Array,
    slope: Float64Array,
    weight: Float64Array,
    coupling: Float64Array,
    legal: BoolArray,
    discount: float,
    best: bool,
    parent: IntArray,
    chance: Float64Array,
    flow: Float64Array,
    reward: Float64Array,
    policy: Float64Array,
    quality: Float64Array,
) -> Float64Array:
    """All moments from the last to the first; returns what states are worth at the start, [P, S]."""
    moments, populations, states, actions = quality.shape
    rows, outcomes = successors.shape
    wide = len(weight)
    future = np.zeros((moments + 1, populations, states))  # the last is what comes before time 0
    feature, ahead = np.zeros((populations, wide)), np.empty(rows)
    for moment in range(moments - 1, -1, -1):
        origin = parent[moment] if parent[moment] >= 0 else moments
        if wide > 0:
            meet(weight, coupling, flow, moment, feature)
        for population in range(populations):
            own = population if len(number) > 1 else 0
            for row in range(rows):
                later = 0.0
                for k in range(outcomes):
                    probability = base[row, k]
                    for j in range(wide):
                        probability += feature[population, j] * slope[j, row, k]
                    later += probability * future[moment, population, successors[row, k]]
                ahead[row] = discount * later
            for state in range(states):
                total, top = 0.0, -np.inf
                for action in range(actions):
                    if not legal[state, action]:
                        quality[moment, population, state, action] = 0.0
                        continue
                    worth = reward[moment, population, state, action] + ahead[number[own, state, action]]
                    quality[moment, population, state, action] = worth
                    total += policy[moment, population, state, action] * worth
                    top = max(top, worth)
                future[origin, population, state] += chance[moment] * (top if best else total)
    return future[moments]


def backward(
    model: MeanFieldModel, flow: Float64Array, reward: Float64Array, policy: Float64Array, *, best: bool
) -> tuple[Float64Array, Float64Array]:
    """What actions are worth at every moment, and states at the start, in a game with a horizon.

    Args:
        model: the game.
        flow: [M, P, S], the mean field at every moment.
        reward: [M, P, S, A].
        policy: [M, P, S, A], played from there on.
        best: play the best action from there on instead.

    Returns:
        [M, P, S, A] and [P, S].
    """
    quality = np.empty_like(reward)
    moments, legal = model.moments, model.legal
    if model.rows is not None:
        start = pull_all(
            *model.rows, legal, model.discount, best, moments.parent, moments.probability, flow, reward, policy,
            quality,
        )  # fmt: skip
        return quality, start
    future = np.zeros((len(flow) + 1, *model.initial.shape))
    value = np.empty(model.initial.shape)
    for moment in reversed(range(len(flow))):
        kernel = kernel_at(model, flow[moment], moment)
        pull(
            kernel, legal, model.discount, best, flow[moment], reward[moment], policy[moment], future[moment],
            quality[moment], value,
        )  # fmt: skip
        future[moments.parent[moment]] += moments.probability[moment] * value
    return quality, future[-1]

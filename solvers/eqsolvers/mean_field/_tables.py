"""Work on tables [M, P, S, A] row by row, compiled: numpy's, over a short last axis, costs more than a whole pass."""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array
from eqenvs.kernels import compiled


def softmax(logits: Float64Array, legal: BoolArray) -> Float64Array:
    """Over the last axis, with 0 at illegal actions; logits [..., S, A], legal [S, A]."""
    weight = shifted(np.ascontiguousarray(logits).reshape(-1, *legal.shape), legal, -np.inf)
    np.exp(weight, out=weight)  # vectorised, which a compiled loop's is not
    normalise(weight)
    return weight.reshape(logits.shape)


@compiled
def shifted(logits: Float64Array, legal: BoolArray, illegal: float) -> Float64Array:
    """Logits [B, S, A] less the largest legal one of each row, and `illegal` elsewhere."""
    batch, states, actions = logits.shape
    found = np.empty_like(logits)
    for b in range(batch):
        for state in range(states):
            top = -np.inf
            for action in range(actions):
                if legal[state, action]:
                    top = max(top, logits[b, state, action])
            for action in range(actions):
                found[b, state, action] = logits[b, state, action] - top if legal[state, action] else illegal
    return found


@compiled
def normalise(weight: Float64Array) -> None:
    """Divide the rows of weights [B, S, A] by their sums, in place."""
    batch, states, actions = weight.shape
    for b in range(batch):
        for state in range(states):
            total = 0.0
            for action in range(actions):
                total += weight[b, state, action]
            for action in range(actions):
                weight[b, state, action] /= total


@compiled
def spread(reward: Float64Array, legal: BoolArray, actions: int) -> Float64Array:
    """Rewards [M, P, S, A or 1] for every action, [M, P, S, A]; 0 at illegal ones."""
    moments, populations, states, given = reward.shape
    found = np.empty((moments, populations, states, actions))
    for moment in range(moments):
        for population in range(populations):
            for state in range(states):
                for action in range(actions):
                    paid = reward[moment, population, state, action if given > 1 else 0]
                    found[moment, population, state, action] = paid if legal[state, action] else 0.0
    return found


@compiled
def received(weight: Float64Array, flow: Float64Array, reward: Float64Array, policy: Float64Array) -> Float64Array:
    """What a policy gets in a flow whose moments have these weights [M], [P]."""
    moments, populations, states, actions = policy.shape
    found = np.zeros(populations)
    for moment in range(moments):
        for population in range(populations):
            total = 0.0
            for state in range(states):
                paid = 0.0
                for action in range(actions):
                    paid += policy[moment, population, state, action] * reward[moment, population, state, action]
                total += flow[moment, population, state] * paid
            found[population] += weight[moment] * total
    return found


@compiled
def first_best(quality: Float64Array, legal: BoolArray) -> Float64Array:
    """The pure policy of the first best legal action, [M, P, S, A]."""
    moments, populations, states, actions = quality.shape
    policy = np.zeros_like(quality)
    for moment in range(moments):
        for population in range(populations):
            for state in range(states):
                top, chosen = -np.inf, 0
                for action in range(actions):
                    if legal[state, action] and quality[moment, population, state, action] > top:
                        top, chosen = quality[moment, population, state, action], action
                policy[moment, population, state, chosen] = 1.0
    return policy


@compiled
def conditional(played: Float64Array, unseen: Float64Array) -> Float64Array:
    """The policy of masses [M, P, S, A]; `unseen` where there are none."""
    moments, populations, states, actions = played.shape
    policy = np.empty_like(played)
    for moment in range(moments):
        for population in range(populations):
            for state in range(states):
                mass = 0.0
                for action in range(actions):
                    mass += played[moment, population, state, action]
                for action in range(actions):
                    if mass > 0.0:
                        policy[moment, population, state, action] = played[moment, population, state, action] / mass
                    else:
                        policy[moment, population, state, action] = unseen[moment, population, state, action]
    return policy


@compiled
def blended(played: Float64Array, rate: float, flow: Float64Array, response: Float64Array) -> Float64Array:
    """(1 - rate) times masses [M, P, S, A], and rate times those of a response in its flow."""
    moments, populations, states, actions = played.shape
    found = np.empty_like(played)
    for moment in range(moments):
        for population in range(populations):
            for state in range(states):
                mass = rate * flow[moment, population, state]
                for action in range(actions):
                    before = (1.0 - rate) * played[moment, population, state, action]
                    found[moment, population, state, action] = (
                        before + mass * response[moment, population, state, action]
                    )
    return found

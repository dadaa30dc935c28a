"""Smoothed responses to a flow, as logarithms of policies: what replaces the best response in regularised methods.

Cui and Koeppl (2021), "Approximately solving mean field games via entropy-regularized deep reinforcement learning",
AISTATS, have two, with a prior policy q and a temperature tau in units of payoff:

- *Boltzmann*: pi ~ q exp(Q / tau), Q what actions are worth with the best play from there on;
- *relative entropy*: the same of the soft Q, whose player pays tau KL(pi | q) wherever it acts, so that states are
  worth V = tau log sum_a q(a) exp(Q(a) / tau). With a uniform q that is maximum entropy, if all states have as many
  legal actions; how many a state has is worth nothing in itself.

With a horizon both take one pass backward, O(M P S A K). Without one the soft Q is found by policy iteration, which is
Newton's method on its Bellman equation: each policy is valued with its own penalties by a sparse solve.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array, IntArray
from eqenvs.kernels import compiled
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.models.mean_field_kernels import kernel_at
from eqsolvers.mean_field._backward import pull
from eqsolvers.mean_field._dynamics import MAX_ROUNDS, Dynamics

ROUNDING = 1e-13  # change of values per unit at which policy iteration ends


def log_softmax(logits: Float64Array) -> Float64Array:
    """Over the last axis; -inf stays."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def log_uniform(model: MeanFieldModel) -> Float64Array:
    """The prior that treats all legal actions alike, [M, P, S, A]; -inf at illegal ones."""
    logits = np.where(model.legal, 0.0, -np.inf)
    return np.broadcast_to(log_softmax(logits), model.policy_shape).copy()


def boltzmann_response(
    dynamics: Dynamics, flow: Float64Array, log_prior: Float64Array, temperature: float
) -> Float64Array:
    """The logarithm of q exp(Q / tau), normalised, [M, P, S, A]."""
    quality, _ = dynamics.best_quality(flow, dynamics.rewards(flow))
    return log_softmax(log_prior + quality / temperature)


def soft_response(dynamics: Dynamics, flow: Float64Array, log_prior: Float64Array, temperature: float) -> Float64Array:
    """The same of the soft Q: the best policy of a player who pays for leaving the prior."""
    quality = soft_quality(dynamics, flow, dynamics.rewards(flow), log_prior, temperature)
    return log_softmax(log_prior + quality / temperature)


def soft_quality(
    dynamics: Dynamics, flow: Float64Array, reward: Float64Array, log_prior: Float64Array, temperature: float
) -> Float64Array:
    """What actions are worth with the best penalised play from there on, [M, P, S, A].

    Args:
        dynamics: the game's passes.
        flow: [M, P, S].
        reward: [M, P, S, A].
        log_prior: [M, P, S, A], -inf at illegal actions.
        temperature: tau > 0, in payoff.
    """
    model = dynamics.model
    if model.horizon is None:
        return _soft_policy_iteration(dynamics, flow, reward, log_prior, temperature)
    quality = np.empty_like(reward)
    moments = model.moments
    if model.kernel is not None:
        soft_pull_all(
            model.kernel, model.legal, model.discount, temperature, moments.parent, moments.probability, flow, reward,
            log_prior, quality,
        )  # fmt: skip
        return quality
    future = np.zeros((len(flow) + 1, *model.initial.shape))
    value = np.empty(model.initial.shape)
    for moment in reversed(range(len(flow))):
        kernel = kernel_at(model, flow[moment], moment)
        pull(
            kernel, model.legal, model.discount, True, flow[moment], reward[moment], log_prior[moment],
            future[moment], quality[moment], value,
        )  # fmt: skip
        soft_values(quality[moment], log_prior[moment], temperature, value)
        future[moments.parent[moment]] += moments.probability[moment] * value
    return quality


@compiled
def soft_values(quality: Float64Array, log_prior: Float64Array, temperature: float, value: Float64Array) -> None:
    """Write tau log sum_a q(a) exp(Q(a) / tau) into `value` [P, S]."""
    populations, states, actions = quality.shape
    for population in range(populations):
        for state in range(states):
            top = -np.inf
            for action in range(actions):
                logit = log_prior[population, state, action] + quality[population, state, action] / temperature
                top = max(top, logit)
            total = 0.0
            for action in range(actions):
                logit = log_prior[population, state, action] + quality[population, state, action] / temperature
                total += np.exp(logit - top)
            value[population, state] = temperature * (top + np.log(total))


@compiled
def soft_pull_all(
    kernel: Any,
    legal: BoolArray,
    discount: float,
    temperature: float,
    parent: IntArray,
    chance: Float64Array,
    flow: Float64Array,
    reward: Float64Array,
    log_prior: Float64Array,
    quality: Float64Array,
) -> None:
    """All moments from the last to the first; writes the soft Q."""
    moments, populations, states = flow.shape
    future = np.zeros((moments + 1, populations, states))  # the last is what comes before time 0
    value = np.empty((populations, states))
    for moment in range(moments - 1, -1, -1):
        pull(
            kernel, legal, discount, True, flow[moment], reward[moment], log_prior[moment], future[moment],
            quality[moment], value,
        )  # fmt: skip
        soft_values(quality[moment], log_prior[moment], temperature, value)
        origin = parent[moment] if parent[moment] >= 0 else moments
        for population in range(populations):
            for state in range(states):
                future[origin, population, state] += chance[moment] * value[population, state]


def divergence(log_policy: Float64Array, log_prior: Float64Array) -> Float64Array:
    """KL(pi | q) in every state, [M, P, S, 1]."""
    policy = np.exp(log_policy)
    ratio = np.subtract(log_policy, log_prior, out=np.zeros_like(policy), where=policy > 0)
    return np.asarray((policy * ratio).sum(axis=-1, keepdims=True))


def _soft_policy_iteration(
    dynamics: Dynamics, flow: Float64Array, reward: Float64Array, log_prior: Float64Array, temperature: float
) -> Float64Array:
    scale = ROUNDING * (1.0 + float(np.abs(reward).max()) / (1.0 - dynamics.model.discount))
    legal, logs, before = dynamics.model.legal, log_prior, np.full_like(reward, np.inf)
    for _ in range(MAX_ROUNDS):
        # A penalty that is the same for all actions of a state makes the plain evaluation one of penalised play.
        penalty = temperature * divergence(logs, log_prior)
        quality = dynamics.own_quality(flow, reward - penalty, np.exp(logs)) + np.where(legal, penalty, 0.0)
        if np.abs(quality - before).max() <= scale:
            break
        logs, before = log_softmax(log_prior + quality / temperature), quality
    return quality

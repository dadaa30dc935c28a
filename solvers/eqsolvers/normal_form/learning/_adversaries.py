"""Payoff sequences against which a learner's regret is measured, and the measuring.

An adversary gives the payoffs [B, A] of a round from the round, the learner's strategy and random numbers [B, A]; it
does not see the draws of a bandit learner in that round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, sample_categorical
from eqsolvers.normal_form.learning._online import OnlineLearner

Adversary = Callable[[int, Float64Array, Float64Array], Float64Array]  # (round from 0, strategy, uniform) to payoffs


def coins(t: int, strategy: Float64Array, uniform: Float64Array) -> Float64Array:
    """Fair coins: the best action is so by luck, by the square root of the rounds."""
    return (uniform < 0.5).astype(np.float64)


def biased(t: int, strategy: Float64Array, uniform: Float64Array) -> Float64Array:
    """Coins, of which the last action's is the best."""
    chance = np.full(strategy.shape[1], 0.4)
    chance[-1] = 0.6
    return (uniform < chance).astype(np.float64)


def alternating(t: int, strategy: Float64Array, uniform: Float64Array) -> Float64Array:
    """The actions pay in turn, as fits a learner that follows the leader worst."""
    payoff = np.zeros_like(strategy)
    payoff[:, t % strategy.shape[1]] = 1.0 if t else 0.5
    return payoff


def contrary(t: int, strategy: Float64Array, uniform: Float64Array) -> Float64Array:
    """The best response of an opponent that knows the strategy: the likeliest action pays nothing, the others 1."""
    payoff = np.ones_like(strategy)
    payoff[np.arange(len(strategy)), strategy.argmax(axis=1)] = 0.0
    return payoff


def stingy(t: int, strategy: Float64Array, uniform: Float64Array) -> Float64Array:
    """Only the least likely action pays."""
    payoff = np.zeros_like(strategy)
    payoff[np.arange(len(strategy)), strategy.argmin(axis=1)] = 1.0
    return payoff


def phases(t: int, strategy: Float64Array, uniform: Float64Array) -> Float64Array:
    """The first action pays for a while, then another, in phases that double in length."""
    payoff = np.zeros_like(strategy)
    payoff[:, (t + 1).bit_length() % strategy.shape[1]] = 1.0
    return payoff


ADVERSARIES: Mapping[str, Adversary] = {
    "coins": coins,
    "biased": biased,
    "alternating": alternating,
    "contrary": contrary,
    "stingy": stingy,
    "phases": phases,
}


def gains(
    learner: OnlineLearner[Any],
    adversaries: Sequence[Adversary],
    *,
    actions: int,
    looks: Sequence[int],
    seeds: int = 1,
    expected: bool = True,
) -> Float64Array:
    """What each action collected over the learner, on average over the rounds, [looks, adversaries, seeds, A].

    The average regret of a run is the maximum over the actions; that of the expectation over the draws is the maximum
    of the mean over the seeds.

    Args:
        learner: with full information where it takes it, else as a bandit.
        adversaries: the learner meets all of them, in one batch.
        actions: A.
        looks: after how many rounds, ascending.
        seeds: runs against each adversary, with their own random numbers.
        expected: whether a bandit learner's gain is that of its strategy; False: that of the actions drawn.
    """
    rng = np.random.default_rng(7)
    runs = len(adversaries) * seeds
    parts = [slice(k * seeds, (k + 1) * seeds) for k in range(len(adversaries))]
    state = learner.init(runs, actions)
    total, payoff, found = np.zeros((runs, actions)), np.empty((runs, actions)), []
    for t in range(looks[-1]):
        played = learner.strategy(state)
        uniform = rng.random((runs, actions))
        for adversary, part in zip(adversaries, parts, strict=True):
            payoff[part] = adversary(t, played[part], uniform[part])
        own = (played * payoff).sum(axis=1)
        if learner.update is not None:
            state = learner.update(state, payoff.copy())
        else:
            assert learner.observe is not None
            action = sample_categorical(played, rng.random(runs))
            received = payoff[np.arange(runs), action]
            state = learner.observe(state, action, received)
            own = own if expected else received
        total += payoff - own[:, None]
        if t + 1 in looks:
            found.append(total / (t + 1))
    return np.stack(found).reshape(len(looks), len(adversaries), seeds, actions)


def slope(looks: Sequence[int], regrets: Sequence[float]) -> float:
    """The exponent of the power of the rounds that fits the regrets best: least squares of the logarithms."""
    positive = np.maximum(np.asarray(regrets, dtype=np.float64), 1e-300)
    return float(np.polyfit(np.log(np.asarray(looks, dtype=np.float64)), np.log(positive), 1)[0])

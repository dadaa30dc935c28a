"""No internal regret by exponential weights over pairs of actions, over a batch of independent simplices.

Stoltz and Lugosi (2005), "Internal regret in on-line portfolio selection", Machine Learning 59. An expert
for every pair i != j says: play as you do, but j wherever you would play i. The play is the one that the experts,
weighted exponentially by what they would have earned, leave as it is.

Internal regret, the gain from the best single change "j for i", after T rounds of payoffs in [0, 1] is at most
sqrt(T ln(A (A - 1))): exponential weights with rate 2 sqrt(ln(N) / t) over N experts whose payoffs are in [0, 1]. Swap
regret is at most A times that. Cost: O(B A^3) a round for the stationary distribution.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqsolvers.normal_form.learning._online import OnlineLearner
from eqsolvers.normal_form.learning._self_play import online_solver
from eqsolvers.normal_form.learning._stationary import stationary


class StoltzLugosiState(NamedTuple):
    """What each change of action would have gained, and the play that follows."""

    gain: Float64Array  # [B, A, A]; [b, i, j] from j wherever i was played
    rounds: IntArray  # [B]
    play: Float64Array  # [B, A], the next distribution


def init(batch: int, actions: int) -> StoltzLugosiState:
    """Uniform play."""
    return StoltzLugosiState(
        gain=np.zeros((batch, actions, actions)),
        rounds=np.zeros(batch, dtype=np.int64),
        play=np.full((batch, actions), 1.0 / actions),
    )


def strategy(state: StoltzLugosiState) -> Float64Array:
    """The distribution that the weighted experts leave as it is, [B, A]."""
    return state.play


def update(state: StoltzLugosiState, payoff_t: Float64Array) -> StoltzLugosiState:
    """One round with the payoff of every action, [B, A]."""
    gain = state.gain + state.play[:, :, None] * (payoff_t[:, None, :] - payoff_t[:, :, None])
    rounds = state.rounds + 1
    actions = payoff_t.shape[1]
    # N = 1 only without actions to choose from; its logarithm must not be taken of 0 there.
    eta = 2.0 * np.sqrt(math.log(max(actions * (actions - 1), 1)) / (rounds + 1))
    score = eta[:, None, None] * gain
    weight = np.exp(score - score.max(axis=(1, 2), keepdims=True))
    return StoltzLugosiState(gain, rounds, stationary(weight))


def internal_bound(rounds: int, actions: int) -> float:
    """The average internal regret is at most this."""
    return math.sqrt(math.log(max(actions * (actions - 1), 1)) / rounds)


def bound(rounds: int, actions: int) -> float:
    """The average swap regret is at most this."""
    return actions * internal_bound(rounds, actions)


def learner() -> OnlineLearner[StoltzLugosiState]:
    """The learner; it has no parameters."""
    return OnlineLearner(init=init, strategy=strategy, update=update, regret="swap", bound=bound)


SOLVER = online_solver(
    "stoltz-lugosi",
    learner,
    source="Stoltz, Lugosi (2005), Machine Learning 59",
    concepts=("nash", "ce", "cce"),
)

"""Little regret on every group of rounds at once, over a batch of independent simplices.

Blum and Lykouris (2020), "Advancing subgroup fairness via sleeping experts", ITCS: an expert for each pair of a group
and an action, awake in the rounds of its group. The sleeping-experts learner is AdaNormalHedge (Luo and Schapire 2015,
"Achieving all with no parameters: AdaNormalHedge", COLT), which needs neither the horizon nor a
learning rate: with R the regret to an expert while it was awake and C the summed sizes of what makes it up, the expert
weighs as much as the potential exp(max(R, 0)^2 / (3 C)) would grow over its next round.

The groups are known before the play: `groups` says which are in session in a round. They may overlap. The regret in a
group of n rounds, to the best action in that group, is at most sqrt(3 n (ln(G A) + ln(5/2 + 3/2 ln(1 + T)))) after T
rounds of payoffs in [0, 1]. The registered method has the group of all rounds and those of rounds 1, 2, ..., period
modulo `period`: it does as well as the best sequence of actions with that period. Cost: O(B G A) a round.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array, IntArray
from eqenvs.spec import Parameter
from eqsolvers.normal_form.learning._online import OnlineLearner
from eqsolvers.normal_form.learning._self_play import online_solver

PERIOD = Parameter(
    name="period", default=2, low=1, high=1_000, description="every round modulo this is a group, beside that of all"
)

Groups = Callable[[IntArray], BoolArray]  # from rounds [B], counted from 0, to who is in session [B, G]


class SleepingExpertsState(NamedTuple):
    """How each expert, a group and an action, has done while it was awake."""

    regret: Float64Array  # [B, G, A]
    size: Float64Array  # [B, G, A], the sum of the absolute values of what the regret sums
    rounds: IntArray  # [B]


def residues(period: int) -> Groups:
    """All rounds, and the rounds of each residue modulo the period: G = period + 1."""

    def in_session(rounds: IntArray) -> BoolArray:
        own: BoolArray = (rounds % period)[:, None] == np.arange(period)
        return np.concatenate([np.ones((len(rounds), 1), dtype=np.bool_), own], axis=1)

    return in_session


def init(groups: Groups, batch: int, actions: int) -> SleepingExpertsState:
    """No regrets."""
    rounds = np.zeros(batch, dtype=np.int64)
    nothing = np.zeros((batch, groups(rounds).shape[1], actions))
    return SleepingExpertsState(nothing, nothing, rounds)


def strategy(groups: Groups, state: SleepingExpertsState) -> Float64Array:
    """Each action by the weight of its experts that are awake, [B, A]; uniform where none has any."""
    after = 3.0 * (state.size + 1.0)
    up, down = np.maximum(state.regret + 1.0, 0.0), np.maximum(state.regret - 1.0, 0.0)
    growth = (np.exp(up * up / after) - np.exp(down * down / after)) / 2.0
    weight = (growth * groups(state.rounds)[:, :, None]).sum(axis=1)
    total = weight.sum(axis=-1, keepdims=True)
    play: Float64Array = np.where(total > 0.0, weight / np.where(total > 0.0, total, 1.0), 1.0 / weight.shape[-1])
    return play


def update(groups: Groups, state: SleepingExpertsState, payoff_t: Float64Array) -> SleepingExpertsState:
    """One round with the payoff of every action, [B, A]."""
    play = strategy(groups, state)
    gained = payoff_t - (play * payoff_t).sum(axis=-1, keepdims=True)
    regret_t = np.where(groups(state.rounds)[:, :, None], gained[:, None, :], 0.0)
    return SleepingExpertsState(state.regret + regret_t, state.size + np.abs(regret_t), state.rounds + 1)


def group_bound(group_rounds: int, rounds: int, actions: int, groups: int) -> float:
    """The regret in a group of that many rounds, in all, is at most this."""
    experts = groups * actions
    return math.sqrt(3.0 * group_rounds * (math.log(experts) + math.log(2.5 + 1.5 * math.log1p(rounds))))


def sleeping_experts(groups: Groups, bound: Callable[[int, int], float]) -> OnlineLearner[SleepingExpertsState]:
    """The learner for any groups.

    Args:
        groups: which are in session, round by round.
        bound: on the average external regret, which depends on how often each group is.
    """
    return OnlineLearner(
        init=lambda batch, actions: init(groups, batch, actions),
        strategy=lambda state: strategy(groups, state),
        update=lambda state, payoff_t: update(groups, state, payoff_t),
        bound=bound,
    )


def learner(*, period: int = 2) -> OnlineLearner[SleepingExpertsState]:
    """The learner for the groups `residues(period)`.

    Args:
        period: at least 1.
    """
    return sleeping_experts(
        residues(period), lambda rounds, actions: group_bound(rounds, rounds, actions, period + 1) / rounds
    )


SOLVER = online_solver(
    "sleeping-experts",
    learner,
    source="Blum, Lykouris (2020), ITCS; Luo, Schapire (2015), COLT",
    parameters=(PERIOD,),
)

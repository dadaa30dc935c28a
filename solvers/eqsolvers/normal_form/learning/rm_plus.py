"""Regret matching plus over a batch of independent simplices.

Tammelin (2014), "Solving large imperfect information games using CFR+", arXiv 1407.5042; Tammelin, Burch, Johanson and
Bowling (2015), "Solving heads-up limit Texas hold'em", IJCAI. Regret matching whose negative regrets are forgotten.

External regret after T rounds of payoffs in [0, 1] is at most sqrt((A - 1) T), by the argument of regret matching. The
average strategy in a two-player zero-sum game converges, the last one need not (Cai et al. 2023, arXiv 2311.00676, on
a 3 x 3 game). No parameters; payoffs may have any scale. Cost: O(B A) a round.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array
from eqsolvers.normal_form.learning._matching import instantaneous_regret, matched
from eqsolvers.normal_form.learning._online import OnlineLearner
from eqsolvers.normal_form.learning._self_play import online_solver


class RegretMatchingPlusState(NamedTuple):
    """Cumulative regrets, raised to 0 after every round."""

    regret: Float64Array  # [B, A], at least 0


def init(batch: int, actions: int) -> RegretMatchingPlusState:
    """No regrets."""
    return RegretMatchingPlusState(np.zeros((batch, actions)))


def strategy(state: RegretMatchingPlusState) -> Float64Array:
    """In proportion to the regrets, [B, A]."""
    return matched(state.regret)


def update(state: RegretMatchingPlusState, payoff_t: Float64Array) -> RegretMatchingPlusState:
    """One round with the payoff of every action, [B, A]."""
    regret = state.regret + instantaneous_regret(strategy(state), payoff_t)
    return RegretMatchingPlusState(np.maximum(regret, 0.0))


def bound(rounds: int, actions: int) -> float:
    """The average external regret is at most this."""
    return math.sqrt((actions - 1) / rounds)


def learner() -> OnlineLearner[RegretMatchingPlusState]:
    """The learner; it has no parameters."""
    return OnlineLearner(init=init, strategy=strategy, update=update, bound=bound)


SOLVER = online_solver("rm+", learner, source="Tammelin (2014), arXiv 1407.5042", gamma=1.0)

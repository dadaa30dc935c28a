"""Regret matching over a batch of independent simplices.

Hart and Mas-Colell (2000), "A simple adaptive procedure leading to correlated equilibrium", Econometrica 68, the
procedure with unconditional regrets: play in proportion to the positive regrets.

External regret after T rounds of payoffs in [0, 1] is at most sqrt((A - 1) T): by Blackwell's condition the squared
norm of the positive regrets grows by at most that of the instantaneous regrets, which is greatest, A - 1, where a pure
strategy misses a payoff of 1 by every other action. No parameters; payoffs may have any scale. Cost: O(B A) a round.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array
from eqsolvers.normal_form.learning._matching import instantaneous_regret, matched
from eqsolvers.normal_form.learning._online import OnlineLearner
from eqsolvers.normal_form.learning._self_play import online_solver


class RegretMatchingState(NamedTuple):
    """Cumulative regrets."""

    regret: Float64Array  # [B, A], of any sign


def init(batch: int, actions: int) -> RegretMatchingState:
    """No regrets."""
    return RegretMatchingState(np.zeros((batch, actions)))


def strategy(state: RegretMatchingState) -> Float64Array:
    """In proportion to the positive regrets, [B, A]."""
    return matched(state.regret)


def update(state: RegretMatchingState, payoff_t: Float64Array) -> RegretMatchingState:
    """One round with the payoff of every action, [B, A]."""
    return RegretMatchingState(state.regret + instantaneous_regret(strategy(state), payoff_t))


def bound(rounds: int, actions: int) -> float:
    """The average external regret is at most this."""
    return math.sqrt((actions - 1) / rounds)


def learner() -> OnlineLearner[RegretMatchingState]:
    """The learner; it has no parameters."""
    return OnlineLearner(init=init, strategy=strategy, update=update, bound=bound)


SOLVER = online_solver("rm", learner, source="Hart, Mas-Colell (2000), Econometrica 68")

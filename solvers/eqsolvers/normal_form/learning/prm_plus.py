"""Predictive regret matching plus over a batch of independent simplices.

Farina, Kroer and Sandholm (2021), "Faster game solving via predictive Blackwell approachability", AAAI.
Play in proportion to the regrets that there would be after one more round like the last one.

External regret after T rounds is at most the square root of the summed squared distances between an instantaneous
regret and its predecessor, so 2 sqrt((A - 1) T) for payoffs in [0, 1]: the algorithm is optimistic mirror descent on
the regrets, whose play does not depend on the step size, so that the bound 1/(2 eta) + (eta/2) sum ||r_t - r_{t-1}||^2
holds for every eta at once. The paper's own constant is sqrt(2) times this. The last strategy of self-play need not
converge (Cai et al. 2023, arXiv 2311.00676); for `smooth_prm_plus` it does. Cost: O(B A) a round.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array
from eqsolvers.normal_form.learning._matching import instantaneous_regret, matched
from eqsolvers.normal_form.learning._online import OnlineLearner
from eqsolvers.normal_form.learning._self_play import online_solver


class PredictiveRegretMatchingPlusState(NamedTuple):
    """Cumulative regrets, raised to 0 after every round, and what the next round is expected to add."""

    regret: Float64Array  # [B, A], at least 0
    prediction: Float64Array  # [B, A], the last instantaneous regret


def init(batch: int, actions: int) -> PredictiveRegretMatchingPlusState:
    """No regrets, and none expected."""
    return PredictiveRegretMatchingPlusState(np.zeros((batch, actions)), np.zeros((batch, actions)))


def strategy(state: PredictiveRegretMatchingPlusState) -> Float64Array:
    """In proportion to the expected regrets, [B, A]."""
    return matched(state.regret + state.prediction)


def update(state: PredictiveRegretMatchingPlusState, payoff_t: Float64Array) -> PredictiveRegretMatchingPlusState:
    """One round with the payoff of every action, [B, A]."""
    regret_t = instantaneous_regret(strategy(state), payoff_t)
    return PredictiveRegretMatchingPlusState(np.maximum(state.regret + regret_t, 0.0), regret_t)


def bound(rounds: int, actions: int) -> float:
    """The average external regret is at most this."""
    return 2.0 * math.sqrt((actions - 1) / rounds)


def learner() -> OnlineLearner[PredictiveRegretMatchingPlusState]:
    """The learner; it has no parameters."""
    return OnlineLearner(init=init, strategy=strategy, update=update, bound=bound)


SOLVER = online_solver("prm+", learner, source="Farina, Kroer, Sandholm (2021), AAAI", gamma=2.0)

"""Smooth fictitious play over a batch of simplices: a logit best response to the average payoffs so far.

Fudenberg and Levine (1995), "Consistency and cautious fictitious play", JEDC 19; Benaim and Faure (2013), "Consistency
of vanishingly smooth fictitious play", Math. of OR 38, where the noise vanishes. x is proportional to
exp(average payoff / tau_t). Against one opponent this is the best response to its average play, less tau_t times the
entropy; against several to their average joint play, not to the product of their averages.

After t rounds it is follow the regularised leader with the entropy and the rate 1 / (tau_t t), hence (see
`_regularisers`) the average regret after T rounds of payoffs in [0, 1] is for a fixed tau at most
tau ln A + (2 + ln T) / (8 tau T), which stays above tau ln A however long it plays; and for tau_t = tau / sqrt(t)
(`vanishing`) (tau ln A + 1 / (4 tau)) / sqrt(T) + 1 / (8 tau T), the rate of Hedge. Full information. Cost: O(B A) a
round.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError
from eqenvs.spec import Parameter
from eqsolvers.normal_form.learning._online import OnlineLearner
from eqsolvers.normal_form.learning._self_play import online_solver
from eqsolvers.normal_form.learning._simplex import softmax


class SmoothState(NamedTuple):
    """What the actions would have collected."""

    average: Float64Array  # [B, A]
    t: IntArray  # [B], rounds seen


def init(batch: int, actions: int) -> SmoothState:
    """Nothing seen."""
    return SmoothState(np.zeros((batch, actions)), np.zeros(batch, dtype=np.int64))


def strategy(tau: float, vanishing: bool, state: SmoothState) -> Float64Array:
    """The logit response in round t + 1, [B, A]; uniform in the first."""
    t = np.maximum(state.t, 1)[:, None]
    return softmax(state.average / (tau / np.sqrt(t) if vanishing else tau))


def update(state: SmoothState, payoff_t: Float64Array) -> SmoothState:
    """One round with the payoff of every action, [B, A]."""
    t = state.t + 1
    return SmoothState(state.average + (payoff_t - state.average) / t[:, None], t)


def learner(*, tau: float = 0.1, vanishing: bool = False) -> OnlineLearner[SmoothState]:
    """The learner.

    Args:
        tau: noise in units of scaled payoff, above 0.
        vanishing: whether the noise after t rounds is tau / sqrt(t).

    Raises:
        InputError: if the noise is not above 0.
    """
    if not tau > 0:
        raise InputError(f"tau must be above 0, got {tau}")

    def bound(rounds: int, actions: int) -> float:
        if actions == 1:
            return 0.0
        # Round t answers t - 1 rounds; whatever rate the first one has, it is uniform.
        seen = np.maximum(np.arange(rounds, dtype=np.float64), 1.0)
        rates = 1.0 / (tau * (np.sqrt(seen) if vanishing else seen))
        return float(math.log(actions) / rates[-1] + rates.sum() / 8) / rounds

    return OnlineLearner(init=init, strategy=lambda state: strategy(tau, vanishing, state), update=update, bound=bound)


SOLVER = online_solver(
    "smooth-fictitious-play",
    learner,
    source="Fudenberg and Levine (1995), JEDC 19; Benaim and Faure (2013), Math. of OR 38",
    parameters=(
        Parameter(
            name="tau", default=0.1, kind=float, low=1e-9, high=1e9, description="noise, for payoffs scaled to [0, 1]"
        ),
        Parameter(
            name="vanishing", default=False, kind=bool, description="whether the noise after t rounds is tau / sqrt(t)"
        ),
    ),
)

"""Tsallis-INF over a batch of independent bandits: follow the regularised leader with Tsallis entropy 1/2.

Zimmert and Seldin (2021), "Tsallis-INF: an optimal algorithm for stochastic and adversarial bandits", JMLR 22,
algorithm 1: R(x) = -2 sum of sqrt(x) on estimated losses, with eta_t = 1 / sqrt(t) (the paper's regulariser is twice
this one and its rate 2 / sqrt(t): the same strategies). The average regret is at most 4 sqrt(A / T) in expectation over
the draws, against an adversary that does not see them, by `_regularisers` with D = 2 sqrt(A) - 2 and a stability of
sqrt(A).

With `reduced_variance` the estimate is 1{drawn} (loss - b) / p + b with b = 1/2 for actions of probability at least
eta_t^2, in the paper's units, and 0 for others, and the rate is twice as large; no bound is stated for it here. Cost:
O(B A) a round, times the steps of Newton's method.
"""

from __future__ import annotations

import math

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.spec import Parameter
from eqsolvers.normal_form.learning._bandit import BanditState, init
from eqsolvers.normal_form.learning._online import OnlineLearner, drawn
from eqsolvers.normal_form.learning._self_play import online_solver
from eqsolvers.normal_form.learning._simplex import power


def rate(reduced_variance: bool, t: IntArray) -> Float64Array:
    """The learning rate of round t + 1, [B, 1]."""
    eta: Float64Array = (2.0 if reduced_variance else 1.0) / np.sqrt(t[:, None] + 1.0)
    return eta


def strategy(reduced_variance: bool, state: BanditState) -> Float64Array:
    """What to play in round t + 1, [B, A]."""
    return power(-rate(reduced_variance, state.t) * state.loss, exponent=2)


def observe(reduced_variance: bool, state: BanditState, action: IntArray, payoff: Float64Array) -> BanditState:
    """One round with the drawn actions [B] and their payoffs [B]."""
    played = strategy(reduced_variance, state)
    baseline = np.zeros_like(played)
    if reduced_variance:
        baseline = np.where(played >= (2 * rate(True, state.t)) ** 2, 0.5, 0.0)
    indicator = drawn(action, played.shape[1])
    estimate = indicator * ((1.0 - payoff)[:, None] - baseline) / played + baseline
    return BanditState(state.loss + estimate, state.t + 1)


def learner(*, reduced_variance: bool = False) -> OnlineLearner[BanditState]:
    """The learner.

    Args:
        reduced_variance: the estimator; see the module.
    """
    return OnlineLearner(
        init=init,
        strategy=lambda state: strategy(reduced_variance, state),
        update=None,
        observe=lambda state, action, payoff: observe(reduced_variance, state, action, payoff),
        bound=None if reduced_variance else lambda rounds, actions: 4 * math.sqrt(actions / rounds),
    )


SOLVER = online_solver(
    "tsallis-inf",
    learner,
    source="Zimmert and Seldin (2021), JMLR 22",
    parameters=(
        Parameter(
            name="reduced_variance",
            default=False,
            kind=bool,
            description="losses of likely actions are estimated from 1/2 instead of 0",
        ),
    ),
    bandit=True,
)

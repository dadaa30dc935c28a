"""EXP3-IX over a batch of independent bandits: Hedge on losses estimated with implicit exploration.

Neu (2015), "Explore no more: improved high-probability regret bounds for non-stochastic bandits", NeurIPS, algorithm 1:
the loss 1 - payoff of the drawn action is divided by its probability plus gamma_t, with
eta_t = 2 gamma_t = sqrt(ln(A) / (A t)). With probability at least 1 - delta the regret of the actions drawn after T
rounds is at most 4 sqrt(A T ln A) + (sqrt(A T / ln A) + 1) ln(2 / delta), by the proof of theorem 1 with these rates;
`bound` is for delta = 1 %. Cost: O(B A) a round.
"""

from __future__ import annotations

import math

from eqenvs.arrays import Float64Array, IntArray
from eqsolvers.normal_form.learning._bandit import BanditState, check_rate, init
from eqsolvers.normal_form.learning._online import OnlineLearner, drawn
from eqsolvers.normal_form.learning._regularisers import ETA
from eqsolvers.normal_form.learning._self_play import online_solver
from eqsolvers.normal_form.learning.exp3 import rate, strategy

DELTA = 0.01


def observe(eta: float | None, state: BanditState, action: IntArray, payoff: Float64Array) -> BanditState:
    """One round with the drawn actions [B] and their payoffs [B]."""
    played = strategy(eta, state)
    implicit = rate(eta, state.t, played.shape[1]) / 2
    estimate = drawn(action, played.shape[1]) * (1.0 - payoff)[:, None] / (played + implicit)
    return BanditState(state.loss + estimate, state.t + 1)


def learner(*, eta: float | None = None) -> OnlineLearner[BanditState]:
    """The learner.

    Args:
        eta: learning rate and twice the implicit exploration, above 0; None: the anytime rate.
    """
    check_rate(eta)

    def bound(rounds: int, actions: int) -> float:
        if actions == 1:
            return 0.0
        sure, log = math.log(2 / DELTA), math.log(actions)
        if eta is None:
            last, total = math.sqrt(log / (actions * rounds)), 2 * math.sqrt(rounds * log / actions)
        else:
            last, total = eta, eta * rounds
        return ((2 * log + sure) / last + actions * total + sure) / rounds

    return OnlineLearner(
        init=init,
        strategy=lambda state: strategy(eta, state),
        update=None,
        observe=lambda state, action, payoff: observe(eta, state, action, payoff),
        bound=bound,
    )


SOLVER = online_solver("exp3-ix", learner, source="Neu (2015), NeurIPS", parameters=(ETA,), bandit=True)

"""Hedge, or multiplicative weights, over a batch of independent simplices: play in proportion to exp(eta_t U_tm1).

Freund and Schapire (1997), "A decision-theoretic generalization of on-line learning", JCSS 55, section 2: follow the
regularised leader with the entropy (see `ftrl` for optimism, OMWU, and `_regularisers` for the rates). The average
external regret after T rounds of payoffs in [0, 1] is at most sqrt(ln(A) / (2 T)) with eta = sqrt(8 ln(A) / T), the
rate for a `horizon` of T, and sqrt(ln(A) / T) with the anytime rate eta_t = 2 sqrt(ln(A) / t) (Bubeck 2011,
"Introduction to online optimization", lecture notes). Full information. Cost: O(B A) a round.
"""

from __future__ import annotations

from eqsolvers.normal_form.learning import ftrl
from eqsolvers.normal_form.learning._online import OnlineLearner
from eqsolvers.normal_form.learning._regularisers import ETA, HORIZON, OPTIMISTIC
from eqsolvers.normal_form.learning._self_play import online_solver


def learner(
    *, eta: float | None = None, horizon: int | None = None, optimistic: bool = False
) -> OnlineLearner[ftrl.FtrlState]:
    """The learner; see `ftrl.learner`."""
    return ftrl.learner(regulariser="entropy", eta=eta, horizon=horizon, optimistic=optimistic)


SOLVER = online_solver(
    "hedge",
    learner,
    source="Freund and Schapire (1997), JCSS 55; Syrgkanis, Agarwal, Luo and Schapire (2015), NeurIPS",
    parameters=(ETA, HORIZON, OPTIMISTIC),
)

"""Alpha-Rank meta-solver: the populations as often as the evolving populations play them.

The device is the stationary distribution at infinite alpha; where a learner mixes independently it takes the
marginals, as alpha-PSRO does. Muller et al. (2020), "A generalized training approach for multiagent learning", ICLR;
Omidshafiei et al. (2019), "alpha-Rank: Multi-Agent Evaluation by Evolution". Any number of players.
"""

from __future__ import annotations

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel
from eqsolvers.meta import MetaSolution
from eqsolvers.meta._device import of_device
from eqsolvers.normal_form.alpha_rank import alpha_rank


def solve(payoffs: Float64Array) -> MetaSolution:
    """The stationary distribution, and its marginals."""
    return of_device(alpha_rank(NormalFormModel(payoffs))[0])


META_SOLVER = solve

"""Alpha-Rank meta-solver: the populations as often as the evolving populations play them.

The device is the stationary distribution; where a learner mixes independently it takes the marginals, as alpha-PSRO
does. Muller et al. (2020), "A generalized training approach for multiagent learning", ICLR; Omidshafiei et al. (2019),
"alpha-Rank: Multi-Agent Evaluation by Evolution". Any number of players.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, correlated
from eqsolvers.normal_form.alpha_rank import SOLVER, alpha_rank


def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The stationary distribution, and its marginals."""
    return correlated(alpha_rank(game.model, **settings)[0])


META_SOLVER = MetaSolverSpec(
    id="alpha_rank",
    solve=solve,
    source="Muller et al. (2020), ICLR",
    parameters=SOLVER.parameters,
)

"""Maximum Gini correlated equilibrium meta-solver: of the empirical game, the flattest.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML: the MGCE of joint PSRO. Any number of players.
A player's next policies are one response to each recommendation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, correlated
from eqsolvers.meta._solved import solvable
from eqsolvers.normal_form._epsilon import PARAMETERS
from eqsolvers.normal_form.max_gini import max_gini_device


@solvable
def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The device, and its marginals."""
    return correlated(max_gini_device(game.model, "ce", **settings)[0], told=True)


META_SOLVER = MetaSolverSpec(
    id="max_gini_ce",
    solve=solve,
    source="Marris et al. (2021), ICML",
    parameters=PARAMETERS,
)

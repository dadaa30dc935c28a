"""Maximum entropy coarse correlated equilibrium meta-solver: of the empirical game, the least committed.

Ortiz, Schapire and Kakade (2007), "Maximum entropy correlated equilibria", AISTATS; as a meta-solver Marris, Muller,
Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium meta-solvers",
ICML. Any number of players.
A player's next policies are one response to the others' joint marginal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, correlated
from eqsolvers.meta._solved import solvable
from eqsolvers.normal_form._epsilon import PARAMETERS
from eqsolvers.normal_form.max_entropy import max_entropy_device


@solvable
def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The device, and its marginals."""
    return correlated(max_entropy_device(game.model, "cce", **settings)[0])


META_SOLVER = MetaSolverSpec(
    id="max_entropy_cce", solve=solve, source="Ortiz, Schapire and Kakade (2007), AISTATS", parameters=PARAMETERS
)

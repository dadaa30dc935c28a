"""Random vertex correlated equilibrium meta-solver: a vertex of the polytope, best by a random objective.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML: the RVCE of joint PSRO. Any number of players.
A player's next policies are one response to each recommendation. Its objective follows from the seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, correlated
from eqsolvers.meta._solved import solvable
from eqsolvers.normal_form._epsilon import PARAMETERS
from eqsolvers.normal_form.correlated_lp import optimal_device


@solvable
def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The device, and its marginals."""
    weights = np.random.default_rng(game.seed).standard_normal(game.model.num_actions)
    return correlated(optimal_device(game.model, "ce", weights, **settings)[0], told=True)


META_SOLVER = MetaSolverSpec(
    id="random_vertex_ce", solve=solve, source="Marris et al. (2021), ICML", parameters=PARAMETERS
)

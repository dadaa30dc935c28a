"""Nash meta-solver: an equilibrium of the empirical game, the double oracle's.

Two-player constant-sum games by the simplex method: McMahan, Gordon and Blum (2003), "Planning in the presence of cost
functions controlled by an adversary", ICML. (An empirical game from simulated payoffs is constant-sum too, because
every episode is.) All others by the logit path from uniform play, which selects one of their equilibria (Turocy 2005,
Games and Economic Behavior).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, independent
from eqsolvers.meta._solved import matrix_equilibrium, solvable, strategies_of
from eqsolvers.normal_form import logit


@solvable
def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """An equilibrium; the residual is its NashConv, in payoff units."""
    del settings  # there are none
    if game.model.num_players == 2 and game.model.constant_sum(1e-6):
        return independent(matrix_equilibrium(game.model.payoffs[0]))
    return strategies_of(logit.solve(game.model))


META_SOLVER = MetaSolverSpec(
    id="nash", solve=solve, source="McMahan, Gordon and Blum (2003), ICML; Turocy (2005), GEB for general games"
)

"""Risk-averse meta-solver: populations weigh the variance that the others' mixing leaves in their payoffs.

Slumbers et al. (2023), "A game-theoretic framework for managing risk in multi-agent systems", ICML: the meta-solver of
risk-averse PSRO. Any number of players.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec
from eqsolvers.meta._solved import strategies_of
from eqsolvers.normal_form import rae


def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """A risk-averse equilibrium; the residual is the largest gain in utility."""
    return strategies_of(rae.solve(game.model, settings=settings))


META_SOLVER = MetaSolverSpec(
    id="risk_averse", solve=solve, source="Slumbers et al. (2023), ICML", parameters=rae.SOLVER.parameters
)

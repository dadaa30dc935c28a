"""Logit meta-solver: the quantal response equilibrium of the empirical game on the branch from uniform play.

McKelvey and Palfrey (1995), "Quantal response equilibria for normal form games", Games and Economic Behavior 10. Any
number of players.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eqenvs.spec import Parameter
from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec
from eqsolvers.meta._solved import strategies_of
from eqsolvers.normal_form import logit


def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The equilibrium; the residual is the largest difference between a probability and its logit response."""
    return strategies_of(logit.solve(game.model, concept="qre", settings=settings))


META_SOLVER = MetaSolverSpec(
    id="logit",
    solve=solve,
    source="McKelvey and Palfrey (1995), Games and Economic Behavior",
    parameters=(
        Parameter(
            name="precision", default=10.0, kind=float, low=0.0, high=1e12, description="lambda, in 1 / unit of payoff"
        ),
    ),
)

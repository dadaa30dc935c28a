"""From what solvers of the empirical game find, or do not, to a meta-solution."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import Any

from eqenvs.arrays import Float64Array
from eqenvs.policies import TabularPolicy
from eqsolvers.highs import LinearProgramError
from eqsolvers.meta import EmpiricalGame, MetaSolution, NoMetaSolutionError, Solve, independent
from eqsolvers.normal_form import simplex
from eqsolvers.normal_form._conic import ConicProgramError
from eqsolvers.normal_form._zero_sum import with_fallback
from eqsolvers.result import SolverResult, Status


def matrix_equilibrium(matrix: Float64Array) -> list[Float64Array]:
    """Maximin strategies of both players of a matrix game, the row player's payoffs [K_0, K_1]."""
    found = with_fallback(matrix, simplex.solve_matrix(matrix))
    return [found.row, found.column]


def strategies_of(result: SolverResult) -> MetaSolution:
    """The players' strategies; the residual is 0 where the solver converged.

    Raises:
        NoMetaSolutionError: if the solver failed.
    """
    if not isinstance(result.policy, TabularPolicy):
        raise NoMetaSolutionError(f"{result.method}: {result.message or result.status.value}")
    strategies = [table[0] for table in result.policy.tables]
    if result.status is Status.CONVERGED:
        return independent(strategies)
    message = result.message or f"{result.method}: {result.status.value}, residual {result.residual:.3g}"
    return independent(strategies, residual=result.residual, message=message)


def solvable(solve: Solve) -> Solve:
    """`solve`, that raises NoMetaSolution where its programme could not be solved."""

    @wraps(solve)
    def solved(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
        try:
            return solve(game, settings)
        except (ConicProgramError, LinearProgramError) as error:
            raise NoMetaSolutionError(str(error)) from error

    return solved

"""What the solvers of matrix games share: the gap, the solution on a support, and the result.

A matrix game is the row player's payoffs M, [m, n]; the row player maximises x^T M y. The gap max_i (M y)_i -
min_j (x^T M)_j of a pair of strategies is the NashConv of the game, and bounds the error of its value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import TabularPolicy
from eqsolvers.highs import LinearProgramError
from eqsolvers.iterative import require_two_player_zero_sum
from eqsolvers.normal_form import lp
from eqsolvers.result import SolverResult, failed, finished

ROUNDING = 1e-10  # of the range of the payoffs: a gap above it is worth another attempt


@dataclass(frozen=True, eq=False)
class MatrixSolution:
    """A pair of strategies of a matrix game.

    Attributes:
        row: [m] float64.
        column: [n] float64.
        iterations: of the method.
        message: on anything out of the ordinary, else empty.
    """

    row: Float64Array
    column: Float64Array
    iterations: int
    message: str = ""


def gap(matrix: Float64Array, row: Float64Array, column: Float64Array) -> float:
    """Max (M y) - min (x M), which is 0 at an equilibrium and positive elsewhere, up to rounding.

    >>> gap(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    1.0
    """
    return float((matrix @ column).max() - (row @ matrix).min())


def scaled(matrix: Float64Array) -> Float64Array:
    """The matrix shifted and scaled to [1, 2], which changes no equilibrium; a new array."""
    low, high = float(matrix.min()), float(matrix.max())
    made: Float64Array = np.ascontiguousarray(1.0 + (matrix - low) / ((high - low) or 1.0))
    return made


def distribution(weights: Float64Array) -> Float64Array:
    """Weights as a distribution; rounding may have left negative ones."""
    positive = np.maximum(weights, 0.0)
    made: Float64Array = positive / positive.sum()
    return made


def on_support(
    matrix: Float64Array, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[Float64Array, Float64Array] | None:
    """The strategies that make the other side indifferent over supports of equal size, or None if there are none.

    Args:
        matrix: positive.
        rows: the row player's support.
        columns: the column player's.
    """
    if len(rows) != len(columns):
        return None
    part, ones = matrix[np.ix_(rows, columns)], np.ones(len(rows))
    try:
        column_part, row_part = np.linalg.solve(part, ones), np.linalg.solve(part.T, ones)
    except np.linalg.LinAlgError:
        return None
    if not (column_part.min() >= -ROUNDING and row_part.min() >= -ROUNDING):  # nor NaN
        return None
    row, column = np.zeros(matrix.shape[0]), np.zeros(matrix.shape[1])
    row[rows], column[columns] = row_part, column_part
    return distribution(row), distribution(column)


def with_fallback(matrix: Float64Array, found: MatrixSolution) -> MatrixSolution:
    """The solution, or HiGHS's where its gap is not rounding; the message says so.

    Raises:
        LinearProgramError: if HiGHS fails too.
    """
    error, span = gap(matrix, found.row, found.column), float(np.ptp(matrix))
    if error <= max(ROUNDING * span, np.finfo(np.float64).eps * float(np.abs(matrix).max())):
        return found
    row, column, _ = lp.solve_matrix(matrix)
    if gap(matrix, row, column) >= error:
        return found
    return MatrixSolution(row, column, found.iterations, f"ended with a gap of {error:.1e}; this is HiGHS's solution")


def zero_sum_solver(method: str, solve_matrix: Callable[..., MatrixSolution]) -> Callable[..., SolverResult]:
    """The `solve` of a method for matrix games, from its function of the row player's payoffs [m, n]."""

    def solve(model: NormalFormModel, *, tolerance: float = 1e-9) -> SolverResult:
        matrix = require_matrix_game(model, method)
        try:
            found = with_fallback(matrix, solve_matrix(matrix))
        except LinearProgramError as error:
            return failed(model, method, str(error))
        return reported(model, method, found, tolerance)

    return solve


def require_matrix_game(model: NormalFormModel, method: str) -> Float64Array:
    """The row player's payoffs of a two-player constant-sum game.

    Raises:
        UnsupportedGame: if the game is none.
    """
    require_two_player_zero_sum(model, method)
    payoffs: Float64Array = model.payoffs[0]
    return payoffs


def reported(
    model: NormalFormModel,
    method: str,
    found: MatrixSolution,
    tolerance: float,
    detail: Mapping[str, Any] | None = None,
) -> SolverResult:
    """The result of a solution, judged by the exact score."""
    policy = TabularPolicy(model, [found.row, found.column])
    result = finished(model, policy, method, iterations=found.iterations, tolerance=tolerance, detail=detail)
    return replace(result, message=found.message) if found.message else result

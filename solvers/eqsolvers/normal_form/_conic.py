"""Strictly concave choices among approximate equilibria, by Clarabel's interior-point method.

Goulart and Chen (2024), "Clarabel: an interior-point solver for conic programs with quadratic objectives".
"""

from __future__ import annotations

from typing import Any

import clarabel
import numpy as np
from scipy import sparse

from eqenvs.arrays import Float64Array
from eqenvs.errors import GameTooLargeError

MOST_FILL = 50_000_000  # numbers in the factor of the interior-point method's linear system, at 12 bytes each
ACCURACY = 1e-12  # relative, of the residuals and the duality gap; Clarabel's default is 1e-8


class ConicProgramError(ArithmeticError):
    """Clarabel found no optimum; the message is Clarabel's status."""


def best_distribution(
    size: int, quadratic: Any, linear: Float64Array, equations: Any, right: Float64Array, cones: list[Any]
) -> tuple[Float64Array, int]:
    """Minimise x' quadratic x / 2 + linear . x where `right - equations @ x` is in the cones.

    Returns:
        The first `size` variables, a distribution up to the rounding that is taken out, and the iterations.

    Raises:
        ConicProgramError: if Clarabel does not reach even its reduced accuracy.
    """
    found = _optimum(quadratic, linear, equations, right, cones)
    return _distribution(found, size), int(found.iterations)


def _optimum(quadratic: Any, linear: Float64Array, equations: Any, right: Float64Array, cones: list[Any]) -> Any:
    """Clarabel's solution.

    Raises:
        ConicProgramError: if Clarabel does not reach even its reduced accuracy.
    """
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1  # the same bits whatever the number of cores
    settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = ACCURACY
    found = clarabel.DefaultSolver(quadratic, linear, sparse.csc_matrix(equations), right, cones, settings).solve()
    if found.status not in (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved):
        raise ConicProgramError(f"Clarabel: {found.status}")
    return found


def _distribution(found: Any, size: int) -> Float64Array:
    x = np.maximum(np.asarray(found.x)[:size], 0.0)
    distribution: Float64Array = x / x.sum()
    return distribution


def most_even(matrix: Any, bound: Float64Array | float, *, entropy: bool) -> tuple[Float64Array, Float64Array, int]:
    """The distribution of greatest Gini impurity or entropy among those with `matrix @ x <= bound`.

    Args:
        matrix: CSR [rows, size], of the order of 1.
        bound: one or [rows], in the unit of the matrix; some distribution must keep it.
        entropy: Shannon's entropy `-sum x log x` instead of the Gini impurity `1 - x.x`.

    Returns:
        The distribution [size]; [rows] prices, by how much its evenness rises for each unit that a bound is raised by;
        the iterations.

    Raises:
        ConicProgramError: if Clarabel does not reach even its reduced accuracy.
        GameTooLargeError: if the factor of its linear system could have more than `MOST_FILL` numbers: the system is
            sparse, but dense once either the rows or the profiles are eliminated.
    """
    rows, size = matrix.shape
    fill = min(rows, size) * (min(rows, size) + 1) // 2
    if fill > MOST_FILL:
        raise GameTooLargeError(
            f"a programme of {rows:,} gains from deviating over {size:,} profiles has a dense factor of {fill:,} "
            f"numbers, the limit is {MOST_FILL:,}"
        )
    right_gains = np.broadcast_to(bound, rows)
    # In y = size * x, whose mean is 1, all quantities are of the order of 1 in games of any size.
    ones, eye = sparse.csc_array(np.full((1, size), 1.0 / size)), sparse.eye_array(size, format="csc")
    scaled = sparse.csc_array(matrix) / size
    if entropy:
        # (t, y, 1) in the exponential cone y exp(t / y) <= 1 is t <= -y log y; t follows y in the vector of variables.
        quadratic = sparse.csc_matrix((2 * size, 2 * size))
        linear = np.concatenate([np.zeros(size), np.full(size, -1.0 / size)])
        cone = np.arange(size)
        triples = sparse.coo_array(
            (np.full(2 * size, -1.0), (np.concatenate([3 * cone + 1, 3 * cone]), np.arange(2 * size))),
            shape=(3 * size, 2 * size),
        )
        blank = sparse.csc_array((rows + 1, size))
        equations = sparse.vstack([sparse.hstack([sparse.vstack([ones, scaled]), blank]), triples])
        right = np.concatenate([[1.0], right_gains, np.tile([0.0, 0.0, 1.0], size)])
        evenness = [clarabel.ExponentialConeT()] * size
    else:
        quadratic, linear = sparse.csc_matrix(eye / size), np.zeros(size)
        equations = sparse.vstack([ones, scaled, -eye])
        right = np.concatenate([[1.0], right_gains, np.zeros(size)])
        evenness = [clarabel.NonnegativeConeT(size)]
    cones = [clarabel.ZeroConeT(1), *([clarabel.NonnegativeConeT(rows)] if rows else []), *evenness]
    found = _optimum(quadratic, linear, equations, right, cones)
    # What is minimised above is size / 2 x.x, or the entropy's negative.
    prices = np.maximum(np.asarray(found.z)[1 : rows + 1], 0.0) * (1.0 if entropy else 2.0 / size)
    return _distribution(found, size), prices, int(found.iterations)

"""Nash equilibrium of a large two-player constant-sum game by a primal-dual interior-point method.

min sum x subject to M^T x - s = 1 and max sum y subject to M y + z = 1, all non-negative, for M scaled to [1, 2]: a
feasible interior pair is known from the start, and Mehrotra's predictor and corrector (Mehrotra 1992, "On the
implementation of a primal-dual interior point method", SIAM Journal on Optimization 2) keeps the equations. Each
iteration forms and factors the matrix of the smaller player's size, M^T (X / Z) M + S / Y.

As soon as the products x z and y s tell supports of equal size apart, the game is solved on these, as in a simplex
basis, and the gap over the whole matrix decides whether that is the end: what comes out is then exact up to the
rounding of one linear solve. Where no supports pass, as in degenerate games, the iterations go on to the end, and HiGHS
takes over where the gap is then no rounding error; the message says so.

Cost: O(m n min(m, n)) an iteration, 10 to 20 iterations.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf, dpotrs

from eqenvs.arrays import Float64Array
from eqenvs.spec import Family
from eqsolvers.normal_form._zero_sum import (
    ROUNDING,
    MatrixSolution,
    distribution,
    gap,
    on_support,
    scaled,
    zero_sum_solver,
)
from eqsolvers.result import SolverSpec, two_players_constant_sum

MOST_ITERATIONS = 60
BACK_OFF = 0.9995  # of the way to the boundary
SMALLEST = 1e-14  # complementarity per product at which float64 has nothing more to give


def solve_matrix(matrix: Float64Array) -> MatrixSolution:
    """Maximin strategies of a matrix game, the row player's payoffs [m, n].

    >>> found = solve_matrix(np.array([[3.0, -1.0, 4.0], [-2.0, 2.0, 5.0]]))
    >>> found.row.round(3).tolist(), found.column.round(3).tolist()
    ([0.5, 0.5], [0.375, 0.625, 0.0])
    """
    if matrix.shape[0] < matrix.shape[1]:  # the system has the column player's size
        turned = solve_matrix(np.ascontiguousarray(-matrix.T))
        return MatrixSolution(turned.column, turned.row, turned.iterations, turned.message)
    positive = scaled(matrix)
    goal = ROUNDING / 10 * float(np.ptp(matrix))
    m, n = positive.shape
    x, y = np.full(m, 2.0 / m), np.full(n, 0.25 / n)  # entries in [1, 2]: M^T x >= 2 and M y <= 1/2
    s, z = positive.T @ x - 1.0, 1.0 - positive @ y
    tried: tuple[object, object] | None = None
    iteration = 0
    for iteration in range(1, MOST_ITERATIONS + 1):
        mu = (x @ z + y @ s) / (m + n)
        rows, columns = np.flatnonzero(x > z), np.flatnonzero(y > s)
        supports = (rows.tobytes(), columns.tobytes())
        if len(rows) == len(columns) and supports != tried and mu < 1e-2 / (m + n):
            tried = supports
            pair = on_support(positive, rows, columns)
            if pair is not None and gap(matrix, *pair) <= goal:
                return MatrixSolution(*pair, iteration)
        if mu < SMALLEST / (m + n):
            break
        weights = np.sqrt(x / z)
        # The transpose of a C-ordered array is the Fortran order that BLAS wants without a copy.
        system = dsyrk(1.0, (positive * weights[:, None]).T)
        system[np.diag_indices(n)] += s / y
        factor, failure = dpotrf(system, overwrite_a=1, clean=0)
        if failure:
            break

        def direction(on_rows: Float64Array, on_columns: Float64Array) -> tuple[Float64Array, ...]:
            # Newton: z dx + x dz = on_rows, y ds + s dy = on_columns, dz = -M dy, ds = M^T dx.
            dy, _ = dpotrs(factor, on_columns / y - positive.T @ (on_rows / z))  # noqa: B023 - used at once
            dz = -(positive @ dy)
            dx = (on_rows - x * dz) / z  # noqa: B023
            return dx, dy, positive.T @ dx, dz

        dx, dy, ds, dz = direction(-x * z, -y * s)
        primal, dual = _reach(x, dx, s, ds), _reach(y, dy, z, dz)
        ahead = ((x + primal * dx) @ (z + dual * dz) + (y + dual * dy) @ (s + primal * ds)) / (m + n)
        centre = mu * (ahead / mu) ** 3
        dx, dy, ds, dz = direction(centre - x * z - dx * dz, centre - y * s - dy * ds)
        primal, dual = BACK_OFF * _reach(x, dx, s, ds), BACK_OFF * _reach(y, dy, z, dz)
        x, y = x + primal * dx, y + dual * dy
        # Slacks from the variables again: what rounding adds to them would stay.
        s_next, z_next = positive.T @ x - 1.0, 1.0 - positive @ y
        s = np.where(s_next > 0.5 * (s + primal * ds), s_next, s + primal * ds)
        z = np.where(z_next > 0.5 * (z + dual * dz), z_next, z + dual * dz)
    return MatrixSolution(distribution(x), distribution(y), iteration)


def _reach(first: Float64Array, by: Float64Array, second: Float64Array, by_too: Float64Array) -> float:
    """How far both can go, at most 1, before a coordinate is 0."""
    steepest = min(float((by / first).min()), float((by_too / second).min()))
    return min(1.0, -1.0 / steepest) if steepest < 0 else 1.0


SOLVER = SolverSpec(
    id="interior-point",
    concepts=("nash",),
    family=Family.NORMAL_FORM,
    solve=zero_sum_solver("interior-point", solve_matrix),
    preference=7,
    covers=two_players_constant_sum,
    source="Mehrotra (1992)",
)

"""Linear programmes by HiGHS, through scipy, with the duals that equilibrium solvers need.

Huangfu and Hall (2018), "Parallelizing the dual revised simplex method", Mathematical Programming Computation 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scipy.optimize import linprog

from eqenvs.arrays import Float64Array

FEASIBILITY = 1e-10  # HiGHS's smallest; its default of 1e-7 would show in the equilibria


class LinearProgramError(ArithmeticError):
    """HiGHS found no optimum; the message is HiGHS's own."""


@dataclass(frozen=True)
class LinearProgramSolution:
    """An optimum.

    Attributes:
        x: the variables.
        inequality_duals: non-negative multipliers of `A_ub x <= b_ub`, for a minimisation.
        iterations: of the simplex method.
    """

    x: Float64Array
    inequality_duals: Float64Array
    iterations: int


def minimise(
    c: Float64Array,
    *,
    a_ub: Any,
    b_ub: Float64Array,
    a_eq: Any,
    b_eq: Float64Array,
    bounds: list[tuple[float | None, float | None]],
) -> LinearProgramSolution:
    """Minimise c.x subject to a_ub x <= b_ub, a_eq x = b_eq and bounds; matrices may be sparse.

    Raises:
        LinearProgramError: if HiGHS finds no optimum.
    """
    options = {"primal_feasibility_tolerance": FEASIBILITY, "dual_feasibility_tolerance": FEASIBILITY}
    # The stubs do not know sparse constraint matrices.
    solve: Any = linprog
    found = solve(c, A_ub=a_ub, b_ub=b_ub, A_eq=a_eq, b_eq=b_eq, bounds=bounds, method="highs", options=options)
    if found.status != 0:
        raise LinearProgramError(f"HiGHS: {found.message}")
    return LinearProgramSolution(found.x, -found.ineqlin.marginals, int(found.nit))

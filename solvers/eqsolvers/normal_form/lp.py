"""Nash equilibrium of a two-player constant-sum game by linear programming.

Von Neumann's minimax theorem as a linear programme (Dantzig 1951, "A proof of the equivalence of the programming
problem and the game problem"), solved by HiGHS. Both strategies come from one solve: the column player's is the dual.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family
from eqsolvers.highs import LinearProgramError, minimise
from eqsolvers.iterative import require_two_player_zero_sum
from eqsolvers.result import SolverResult, SolverSpec, failed, finished, two_players_constant_sum


def solve_matrix(matrix: Float64Array) -> tuple[Float64Array, Float64Array, float]:
    """Maximin strategies of a zero-sum matrix game.

    Args:
        matrix: [A_0, A_1] float64, the row player's payoffs.

    Returns:
        The row player's and the column player's strategies, and the value to the row player.

    Raises:
        LinearProgramError: if the programme could not be solved, with HiGHS's message.
    """
    rows, columns = matrix.shape
    # Scaling to [0, 1] keeps HiGHS's absolute tolerances meaningful whatever the payoffs' unit.
    low, span = matrix.min(), max(float(np.ptp(matrix)), np.finfo(np.float64).tiny)
    scaled = (matrix - low) / span
    found = minimise(
        np.append(np.zeros(rows), -1.0),
        a_ub=np.hstack([-scaled.T, np.ones((columns, 1))]),
        b_ub=np.zeros(columns),
        a_eq=np.append(np.ones(rows), 0.0)[None],
        b_eq=np.ones(1),
        bounds=[(0, None)] * rows + [(None, None)],
    )
    row, column = _normalise(found.x[:rows]), _normalise(found.inequality_duals)
    return row, column, float(row @ matrix @ column)


def _normalise(weights: Float64Array) -> Float64Array:
    positive = np.maximum(weights, 0.0)
    normalised: Float64Array = positive / positive.sum()
    return normalised


def solve(model: NormalFormModel, *, tolerance: float = 1e-9) -> SolverResult:
    """A Nash equilibrium of a two-player constant-sum game.

    Args:
        model: the game.
        tolerance: NashConv, in payoff units, up to which the result counts as converged.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum.

    >>> result = solve(NormalFormModel([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]]))
    >>> result.policy.tables[0].tolist()
    [[0.5, 0.5]]
    """
    require_two_player_zero_sum(model, "lp")
    try:
        row, column, _ = solve_matrix(np.asarray(model.payoffs[0]))
    except LinearProgramError as error:
        return failed(model, "lp", str(error))
    return finished(model, TabularPolicy(model, [row, column]), "lp", iterations=1, tolerance=tolerance)


SOLVER = SolverSpec(
    id="lp",
    concepts=("nash",),
    family=Family.NORMAL_FORM,
    solve=solve,
    preference=10,
    covers=two_players_constant_sum,
    source="Dantzig (1951); HiGHS (Huangfu, Hall 2018)",
)

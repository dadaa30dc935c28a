"""Nash meta-solver for two-player constant-sum empirical games, by linear programming (the double oracle's).

McMahan, Gordon and Blum (2003), "Planning in the presence of cost functions controlled by an adversary", ICML.
An empirical game from simulated payoffs is constant-sum too, because every episode is.
"""

from __future__ import annotations

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.models.normal_form import NormalFormModel
from eqsolvers.meta import MetaSolution
from eqsolvers.normal_form.lp import solve_matrix


def solve(payoffs: Float64Array) -> MetaSolution:
    """An equilibrium of the empirical game [2, K_0, K_1].

    Raises:
        UnsupportedGame: if the empirical game is not two-player constant-sum.
    """
    model = NormalFormModel(payoffs)
    if model.num_players != 2 or not model.constant_sum(1e-6):
        raise UnsupportedGame("meta-solver 'nash' covers two-player constant-sum games only; try 'uniform'")
    row, column, _ = solve_matrix(payoffs[0])
    return MetaSolution((row, column))


META_SOLVER = solve

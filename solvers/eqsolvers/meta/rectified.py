"""Rectified Nash meta-solver: every policy in use learns against those that it beats.

Balduzzi, Garnelo, Bachrach, Czarnecki, Perolat, Jaderberg and Graepel (2019), "Open-ended learning in symmetric
zero-sum games", ICML, algorithm 4 (PSRO_rN). The strategies are an equilibrium; each policy k of a player's support
has a response of its own, against the other's equilibrium strategy restricted to the policies that k does not lose to:
weights x_j [u(k, j) >= v], v being the player's value (0 in the paper's symmetric games). Two players, constant sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec
from eqsolvers.meta._solved import matrix_equilibrium, solvable
from eqsolvers.normal_form._scales import largest_range

ROUNDING = 1e-12  # a share up to which a policy is not in use
TOLERANCE = 1e-9  # in units of the payoffs' range: what counts as not losing


@solvable
def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The equilibrium, with its rectified targets.

    Raises:
        UnsupportedGame: if the empirical game is not two-player constant-sum.
    """
    del settings  # there are none
    model = game.model
    if model.num_players != 2 or not model.constant_sum(1e-6):
        raise UnsupportedGame("meta-solver 'rectified' covers two-player constant-sum games only; try 'nash'")
    row, column = matrix_equilibrium(model.payoffs[0])
    room = TOLERANCE * largest_range(model)
    rows = _targets(model.payoffs[0], row, column, room)
    columns = _targets(model.payoffs[1].T, column, row, room)
    return MetaSolution(
        (row, column),
        targets=(
            tuple(MetaSolution((row, other)) for other in rows),
            tuple(MetaSolution((other, column)) for other in columns),
        ),
    )


def _targets(payoffs: Float64Array, own: Float64Array, other: Float64Array, room: float) -> list[Float64Array]:
    """For each policy in use, the other's strategy among the policies that it does not lose to."""
    value = own @ payoffs @ other
    found = []
    for policy in np.flatnonzero(own > ROUNDING):
        weights = other * (payoffs[policy] >= value - room)
        found.append(weights / weights.sum())  # in equilibrium a policy in use earns the value, so it beats somebody
    return found


META_SOLVER = MetaSolverSpec(id="rectified", solve=solve, source="Balduzzi et al. (2019), ICML, algorithm 4")

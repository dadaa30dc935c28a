"""Nash bargaining meta-solver: the joint distribution with the largest product of the players' gains over no agreement.

Nash (1950), "The bargaining problem", Econometrica 18; as a meta-solver Li et al. (2023), "Combining tree-search,
generative models, and Nash bargaining concepts in game-theoretic reinforcement learning" (arXiv 2302.00797). Maximises
the sum of log(u_p . x - d_p) over the distributions x on profiles, a concave programme, by Clarabel's exponential cones
where the paper ascends a projected gradient. The disagreement d_p is the payoff that p can secure alone (`security`,
its max-min value, by linear programming), its `worst` payoff in the game, or `zero`, the paper's. Payoffs at the
solution are unique, the distribution need not be. Any number of players. New policies respond to the others' joint
marginal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import clarabel
import numpy as np
from scipy import sparse

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Parameter
from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, NoMetaSolutionError, correlated
from eqsolvers.meta._solved import matrix_equilibrium, solvable
from eqsolvers.normal_form._conic import best_distribution
from eqsolvers.normal_form._scales import payoff_ranges

ROOM = 1e-7  # in units of a player's range: gains below it count as none


def disagreement_of(model: NormalFormModel, kind: str) -> Float64Array:
    """What the players get without an agreement, [N]; see the module."""
    if kind == "zero":
        return np.zeros(model.num_players)
    if kind == "worst":
        lowest: Float64Array = model.payoffs.reshape(model.num_players, -1).min(axis=1)
        return lowest
    found = []
    for player, actions in enumerate(model.num_actions):
        against_all = np.moveaxis(model.payoffs[player], player, 0).reshape(actions, -1)
        own, _ = matrix_equilibrium(against_all)
        found.append(float((own @ against_all).min()))
    return np.array(found)


def bargain(gains: Float64Array) -> Float64Array:
    """The distribution x [size] that maximises the sum of log(gains @ x), gains [N, size] of the order of 1.

    Raises:
        ConicProgramError: if Clarabel does not reach even its reduced accuracy.
    """
    players, size = gains.shape
    # Variables x and t; (t_p, 1, gains_p . x) in the cone exp(t_p) <= gains_p . x.
    rows: list[Any] = [
        sparse.csc_array(np.concatenate([np.ones(size), np.zeros(players)])[None]),
        sparse.csc_array(sparse.hstack([-sparse.eye_array(size), sparse.csc_array((size, players))])),
    ]
    right: list[Float64Array] = [np.ones(1), np.zeros(size)]
    for player in range(players):
        cone = np.zeros((3, size + players))
        cone[0, size + player] = -1.0
        cone[2, :size] = -gains[player]
        rows.append(sparse.csc_array(cone))
        right.append(np.array([0.0, 1.0, 0.0]))
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(size), *[clarabel.ExponentialConeT()] * players]
    linear = np.concatenate([np.zeros(size), -np.ones(players)])
    blank = sparse.csc_matrix((size + players, size + players))
    found, _ = best_distribution(size, blank, linear, sparse.vstack(rows), np.concatenate(right), cones)
    return found


@solvable
def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The bargaining solution.

    Raises:
        NoMetaSolutionError: if no distribution gives all players more than their disagreement.
    """
    model = game.model
    size = int(np.prod(model.num_actions))
    lowest = disagreement_of(model, settings["disagreement"])
    gains = (model.payoffs.reshape(model.num_players, size) - lowest[:, None]) / payoff_ranges(model)[:, None]
    hopeless = np.flatnonzero(gains.max(axis=1) <= ROOM)
    if len(hopeless):
        raise NoMetaSolutionError(
            f"player {hopeless[0]} gains nothing over disagreement {lowest[hopeless[0]]:.6g} in any profile"
        )
    device = bargain(gains)
    if float((gains @ device).min()) <= ROOM:
        raise NoMetaSolutionError("no distribution over the profiles gives all players more than their disagreement")
    return correlated(device.reshape(model.num_actions))


META_SOLVER = MetaSolverSpec(
    id="nash_bargaining",
    solve=solve,
    source="Nash (1950), Econometrica 18; Li et al. (2023), arXiv 2302.00797",
    parameters=(
        Parameter(
            name="disagreement",
            kind=str,
            default="worst",
            choices=("worst", "security", "zero"),
            description="what a player gets without an agreement",
        ),
    ),
)

"""Correlated and coarse correlated equilibria that are best or worst for somebody, by linear programming.

Equilibria of both concepts are polytopes (Aumann 1974; Moulin and Vial 1978), so that any linear objective is optimised
over them exactly, for any number of players: Papadimitriou and Roughgarden (2008), "Computing correlated equilibria in
multi-player games", JACM 55(3), for the programme in normal form. Solved by HiGHS with a sparse matrix of
`sum_p A_p (A_p - 1)` rows ("ce") or `sum_p A_p` rows ("cce") over all profiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import CorrelatedStrategy
from eqenvs.spec import Family, Parameter
from eqsolvers.highs import LinearProgramError, minimise
from eqsolvers.normal_form._epsilon import NONE, Epsilon, loosened
from eqsolvers.normal_form._incentives import CONCEPTS
from eqsolvers.result import SolverResult, SolverSpec, failed, finished

OBJECTIVES = ("welfare", "min_welfare", "player", "feasibility")


def objective_of(model: NormalFormModel, objective: str, player: int = 0) -> Float64Array:
    """What is maximised, per profile [A_0, ..., A_{N-1}]: see the parameter `objective` of the solver.

    Raises:
        InputError: if there is no such player.
    """
    if not 0 <= player < model.num_players:
        raise InputError(f"correlated-lp: player must be from 0 to {model.num_players - 1}, got {player}")
    welfare: Float64Array = model.payoffs.sum(axis=0)
    weights = {
        "welfare": welfare,
        "min_welfare": -welfare,
        "player": np.asarray(model.payoffs[player]),
        "feasibility": np.zeros(model.num_actions),
    }
    return weights[objective]


def optimal_device(
    model: NormalFormModel,
    concept: str,
    weights: Float64Array,
    epsilon: Epsilon = NONE,
) -> tuple[Float64Array, int]:
    """The (epsilon-)equilibrium with the largest expected weight, and the simplex iterations that it took.

    Args:
        model: the game.
        concept: "ce" or "cce".
        weights: [A_0, ..., A_{N-1}].
        epsilon: by how much deviations may gain.

    Raises:
        GameTooLargeError: if the programme is too large.
        LinearProgramError: if the programme could not be solved, with HiGHS's message.
    """
    programme = loosened(model, concept, epsilon)
    matrix = programme.matrix
    _, bound = programme.allowed[
        -1
    ]  # rows have HiGHS's tolerance: the largest room is the one that it can tell from none
    size = weights.size
    span = float(np.ptp(weights)) or 1.0  # the objective's unit must not meet HiGHS's absolute tolerances either
    found = minimise(
        (weights.min() - weights).ravel() / span,
        a_ub=matrix if matrix.shape[0] else None,
        b_ub=bound if matrix.shape[0] else None,  # type: ignore[arg-type]
        a_eq=np.ones((1, size)),
        b_eq=np.ones(1),
        bounds=[(0, None)] * size,
    )
    device = np.maximum(found.x, 0.0)
    return (device / device.sum()).reshape(model.num_actions), found.iterations


def solve(
    model: NormalFormModel,
    *,
    tolerance: float = 1e-9,
    concept: str = "ce",
    settings: Mapping[str, Any] | None = None,
) -> SolverResult:
    """The best or the worst equilibrium by a linear objective.

    Args:
        model: the game.
        tolerance: the CE or CCE gap, in payoff units, up to which the result counts as converged.
        concept: "ce" or "cce".
        settings: `objective` and `player`, see `SOLVER`.

    >>> chicken = NormalFormModel([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
    >>> solve(chicken).policy.distribution.round(9).tolist()
    [[0.5, 0.25], [0.25, 0.0]]
    """
    chosen = SOLVER.resolve(settings or {})
    weights = objective_of(model, chosen["objective"], chosen["player"])
    try:
        device, iterations = optimal_device(model, concept, weights)
    except LinearProgramError as error:
        return failed(model, "correlated-lp", str(error))
    return finished(
        model,
        CorrelatedStrategy(model, device),
        "correlated-lp",
        iterations=iterations,
        tolerance=tolerance,
        concept=concept,
        detail={"objective": chosen["objective"]},
    )


SOLVER = SolverSpec(
    id="correlated-lp",
    concepts=CONCEPTS,
    family=Family.NORMAL_FORM,
    solve=solve,
    preference=10,
    parameters=(
        Parameter(
            name="objective",
            kind=str,
            default="welfare",
            choices=OBJECTIVES,
            description="Most or least in all the players' payoffs, most for one player, or any equilibrium.",
        ),
        Parameter(name="player", default=0, low=0, description="Whose payoff, with the objective 'player'."),
    ),
    source="Aumann (1974); Moulin, Vial (1978); Papadimitriou, Roughgarden (2008); HiGHS (Huangfu, Hall 2018)",
)

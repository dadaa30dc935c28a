"""Maximum Gini (coarse) correlated equilibrium, MG(C)CE: the flattest distribution among the epsilon-equilibria.

Maximises `1 - x.x` over the distributions x with `A x <= epsilon`, where A holds the gains from deviating: a strictly
convex quadratic programme, so that the answer is unique, of full support where the constraints allow it, and the same
whatever the order of the actions. Epsilon bounds each single deviation, weighted by the probability of the
recommendation; the gap that `score` reports is the sum of the players' best ones.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML. Any number of players; Clarabel solves it to about 1e-12 in the objective, so that a degenerate
game may show 1e-7 in a probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import CorrelatedStrategy
from eqenvs.spec import Family
from eqsolvers.highs import LinearProgramError
from eqsolvers.normal_form._conic import ConicProgramError, most_even
from eqsolvers.normal_form._epsilon import PARAMETERS, first_solved, loosened
from eqsolvers.normal_form._incentives import CONCEPTS, incentives
from eqsolvers.result import SolverResult, SolverSpec, Status, failed, finished


def max_gini_device(
    model: NormalFormModel,
    concept: str,
    *,
    epsilon: float = 0.0,
    relative: bool = False,
    min_epsilon: bool = False,
) -> tuple[Float64Array, float, int]:
    """The MG(C)CE [A_0, ..., A_{N-1}], its epsilon in payoff units, and the iterations.

    Args:
        model: the game.
        concept: "ce" or "cce".
        epsilon: see `SOLVER`.
        relative: see `SOLVER`.
        min_epsilon: see `SOLVER`.

    Raises:
        ConicProgramError: if the quadratic programme could not be solved.
        GameTooLargeError: if it is too large.
        LinearProgramError: if the least epsilon could not be found.
    """
    matrix, allowed = loosened(model, concept, epsilon=epsilon, relative=relative, min_epsilon=min_epsilon)
    (device, iterations), bound = first_solved(lambda gains: most_even(matrix, gains, entropy=False), allowed)
    return device.reshape(model.num_actions), bound, iterations


def solve(
    model: NormalFormModel,
    *,
    tolerance: float = 1e-9,
    concept: str = "ce",
    settings: Mapping[str, Any] | None = None,
) -> SolverResult:
    """The MGCE or MGCCE.

    Args:
        model: the game.
        tolerance: by how much, in payoff units, the largest gain from a deviation may exceed epsilon for the result to
            count as converged; where epsilon is 0 or less, the CE or CCE gap, which is the residual always.
        concept: "ce" or "cce".
        settings: `epsilon`, `relative` and `min_epsilon`, see `SOLVER`.

    Raises:
        InputError: if `min_epsilon` is asked for together with an epsilon.

    >>> chicken = NormalFormModel([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
    >>> (34 * solve(chicken).policy.distribution).round(6).tolist()
    [[9.0, 10.0], [10.0, 5.0]]
    """
    chosen = SOLVER.resolve(settings or {})
    if chosen["min_epsilon"] and (chosen["epsilon"] or chosen["relative"]):
        raise InputError("max-gini: min_epsilon chooses epsilon itself; leave epsilon and relative out")
    try:
        device, epsilon, iterations = max_gini_device(model, concept, **chosen)
    except (ConicProgramError, LinearProgramError) as error:
        return failed(model, "max-gini", str(error))
    policy = CorrelatedStrategy(model, device)
    gains = incentives(model, concept) @ policy.distribution.ravel()
    excess = max(0.0, float(gains.max(initial=0.0)) - max(epsilon, 0.0))
    result = finished(
        model,
        policy,
        "max-gini",
        iterations=iterations,
        tolerance=tolerance,
        concept=concept,
        detail={"epsilon": epsilon, "excess": excess, "gini": float(1 - (device**2).sum())},
    )
    if epsilon > 0:  # what was asked for is an epsilon-equilibrium
        result = replace(result, status=Status.CONVERGED if excess <= tolerance else Status.INACCURATE)
    return result


SOLVER = SolverSpec(
    id="max-gini",
    concepts=CONCEPTS,
    family=Family.NORMAL_FORM,
    solve=solve,
    parameters=PARAMETERS,
    source="Marris, Muller, Lanctot, Tuyls, Graepel (2021), ICML; Clarabel (Goulart, Chen 2024)",
)

"""Maximum Gini (coarse) correlated equilibrium, MG(C)CE: the flattest distribution among the epsilon-equilibria.

Maximises `1 - x.x` over the distributions x with `A x <= epsilon`, where A holds the gains from deviating: a strictly
convex quadratic programme, so that the answer is unique, of full support where the constraints allow it, and the same
whatever the order of the actions. Epsilon bounds each single deviation, weighted by the probability of the
recommendation; the gap that `score` reports is the sum of the players' best ones.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML. Any number of players. By Newton's method on the dual, which has a price for each deviation that
can pay, rather than a variable for each profile; where it does not end soon, by Clarabel. Cost, of m prices that count
and n profiles in use: O(m^2 n + m^3) a step, about ten steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import CorrelatedStrategy
from eqenvs.spec import Family
from eqsolvers.highs import LinearProgramError
from eqsolvers.normal_form._conic import ConicProgramError
from eqsolvers.normal_form._epsilon import NONE, PARAMETERS, Epsilon
from eqsolvers.normal_form._even import EvenDevice, even_device
from eqsolvers.normal_form._incentives import CONCEPTS, incentives
from eqsolvers.result import SolverResult, SolverSpec, Status, failed, finished


def max_gini_device(
    model: NormalFormModel,
    concept: str,
    epsilon: Epsilon = NONE,
    *,
    start: Sequence[Float64Array] | None = None,
) -> EvenDevice:
    """The MG(C)CE; see `even_device`, also for what is raised.

    Args:
        model: the game.
        concept: "ce" or "cce".
        epsilon: by how much deviations may gain.
        start: prices of a similar game to start from.
    """
    return even_device(model, concept, epsilon, entropy=False, start=start)


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
    epsilon = Epsilon(**SOLVER.resolve(settings or {}))
    try:
        found = max_gini_device(model, concept, epsilon)
    except (ConicProgramError, LinearProgramError) as error:
        return failed(model, "max-gini", str(error))
    policy = CorrelatedStrategy(model, found.device)
    gains = incentives(model, concept) @ policy.distribution.ravel()
    excess = max(0.0, float(gains.max(initial=0.0)) - max(found.epsilon, 0.0))
    result = finished(
        model,
        policy,
        "max-gini",
        iterations=found.iterations,
        tolerance=tolerance,
        concept=concept,
        detail={
            "epsilon": found.epsilon,
            "excess": excess,
            "gini": float(1 - (found.device**2).sum()),
            "duality_gap": found.gap,
        },
    )
    if found.epsilon > 0:  # what was asked for is an epsilon-equilibrium
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

"""Maximum entropy (coarse) correlated equilibrium: the least committed distribution among the equilibria.

Maximises Shannon's entropy `-sum x log x` over the polytope of equilibria; strictly concave, so that the answer is
unique, and inside the support of the equilibria a product of exponentials with one weight for each deviation. Solved
in the primal by Clarabel with one exponential cone for each profile, which needs no equilibrium of full support, where
the method of the paper, gradient ascent on the dual, has its multipliers go to infinity.

Ortiz, Schapire and Kakade (2007), "Maximum entropy correlated equilibria", AISTATS. Any number of players.
"""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import CorrelatedStrategy
from eqenvs.spec import Family
from eqsolvers.normal_form._conic import ConicProgramError, most_even
from eqsolvers.normal_form._epsilon import first_solved, loosened
from eqsolvers.normal_form._incentives import CONCEPTS
from eqsolvers.result import SolverResult, SolverSpec, failed, finished


def max_entropy_device(
    model: NormalFormModel,
    concept: str,
    *,
    epsilon: float = 0.0,
    relative: bool = False,
    min_epsilon: bool = False,
) -> tuple[Float64Array, int]:
    """The (epsilon-)equilibrium of greatest entropy [A_0, ..., A_{N-1}], and the iterations.

    Args:
        model: the game.
        concept: "ce" or "cce".
        epsilon: see `_epsilon.PARAMETERS`.
        relative: see `_epsilon.PARAMETERS`.
        min_epsilon: see `_epsilon.PARAMETERS`.

    Raises:
        ConicProgramError: if the programme could not be solved.
        GameTooLargeError: if it is too large.
        LinearProgramError: if the least epsilon could not be found.
    """
    matrix, allowed = loosened(model, concept, epsilon=epsilon, relative=relative, min_epsilon=min_epsilon)
    (device, iterations), _ = first_solved(lambda gains: most_even(matrix, gains, entropy=True), allowed)
    return device.reshape(model.num_actions), iterations


def solve(model: NormalFormModel, *, tolerance: float = 1e-9, concept: str = "ce") -> SolverResult:
    """The maximum entropy equilibrium.

    Args:
        model: the game.
        tolerance: the CE or CCE gap, in payoff units, up to which the result counts as converged.
        concept: "ce" or "cce".

    >>> pennies = NormalFormModel([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    >>> solve(pennies).policy.distribution.round(6).tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    try:
        device, iterations = max_entropy_device(model, concept)
    except ConicProgramError as error:
        return failed(model, "max-entropy", str(error))
    return finished(
        model,
        CorrelatedStrategy(model, device),
        "max-entropy",
        iterations=iterations,
        tolerance=tolerance,
        concept=concept,
        detail={"entropy": float(-np.sum(xlogy(device, device)))},
    )


SOLVER = SolverSpec(
    id="max-entropy",
    concepts=CONCEPTS,
    family=Family.NORMAL_FORM,
    solve=solve,
    source="Ortiz, Schapire, Kakade (2007), AISTATS; Clarabel (Goulart, Chen 2024)",
)

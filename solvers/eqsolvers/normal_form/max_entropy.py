"""Maximum entropy (coarse) correlated equilibrium: the least committed distribution among the equilibria.

Maximises Shannon's entropy `-sum x log x` over the polytope of equilibria; strictly concave, so that the answer is
unique, and inside the support of the equilibria a product of exponentials with one weight for each deviation. Solved
by Newton's method on the dual; where no equilibrium has full support these weights go to infinity, at a price of one
step for a factor of e in what is left of the unused profiles, until it is rounding. Where the method does not end soon,
Clarabel does it in the primal, with one exponential cone for each profile.

Ortiz, Schapire and Kakade (2007), "Maximum entropy correlated equilibria", AISTATS; there by gradient ascent. Any
number of players.
"""

from __future__ import annotations

from collections.abc import Sequence

from scipy.special import entr

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import CorrelatedStrategy
from eqenvs.spec import Family
from eqsolvers.normal_form._conic import ConicProgramError
from eqsolvers.normal_form._epsilon import NONE, Epsilon
from eqsolvers.normal_form._even import EvenDevice, even_device
from eqsolvers.normal_form._incentives import CONCEPTS
from eqsolvers.result import SolverResult, SolverSpec, failed, finished


def max_entropy_device(
    model: NormalFormModel,
    concept: str,
    epsilon: Epsilon = NONE,
    *,
    start: Sequence[Float64Array] | None = None,
) -> EvenDevice:
    """The (epsilon-)equilibrium of greatest entropy; see `even_device`, also for what is raised.

    Args:
        model: the game.
        concept: "ce" or "cce".
        epsilon: by how much deviations may gain.
        start: prices of a similar game to start from.
    """
    return even_device(model, concept, epsilon, entropy=True, start=start)


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
        found = max_entropy_device(model, concept)
    except ConicProgramError as error:
        return failed(model, "max-entropy", str(error))
    return finished(
        model,
        CorrelatedStrategy(model, found.device),
        "max-entropy",
        iterations=found.iterations,
        tolerance=tolerance,
        concept=concept,
        detail={"entropy": float(entr(found.device).sum()), "duality_gap": found.gap},
    )


SOLVER = SolverSpec(
    id="max-entropy",
    concepts=CONCEPTS,
    family=Family.NORMAL_FORM,
    solve=solve,
    source="Ortiz, Schapire, Kakade (2007), AISTATS; Clarabel (Goulart, Chen 2024)",
)

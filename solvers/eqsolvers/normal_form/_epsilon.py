"""Epsilon-equilibria: by how much deviations may gain in the programmes that choose among correlated equilibria.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML. Epsilon bounds each single deviation, weighted by the probability of the recommendation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Parameter
from eqsolvers.highs import minimise
from eqsolvers.normal_form._conic import ConicProgramError
from eqsolvers.normal_form._incentives import scaled_incentives
from eqsolvers.normal_form._scales import largest_range

FoundT = TypeVar("FoundT")

PARAMETERS = (
    Parameter(name="epsilon", kind=float, default=0.0, low=0, description="The gain that a deviation may have."),
    Parameter(
        name="relative",
        kind=bool,
        default=False,
        description="Epsilon as a fraction of the largest gain under uniform play, which 1 therefore allows.",
    ),
    Parameter(
        name="min_epsilon",
        kind=bool,
        default=False,
        description="The least epsilon for which there is an equilibrium, which may be negative.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Epsilon:
    """By how much deviations may gain; the fields are `PARAMETERS`.

    Raises:
        InputError: if `min_epsilon` is asked for together with another rule.
    """

    epsilon: float = 0.0
    relative: bool = False
    min_epsilon: bool = False

    def __post_init__(self) -> None:
        if self.min_epsilon and (self.epsilon or self.relative):
            raise InputError("min_epsilon chooses epsilon itself; leave epsilon and relative out")


NONE = Epsilon()

# The distributions that attain the least epsilon may have no interior, which an interior-point method needs: what
# epsilon is raised by, in units of the payoffs' range, until the method succeeds.
ROOMS = (1e-9, 1e-8, 1e-7)


def least_epsilon(matrix: Any, weights: Float64Array) -> float:
    """The smallest e, also below 0, for which some distribution has `matrix @ x <= e weights`.

    Args:
        matrix: CSR [rows, size], of the order of 1, with a row at least.
        weights: [rows], positive.

    Raises:
        LinearProgramError: if the programme could not be solved, with HiGHS's message.
    """
    rows, size = matrix.shape
    found = minimise(
        np.append(np.zeros(size), 1.0),
        a_ub=sparse.hstack([matrix, sparse.csr_array(-weights[:, None])]),
        b_ub=np.zeros(rows),
        a_eq=np.append(np.ones(size), 0.0)[None],
        b_eq=np.ones(1),
        bounds=[(0, None)] * size + [(None, None)],
    )
    return float(found.x[-1])


@dataclass(frozen=True)
class Loosened:
    """The conditions of an epsilon-equilibrium x: `matrix @ x <= bound`, for the first bound that can be met.

    Attributes:
        matrix: the gains from deviating, CSR [rows, profiles], in units of their players' ranges.
        units: [rows], these ranges in payoff.
        deviations: [rows, 2 or 3], whose gains they are; see `scaled_incentives`.
        allowed: (epsilon in payoff, the bound of each row) to be tried in turn: the distributions that attain the least
            epsilon may have no interior.
    """

    matrix: Any
    units: Float64Array
    deviations: IntArray
    allowed: tuple[tuple[float, Float64Array], ...]


def loosened(model: NormalFormModel, concept: str, epsilon: Epsilon) -> Loosened:
    """The conditions of an epsilon-equilibrium.

    Args:
        model: the game.
        concept: "ce" or "cce".
        epsilon: by how much deviations may gain.

    Raises:
        GameTooLargeError: if the programme is too large.
        LinearProgramError: if the least epsilon could not be found.
    """
    unit = largest_range(model)
    matrix, units, deviations = scaled_incentives(model, concept, complete=epsilon.min_epsilon)
    weights = unit / units  # rows are in units of their players' ranges, epsilon is in payoff
    bounds = [epsilon.epsilon / unit]
    if epsilon.relative:
        most = max(0.0, float((matrix.mean(axis=1) / weights).max())) if len(units) else 0.0
        bounds = [epsilon.epsilon * most]
    if epsilon.min_epsilon and len(units):
        least = least_epsilon(matrix, weights)
        bounds = [min(0.0, least + room) for room in ROOMS]  # every game has an equilibrium with epsilon 0
    return Loosened(matrix, units, deviations, tuple((bound * unit, bound * weights) for bound in bounds))


def first_solved(
    solve: Callable[[Float64Array], FoundT], allowed: Sequence[tuple[float, Float64Array]]
) -> tuple[FoundT, float]:
    """What `solve` finds for the first bound that it succeeds with, and the epsilon of it.

    Raises:
        ConicProgramError: if it succeeds with none.
    """
    for epsilon, bound in allowed[:-1]:
        try:
            return solve(bound), epsilon
        except ConicProgramError:
            continue
    epsilon, bound = allowed[-1]
    return solve(bound), epsilon

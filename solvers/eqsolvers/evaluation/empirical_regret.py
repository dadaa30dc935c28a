"""How good populations of policies are: regret in the combined game, after one and the same solver for all of them.

Wang, Ma and Wellman (2022), "Evaluating strategy exploration in empirical game-theoretic analysis", AAMAS. Ways to
explore (the variants of PSRO) are judged by the strategies that they have found, not by how they mix them meanwhile:
each population is a restriction of a game, a solver picks a profile of it, and the profile's regret is taken in the
game with all strategies. Their consistency criterion: the solver has to be the same one for all that is compared,
whatever each used to grow its population; by default the Nash meta-solver. Where the true game is too large for its
regret, the *combined game* of the policies of all variants stands in for it, and its regrets are lower bounds.

A solver's choice can still be unlucky. The *minimum-regret constrained profile* is what the restriction could do at
best; its regret never rises as a population grows. Of two players and constant sum it is a pair of matrix games: a
player's maximin strategy over its own policies against all of the other's (Jordan, Schvartzman and Wellman 2010,
"Strategy exploration in empirical games", AAMAS, for the notion).

Regret here is the sum over the players of what each gains by any policy of the combined game, so it is the NashConv
there; for a correlation device, its CCE gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models.normal_form import NormalFormModel
from eqsolvers.meta import MetaSolution, NoMetaSolutionError, find_meta_solver
from eqsolvers.normal_form import simplex
from eqsolvers.normal_form._zero_sum import with_fallback

CONSTANT = 1e-6  # of the largest payoff: how constant a sum is that counts as constant


@dataclass(frozen=True, eq=False)
class Variant:
    """A way to explore, and what it has found.

    Attributes:
        name: what it is called.
        policies: per player, [K_p] int64, which policies of the combined game are its own, in the order in which they
            were found; a policy may be there twice.
        sizes: per stage, of how many policies each player's population consisted then: the first ones.
        solution: how it mixes all of them itself; None where it does not say.
    """

    name: str
    policies: tuple[Sequence[int], ...]
    sizes: tuple[tuple[int, ...], ...]
    solution: MetaSolution | None = None


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A profile over some policies of the combined game.

    Attributes:
        sizes: of the populations.
        gains: [N] float64, what each player gains by the best policy of the combined game; NaN where the solver found
            no profile.
        solution: the profile, over the population's policies; None where there is none.
        message: what the solver said of it, if anything.
    """

    sizes: tuple[int, ...]
    gains: Float64Array
    solution: MetaSolution | None
    message: str = ""

    @property
    def regret(self) -> float:
        """The sum of the gains."""
        return float(self.gains.sum())


def regret(payoffs: Float64Array, policies: Sequence[Sequence[int]], solution: MetaSolution) -> Float64Array:
    """What each player gains by deviating from a profile to any policy of the combined game, [N] float64.

    Args:
        payoffs: [N, M_0, ..., M_{N-1}], of the combined game.
        policies: per player, the policies that the profile is over.
        solution: the profile.

    >>> pennies = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])
    >>> first = MetaSolution((np.ones(1), np.ones(1)))
    >>> regret(pennies, [[0], [0]], first).tolist()
    [0.0, 2.0]
    """
    gains = np.empty(len(payoffs))
    for player, own in enumerate(payoffs):
        others = [index for p, index in enumerate(policies) if p != player]
        faced = np.moveaxis(own, player, 0)[np.ix_(range(own.shape[player]), *others)]
        if solution.device is None:
            value = faced
            for weights in reversed([each for p, each in enumerate(solution.strategies) if p != player]):
                value = value @ weights
            earned = float(solution.strategies[player] @ value[list(policies[player])])
        else:
            device = np.moveaxis(solution.device, player, 0)
            value = np.tensordot(faced, device.sum(axis=0), axes=device.ndim - 1)
            earned = float(np.vdot(device, faced[list(policies[player])]))
        # All of a profile's own policies are deviations too, so no gain is below 0 but by rounding.
        gains[player] = max(0.0, float(value.max()) - earned)
    return gains


def evaluate(
    payoffs: Float64Array,
    policies: Sequence[Sequence[int]],
    *,
    solver: str = "nash",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Evaluated:
    """A population by the profile that the evaluation solver picks from it.

    Args:
        payoffs: [N, M_0, ..., M_{N-1}], of the combined game.
        policies: per player, those of the population.
        solver: id of a meta-solver.
        settings: the solver's own.
        seed: of what is random in it.

    Raises:
        InputError: for payoffs, policies or settings that are none.
        UnknownNameError: if there is no such solver.
        UnsupportedGame: if the solver does not cover the game.
    """
    meta_solver = find_meta_solver(solver)
    sizes = tuple(map(len, policies))
    restricted = payoffs[np.ix_(range(len(payoffs)), *policies)]
    try:
        solution = meta_solver(restricted, settings, seed=seed)
    except NoMetaSolutionError as error:
        return Evaluated(sizes, np.full(len(payoffs), np.nan), None, str(error))
    return Evaluated(sizes, regret(payoffs, policies, solution), solution, solution.message)


def regret_curve(
    payoffs: Float64Array,
    variant: Variant,
    *,
    solver: str = "nash",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> list[Evaluated]:
    """A variant's populations, stage by stage, each by the evaluation solver; arguments as of `evaluate`.

    Stages with the populations of the one before are not solved again.

    Raises:
        InputError: as `evaluate`, and for a variant whose policies or sizes are not those of the game.
    """
    checked_variant(payoffs, variant)
    found: list[Evaluated] = []
    for sizes in variant.sizes:
        if found and found[-1].sizes == sizes:
            found.append(found[-1])
            continue
        policies = [own[:size] for own, size in zip(variant.policies, sizes, strict=True)]
        found.append(evaluate(payoffs, policies, solver=solver, settings=settings, seed=seed))
    return found


def least_regret(payoffs: Float64Array, policies: Sequence[Sequence[int]]) -> Evaluated:
    """The minimum-regret constrained profile of a two-player constant-sum game.

    Raises:
        InputError: for any other game.
        LinearProgramError: if a matrix game could not be solved.
    """
    if not (len(payoffs) == 2 and NormalFormModel(payoffs).constant_sum(CONSTANT)):
        raise InputError("minimum-regret constrained profiles are found for two players of constant sum")
    rows, columns = payoffs[0][list(policies[0])], payoffs[0][:, list(policies[1])]
    row = with_fallback(rows, simplex.solve_matrix(rows)).row
    column = with_fallback(columns, simplex.solve_matrix(columns)).column
    solution = MetaSolution((row, column))
    return Evaluated(tuple(map(len, policies)), regret(payoffs, policies, solution), solution)


def checked_variant(payoffs: Float64Array, variant: Variant) -> None:
    """Check that a variant is one of the combined game.

    Raises:
        InputError: if a player or a policy is missing or unknown, or a stage has more policies than there are.
    """
    shape = payoffs.shape[1:]
    if len(variant.policies) != len(shape):
        raise InputError(f"{variant.name}: policies are needed for {len(shape)} players, got {len(variant.policies)}")
    for player, (own, number) in enumerate(zip(variant.policies, shape, strict=True)):
        if any(not 0 <= policy < number for policy in own):
            raise InputError(f"{variant.name}: player {player} has {number} policies in the combined game")
        for sizes in variant.sizes:
            if len(sizes) != len(shape) or not 1 <= sizes[player] <= len(own):
                raise InputError(
                    f"{variant.name}: sizes {sizes} must give player {player} from 1 to {len(own)} of its policies"
                )

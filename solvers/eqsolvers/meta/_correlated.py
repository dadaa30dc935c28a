"""Meta-solvers that choose among the (coarse) correlated equilibria of the empirical game: what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, correlated
from eqsolvers.meta._solved import solvable
from eqsolvers.normal_form._epsilon import PARAMETERS, Epsilon
from eqsolvers.normal_form._even import EvenDevice
from eqsolvers.normal_form._scales import largest_range
from eqsolvers.normal_form.correlated_lp import optimal_device

ACCURACY = 1e-8  # in units of the payoffs' range and of the duality gap: what is further off is warned of


def even_meta_solver(id: str, device: Callable[..., EvenDevice], concept: str, source: str) -> MetaSolverSpec:
    """A meta-solver of the most even equilibrium; it starts from the prices of the last one, its memory.

    The residual is the larger of the excess of the gains from deviating over epsilon, in payoff, and the duality gap.

    Args:
        id: of the meta-solver.
        device: `max_gini_device` or `max_entropy_device`.
        concept: "ce": next policies respond to each recommendation; "cce": once, to the others' joint marginal.
        source: the paper.
    """

    @solvable
    def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
        names = [f"prices_{player}" for player in range(game.model.num_players)]
        known = all(name in game.memory for name in names)
        start = [game.memory[name] for name in names] if known else None
        found = device(game.model, concept, Epsilon(**settings), start=start)
        exact = max(found.violation / largest_range(game.model), found.gap) <= ACCURACY
        message = f"gains exceed epsilon by {found.violation:.3g}, duality gap {found.gap:.3g}"
        return replace(
            correlated(found.device, told=concept == "ce"),
            residual=max(found.violation, found.gap),
            message="" if exact else message,
            memory=dict(zip(names, found.prices, strict=True)),
        )

    return MetaSolverSpec(id=id, solve=solve, source=source, parameters=PARAMETERS)


def linear_meta_solver(
    id: str, weights: Callable[[EmpiricalGame], Float64Array], concept: str, source: str
) -> MetaSolverSpec:
    """A meta-solver of the equilibrium with the largest expected weight.

    Args:
        id: of the meta-solver.
        weights: of the profiles, [K_0, ..., K_{N-1}].
        concept: as of `even_meta_solver`.
        source: the paper.
    """

    @solvable
    def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
        device, _ = optimal_device(game.model, concept, weights(game), Epsilon(**settings))
        return correlated(device, told=concept == "ce")

    return MetaSolverSpec(id=id, solve=solve, source=source, parameters=PARAMETERS)


def welfare(game: EmpiricalGame) -> Float64Array:
    """What all players get together, [K_0, ..., K_{N-1}]."""
    total: Float64Array = game.model.payoffs.sum(axis=0)
    return total


def random_weights(game: EmpiricalGame) -> Float64Array:
    """Normally distributed, [K_0, ..., K_{N-1}], by the seed of the iteration."""
    return np.random.default_rng(game.seed).standard_normal(game.model.num_actions)

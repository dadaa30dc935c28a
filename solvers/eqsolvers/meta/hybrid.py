"""Hybrid meta-solver: a mixture of other meta-solvers' strategies, annealed towards those nearest to equilibrium.

Li, Li, Yang, Wang, Huang, Chan and An (2024), "Self-adaptive PSRO: towards an automatic population-based game solver",
IJCAI (arXiv 2404.11144): strategies are a convex combination of those that several meta-solvers find. There the weights
are learned across runs; here they follow from the empirical game, softmax of -gap / temperature, gap being the
NashConv of a component's strategies in units of the largest range of payoffs and the temperature falling exponentially
with the iterations. At first all components count about the same, in the end the one that is nearest to equilibrium.
Any number of players; of a device the marginals count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import softmax

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Parameter
from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, find_meta_solver, independent
from eqsolvers.normal_form._scales import largest_range


def gap(model: NormalFormModel, strategies: tuple[Float64Array, ...]) -> float:
    """The sum of the players' gains from deviating, in payoff."""
    payoffs = [model.gradient(player, list(strategies)) for player in range(model.num_players)]
    return sum(float(u.max() - x @ u) for x, u in zip(strategies, payoffs, strict=True))


def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The mixture.

    Raises:
        UnknownNameError: for a component that is no meta-solver.
        InputError: for one that needs more than the empirical game.
    """
    names = [name.strip() for name in settings["components"].split(",")]
    for name in names:
        spec = find_meta_solver(name)
        if spec.learns or spec.needs_outside:
            raise InputError(f"hybrid: component {name!r} needs more than the empirical game; use 'nash' or 'prd'")
    found = [
        find_meta_solver(name)(game.model.payoffs, iteration=game.iteration, seed=game.seed).strategies
        for name in names
    ]
    share = min(1.0, game.iteration / settings["over"])
    temperature = settings["start"] ** (1 - share) * settings["end"] ** share
    gaps = np.array([gap(game.model, strategies) for strategies in found]) / largest_range(game.model)
    weights = softmax(-gaps / temperature)
    return independent(
        [sum(weight * x for weight, x in zip(weights, own, strict=True)) for own in zip(*found, strict=True)]
    )


META_SOLVER = MetaSolverSpec(
    id="hybrid",
    solve=solve,
    source="Li et al. (2024), IJCAI",
    parameters=(
        Parameter(name="components", kind=str, default="uniform,prd,nash", description="ids, separated by commas"),
        Parameter(name="start", kind=float, default=1.0, low=1e-9, high=1e9, description="temperature at iteration 0"),
        Parameter(name="end", kind=float, default=0.01, low=1e-9, high=1e9, description="temperature in the end"),
        Parameter(name="over", default=20, low=1, description="iterations from start to end"),
    ),
)

"""Projected replicator dynamics meta-solver: replicator dynamics that leave every policy a least probability.

Lanctot et al. (2017), "A unified game-theoretic approach to multiagent reinforcement learning", NeurIPS, section 3.1:

    x <- P(x + dt dx),    dx_k = x_k (u_k - x.u),

P being the nearest point of the simplex whose entries are at least exploration / (K + 1). The strategies are the
averages over all steps from uniform play. Any number of players. Cost: steps x N contractions of the payoff tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.spec import Parameter
from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, independent
from eqsolvers.normal_form._scales import largest_range
from eqsolvers.simplex import project


def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The averages."""
    model, sizes = game.model, game.model.num_actions
    rate = settings["step"] / largest_range(model)
    least = [settings["exploration"] / (size + 1) for size in sizes]
    strategies: list[Float64Array] = [np.full(size, 1.0 / size) for size in sizes]
    sums = [np.zeros(size) for size in sizes]
    for _ in range(settings["steps"]):
        payoffs = [model.gradient(player, strategies) for player in range(len(sizes))]
        strategies = [
            project(x + rate * x * (u - x @ u), low) for x, u, low in zip(strategies, payoffs, least, strict=True)
        ]
        for total, x in zip(sums, strategies, strict=True):
            total += x
    return independent([total / total.sum() for total in sums])


META_SOLVER = MetaSolverSpec(
    id="prd",
    solve=solve,
    source="Lanctot et al. (2017), NeurIPS, section 3.1",
    parameters=(
        Parameter(name="steps", default=5000, low=1, high=10_000_000, description="of the dynamics"),
        Parameter(
            name="step", default=0.05, kind=float, low=1e-9, high=1.0, description="dt, in 1 / the payoffs' range"
        ),
        Parameter(
            name="exploration",
            default=1e-6,
            kind=float,
            low=0.0,
            high=1.0,
            description="gamma: K + 1 times the least share",
        ),
    ),
)

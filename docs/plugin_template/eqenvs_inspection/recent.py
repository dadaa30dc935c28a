"""Meta-solver: the uniform mixture of each population's last policies; with a window of 1, iterated best response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqenvs.spec import Parameter
from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, independent


def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """Equal weights on the last `window` policies of each population, none on those before."""
    strategies = []
    for size in game.model.num_actions:
        last = min(size, settings["window"])
        strategies.append(np.where(np.arange(size) >= size - last, 1.0 / last, 0.0))
    return independent(strategies)


META_SOLVER = MetaSolverSpec(
    id="recent",
    solve=solve,
    source="none",
    parameters=(Parameter(name="window", default=3, low=1, description="policies that count"),),
)

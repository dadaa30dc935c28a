"""Replicator meta-solver: the time averages of the replicator dynamics from uniform play.

In two-player constant-sum games they tend to an equilibrium, `sum_p log(K_p) / time` from it at most; elsewhere the
joint average, of which these are the marginals, tends to the coarse correlated equilibria. Hofbauer, Sorin and Viossat
(2009), "Time average replicator and best-reply dynamics", Mathematics of Operations Research 34.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, independent, marginals
from eqsolvers.normal_form import replicator


def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The averages."""
    device = replicator.average_play(game.model, time=settings["time"], step=settings["step"])
    return independent(list(marginals(device)))


META_SOLVER = MetaSolverSpec(
    id="replicator",
    solve=solve,
    source="Hofbauer, Sorin and Viossat (2009), Mathematics of Operations Research 34",
    parameters=replicator.SOLVER.parameters,
)

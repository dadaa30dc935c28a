"""Meta-solvers: from an empirical game's payoff tensor to strategies over the populations; one file each.

A meta-solver's file defines `META_SOLVER`, a function from payoffs [N, K_0, ..., K_{N-1}] to a `MetaSolution`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from eqenvs import discovery
from eqenvs.arrays import Float64Array


@dataclass(frozen=True)
class MetaSolution:
    """How the populations are mixed.

    Attributes:
        strategies: one [K_p] float64 distribution per player; for a device, its marginals.
        device: [K_0, ..., K_{N-1}] float64, the joint distribution, or None where the players mix independently.
    """

    strategies: tuple[Float64Array, ...]
    device: Float64Array | None = None


MetaSolver: TypeAlias = Callable[[Float64Array], MetaSolution]


def meta_solver_ids() -> list[str]:
    """The ids of all meta-solvers."""
    return list(discovery.modules("eqsolvers.meta"))


def find_meta_solver(name: str) -> MetaSolver:
    """The meta-solver called `name`.

    Raises:
        UnknownNameError: naming the nearest one.
    """
    found: MetaSolver = discovery.load("eqsolvers.meta", "meta-solver", name, "META_SOLVER")
    return found

"""Meta-solvers: from an empirical game to strategies over the populations; one file each.

A meta-solver's file defines `META_SOLVER`, a `MetaSolverSpec` whose `solve` is a pure function of the empirical game
and the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np

from eqenvs import discovery
from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Parameterised


@dataclass(frozen=True)
class EmpiricalGame:
    """What a meta-solver sees.

    Attributes:
        model: the game between the populations.
        iteration: of the loop that asks, for settings that change with it.
        seed: of what is random, of this iteration alone.
        memory: what the last solution left, see there; empty at the first one.
        outside: the whole game, or None where it is not known exactly.
    """

    model: NormalFormModel
    iteration: int = 0
    seed: int = 0
    memory: Mapping[str, Any] = field(default_factory=dict)
    outside: Outside | None = None


class Outside(Protocol):
    """The game that an empirical game is a part of, where it is known exactly."""

    def against_best_responses(self, strategies: Sequence[Float64Array]) -> tuple[Float64Array, ...]:
        """What every policy gets against the best response of the whole game to its own population's mixture.

        Args:
            strategies: [K_p] per player, of two players.

        Returns:
            [K_p] per player: the payoffs of its policies against the other's best response to `strategies[p]`.
        """


@dataclass(frozen=True)
class MetaSolution:
    """How the populations are mixed, and what the next policies respond to.

    Attributes:
        strategies: one [K_p] float64 distribution per player; for a device, its marginals.
        device: [K_0, ..., K_{N-1}] float64, the joint distribution, or None where the players mix independently.
        targets: per player, what its responses are trained against, a policy for each; empty where that is the
            solution itself, for everybody.
        residual: how far the solution is from what the meta-solver is to find, in its own unit; 0 where it is exact.
        message: what to know about it where it is not; empty otherwise.
        memory: for the next call, of populations that may have grown by then, such as a point to start from; nested
            dicts, lists, numbers and arrays.
    """

    strategies: tuple[Float64Array, ...]
    device: Float64Array | None = None
    targets: tuple[tuple[MetaSolution, ...], ...] = ()
    residual: float = 0.0
    message: str = ""
    memory: Mapping[str, Any] = field(default_factory=dict)

    def against(self, player: int) -> tuple[MetaSolution, ...]:
        """What the responses of `player` are trained against, one policy for each."""
        return self.targets[player] if self.targets else (self,)

    def joint(self) -> Float64Array:
        """The joint distribution [K_0, ..., K_{N-1}]: the device, or the product of the strategies."""
        if self.device is not None:
            return self.device
        product = np.ones(())
        for strategy in self.strategies:
            product = np.multiply.outer(product, strategy)
        return product


Solve: TypeAlias = Callable[[EmpiricalGame, Mapping[str, Any]], MetaSolution]


@dataclass(frozen=True, kw_only=True)
class MetaSolverSpec(Parameterised):
    """A meta-solver that can be asked for by name.

    Attributes:
        solve: from (the empirical game, all settings) to the solution.
        source: the paper.
        learns: whether its solution rests on what it remembers of all policies, so that none may be taken out.
        needs_outside: whether it looks at the whole game.
    """

    solve: Solve
    source: str
    learns: bool = False
    needs_outside: bool = False

    def __call__(
        self,
        payoffs: Float64Array,
        settings: Mapping[str, Any] | None = None,
        *,
        iteration: int = 0,
        seed: int = 0,
        memory: Mapping[str, Any] | None = None,
        outside: Outside | None = None,
    ) -> MetaSolution:
        """The solution of an empirical game.

        Args:
            payoffs: [N, K_0, ..., K_{N-1}] float64.
            settings: those that are not to be defaults.
            iteration: see `EmpiricalGame`.
            seed: see `EmpiricalGame`.
            memory: see `EmpiricalGame`.
            outside: see `EmpiricalGame`.

        Raises:
            InputError: for payoffs that are no game's, an unknown setting or one out of range.
            NoMetaSolutionError: if there is none, or it could not be found.
            UnsupportedGame: if the meta-solver does not cover such games.
        """
        game = EmpiricalGame(NormalFormModel(payoffs), iteration, seed, memory or {}, outside)
        if self.needs_outside and outside is None:
            raise UnsupportedGame(f"meta-solver {self.id!r} needs best responses in the whole game, which is not known")
        return self.solve(game, self.resolve(settings or {}))


class NoMetaSolutionError(ArithmeticError):
    """The meta-solver found no solution; the message says why."""


def independent(strategies: list[Float64Array], *, residual: float = 0.0, message: str = "") -> MetaSolution:
    """The solution in which the players mix independently."""
    return MetaSolution(tuple(strategies), residual=residual, message=message)


def marginals(device: Float64Array) -> tuple[Float64Array, ...]:
    """Of a joint distribution [K_0, ..., K_{N-1}], [K_p] each."""
    players = range(device.ndim)
    return tuple(device.sum(axis=tuple(q for q in players if q != p)) for p in players)


def correlated(device: Float64Array, *, told: bool = False) -> MetaSolution:
    """The solution of a joint distribution [K_0, ..., K_{N-1}].

    Args:
        device: the distribution.
        told: whether a player that deviates has heard which of its policies is recommended: it then responds to what
            each recommendation says about the others, BR(CE) of Marris et al. (2021), rather than once, to the others'
            joint marginal.
    """
    targets = tuple(_recommended(device, player) for player in range(device.ndim)) if told else ()
    return MetaSolution(marginals(device), device, targets)


def _recommended(device: Float64Array, player: int) -> tuple[MetaSolution, ...]:
    """The device as a player knows it after each recommendation that occurs."""
    found = []
    for policy, chance in enumerate(marginals(device)[player]):
        if chance > 0:
            at = (slice(None),) * player + (slice(policy, policy + 1),)
            heard = np.zeros_like(device)
            heard[at] = device[at] / chance
            found.append(MetaSolution(marginals(heard), heard))
    return tuple(found)


def meta_solver_ids() -> list[str]:
    """The ids of all meta-solvers."""
    return list(discovery.modules("eqsolvers.meta"))


def find_meta_solver(name: str) -> MetaSolverSpec:
    """The meta-solver called `name`.

    Raises:
        UnknownNameError: naming the nearest one.
    """
    found: MetaSolverSpec = discovery.load("eqsolvers.meta", "meta-solver", name, "META_SOLVER", MetaSolverSpec)
    return found

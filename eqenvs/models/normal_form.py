"""Normal-form games as a payoff tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eqenvs.arrays import Array, Float64Array, namespace, read_only
from eqenvs.errors import InputError
from eqenvs.models.information_states import InformationStates
from eqenvs.models.numbers import LEAST, finite_array
from eqenvs.spec import Family

if TYPE_CHECKING:
    from eqenvs.rules import Rules


@dataclass(frozen=True, eq=False)
class NormalFormModel:
    """A finite normal-form game.

    A strategy is a policy with a single information state per player, so every score and learner that works on tables
    works here.

    Attributes:
        payoffs: [N, A_0, ..., A_{N-1}] float64, read-only; `payoffs[i]` is player i's payoff.
    """

    family: ClassVar[Family] = Family.NORMAL_FORM
    payoffs: Float64Array

    def __init__(self, payoffs: ArrayLike) -> None:
        """Check and copy a payoff tensor.

        Raises:
            InputError: if a payoff is no finite real number, an action set is empty, the axes do not match the player
                count, or payoffs are so large or so nearly the same that float64 does not hold their range's inverse.
        """
        tensor = finite_array("payoffs", payoffs)
        if tensor.ndim < 2 or tensor.shape[0] != tensor.ndim - 1:
            raise InputError(
                f"payoffs must have shape [N, A_0, ..., A_(N-1)] with one axis per player, got shape {tensor.shape}"
            )
        if 0 in tensor.shape:
            raise InputError(f"payoffs must give every player at least one action, got shape {tensor.shape}")
        ranges = np.ptp(tensor.reshape(len(tensor), -1), axis=1)
        if ((ranges > 0) & (ranges < LEAST)).any():
            player = int(np.argmax((ranges > 0) & (ranges < LEAST)))
            raise InputError(
                f"payoffs of a player must be all the same or at least {LEAST:g} apart, got {ranges[player]:.3g} for "
                f"player {player}; state them in another unit"
            )
        object.__setattr__(self, "payoffs", read_only(tensor))

    @property
    def num_players(self) -> int:
        """N."""
        return int(self.payoffs.shape[0])

    @property
    def num_actions(self) -> tuple[int, ...]:
        """Each player's number of actions."""
        return tuple(int(a) for a in self.payoffs.shape[1:])

    @property
    def information_states(self) -> tuple[InformationStates, ...]:
        """The one decision point of each player; its observation says which player decides."""
        return tuple(
            InformationStates(
                keys=np.zeros((1, 1), dtype=np.int64),
                observations=np.eye(self.num_players, dtype=np.float32)[player : player + 1],
                masks=np.ones((1, actions), dtype=bool),
            )
            for player, actions in enumerate(self.num_actions)
        )

    def as_rules(self) -> Rules[Any]:
        """A game's definition as rules."""
        from eqenvs.normal_form_rules import NormalFormRules

        return NormalFormRules(self)

    def as_model(self, name: str, max_size: int) -> tuple[NormalFormModel, int]:
        """A game's definition as an exact model: this one, of which nothing is enumerated."""
        return self, 0

    def sizes(self) -> dict[str, Any]:
        """The players' action counts and the number of profiles."""
        return {"actions": list(self.num_actions), "profiles": prod(self.num_actions)}

    def mix(self, player: int, tables: Float64Array, weights: Float64Array) -> Float64Array:
        """The strategy equivalent to drawing one of `tables` [K, 1, A] by `weights` [K]; [1, A]."""
        mixed: Float64Array = np.tensordot(weights, tables, axes=1)
        return mixed

    def constant_sum(self, tolerance: float = 1e-9) -> bool:
        """Whether payoffs add up to the same number in every profile, up to `tolerance` times the largest payoff."""
        return bool(np.ptp(self.payoffs.sum(axis=0)) <= tolerance * np.abs(self.payoffs).max())

    def gradient(self, player: int, strategies: Sequence[Float64Array]) -> Float64Array:
        """The expected payoff of each of `player`'s actions against the others' strategies ([A_j] each), [A].

        `strategies[player]` is not read.

        Raises:
            InputError: if there is no such player.
        """
        self._require_player(player)
        value: Float64Array = self.payoffs[player]
        for other in reversed(range(self.num_players)):
            if other != player:
                value = np.tensordot(value, strategies[other], axes=(other, 0))
        return value

    def _require_player(self, player: int) -> None:
        if not 0 <= player < self.num_players:
            raise InputError(f"player must be from 0 to {self.num_players - 1}, got {player}")

    def profile_tables(self) -> tuple[NDArray[Any], ...]:
        """The arrays in which `profile_payoffs` looks payoffs up: the flat tensor [profiles, N] and its strides [N]."""
        strides = np.cumprod([1, *self.num_actions[:0:-1]])[::-1].copy()
        return self.payoffs.reshape(self.num_players, -1).T.copy(), strides

    def profile_payoffs(self, joint: Array, tables: tuple[Array, ...]) -> Array:
        """What pure profiles pay, [B, N] float64.

        Args:
            joint: [B, N] int64, in either array library.
            tables: `profile_tables()` in the same library and on the same device.
        """
        payoffs, strides = tables
        return payoffs[namespace(joint).sum(joint * strides[None, :], axis=1)]

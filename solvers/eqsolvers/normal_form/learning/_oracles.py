"""What the actions of the players of B games of one shape collect: from payoff tensors, or from a game's structure.

Payoffs are scaled to [0, 1] by each player's range in each game, which changes no equilibrium.

Cost of a gradient: O(B A_0...A_{N-1}) from tensors; from a structured model what its own gradient costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from math import prod
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError
from eqenvs.models.congestion import CongestionModel
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.models.polymatrix import PolymatrixModel
from eqenvs.models.structured import StructuredModel
from eqenvs.models.symmetric import SymmetricModel
from eqsolvers.kernels import compiled

Strategies: TypeAlias = tuple[Float64Array, ...]  # [B, A_p] of each player

SMALL = 100  # numbers of a matrix: below it, a compiled loop over the games beats a call of BLAS for each
SPARSE = 16  # one action in so many is used: then picking their columns out beats reading all
FEW = 200_000  # numbers of a tensor: so few are read in a fraction of a millisecond, and structure gains nothing


class Oracle(Protocol):
    """What the actions of the players of B games collect, in [0, 1]."""

    @property
    def num_actions(self) -> tuple[int, ...]:
        """Each player's number of actions."""

    def gradient(self, player: int, strategies: Sequence[Float64Array]) -> Float64Array:
        """The expected payoff of each of the player's actions against the others' strategies, [B, A_p]."""

    def collected(self, actions: Sequence[IntArray]) -> Strategies:
        """What the players' actions ([B] each) pay them, [B] each."""


@runtime_checkable
class Games(Oracle, Protocol):
    """An oracle that owns its games."""

    @property
    def batch(self) -> int:
        """B."""

    @property
    def span(self) -> Float64Array:
        """[B, N], one unit of scaled payoff in units of payoff; 1 where a player's payoffs are all the same."""

    @property
    def numbers(self) -> int:
        """Payoffs of one game that a player's gradient looks at."""


def gradients(oracle: Oracle, strategies: Sequence[Float64Array]) -> Strategies:
    """Every player's gradient."""
    return tuple(oracle.gradient(player, strategies) for player in range(len(strategies)))


@compiled
def _over_last(values: Float64Array, weight: Float64Array) -> Float64Array:
    """[B, M, A] times [B, A], [B, M]."""
    batch, rows, columns = values.shape
    result = np.empty((batch, rows))
    for b in range(batch):
        for i in range(rows):
            total = 0.0
            for j in range(columns):
                total += values[b, i, j] * weight[b, j]
            result[b, i] = total
    return result


@compiled
def _over_first(values: Float64Array, weight: Float64Array) -> Float64Array:
    """[B, A] times [B, A, M], [B, M]."""
    batch, rows, columns = values.shape
    result = np.empty((batch, columns))
    for b in range(batch):
        for j in range(columns):
            total = 0.0
            for i in range(rows):
                total += weight[b, i] * values[b, i, j]
            result[b, j] = total
    return result


def _last_axis(values: Float64Array, weight: Float64Array) -> Float64Array:
    """[B, M, A] times [B, A]."""
    if values[0].size <= SMALL:
        return _over_last(values, np.ascontiguousarray(weight))
    used = _support(weight)
    if used is not None:
        values, weight = values[:, :, used], weight[:, used]
    product: Float64Array = np.matmul(values, weight[:, :, None])
    return product


def _first_axis(values: Float64Array, weight: Float64Array) -> Float64Array:
    """[B, A] times [B, A, M]."""
    if values[0].size <= SMALL:
        return _over_first(values, np.ascontiguousarray(weight))
    used = _support(weight)
    if used is not None:
        values, weight = values[:, used], weight[:, used]
    product: Float64Array = np.matmul(weight[:, None, :], values)
    return product


def _support(weight: Float64Array) -> IntArray | None:
    """The actions that a single game's strategy uses, if they are so few that only their payoffs should be read."""
    if len(weight) > 1 or SPARSE * np.count_nonzero(weight) > weight.shape[1]:
        return None
    return np.flatnonzero(weight[0])


class Tensors:
    """B games of one shape by their payoff tensors.

    Args:
        payoffs: [B, N, A_0, ..., A_{N-1}]; each game's and player's payoffs are scaled to [0, 1].

    Attributes:
        span: see `Games`.

    Raises:
        InputError: if the shape is none of a batch of games, or a payoff is not finite.
    """

    def __init__(self, payoffs: ArrayLike) -> None:
        array = np.asarray(payoffs, dtype=np.float64)
        if array.ndim < 3 or array.ndim != array.shape[1] + 2 or 0 in array.shape:
            raise InputError(f"payoffs must have shape [B, N, A_0, ..., A_(N-1)], got {array.shape}")
        if not np.isfinite(array).all():
            raise InputError("payoffs must be finite")
        self.batch = array.shape[0]
        self.num_actions = tuple(array.shape[2:])
        self.numbers = prod(self.num_actions)
        flat = array.reshape(*array.shape[:2], -1)
        low, width = flat.min(axis=2), np.ptp(flat, axis=2)
        self.span: Float64Array = np.where(width > 0, width, 1.0)
        scaled = (flat - low[..., None]) / self.span[..., None]
        self._payoffs = [np.ascontiguousarray(scaled[:, player]) for player in range(array.shape[1])]
        self._strides = np.cumprod([1, *self.num_actions[:0:-1]])[::-1]

    def gradient(self, player: int, strategies: Sequence[Float64Array]) -> Float64Array:
        """See `Oracle`: the players behind are contracted from the last axis, then those before from the first."""
        value, batch = self._payoffs[player], self.batch
        for other in range(len(strategies) - 1, player, -1):
            value = _last_axis(value.reshape(batch, -1, self.num_actions[other]), strategies[other])
        for other in range(player):
            value = _first_axis(value.reshape(batch, self.num_actions[other], -1), strategies[other])
        return value.reshape(batch, -1)

    def collected(self, actions: Sequence[IntArray]) -> Strategies:
        """See `Oracle`."""
        profile = sum(action * stride for action, stride in zip(actions, self._strides, strict=True))
        rows = np.arange(self.batch)
        return tuple(payoffs[rows, profile] for payoffs in self._payoffs)


class Structured:
    """One game by a structured model, whose payoff tensor is never made.

    Args:
        model: of a class that `payoff_range` knows.

    Attributes:
        span: see `Games`; of a congestion game by bounds on the payoffs, so that the scaled ones may not reach 0 or 1.
    """

    def __init__(self, model: StructuredModel) -> None:
        self._model = model
        self.batch = 1
        self.num_actions = model.num_actions
        self._tables = model.profile_tables()
        self.numbers = sum(table.size for table in self._tables)
        low, high = np.array([payoff_range(model, player) for player in range(model.num_players)]).T
        self._low = low
        self.span: Float64Array = np.where(high > low, high - low, 1.0)[None]

    def gradient(self, player: int, strategies: Sequence[Float64Array]) -> Float64Array:
        """See `Oracle`."""
        expected = self._model.gradient(player, [own[0] for own in strategies])
        scaled: Float64Array = (expected[None] - self._low[player]) / self.span[0, player]
        return scaled

    def collected(self, actions: Sequence[IntArray]) -> Strategies:
        """See `Oracle`."""
        paid = self._model.profile_payoffs(np.stack(actions, axis=1), self._tables)
        return tuple(((paid - self._low) / self.span).T.reshape(-1, 1))


@singledispatch
def payoff_range(model: NormalFormModel, player: int) -> tuple[float, float]:
    """A lower and an upper bound on a player's payoffs, by the model's structure."""
    raise NotImplementedError(f"no bounds on the payoffs of {type(model).__name__}")


@payoff_range.register
def _(model: SymmetricModel, player: int) -> tuple[float, float]:
    """Exact: every entry of the table is some profile's."""
    del player
    return float(model.table.min()), float(model.table.max())


@payoff_range.register
def _(model: PolymatrixModel, player: int) -> tuple[float, float]:
    """Exact: given the own action, the others' parts are largest, and smallest, independently of each other."""
    low, high = model.own[player].copy(), model.own[player].copy()
    for (i, _), matrix in model.matrices.items():
        if i == player:
            low += matrix.min(axis=1)
            high += matrix.max(axis=1)
    return float(low.min()), float(high.max())


@payoff_range.register
def _(model: CongestionModel, player: int) -> tuple[float, float]:
    """Bounds: each resource by itself at its cheapest and dearest, with as many users as it can have."""
    others = [rows for other, rows in enumerate(model.actions) if other != player]
    resources = len(model.costs)
    least = 1 + np.sum([rows.all(axis=0) for rows in others], axis=0, dtype=np.int64, initial=0)
    most = 1 + np.sum([rows.any(axis=0) for rows in others], axis=0, dtype=np.int64, initial=0)
    users = np.arange(1, model.costs.shape[1] + 1)
    possible = (users >= np.reshape(least, (-1, 1))) & (users <= np.reshape(most, (-1, 1)))
    possible = np.broadcast_to(possible, (resources, len(users)))
    cheapest = np.where(possible, model.costs, np.inf).min(axis=1)
    dearest = np.where(possible, model.costs, -np.inf).max(axis=1)
    return float(-(model.actions[player] @ dearest).max()), float(-(model.actions[player] @ cheapest).min())


def games_of(model: NormalFormModel, *, tensor: bool) -> Games:
    """One game as a batch: by its structure where it has one that is known here and is worth it.

    Args:
        model: the game.
        tensor: whether the tensor is made in any case; False: only if it is small, or there is no way around it.
    """
    known = payoff_range.dispatch(type(model)) is not payoff_range.dispatch(NormalFormModel)
    large = model.num_players * prod(model.num_actions) > FEW
    if isinstance(model, StructuredModel) and known and large and not tensor:
        return Structured(model)
    return Tensors(model.payoffs[None])

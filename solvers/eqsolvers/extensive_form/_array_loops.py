"""The CFR family as array programs: whole levels of the treeplex at once, on numpy or torch, on a CPU or a GPU.

Slower than the compiled loops on a small game, where launching the operations costs more than doing them; on a GPU the
way to go for millions of payoffs. Any number of players. Sums are taken in a fixed order, so that a device gives the
same bits every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eqenvs.arrays import Array, Backend, Float64Array, IntArray
from eqsolvers.extensive_form._kernel import normalised
from eqsolvers.extensive_form._symmetry import QuotientPlayer


@dataclass(frozen=True, eq=False)
class _Level:
    """The information sets of one depth, I of them, in tables [I, A] that are padded to the most actions there."""

    start: int  # position of the first cell
    stop: int
    infosets: slice
    shape: tuple[int, int]
    uniform: Array  # [I, A] float64, 0 in padding
    mask: Array  # [I, A] bool
    parent: Array  # [I] int64, positions
    children: Array | None  # [I A, C] int64, information sets below each cell; padded with one whose value is 0


@dataclass(frozen=True, eq=False)
class _Rows:
    """Sequences with about as many payoffs each, R of them, padded to a power of two."""

    positions: Array  # [R] int64
    others: list[Array]  # per other player [R, L] int64, positions
    values: Array  # [R, L] float64


@dataclass(frozen=True, eq=False)
class _Player:
    levels: list[_Level]
    rows: list[_Rows]
    size: int  # positions; 0 is the empty sequence
    num_infosets: int


class ArrayLoops:
    """See the module.

    Args:
        players: the game's quotient.
        backend: where to compute.
        track_play: whether to keep the play-average.
    """

    def __init__(self, players: tuple[QuotientPlayer, ...], backend: Backend, *, track_play: bool) -> None:
        self._xp, self._device = backend.xp, backend.device
        self._track_play = track_play
        self.positions = tuple(_positions(player) for player in players)
        self._players = [self._lay_out(p, player) for p, player in enumerate(players)]
        self.tables = [self._fresh(player) for player in self._players]
        self.play = [self._zeros(player.size + 1) for player in self._players] if track_play else []

    def _array(self, values: Any) -> Array:
        return self._xp.asarray(values, device=self._device)

    def _zeros(self, size: int) -> Array:
        return self._xp.zeros(size, dtype=self._xp.float64, device=self._device)

    def _lay_out(self, p: int, player: QuotientPlayer) -> _Player:
        position, counts = self.positions[p], np.diff(player.first)
        below = _below(player)
        levels, start = [], 1
        for low, high in zip(player.depth_start[:-1], player.depth_start[1:], strict=True):
            mask = np.arange(int(counts[low:high].max())) < counts[low:high, None]
            mine = np.arange(player.first[low], player.first[high])
            deepest = int((below[mine] < len(player.parent)).sum(axis=1).max())
            children = np.full((mask.size, deepest), len(player.parent))
            children[position[mine] - start] = below[mine, :deepest]
            levels.append(
                _Level(
                    start=start,
                    stop=start + mask.size,
                    infosets=slice(int(low), int(high)),
                    shape=mask.shape,
                    uniform=self._array(mask / counts[low:high, None]),
                    mask=self._array(mask),
                    parent=self._array(position[player.parent[low:high]]),
                    children=self._array(children) if deepest else None,
                )
            )
            start += mask.size
        return _Player(levels, self._payoffs(p, player), start, len(player.parent))

    def _payoffs(self, p: int, player: QuotientPlayer) -> list[_Rows]:
        """Payoffs of whole classes, in groups of rows of similar length."""
        others = [q for q in range(len(self.positions)) if q != p]
        lengths = np.diff(player.row_start)
        groups = np.where(lengths > 0, np.ceil(np.log2(np.maximum(lengths, 1))), -1).astype(np.int64)
        rows = []
        for group in np.unique(groups[groups >= 0]):
            chosen = np.flatnonzero(groups == group)
            entry = player.row_start[chosen][:, None] + np.arange(2**group)
            present = entry < player.row_start[chosen + 1][:, None]
            entry = np.where(present, entry, player.row_start[chosen][:, None])
            values = np.where(present, player.values[entry] * player.size[chosen][:, None], 0.0)
            columns = [self._array(self.positions[o][player.others[entry, k]]) for k, o in enumerate(others)]
            rows.append(_Rows(self._array(self.positions[p][chosen]), columns, self._array(values)))
        return rows

    def _fresh(self, player: _Player) -> dict[str, Array]:
        """Zero regrets and the uniform strategy."""
        tables = {name: self._zeros(player.size) for name in ("regret", "strategy", "plan", "average")}
        for level in player.levels:
            tables["strategy"][level.start : level.stop] = self._xp.reshape(level.uniform, (-1,))
        tables["plan"][0] = 1.0
        self._spread(player, tables)
        return tables

    def _spread(self, player: _Player, tables: dict[str, Array]) -> None:
        """Top-down: the plan of the strategy."""
        for level in player.levels:
            strategy = self._xp.reshape(tables["strategy"][level.start : level.stop], level.shape)
            reach = tables["plan"][level.parent]
            tables["plan"][level.start : level.stop] = self._xp.reshape(reach[:, None] * strategy, (-1,))

    def _gradient(self, p: int, plans: list[Array]) -> Array:
        """What each position collects, all members of its class together."""
        gradient = self._zeros(self._players[p].size)
        others = [plan for q, plan in enumerate(plans) if q != p]
        for rows in self._players[p].rows:
            weight = rows.values
            for plan, at in zip(others, rows.others, strict=True):
                weight = weight * plan[at]
            gradient[rows.positions] = self._xp.sum(weight, axis=1)
        return gradient

    def iterate(self, rows: Float64Array, alternating: bool) -> None:
        """Run one iteration per row of a schedule [iterations, 7]."""
        plans = [tables["plan"] for tables in self.tables]
        for row in rows:
            coefficients = [float(value) for value in row]
            gradients = None
            if self._track_play or not alternating:
                gradients = [self._gradient(p, plans) for p in range(len(plans))]
            if self._track_play and gradients is not None:
                self._record_play(gradients, plans, *coefficients[-2:])
            for p in range(len(plans)):
                mine = self._gradient(p, plans) if alternating or gradients is None else gradients[p]
                self._learn(self._players[p], self.tables[p], mine, coefficients)

    def _record_play(self, gradients: list[Array], plans: list[Array], decay: float, weight: float) -> None:
        for play, gradient, plan in zip(self.play, gradients, plans, strict=True):
            play *= decay
            play[:-1] += weight * gradient
            play[-1] += weight * self._xp.sum(gradient * plan)

    def _learn(self, player: _Player, tables: dict[str, Array], gradient: Array, coefficients: list[float]) -> None:
        """One player's iteration; `gradient` is consumed."""
        xp = self._xp
        positive, negative, floor, following, prediction, decay, weight = coefficients
        value = self._zeros(player.num_infosets + 1)
        zero = self._zeros(1)
        for level in reversed(player.levels):
            cells = slice(level.start, level.stop)
            if level.children is not None:
                gradient[cells] = gradient[cells] + xp.sum(value[level.children], axis=1)
            collected = xp.reshape(gradient[cells], level.shape)
            strategy = xp.reshape(tables["strategy"][cells], level.shape)
            regret = xp.reshape(tables["regret"][cells], level.shape)
            value[level.infosets] = xp.sum(strategy * collected, axis=1)
            instant = xp.where(level.mask, collected - value[level.infosets][:, None], zero)
            new = xp.where(regret > 0, positive * regret, negative * regret) + instant
            if floor > -np.inf:
                new = xp.where(new > floor, new, zero + floor)
            expected = following * new + prediction * instant
            expected = xp.where(level.mask & (expected > 0), expected, zero)
            total = xp.sum(expected, axis=1)[:, None]
            some = total > 0
            updated = xp.where(some, expected / xp.where(some, total, zero + 1.0), level.uniform)
            tables["regret"][cells] = xp.reshape(new, (-1,))
            tables["strategy"][cells] = xp.reshape(updated, (-1,))
        tables["average"][:] = decay * tables["average"] + weight * tables["plan"]
        self._spread(player, tables)

    def _best(self, player: _Player, gradient: Array) -> float:
        """The value of the best response to the plans behind `gradient`, which is consumed."""
        xp = self._xp
        value = self._zeros(player.num_infosets + 1)
        lowest = self._zeros(1) - np.inf
        for level in reversed(player.levels):
            cells = slice(level.start, level.stop)
            if level.children is not None:
                gradient[cells] = gradient[cells] + xp.sum(value[level.children], axis=1)
            collected = xp.reshape(gradient[cells], level.shape)
            value[level.infosets] = xp.max(xp.where(level.mask, collected, lowest), axis=1)
        top = player.levels[0].infosets if player.levels else slice(0, 0)
        return float(gradient[0] + xp.sum(value[top]))

    def nash_conv(self) -> float:
        """Of the average policies."""
        averages = [normalised(tables["average"], tables["plan"]) for tables in self.tables]
        total = 0.0
        for p, player in enumerate(self._players):
            gradient = self._gradient(p, averages)
            value = float(self._xp.sum(gradient * averages[p]))
            total += self._best(player, gradient) - value
        return total

    def play_gap(self) -> float | None:
        """The CCE gap of the play-average, where it is kept."""
        if not self._track_play:
            return None
        gap = 0.0
        for player, tables, play in zip(self._players, self.tables, self.play, strict=True):
            best = self._best(player, self._xp.asarray(play[:-1], copy=True))
            gap += max(0.0, best - float(play[-1])) / max(float(tables["average"][0]), 1e-300)
        return gap


def _below(player: QuotientPlayer) -> IntArray:
    """The information sets below each sequence, [Q, C], padded with I; those of the empty sequence are left out."""
    infosets = np.argsort(player.parent, kind="stable")
    parent = player.parent[infosets]
    number = np.bincount(parent, minlength=player.num_sequences)
    rank = np.arange(len(parent)) - (np.cumsum(number) - number)[parent]
    table = np.full((player.num_sequences, int(number[1:].max(initial=0))), len(parent))
    kept = parent > 0
    table[parent[kept], rank[kept]] = infosets[kept]
    return table


def _positions(player: QuotientPlayer) -> IntArray:
    """Where each sequence stands in tables padded level by level, [Q]."""
    counts = np.diff(player.first)
    position = np.zeros(player.num_sequences, dtype=np.int64)
    start = 1
    for low, high in zip(player.depth_start[:-1], player.depth_start[1:], strict=True):
        width = int(counts[low:high].max())
        row = np.repeat(np.arange(high - low), counts[low:high])
        mine = np.arange(player.first[low], player.first[high])
        position[mine] = start + row * width + mine - np.repeat(player.first[low:high], counts[low:high])
        start += int(high - low) * width
    return position

"""Compiled loops of the CFR family for any number of players: no allocation and no Python inside an iteration.

An iteration of one player is a gradient (what each of its sequences collects against the others' plans), one bottom-up
pass that turns it into regrets and a new strategy, and one top-down pass that turns the strategy into a plan. The
algorithms differ only in seven numbers per iteration, the columns of a schedule (see `_regret.Schedule`).

Two players have faster ones, in `_lane_kernel`. Compiled once and cached on disk; `tests` hold a plain numpy twin.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import Array, Float64Array, IntArray
from eqsolvers.extensive_form._symmetry import QuotientPlayer
from eqsolvers.kernels import compiled, inlined

# Columns of a schedule.
POSITIVE, NEGATIVE, FLOOR, NEXT, PREDICTION, DECAY, WEIGHT = range(7)


class Side(NamedTuple):
    """One player's part of the game, as the kernels take it.

    Indices are narrow, which halves the memory traffic, and unsigned: numba wraps negative ones, and the test for that
    costs as much as the arithmetic (measured: liar's dice runs twice as fast without it).
    """

    first: NDArray[np.uint32]  # [I + 1]
    parent: NDArray[np.uint32]  # [I]
    multiplicity: NDArray[np.float64]  # [I]
    row_start: NDArray[np.uint32]  # [Q + 1]
    others: NDArray[np.uint32]  # [P, N - 1]
    values: NDArray[np.float64]  # [P]


class RegretState(NamedTuple):
    """One player's numbers, all [Q] and written in place."""

    regret: NDArray[np.float64]
    strategy: NDArray[np.float64]
    plan: NDArray[np.float64]
    average: NDArray[np.float64]
    gradient: NDArray[np.float64]


@compiled
def collect_from_one(side: Any, plan: Any, gradient: Any) -> None:
    """The gradient of a player against the one other player's plan."""
    row_start, others, values = side.row_start, side.others, side.values
    for row in range(len(gradient)):
        total = 0.0
        for k in range(row_start[row], row_start[row + 1]):
            total += values[k] * plan[others[k, 0]]
        gradient[row] = total


@compiled
def collect(side: Any, player: int, plans: Any, gradient: Any) -> None:
    """The gradient of one player against the plans of any number of others."""
    for row in range(len(gradient)):
        total = 0.0
        for k in range(side.row_start[row], side.row_start[row + 1]):
            weight = side.values[k]
            for j in range(len(plans) - 1):
                weight *= plans[j if j < player else j + 1][side.others[k, j]]
            total += weight
        gradient[row] = total


@inlined
def learn(side: Any, tables: Any, schedule: Any, t: int) -> None:
    """What a player does with its gradient, which is consumed: the average, regrets, the next strategy and its plan.

    One pass up the treeplex and one pass down; the average takes in the plan that was just answered.
    """
    first, parent, multiplicity = side.first, side.parent, side.multiplicity
    regret, strategy, plan = tables.regret, tables.strategy, tables.plan
    average, gradient = tables.average, tables.gradient
    positive, negative, floor = schedule[t, POSITIVE], schedule[t, NEGATIVE], schedule[t, FLOOR]
    following, prediction = schedule[t, NEXT], schedule[t, PREDICTION]
    decay, weight = schedule[t, DECAY], schedule[t, WEIGHT]
    for infoset in range(len(parent) - 1, -1, -1):
        start, stop = first[infoset], first[infoset + 1]
        value = 0.0
        for q in range(start, stop):
            value += strategy[q] * gradient[q]
        total = 0.0
        for q in range(start, stop):
            instant = gradient[q] - value
            old = regret[q]
            new = max(old * (positive if old > 0.0 else negative) + instant, floor)
            regret[q] = new
            expected = max(new * following + prediction * instant, 0.0)
            strategy[q] = expected
            total += expected
        if total > 0.0:
            for q in range(start, stop):
                strategy[q] /= total
        else:
            for q in range(start, stop):
                strategy[q] = 1.0 / (stop - start)
        gradient[parent[infoset]] += multiplicity[infoset] * value
    average[0] = decay * average[0] + weight * plan[0]
    for infoset in range(len(parent)):
        reach = plan[parent[infoset]]
        for q in range(first[infoset], first[infoset + 1]):
            average[q] = decay * average[q] + weight * plan[q]
            plan[q] = reach * strategy[q]


@compiled
def spread(side: Any, tables: Any) -> None:
    """Top-down: the plan of the strategy."""
    strategy, plan = tables.strategy, tables.plan
    for infoset in range(len(side.parent)):
        reach = plan[side.parent[infoset]]
        for q in range(side.first[infoset], side.first[infoset + 1]):
            plan[q] = reach * strategy[q]


@inlined
def record_play(sides: Any, tables: Any, plans: Any, sizes: Any, play: Any, schedule: Any, t: int) -> None:
    """Take the profile that is about to be answered into the play-average, with its weight in the average policy.

    `play[p]` [Q + 1] sums what each sequence of player p collects against the profiles, and last the player's values.
    """
    for player in range(len(sides)):
        collect(sides[player], player, plans, tables[player].gradient)
        total = play[player]
        value = 0.0
        for q in range(len(total) - 1):
            gradient = tables[player].gradient[q]
            total[q] = schedule[t, DECAY] * total[q] + schedule[t, WEIGHT] * gradient
            value += sizes[player][q] * plans[player][q] * gradient
        total[-1] = schedule[t, DECAY] * total[-1] + schedule[t, WEIGHT] * value


@compiled
def iterate(sides: Any, tables: Any, plans: Any, sizes: Any, play: Any, schedule: Any, alternating: bool) -> None:
    """Run one iteration per row of `schedule` [iterations, 7], and take every profile into the play-average.

    `plans[p]` is the same memory as `tables[p].plan`. Alternating: each player answers the newest plans of the others.
    """
    for t in range(len(schedule)):
        record_play(sides, tables, plans, sizes, play, schedule, t)
        for player in range(len(sides)):
            if alternating:
                collect(sides[player], player, plans, tables[player].gradient)
            learn(sides[player], tables[player], schedule, t)


@compiled
def best_response_value(side: Any, gradient: Any) -> float:
    """The value of the best response to the plans behind `gradient`, which is consumed."""
    for infoset in range(len(side.parent) - 1, -1, -1):
        highest = -np.inf
        for q in range(side.first[infoset], side.first[infoset + 1]):
            highest = max(highest, gradient[q])
        gradient[side.parent[infoset]] += side.multiplicity[infoset] * highest
    return float(gradient[0])


def warm_up(num_players: int) -> None:
    """Compile the loops for a number of players, or load them from the cache, without running a game."""
    index = np.zeros(1, dtype=np.uint32)
    side = Side(
        first=np.array([1, 2], dtype=np.uint32),
        parent=index,
        multiplicity=np.ones(1),
        row_start=np.zeros(3, dtype=np.uint32),
        others=np.zeros((0, num_players - 1), dtype=np.uint32),
        values=np.zeros(0),
    )
    tables = tuple(RegretState(*(np.ones(2) for _ in RegretState._fields)) for _ in range(num_players))
    plans = tuple(table.plan for table in tables)
    sizes, play = (np.ones(2),) * num_players, (np.zeros(3),) * num_players
    iterate((side,) * num_players, tables, plans, sizes, play, np.zeros((0, 7)), True)
    collect(side, 0, plans, tables[0].gradient)
    best_response_value(side, tables[0].gradient)
    spread(side, tables[0])


def normalised(average: Array, plan: Array) -> Array:
    """The average plan with the empty sequence at 1; the present one before the first iteration."""
    return average / average[0] if float(average[0]) > 0 else plan


def side_of(player: QuotientPlayer) -> Side:
    """A player of the quotient as the kernels take it."""

    def narrow(array: IntArray) -> NDArray[np.uint32]:
        return array.astype(np.uint32)

    return Side(
        narrow(player.first),
        narrow(player.parent),
        player.multiplicity,
        narrow(player.row_start),
        narrow(player.others),
        player.values,
    )


def _fresh(side: Side) -> RegretState:
    """Zero regrets and the uniform strategy."""
    size = int(side.first[-1])
    counts = np.diff(side.first)
    strategy = np.concatenate([[1.0], np.repeat(1.0 / counts, counts)])
    tables = RegretState(np.zeros(size), strategy, np.ones(size), np.zeros(size), np.zeros(size))
    spread(side, tables)
    return tables


class ScalarLoops:
    """Any number of players, one information set after the other, with the play-average."""

    def __init__(self, players: tuple[QuotientPlayer, ...]) -> None:
        self.players = players
        self.positions = tuple(np.arange(player.num_sequences) for player in players)
        self.sides = tuple(side_of(player) for player in players)
        self._tables = tuple(map(_fresh, self.sides))
        self.tables = [tables._asdict() for tables in self._tables]
        self.play = tuple(np.zeros(player.num_sequences + 1) for player in players)
        self._sizes = tuple(player.size for player in players)
        self._plans = tuple(tables.plan for tables in self._tables)

    def iterate(self, rows: Float64Array, alternating: bool) -> None:
        """Run one iteration per row of a schedule [iterations, 7]."""
        iterate(self.sides, self._tables, self._plans, self._sizes, self.play, rows, alternating)

    def nash_conv(self) -> float:
        """Of the average policies."""
        averages = tuple(normalised(tables.average, tables.plan) for tables in self._tables)
        total = 0.0
        for player, side in enumerate(self.sides):
            gradient = np.zeros(len(averages[player]))
            collect(side, player, averages, gradient)
            value = float((gradient * averages[player]) @ self._sizes[player])
            total += best_response_value(side, gradient) - value
        return total

    def play_gap(self) -> float | None:
        """The CCE gap of the play-average."""
        gap = 0.0
        for side, tables, play in zip(self.sides, self._tables, self.play, strict=True):
            best = best_response_value(side, play[:-1].copy())
            gap += max(0.0, best - play[-1]) / max(tables.average[0], 1e-300)
        return gap

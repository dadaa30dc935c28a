"""Compiled loops of the CFR family on a quotient game: no allocation and no Python inside an iteration.

An iteration of one player is a gradient (what each of its sequences collects against the others' plans), one bottom-up
pass that turns it into regrets and a new strategy, and one top-down pass that turns the strategy into a plan. The
algorithms differ only in seven numbers per iteration, the columns of a schedule (see `_regret.Schedule`).

Compiled once and cached on disk; `tests` hold a plain numpy twin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

# Columns of a schedule.
POSITIVE, NEGATIVE, FLOOR, NEXT, PREDICTION, DECAY, WEIGHT = range(7)

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def _compile(function: FunctionT) -> FunctionT:
    """Numba, typed as the plain function. Reassociation lets LLVM vectorise sums; NaN and infinity stay themselves."""
    fast = {"reassoc", "contract", "nsz"}
    compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fast)(function)
    return cast("FunctionT", compiled)


class Side(NamedTuple):
    """One player's part of the game, as the kernels take it; int32 indices halve the memory traffic."""

    first: NDArray[np.int32]  # [I + 1]
    parent: NDArray[np.int32]  # [I]
    multiplicity: NDArray[np.float64]  # [I]
    row_start: NDArray[np.int32]  # [Q + 1]
    others: NDArray[np.int32]  # [P, N - 1]
    values: NDArray[np.float64]  # [P]


class Tables(NamedTuple):
    """One player's numbers, all [Q] and written in place."""

    regret: NDArray[np.float64]
    strategy: NDArray[np.float64]
    plan: NDArray[np.float64]
    average: NDArray[np.float64]
    gradient: NDArray[np.float64]


@_compile
def collect(side: Any, player: int, plans: Any, gradient: Any) -> None:
    """The gradient of one player against the others' plans."""
    count = len(plans)
    if count == 2:
        plan = plans[1 - player]
        for row in range(len(gradient)):
            total = 0.0
            for k in range(side.row_start[row], side.row_start[row + 1]):
                total += side.values[k] * plan[side.others[k, 0]]
            gradient[row] = total
        return
    for row in range(len(gradient)):
        total = 0.0
        for k in range(side.row_start[row], side.row_start[row + 1]):
            weight = side.values[k]
            for j in range(count - 1):
                weight *= plans[j if j < player else j + 1][side.others[k, j]]
            total += weight
        gradient[row] = total


@_compile
def learn(side: Any, tables: Any, schedule: Any) -> None:
    """Bottom-up: values, regrets, the next strategy. Consumes the gradient."""
    regret, strategy, gradient = tables.regret, tables.strategy, tables.gradient
    positive, negative, floor = schedule[POSITIVE], schedule[NEGATIVE], schedule[FLOOR]
    following, prediction = schedule[NEXT], schedule[PREDICTION]
    for infoset in range(len(side.parent) - 1, -1, -1):
        start, stop = side.first[infoset], side.first[infoset + 1]
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
            scale = 1.0 / total
            for q in range(start, stop):
                strategy[q] *= scale
        else:
            for q in range(start, stop):
                strategy[q] = 1.0 / (stop - start)
        gradient[side.parent[infoset]] += side.multiplicity[infoset] * value


@_compile
def spread(side: Any, tables: Any) -> None:
    """Top-down: the plan of the strategy."""
    strategy, plan = tables.strategy, tables.plan
    for infoset in range(len(side.parent)):
        reach = plan[side.parent[infoset]]
        for q in range(side.first[infoset], side.first[infoset + 1]):
            plan[q] = reach * strategy[q]


@_compile
def add_to_average(tables: Any, schedule: Any) -> None:
    """Weigh the present plan into the average."""
    decay, weight = schedule[DECAY], schedule[WEIGHT]
    average, plan = tables.average, tables.plan
    for q in range(len(average)):
        average[q] = decay * average[q] + weight * plan[q]


@_compile
def iterate(sides: Any, tables: Any, plans: Any, schedule: Any, alternating: bool) -> None:
    """Run one iteration per row of `schedule` [iterations, 7].

    `plans[p]` is the same memory as `tables[p].plan`. Alternating: each player answers the others' newest plans.
    Simultaneous: all gradients are taken before anybody moves.
    """
    for t in range(len(schedule)):
        if not alternating:
            for player in range(len(sides)):
                collect(sides[player], player, plans, tables[player].gradient)
        for player in range(len(sides)):
            if alternating:
                collect(sides[player], player, plans, tables[player].gradient)
            add_to_average(tables[player], schedule[t])
            learn(sides[player], tables[player], schedule[t])
            spread(sides[player], tables[player])


@_compile
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
    index = np.zeros(1, dtype=np.int32)
    side = Side(
        first=np.array([1, 2], dtype=np.int32),
        parent=index,
        multiplicity=np.ones(1),
        row_start=np.zeros(3, dtype=np.int32),
        others=np.zeros((0, num_players - 1), dtype=np.int32),
        values=np.zeros(0),
    )
    tables = tuple(Tables(*(np.ones(2) for _ in Tables._fields)) for _ in range(num_players))
    plans = tuple(table.plan for table in tables)
    iterate((side,) * num_players, tables, plans, np.zeros((0, 7)), True)
    collect(side, 0, plans, tables[0].gradient)
    best_response_value(side, tables[0].gradient)
    spread(side, tables[0])

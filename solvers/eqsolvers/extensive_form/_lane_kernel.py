"""Compiled loops of the CFR family for two players, on vectors of lanes: no allocation and no Python in an iteration.

An iteration of one player is one pass up its units, which takes in the payoffs against the other's plan and turns them
into regrets and a new strategy, and one pass down, which turns the strategy into a plan and takes the old plan into the
average. The algorithms differ only in the columns of a schedule (see `_kernel` and `_regret.Schedule`).

Compiled once for each width and cached on disk; `tests` hold a plain numpy twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqsolvers.extensive_form._kernel import (
    DECAY,
    FLOOR,
    NEGATIVE,
    NEXT,
    POSITIVE,
    PREDICTION,
    WEIGHT,
    RegretState,
    normalised,
)
from eqsolvers.extensive_form._lanes import WIDTHS, LaneSide, lay_out
from eqsolvers.extensive_form._symmetry import QuotientPlayer
from eqsolvers.kernels import compiled, inlined
from eqsolvers.simd import larger, load, splat, store, where_positive


@inlined
def collect_wide(lanes: Any, side: Any, plan: Any, gradient: Any, unit: int) -> None:
    """Add what the actions of a wide unit collect against the other's plan to their gradient."""
    width = len(lanes)
    at, row = side.first[unit], side.block_row[unit]
    for _ in range(side.actions[unit]):
        total = load(lanes, gradient, at)
        for k in range(side.block_start[row], side.block_start[row + 1]):
            other, cell = side.block_other[k], side.block_pattern[k]
            for j in range(side.columns):
                total = total + load(lanes, side.patterns, cell) * splat(lanes, plan[other + j])
                cell += width
        store(gradient, at, total)
        row += 1
        at += width


@inlined
def collect_single(side: Any, plan: Any, gradient: Any, start: int, stop: int) -> None:
    """Add the payoffs that stand alone, of the positions start .. stop - 1."""
    for at in range(start, stop):
        total = gradient[at]
        for k in range(side.entry_start[at], side.entry_start[at + 1]):
            total += side.entry_value[k] * plan[side.entry_other[k]]
        gradient[at] = total


@inlined
def learn(lanes: Any, side: Any, tables: Any, plan_of_other: Any, schedule: Any, t: int) -> None:
    """One player's iteration; the gradient is zero before and after."""
    width = len(lanes)
    regret, strategy, plan = tables.regret, tables.strategy, tables.plan
    average, gradient = tables.average, tables.gradient
    positive, negative, floor = schedule[t, POSITIVE], schedule[t, NEGATIVE], schedule[t, FLOOR]
    following, prediction = schedule[t, NEXT], schedule[t, PREDICTION]
    decay, weight = schedule[t, DECAY], schedule[t, WEIGHT]
    zero, one = splat(lanes, 0.0), splat(lanes, 1.0)
    for unit in range(len(side.first) - 1, -1, -1):
        first, actions, parent = side.first[unit], side.actions[unit], side.parent[unit]
        if side.wide[unit]:
            stop = first + np.uint32(actions * width)
            if side.entry_start[first] != side.entry_start[stop]:
                collect_single(side, plan_of_other, gradient, first, stop)
            collect_wide(lanes, side, plan_of_other, gradient, unit)
            values = zero
            for a in range(actions):
                at = first + a * width
                values = values + load(lanes, strategy, at) * load(lanes, gradient, at)
            totals = zero
            for a in range(actions):
                at = first + a * width
                instant = load(lanes, gradient, at) - values
                store(gradient, at, zero)
                old = load(lanes, regret, at)
                kept = old * where_positive(old, splat(lanes, positive), splat(lanes, negative))
                new = larger(kept + instant, splat(lanes, floor))
                store(regret, at, new)
                expected = larger(new * splat(lanes, following) + splat(lanes, prediction) * instant, zero)
                store(strategy, at, expected)
                totals = totals + expected
            scale = one / where_positive(totals, totals, one)
            even = splat(lanes, 1.0 / actions)
            for a in range(actions):
                at = first + a * width
                store(strategy, at, where_positive(totals, load(lanes, strategy, at) * scale, even))
            store(gradient, parent, load(lanes, gradient, parent) + values)
        else:
            end = first + actions
            collect_single(side, plan_of_other, gradient, first, end)
            value = 0.0
            for q in range(first, end):
                value += strategy[q] * gradient[q]
            total = 0.0
            for q in range(first, end):
                single = gradient[q] - value
                gradient[q] = 0.0
                before = regret[q]
                after = max(before * (positive if before > 0.0 else negative) + single, floor)
                regret[q] = after
                hoped = max(after * following + prediction * single, 0.0)
                strategy[q] = hoped
                total += hoped
            if total > 0.0:
                inverse = 1.0 / total
                for q in range(first, end):
                    strategy[q] *= inverse
            else:
                for q in range(first, end):
                    strategy[q] = 1.0 / actions
            gradient[parent] += value
    store(gradient, 0, zero)
    store(average, 0, splat(lanes, decay) * load(lanes, average, 0) + splat(lanes, weight))
    for unit in range(len(side.first)):
        first, actions, parent = side.first[unit], side.actions[unit], side.parent[unit]
        if side.wide[unit]:
            reach = load(lanes, plan, parent)
            for a in range(actions):
                at = first + a * width
                past = splat(lanes, decay) * load(lanes, average, at)
                store(average, at, past + splat(lanes, weight) * load(lanes, plan, at))
                store(plan, at, reach * load(lanes, strategy, at))
        else:
            above = plan[parent]
            for q in range(first, first + actions):
                average[q] = decay * average[q] + weight * plan[q]
                plan[q] = above * strategy[q]


@compiled
def spread(lanes: Any, side: Any, tables: Any) -> None:
    """Top-down: the plan of the strategy."""
    width = len(lanes)
    for unit in range(len(side.first)):
        first, actions, parent = side.first[unit], side.actions[unit], side.parent[unit]
        if side.wide[unit]:
            for a in range(actions):
                at = first + a * width
                store(tables.plan, at, load(lanes, tables.plan, parent) * load(lanes, tables.strategy, at))
        else:
            for q in range(first, first + actions):
                tables.plan[q] = tables.plan[parent] * tables.strategy[q]


@compiled
def iterate(lanes: Any, sides: Any, tables: Any, held: Any, schedule: Any, alternating: bool) -> None:
    """Run one iteration per row of `schedule` [iterations, 7].

    Alternating: the second player answers the first one's new plan. Simultaneous: both answer the old ones; `held` has
    room for the first player's.
    """
    for t in range(len(schedule)):
        if not alternating:
            held[:] = tables[0].plan
        learn(lanes, sides[0], tables[0], tables[1].plan, schedule, t)
        learn(lanes, sides[1], tables[1], tables[0].plan if alternating else held, schedule, t)


@compiled
def respond(lanes: Any, side: Any, own: Any, other: Any, gradient: Any) -> tuple[float, float]:
    """The values of the best response to `other` and of `own` against it; the gradient is zero before and after."""
    width = len(lanes)
    zero = splat(lanes, 0.0)
    collect_single(side, other, gradient, 0, 1)
    value = gradient[0]  # own value counts what each sequence collects itself, not what comes up to it
    values = zero
    for unit in range(len(side.first) - 1, -1, -1):
        first, actions, parent = side.first[unit], side.actions[unit], side.parent[unit]
        if side.wide[unit]:
            stop = first + np.uint32(actions * width)
            best = zero
            for a in range(actions):
                at = first + a * width
                values = values - load(lanes, own, at) * load(lanes, gradient, at)
            if side.entry_start[first] != side.entry_start[stop]:
                collect_single(side, other, gradient, first, stop)
            collect_wide(lanes, side, other, gradient, unit)
            for a in range(actions):
                at = first + a * width
                here = load(lanes, gradient, at)
                values = values + load(lanes, own, at) * here
                best = here if a == 0 else larger(best, here)
                store(gradient, at, zero)
            store(gradient, parent, load(lanes, gradient, parent) + best)
        else:
            stop = first + actions
            highest = -np.inf
            for q in range(first, stop):
                value -= own[q] * gradient[q]
            collect_single(side, other, gradient, first, stop)
            for q in range(first, stop):
                value += own[q] * gradient[q]
                highest = max(highest, gradient[q])
                gradient[q] = 0.0
            gradient[parent] += highest
    best_value = 0.0
    for q in range(width):
        best_value += gradient[q]
    store(gradient, 0, values)
    for q in range(width):
        value += gradient[q]
    store(gradient, 0, zero)
    return best_value, value


def warm_up() -> None:
    """Compile the loops, or load them from the cache, without running a game."""
    none = np.zeros(0, dtype=np.uint32)
    for width in WIDTHS:
        lanes = (0,) * width
        side = LaneSide(
            wide=np.zeros(0, dtype=np.uint8),
            first=none,
            actions=none,
            parent=none,
            block_row=none,
            block_start=none,
            block_other=none,
            block_pattern=none,
            columns=1,
            patterns=np.zeros(0),
            entry_start=np.zeros(2, dtype=np.uint32),
            entry_other=none,
            entry_value=np.zeros(0),
        )
        tables = RegretState(*(np.zeros(width) for _ in RegretState._fields))
        iterate(lanes, (side, side), (tables, tables), np.zeros(width), np.zeros((0, 7)), True)
        respond(lanes, side, tables.plan, tables.plan, tables.gradient)
        spread(lanes, side, tables)


class LaneLoops:
    """Two players of a constant-sum game, on vectors of lanes."""

    def __init__(self, model: ExtensiveFormModel, players: tuple[QuotientPlayer, ...]) -> None:
        self.layout = lay_out(model, players)
        self.lanes = (0,) * self.layout.width
        self.positions = self.layout.positions
        self._tables = tuple(map(self._fresh, self.layout.sides, self.layout.sizes))
        self.tables = [tables._asdict() for tables in self._tables]
        self.play: tuple[Float64Array, ...] = ()
        self._held = np.zeros(self.layout.sizes[0])

    def _fresh(self, side: LaneSide, size: int) -> RegretState:
        """Zero regrets and the uniform strategy."""
        tables = RegretState(*(np.zeros(size) for _ in RegretState._fields))
        tables.plan[: self.layout.width] = 1.0
        length = side.actions.astype(np.int64) * np.where(side.wide, self.layout.width, 1)
        owner = np.repeat(np.arange(len(length)), length)
        offset = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
        tables.strategy[side.first[owner] + offset] = 1.0 / side.actions[owner]
        spread(self.lanes, side, tables)
        return tables

    def iterate(self, rows: Float64Array, alternating: bool) -> None:
        """Run one iteration per row of a schedule [iterations, 7]."""
        iterate(self.lanes, self.layout.sides, self._tables, self._held, rows, alternating)

    def nash_conv(self) -> float:
        """Of the average policies."""
        averages = [normalised(tables.average, tables.plan) for tables in self._tables]
        total = 0.0
        for p, side in enumerate(self.layout.sides):
            best, value = respond(self.lanes, side, averages[p], averages[1 - p], self._tables[p].gradient)
            total += best - value
        return total

    def play_gap(self) -> float | None:
        """Not kept: the average policy is what the guarantee is about."""
        return None

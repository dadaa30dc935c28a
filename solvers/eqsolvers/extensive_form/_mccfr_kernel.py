"""Compiled traversals of Monte Carlo CFR: iterative, on packed histories, with no allocation.

A traversal first walks down: it follows sampled moves until somebody's moves are all explored, and queues what these
lead to. The queue in reverse is then the order in which values come up. That costs no stack, and the loads of the
histories in the queue do not wait for each other. Indices are unsigned, as in `_tree`.

A history sampled with the probability that it has under the players' strategies needs no importance weight. Outcome
sampling explores at the updating player's own moves only, so that its weights are the product of these alone.

With a baseline b, the value of a sampled action a of history h is b(h, a) + (v - b(h, a)) / xi(a), v being the value
from below, and that of an action not sampled b(h, a): equation 9 of Schmid et al. (2019). Its expectation is that
without baselines, whatever they are.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from eqsolvers import kernels

FunctionT = TypeVar("FunctionT")

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def entry(function: FunctionT) -> FunctionT:
    """A kernel that Python calls.

    Without numba's reference counts (`_nrt`, which numba's own library sets for parts of it): taking a field out of a
    named tuple counts one, and that made a visited history cost 40 ns where 6 are needed. It also makes the compiler
    refuse whatever would allocate.
    """
    made: Any = numba.njit(cache=True, **OPTIONS)(function)
    return cast(FunctionT, made)


def part(function: FunctionT) -> FunctionT:
    """A part of a kernel, always inlined: a call passes the fields of its tuples one by one, 50 ns a traversal."""
    made: Any = numba.njit(forceinline=True, **OPTIONS)(function)
    return cast(FunctionT, made)


uniform = part(cast(Any, kernels.uniform).py_func)

# Columns of a history. KIND is a player, or N for chance, or N + 1 at an end; ROW is the row in the table of the first
# of the mover's actions, or the row in the payoffs.
KIND, COUNT, CHILD, ROW = range(4)
# Columns of a row of the table, which is a sequence of some player: what an update needs is side by side.
REGRET, STRATEGY, AVERAGE = range(3)

ZERO, ONE = np.uint64(0), np.uint64(1)


class SampledGame(NamedTuple):
    """A game's histories, breadth-first, the children of a history side by side."""

    nodes: NDArray[np.uint32]  # [H, 4]
    threshold: NDArray[np.float64]  # [H], of a chance outcome's cell in its alias table (Walker 1977)
    alias: NDArray[np.uint32]  # [H], the outcome (counted from the first) beyond the threshold
    payoffs: NDArray[np.float64]  # [Z, N]
    baseline_row: NDArray[np.uint32]  # [H], where the baselines of the history's actions stand


class Workspace(NamedTuple):
    """The queue of a traversal, as long as the largest traversal; nothing here outlives one."""

    history: NDArray[np.uint32]
    below: NDArray[np.uint32]  # where in the queue the first child stands
    pick: NDArray[np.uint32]  # the sampled action
    inner: NDArray[np.uint32]  # the places of the queue that are no ends
    value: NDArray[np.float64]
    ahead: NDArray[np.float64]  # value by the baselines and the updated strategies
    own: NDArray[np.float64]  # the updating player's part of the reach
    others: NDArray[np.float64]  # the part of all other players


class Settings(NamedTuple):
    """The variant."""

    floor: float  # of the regrets: 0, or -inf
    linear_regrets: bool  # whether iteration t's regrets weigh t
    linear_average: bool  # whether iteration t's strategies weigh t
    epsilon: float  # share of uniform play where outcome sampling explores
    corrected: bool  # whether there are baselines
    predictive: bool  # whether they are the expected values under the updated strategies
    rate: float  # share of the newest value in a baseline


@part
def chance_outcome(game: Any, history: Any, number: float) -> Any:
    """The outcome of a chance history, counted from the first, by the alias method."""
    count = np.uint64(game.nodes[history, COUNT])
    cell = number * count
    pick = min(np.uint64(cell), count - ONE)  # a number just below 1 rounds up to the count
    child = np.uint64(game.nodes[history, CHILD]) + pick
    return pick if cell - pick < game.threshold[child] else np.uint64(game.alias[child])


@part
def action(table: Any, row: Any, count: Any, number: float) -> Any:
    """An action by the strategy of an information set."""
    pick, total = ZERO, 0.0
    for a in range(count - ONE):
        total += table[row + a, STRATEGY]
        pick += np.uint64(number >= total)
    return pick


@part
def match(table: Any, row: Any, count: Any) -> None:
    """The strategy of an information set from its regrets: proportional to the positive ones, or uniform."""
    total = 0.0
    for a in range(count):
        positive = max(table[row + a, REGRET], 0.0)
        table[row + a, STRATEGY] = positive
        total += positive
    if total > 0.0:
        for a in range(count):
            table[row + a, STRATEGY] /= total
    else:
        for a in range(count):
            table[row + a, STRATEGY] = 1.0 / count


@part
def accumulate(table: Any, row: Any, count: Any, weight: float) -> None:
    """Take the strategy of an information set into its average."""
    for a in range(count):
        table[row + a, AVERAGE] += weight * table[row + a, STRATEGY]


@part
def learn(table: Any, row: Any, count: Any, values: Any, first: Any, weight: float, floor: float) -> float:
    """Update an information set by the values of its actions, `values[first : first + count]`; returns its own."""
    value = 0.0
    for a in range(count):
        value += table[row + a, STRATEGY] * values[first + a]
    for a in range(count):
        table[row + a, REGRET] = max(table[row + a, REGRET] + weight * (values[first + a] - value), floor)
    match(table, row, count)
    return value


@part
def weights(settings: Any, t: int, num_players: int) -> tuple[float, float, float]:
    """Of iteration t: in the regrets, in the averages, and in those of the others whom a traversal meets.

    The last is 0 unless there are two players: then nothing is averaged on the way, but by `averaging_walk`.
    """
    share = float(t) if settings.linear_average else 1.0
    return float(t) if settings.linear_regrets else 1.0, share, share if num_players == 2 else 0.0


@part
def averaging_walk(game: Any, table: Any, stream: Any, player: int, weight: float) -> Any:
    """One play in which the others move uniformly at random: takes a player's strategy into its average.

    It arrives at an information set with a constant times the player's own part of the reach, as the average wants.
    """
    chance, visited = game.payoffs.shape[1], 1
    h = ZERO
    while game.nodes[h, KIND] <= chance:
        count, row = np.uint64(game.nodes[h, COUNT]), np.uint64(game.nodes[h, ROW])
        number = uniform(stream)
        if game.nodes[h, KIND] == chance:
            pick = chance_outcome(game, h, number)
        elif game.nodes[h, KIND] == player:
            accumulate(table, row, count, weight)
            pick = action(table, row, count, number)
        else:
            pick = min(np.uint64(number * count), count - ONE)
        h = np.uint64(game.nodes[h, CHILD]) + pick
        visited += 1
    return visited


@part
def external(
    game: Any, table: Any, work: Any, stream: Any, player: int, weight: float, share: float, floor: float
) -> Any:
    """External sampling without baselines: only the player's own histories and the ends are queued.

    Args:
        game: see `SampledGame`.
        table: see the columns.
        work: see `Workspace`.
        stream: of random numbers.
        player: who explores all actions and updates.
        weight: of the regrets.
        share: of the others' strategies in their averages; 0 to leave these alone.
        floor: of the regrets.

    Returns:
        The histories visited.
    """
    nodes, chance = game.nodes, game.payoffs.shape[1]
    work.history[0] = 0
    length, inner, at, visited = ONE, ZERO, ZERO, 0
    while at < length:
        h = np.uint64(work.history[at])
        kind = nodes[h, KIND]
        while kind != player and kind <= chance:
            number = uniform(stream)
            if kind == chance:
                pick = chance_outcome(game, h, number)
            else:
                row, count = np.uint64(nodes[h, ROW]), np.uint64(nodes[h, COUNT])
                pick = action(table, row, count, number)
                if share > 0.0:
                    accumulate(table, row, count, share)
            h = np.uint64(nodes[h, CHILD]) + pick
            kind = nodes[h, KIND]
            visited += 1
        if kind == player:
            child = np.uint64(nodes[h, CHILD])
            work.history[at] = h
            work.below[at] = length
            work.inner[inner] = at
            inner += ONE
            for a in range(np.uint64(nodes[h, COUNT])):
                work.history[length + a] = child + a
            length += np.uint64(nodes[h, COUNT])
        else:
            work.value[at] = game.payoffs[np.uint64(nodes[h, ROW]), np.uint64(player)]
        at += ONE
    total = visited + np.int64(length)
    while inner > ZERO:
        inner -= ONE
        at = np.uint64(work.inner[inner])
        h = np.uint64(work.history[at])
        row, count = np.uint64(nodes[h, ROW]), np.uint64(nodes[h, COUNT])
        work.value[at] = learn(table, row, count, work.value, np.uint64(work.below[at]), weight, floor)
    return total


@part
def refresh(baselines: Any, row: Any, sampled: float, ahead: float, settings: Any) -> None:
    """Move the baseline of a sampled action to the value that was seen, or to the one that is ahead."""
    if settings.predictive:
        baselines[row] = ahead
    else:
        baselines[row] += settings.rate * (sampled - baselines[row])


@part
def expected(game: Any, table: Any, baselines: Any, h: Any, chance: int) -> float:
    """The mean of the baselines of a history's actions under the mover's strategy, or chance's."""
    at, count = np.uint64(game.baseline_row[h]), np.uint64(game.nodes[h, COUNT])
    total = 0.0
    if game.nodes[h, KIND] == chance:
        # Threshold and alias give back the probabilities: a cell is its own outcome up to the threshold.
        child = np.uint64(game.nodes[h, CHILD])
        for a in range(count):
            part = game.threshold[child + a]
            total += part * baselines[at + a] + (1.0 - part) * baselines[at + np.uint64(game.alias[child + a])]
        return total / count
    row = np.uint64(game.nodes[h, ROW])
    for a in range(count):
        total += table[row + a, STRATEGY] * baselines[at + a]
    return total


@part
def external_corrected(
    game: Any, table: Any, known: Any, work: Any, stream: Any, settings: Any, player: int, weight: float, share: float
) -> Any:
    """External sampling with baselines `known` [rows] of the player's values; every visited history is queued."""
    nodes, chance = game.nodes, game.payoffs.shape[1]
    work.history[0] = 0
    length, at = ONE, ZERO
    while at < length:
        h = np.uint64(work.history[at])
        kind, child, count = nodes[h, KIND], np.uint64(nodes[h, CHILD]), np.uint64(nodes[h, COUNT])
        row = np.uint64(nodes[h, ROW])
        work.below[at] = length
        if kind == player:
            for a in range(count):
                work.history[length + a] = child + a
            length += count
        elif kind <= chance:
            number = uniform(stream)
            if kind == chance:
                pick = chance_outcome(game, h, number)
            else:
                pick = action(table, row, count, number)
                if share > 0.0:
                    accumulate(table, row, count, share)
            work.pick[at] = pick
            work.history[length] = child + pick
            length += ONE
        else:
            work.value[at] = work.ahead[at] = game.payoffs[row, np.uint64(player)]
        at += ONE
    at = length
    while at > ZERO:
        at -= ONE
        h, below = np.uint64(work.history[at]), np.uint64(work.below[at])
        kind, row, count = nodes[h, KIND], np.uint64(nodes[h, ROW]), np.uint64(nodes[h, COUNT])
        if kind == player:
            work.value[at] = learn(table, row, count, work.value, below, weight, settings.floor)
            ahead = 0.0
            for a in range(count):
                ahead += table[row + a, STRATEGY] * work.ahead[below + a]
            work.ahead[at] = ahead
        elif kind <= chance:
            sampled = np.uint64(game.baseline_row[h]) + np.uint64(work.pick[at])
            value = work.value[below]
            work.value[at] = expected(game, table, known, h, chance) + value - known[sampled]
            refresh(known, sampled, value, work.ahead[below], settings)
            if settings.predictive:
                work.ahead[at] = expected(game, table, known, h, chance)
    return np.int64(length)


@entry
def iterate_external(
    game: Any, table: Any, baselines: Any, work: Any, stream: Any, settings: Any, start: int, stop: int
) -> int:
    """Iterations start .. stop - 1 of external sampling; returns the histories visited."""
    num_players, visited = game.payoffs.shape[1], 0
    for t in range(start, stop):
        weight, share, others = weights(settings, t, num_players)
        for player in range(num_players):
            if others == 0.0:
                visited += averaging_walk(game, table, stream, player, share)
            if settings.corrected:
                known = baselines[player]
                visited += external_corrected(game, table, known, work, stream, settings, player, weight, others)
            else:
                visited += external(game, table, work, stream, player, weight, others, settings.floor)
    return visited


@part
def outcome(
    game: Any, table: Any, known: Any, work: Any, stream: Any, settings: Any, player: int, weight: float, share: float
) -> Any:
    """Outcome sampling: one play, with `epsilon` of uniform play at the player's own moves.

    `weight` and `share` are as in `external`. `known` [rows] is not read if there are none.
    """
    nodes, chance, epsilon = game.nodes, game.payoffs.shape[1], settings.epsilon
    h, depth, scale = ZERO, ZERO, 1.0
    while nodes[h, KIND] <= chance:
        kind, row, count = nodes[h, KIND], np.uint64(nodes[h, ROW]), np.uint64(nodes[h, COUNT])
        number = uniform(stream)
        if kind == chance:
            pick = chance_outcome(game, h, number)
        elif kind == player:
            pick, total = ZERO, 0.0
            for a in range(count - ONE):
                total += epsilon / count + (1.0 - epsilon) * table[row + a, STRATEGY]
                pick += np.uint64(number >= total)
            work.others[depth] = scale
            scale /= epsilon / count + (1.0 - epsilon) * table[row + pick, STRATEGY]
        else:
            pick = action(table, row, count, number)
            if share > 0.0:
                accumulate(table, row, count, share * scale)
        work.history[depth] = h
        work.pick[depth] = pick
        depth += ONE
        h = np.uint64(nodes[h, CHILD]) + pick
    visited = np.int64(depth) + 1
    value = game.payoffs[np.uint64(nodes[h, ROW]), np.uint64(player)]
    ahead = value
    while depth > ZERO:
        depth -= ONE
        h, pick = np.uint64(work.history[depth]), np.uint64(work.pick[depth])
        at, below = np.uint64(game.baseline_row[h]), value
        if nodes[h, KIND] == player:
            row, count = np.uint64(nodes[h, ROW]), np.uint64(nodes[h, COUNT])
            chosen = table[row + pick, STRATEGY]
            if settings.corrected:
                correction = (below - known[at + pick]) / (epsilon / count + (1.0 - epsilon) * chosen)
                value = expected(game, table, known, h, chance) + chosen * correction
            else:
                correction = below / (epsilon / count + (1.0 - epsilon) * chosen)
                value = chosen * correction
            reach = weight * work.others[depth]
            for a in range(count):
                estimate = known[at + a] if settings.corrected else 0.0
                if a == pick:
                    estimate += correction
                table[row + a, REGRET] = max(table[row + a, REGRET] + reach * (estimate - value), settings.floor)
            match(table, row, count)
        elif settings.corrected:
            value += expected(game, table, known, h, chance) - known[at + pick]
        if settings.corrected:
            refresh(known, at + pick, below, ahead, settings)
            if settings.predictive:
                ahead = expected(game, table, known, h, chance)
    return visited


@entry
def iterate_outcome(
    game: Any, table: Any, baselines: Any, work: Any, stream: Any, settings: Any, start: int, stop: int
) -> int:
    """Iterations start .. stop - 1 of outcome sampling; returns the histories visited."""
    num_players, visited = game.payoffs.shape[1], 0
    for t in range(start, stop):
        weight, share, others = weights(settings, t, num_players)
        for player in range(num_players):
            if others == 0.0:
                visited += averaging_walk(game, table, stream, player, share)
            visited += outcome(game, table, baselines[player], work, stream, settings, player, weight, others)
    return visited


@part
def chance_sampled(
    game: Any, table: Any, work: Any, stream: Any, player: int, weight: float, share: float, floor: float
) -> Any:
    """Chance sampling: all actions of all players below sampled chance outcomes.

    An information set may be met at several histories, so strategies stand still until the end. Histories that nobody's
    update can see, where both the player and the others never go, are left out.
    """
    nodes, chance = game.nodes, game.payoffs.shape[1]
    work.history[0], work.own[0], work.others[0] = 0, 1.0, 1.0
    length, inner, at, visited = ONE, ZERO, ZERO, 0
    while at < length:
        h, own, others = np.uint64(work.history[at]), work.own[at], work.others[at]
        while nodes[h, KIND] == chance:
            h = np.uint64(nodes[h, CHILD]) + chance_outcome(game, h, uniform(stream))
            visited += 1
        kind, row, count = nodes[h, KIND], np.uint64(nodes[h, ROW]), np.uint64(nodes[h, COUNT])
        if kind > chance:
            work.value[at] = game.payoffs[row, np.uint64(player)]
        elif own == 0.0 and others == 0.0:
            work.value[at] = 0.0  # whatever it is, it is multiplied by zero
        else:
            child = np.uint64(nodes[h, CHILD])
            work.history[at] = h
            work.below[at] = length
            work.inner[inner] = at
            inner += ONE
            if kind == player:
                accumulate(table, row, count, share * own)
            for a in range(count):
                step = table[row + a, STRATEGY]
                mine = own * step if kind == player else own
                theirs = others if kind == player else others * step
                work.history[length + a] = child + a
                work.own[length + a] = mine
                work.others[length + a] = theirs
            length += count
        at += ONE
    total = visited + np.int64(length)
    for k in range(inner):
        at = np.uint64(work.inner[inner - ONE - k])
        h, below = np.uint64(work.history[at]), np.uint64(work.below[at])
        row, count = np.uint64(nodes[h, ROW]), np.uint64(nodes[h, COUNT])
        value = 0.0
        for a in range(count):
            value += table[row + a, STRATEGY] * work.value[below + a]
        work.value[at] = value
        if nodes[h, KIND] == player:
            reach = weight * work.others[at]
            for a in range(count):
                table[row + a, REGRET] += reach * (work.value[below + a] - value)
    for k in range(inner):
        h = np.uint64(work.history[np.uint64(work.inner[k])])
        if nodes[h, KIND] == player:
            row, count = np.uint64(nodes[h, ROW]), np.uint64(nodes[h, COUNT])
            for a in range(count):
                table[row + a, REGRET] = max(table[row + a, REGRET], floor)
            match(table, row, count)
    return total


@entry
def iterate_chance(
    game: Any, table: Any, baselines: Any, work: Any, stream: Any, settings: Any, start: int, stop: int
) -> int:
    """Iterations start .. stop - 1 of chance sampling; returns the histories visited."""
    num_players, visited = game.payoffs.shape[1], 0
    for t in range(start, stop):
        weight, share, _ = weights(settings, t, num_players)
        for player in range(num_players):
            visited += chance_sampled(game, table, work, stream, player, weight, share, settings.floor)
    return visited

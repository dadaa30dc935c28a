"""Compiled passes over the sequence form that scoring rests on; apart from the solvers' kernels, which they judge.

All players are numbered together: sequences 0 .. N - 1 are the players' empty ones, then come player 0's others, player
1's and so on; information sets likewise, parents before children, those of a player in a row. The sequences of
information set i are `first[i] .. first[i + 1] - 1`. `tests` hold plain twins.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqsolvers.kernels import compiled


class DepthFirst(NamedTuple):
    """Information sets and sequences numbered so that what can follow an information set is one range."""

    first: NDArray[np.uint32]  # [I + 1]
    parent: NDArray[np.uint32]  # [I]
    end: NDArray[np.uint32]  # [I], one past the last information set that is i or can follow it
    sequence: NDArray[np.uint32]  # [Q], the sequence at each place
    infoset: NDArray[np.uint32]  # [I], the information set at each place


@compiled
def realise(first: Any, parent: Any, cell: Any, infoset_start: Any, tables: Any, plan: Any) -> None:
    """Write the realisation plans [Q] of flat behaviour tables, one per player; `cell` [Q] is a place in them."""
    stop = np.uint64(first[0])
    for player in range(len(tables)):
        table = tables[player]
        plan[player] = 1.0
        for infoset in range(infoset_start[player], infoset_start[player + 1]):
            reach = plan[parent[infoset]]
            start, stop = stop, np.uint64(first[infoset + 1])
            for q in range(start, stop):
                plan[q] = reach * table[cell[q]]


@compiled
def collect(start: Any, row_start: Any, others: Any, payoffs: Any, plan: Any, gradient: Any, values: Any) -> None:
    """Write what each sequence collects against the others' plans, [Q], and what each player gets in all, [N].

    Args:
        start: [N + 1], bounds of the players' sequences but the empty ones.
        row_start: [Q + 1], bounds of each sequence's payoff entries.
        others: [P (N - 1)], the other players' sequences of each entry.
        payoffs: [P].
        plan: [Q], everybody's.
        gradient: [Q], written.
        values: [N], written.
    """
    players = len(values)
    width = np.uint64(players - 1)
    stop = np.uint64(0)
    values[:] = 0.0
    for block in range(2 * players):  # the empty sequences, then the others
        player, begin, end = block, block, block + 1
        if block >= players:
            player = block - players
            begin, end = start[player], start[player + 1]
        value = 0.0
        for row in range(begin, end):
            lowest, stop = stop, np.uint64(row_start[row + 1])
            total = 0.0
            if players == 2:
                for k in range(lowest, stop):
                    total += payoffs[k] * plan[others[k]]
            else:
                for k in range(lowest, stop):
                    weight = payoffs[k]
                    for j in range(k * width, (k + np.uint64(1)) * width):
                        weight *= plan[others[j]]
                    total += weight
            gradient[row] = total
            value += plan[row] * total
        values[player] += value


@compiled
def respond(first: Any, parent: Any, worth: Any) -> None:
    """Turn a gradient [Q] into what each sequence is worth with best play of its player after it, in place."""
    stop = np.uint64(first[len(parent)])
    for infoset in range(len(parent) - 1, -1, -1):
        start = np.uint64(first[infoset])
        highest = worth[start]
        for q in range(start + np.uint64(1), stop):
            highest = max(highest, worth[q])  # a branch on it would be mispredicted half the time
        worth[parent[infoset]] += highest
        stop = start


@compiled
def evaluate(
    first: Any,
    parent: Any,
    cell: Any,
    infoset_start: Any,
    start: Any,
    row_start: Any,
    others: Any,
    payoffs: Any,
    tables: Any,
    plan: Any,
    worth: Any,
    values: Any,
) -> None:
    """The three passes in one call, as calls are a good part of a small game's time: [N], and `worth` [Q] at best."""
    realise(first, parent, cell, infoset_start, tables, plan)
    collect(start, row_start, others, payoffs, plan, worth, values)
    respond(first, parent, worth)


@compiled
def number_depth_first(first: Any, parent: Any, owner: Any, start: Any, order: Any) -> None:
    """Write a `DepthFirst`.

    Args:
        first: [I + 1] int64.
        parent: [I] int64.
        owner: [Q] int64, each sequence's information set; I + p for player p's empty sequence.
        start: [N + 1] int64, bounds of the players' sequences.
        order: written.
    """
    number, players = len(parent), len(start) - 1
    infosets, sequences = np.ones(number + players, dtype=np.int64), np.zeros(number + players, dtype=np.int64)
    for i in range(number - 1, -1, -1):
        sequences[i] += first[i + 1] - first[i]
        infosets[owner[parent[i]]] += infosets[i]
        sequences[owner[parent[i]]] += sequences[i]
    # Where the next information set after each one goes, and its first sequence; last, those of the empty sequences.
    place, slot = np.zeros(number + players, dtype=np.int64), np.zeros(number + players, dtype=np.int64)
    moved = np.zeros(len(owner), dtype=np.int64)
    reached = 0
    for player in range(players):
        place[number + player], slot[number + player] = reached, start[player]
        reached += infosets[number + player] - 1
        moved[player] = player
        order.sequence[player] = player
    for i in range(number):
        above = owner[parent[i]]
        at, begin, width = place[above], slot[above], first[i + 1] - first[i]
        place[above] += infosets[i]
        slot[above] += sequences[i]
        place[i], slot[i] = at + 1, begin + width
        order.first[at] = begin
        order.parent[at] = moved[parent[i]]
        order.end[at] = at + infosets[i]
        order.infoset[at] = i
        for k in range(width):
            moved[first[i] + k] = begin + k
            order.sequence[begin + k] = first[i] + k
    order.first[number] = len(owner)


@compiled
def gain_by_trigger(order: Any, weights: Any, plans: Any, gradients: Any, recommended: Any, arrived: Any) -> None:
    """Write the gain of each trigger, see `eqsolvers.scoring.triggers`.

    Args:
        order: `DepthFirst`; everything here is numbered by it.
        weights: [K].
        plans: [K, Q], the components'.
        gradients: [K, Q], of each component.
        recommended: [Q], written: deviating when that sequence's last action is recommended.
        arrived: [I], written: deviating on arrival, before the recommendation.
    """
    first, parent, end = order.first, order.parent, order.end
    number = len(recommended)
    following = np.zeros(number)
    for k in range(len(weights)):
        for q in range(number):
            following[q] += weights[k] * plans[k, q] * gradients[k, q]
    for i in range(len(parent) - 1, -1, -1):
        for q in range(first[i], first[i + 1]):
            following[parent[i]] += following[q]
    recommended[:] = 0.0
    told, blind = np.zeros(number), np.zeros(number)
    for i in range(len(parent)):
        start, stop, kept = first[i], first[end[i]], 0.0
        blind[: stop - start] = 0.0
        for q in range(start, first[i + 1]):
            told[: stop - start] = 0.0
            for k in range(len(weights)):
                weight = weights[k] * plans[k, q]
                if weight > 0.0:
                    for j in range(stop - start):
                        told[j] += weight * gradients[k, start + j]
            for j in range(stop - start):
                blind[j] += told[j]
            recommended[q] = best_below(first, parent, i, end[i], told) - following[q]
            kept += following[q]
        arrived[i] = best_below(first, parent, i, end[i], blind) - kept


@compiled
def best_below(first: Any, parent: Any, infoset: int, end: int, value: Any) -> float:
    """What best play from an information set on collects; `value`, from its first sequence on, is consumed."""
    start = first[infoset]
    highest = 0.0
    for i in range(end - 1, infoset - 1, -1):
        highest = -np.inf
        for q in range(first[i], first[i + 1]):
            highest = max(highest, value[q - start])
        if i > infoset:
            value[parent[i] - start] += highest
    return highest


@compiled
def combine(order: Any, recommended: Any, arrived: Any, told: Any, blind: Any) -> None:
    """Write the most that triggers after each sequence gain together, no two on one path.

    Args:
        order: `DepthFirst`.
        recommended: [Q], the gain of each trigger that is told the recommendation.
        arrived: [I], the gain of each trigger that is not.
        told: [Q] zeros, written, of the former kind.
        blind: [Q] zeros, written, of the latter.
    """
    first, parent = order.first, order.parent
    for i in range(len(parent) - 1, -1, -1):
        later = 0.0
        for q in range(first[i], first[i + 1]):
            told[parent[i]] += max(recommended[q], told[q])
            later += blind[q]
        blind[parent[i]] += max(arrived[i], later)

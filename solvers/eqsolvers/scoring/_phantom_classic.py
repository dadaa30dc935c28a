"""Best responses in classic phantom games: compiled passes over nodes (`eqenvs.games.extensive_form._phantom_states`).

The responder's nodes are walked turn by turn, with the list of the opponent's turns that are consistent with them. A
turn of the opponent that fails on a set of cells and then puts a stone on another counts once, whatever the order of
the failures, and so does a turn of the responder: of the 1.99e10 histories of phantom tic-tac-toe 7.1 million pairs are
gone through one by one, the first six turns. Two things are done at the end instead of walking on:

- With one empty cell left it will be taken, whoever moves and in whatever order. So the responder's last turn to count
  is the one with two or three empty cells, and its payoffs are looked up: by what the opponent's next turn brings on
  average (three), or by who gets the last cell (two).
- At that turn the responder's information is about the opponent's stones only, of which there are few sets: the
  consistent turns are added up by set, before the tries of the turn are gone through.

What is not reached with positive probability is dropped from the lists, so that near-deterministic opponents cost less.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eqsolvers.kernels import compiled


@compiled
def respond(player: int, own: Any, own_plan: Any, other: Any, plan: Any, wins: Any, num_cells: int) -> Any:
    """The responder's best payoff, and its payoff as it plays.

    Args:
        player: who responds.
        own: its nodes.
        own_plan: [Q], how it plays: the probability that its own choices give each move.
        other: the opponent's nodes.
        plan: [Q], how the opponent plays.
        wins: [2, 2^N].
        num_cells: N.
    """
    size = 1 << num_cells
    count, packed, rank = _set_tables(num_cells)
    # The opponent's turn that is summed up has two empty cells if it comes after the responder's last, else three.
    empty = 3 - (num_cells - player) % 2
    first, totals = _totals(other, plan, count, packed, rank, player, empty, num_cells)
    theirs = _moves(other, plan, num_cells)
    lists = np.empty(len(plan) + 1, dtype=np.int32)
    values = np.zeros(len(own.own))
    slot = np.full(size, -1, dtype=np.int32)
    groups = np.empty(size, dtype=np.int32)
    payoffs = np.empty((size, 3))
    played = np.zeros(1)
    work = (lists, values, slot, groups, payoffs, played)
    tables = (first, totals, packed, rank, count)
    end = 0
    if player == 0:
        lists[0], end = len(plan), 1
    else:  # nobody can fail or win before the responder's first turn
        for move in range(other.first[0], other.first[1]):
            if plan[move] > 0:
                lists[end] = move
                end += 1
    best = _walk(end, own, own_plan, other, theirs, wins[player], wins[1 - player], tables, work, num_cells)
    return best, played[0]


@compiled
def _moves(other: Any, plan: Any, num_cells: int) -> Any:
    """The opponent's moves, and last of all none.

    Returns:
        weight: [Q + 1], the realisation weight.
        stones: [Q + 1], the opponent's stones after the move if it puts one.
        turn: [Q + 1], the first node of its next turn; -1 if the responder is sure to win before it.
    """
    weight, turn = np.ones(len(plan) + 1), np.zeros(len(plan) + 1, dtype=np.int32)
    weight[:-1], turn[:-1] = plan, other.success
    stones = np.zeros(len(plan) + 1, dtype=np.int32)
    for node in range(len(other.own)):
        move = other.first[node]
        for cell in range(num_cells):
            if (other.own[node] | other.known[node]) >> cell & 1 == 0:
                stones[move] = other.own[node] | 1 << cell
                move += 1
    return weight, stones, turn


@compiled
def _set_tables(num_cells: int) -> Any:
    """Of sets of cells.

    Returns:
        count: [2^N], the number of cells.
        packed: [2^N, 2^N], the second set as a set of positions in the first.
        rank: [2^N], how many lower numbers stand for sets of as many cells.
    """
    size = 1 << num_cells
    count, rank = np.zeros(size, dtype=np.int32), np.zeros(size, dtype=np.int32)
    packed = np.zeros((size, size), dtype=np.int16)
    met = np.zeros(num_cells + 1, dtype=np.int32)
    for cells in range(size):
        count[cells] = count[cells >> 1] + (cells & 1)
        rank[cells] = met[count[cells]]
        met[count[cells]] += 1
        for part in range(size):
            place = 0
            for cell in range(num_cells):
                if cells >> cell & 1:
                    packed[cells, part] |= (part >> cell & 1) << place
                    place += 1
    return count, packed, rank


@compiled
def _totals(other: Any, plan: Any, count: Any, packed: Any, rank: Any, player: int, empty: int, num_cells: int) -> Any:
    """What a turn of the opponent with so many empty cells brings, whatever fails before.

    Returns:
        first: [C], the first row of such a turn at its first node; `_row` gives the others.
        totals: [., 3], the opponent's realisation weights of putting its stone on each of the empty cells.
    """
    first = np.full(len(other.own), -1, dtype=np.int32)
    rows = 0
    for turn in range(len(other.own)):
        own, known = other.own[turn], other.known[turn]
        stones = count[own] + (1 - player)  # the responder's: who moves second has one less
        if other.start[turn] == turn and num_cells - count[own] - stones == empty:
            first[turn] = rows
            free = num_cells - count[own] - count[known]
            ways = 1
            for i in range(empty):  # the free cells without a stone of the responder's
                ways = ways * (free - i) // (i + 1)
            rows += ways
    totals = np.zeros((rows, 3))
    for turn in range(len(other.own)):
        if first[turn] < 0:
            continue
        own, known = other.own[turn], other.known[turn]
        free = len(count) - 1 - (own | known)
        part = free
        while True:
            if count[free ^ part] == empty:
                _add_totals(turn, known | part, totals[first[turn] + rank[packed[free, part]]], other, plan, num_cells)
            if part == 0:
                break
            part = (part - 1) & free
    return first, totals


@compiled
def _add_totals(turn: int, stones: int, total: Any, other: Any, plan: Any, num_cells: int) -> None:
    for node in range(turn, other.end[turn]):
        if other.known[node] & ~stones:
            continue
        move, place = other.first[node], 0
        for cell in range(num_cells):
            bit = 1 << cell
            if (other.own[node] | stones) & bit == 0:
                total[place] += plan[move]
                place += 1
            if (other.own[node] | other.known[node]) & bit == 0:
                move += 1


@compiled
def _row(turn: int, stones: int, other: Any, tables: Any) -> int:
    """The row of `totals` of a turn of the opponent against the responder's stones."""
    first, _, packed, rank, count = tables
    free = len(count) - 1 - (other.own[turn] | other.known[turn])
    return int(first[turn] + rank[packed[free, stones & free]])


@compiled
def _walk(
    count_first: int,
    own: Any,
    own_plan: Any,
    other: Any,
    theirs: Any,
    wins: Any,
    loses: Any,
    tables: Any,
    work: Any,
    num_cells: int,
) -> float:
    """The responder's best payoff from its first turn on, with the first so many of `lists` before it.

    A stack of turns instead of recursion, which numba cannot load from its cache. In a turn the nodes are gone through
    from the largest sets of failed tries to the smallest, so that what follows a failure is known. Sets that win are
    `wins` for the responder and `loses` for the opponent.
    """
    _, _, _, _, count = tables
    lists, values, _, _, _, played = work
    weight_of, stones_of, turn_of = theirs
    turns, nodes = np.zeros(num_cells, dtype=np.int64), np.zeros(num_cells, dtype=np.int64)
    moves, cells = np.zeros(num_cells, dtype=np.int64), np.zeros(num_cells, dtype=np.int64)
    begins, ends = np.zeros(num_cells, dtype=np.int64), np.zeros(num_cells, dtype=np.int64)
    gained, best = np.zeros(num_cells), np.zeros(num_cells)
    if num_cells - count[stones_of[lists[0]]] == 3:
        number = _two_turns_left(0, 0, count_first, other, theirs, wins, loses, tables, work, num_cells)
        return _last_turn(0, number, own, own_plan, work, num_cells)
    depth = 0
    ends[0] = count_first
    nodes[0] = own.end[0] - 1
    moves[0], cells[0], best[0] = own.first[nodes[0]], -1, -np.inf
    while True:
        turn, node, begin, end = turns[depth], nodes[depth], begins[depth], ends[depth]
        stones, found = own.own[turn], own.known[node]
        cell = cells[depth] + 1
        while cell < num_cells and (stones | found) >> cell & 1:
            cell += 1
        if cell == num_cells:
            values[node] = best[depth]
            nodes[depth] -= 1
            if node > turn:
                moves[depth], cells[depth], best[depth] = own.first[node - 1], -1, -np.inf
                continue
            if depth == 0:
                return float(values[0])
            depth -= 1
            _finish(depth, values[turn], own, moves, gained, best, values)
            continue
        cells[depth] = cell
        move, bit = moves[depth], 1 << cell
        after = stones | bit
        empty = num_cells - count[stones] - count[stones_of[lists[begin]]]
        payoff, top, number = 0.0, end, 0
        for entry in range(begin, end):
            before = stones_of[lists[entry]]
            if (found & ~before) | (before & bit):
                continue
            if wins[after]:
                payoff += weight_of[lists[entry]]
                continue
            reply = turn_of[lists[entry]]
            if empty == 4:
                lost, number = _one_turn_left(reply, after, number, other, loses, tables, work, num_cells)
                payoff -= lost
                continue
            for their_node in range(reply, other.end[reply]):
                if other.known[their_node] & ~after:
                    continue
                for their_move in range(other.first[their_node], other.first[their_node + 1]):
                    weight = weight_of[their_move]
                    if weight > 0 and stones_of[their_move] & after == 0:
                        if loses[stones_of[their_move]]:
                            payoff -= weight
                        else:
                            lists[top] = their_move
                            top += 1
        played[0] += own_plan[move] * payoff
        gained[depth] = payoff
        value = 0.0
        if top > end and empty > 5:
            depth += 1
            turns[depth], begins[depth], ends[depth] = own.success[move], end, top
            nodes[depth] = own.end[turns[depth]] - 1
            moves[depth], cells[depth], best[depth] = own.first[nodes[depth]], -1, -np.inf
            continue
        if top > end:
            number = _two_turns_left(after, end, top, other, theirs, wins, loses, tables, work, num_cells)
        elif number > 0:
            _settle(after, number, wins, loses, work, num_cells)
        if number > 0:
            value = _last_turn(own.success[move], number, own, own_plan, work, num_cells)
        _finish(depth, value, own, moves, gained, best, values)


@compiled
def _finish(depth: int, value: float, own: Any, moves: Any, gained: Any, best: Any, values: Any) -> None:
    """Compare a move with those before, when what follows its success is known to be worth `value`."""
    move = moves[depth]
    payoff = gained[depth] + value
    if own.failure[move] >= 0:
        payoff += values[own.failure[move]]
    best[depth] = max(best[depth], payoff)
    moves[depth] = move + 1


@compiled
def _two_turns_left(
    stones: int,
    begin: int,
    end: int,
    other: Any,
    theirs: Any,
    wins: Any,
    loses: Any,
    tables: Any,
    work: Any,
    num_cells: int,
) -> int:
    """Add up, by the opponent's stones, what each of the three empty cells pays; returns the number of sets."""
    totals = tables[1]
    lists, _, slot, groups, payoffs, _ = work
    weight_of, stones_of, turn_of = theirs
    everything = (1 << num_cells) - 1
    number = 0
    for entry in range(begin, end):
        move = lists[entry]
        before = stones_of[move]
        group = slot[before]
        if group < 0:
            group = number
            slot[before], groups[group] = group, before
            payoffs[group] = 0.0
            number += 1
        first = everything & ~(stones | before)
        second = first & (first - 1)
        third = second & (second - 1)
        first, second = first ^ second, second ^ third
        for place in range(3):
            mine, low, high = first, second, third
            if place == 1:
                mine, low = second, first
            elif place == 2:
                mine, low, high = third, first, second
            if wins[stones | mine]:
                payoffs[group, place] += weight_of[move]
                continue
            # The opponent takes one of the other two cells, the responder gets what is left.
            total = totals[_row(turn_of[move], stones | mine, other, tables)]
            if loses[before | low]:
                payoffs[group, place] -= total[0]
            elif wins[stones | mine | high]:
                payoffs[group, place] += total[0]
            if loses[before | high]:
                payoffs[group, place] -= total[1]
            elif wins[stones | mine | low]:
                payoffs[group, place] += total[1]
    return number


@compiled
def _one_turn_left(
    turn: int, stones: int, number: int, other: Any, loses: Any, tables: Any, work: Any, num_cells: int
) -> Any:
    """Add the ways in which a turn of the opponent leaves two cells empty, by its stones then.

    Returns:
        The weight with which the opponent wins, and the number of sets so far.
    """
    totals = tables[1]
    _, _, slot, groups, payoffs, _ = work
    total = totals[_row(turn, stones, other, tables)]
    lost = 0.0
    place = 0
    for cell in range(num_cells):
        theirs = other.own[turn] | 1 << cell
        if (stones | other.own[turn]) >> cell & 1:
            continue
        weight = total[place]
        place += 1
        if loses[theirs]:
            lost += weight
        elif weight > 0:
            group = slot[theirs]
            if group < 0:
                group = number
                slot[theirs], groups[group] = group, theirs
                payoffs[group] = 0.0
                number += 1
            payoffs[group, 0] += weight
    return lost, number


@compiled
def _settle(stones: int, number: int, wins: Any, loses: Any, work: Any, num_cells: int) -> None:
    """Turn the weights of the opponent's sets into what each of the two empty cells pays."""
    _, _, _, groups, payoffs, _ = work
    everything = (1 << num_cells) - 1
    for group in range(number):
        high = everything & ~(stones | groups[group])
        low = high & -high
        high ^= low
        weight = payoffs[group, 0]
        for place in range(2):
            mine, left = (high, low) if place else (low, high)
            if wins[stones | mine]:
                payoffs[group, place] = weight
            elif loses[groups[group] | left]:
                payoffs[group, place] = -weight
            else:
                payoffs[group, place] = 0.0


@compiled
def _last_turn(turn: int, number: int, own: Any, own_plan: Any, work: Any, num_cells: int) -> float:
    """The best payoff from a turn on, by what each empty cell pays against each set; forgets the sets."""
    _, values, slot, groups, payoffs, played = work
    stones = own.own[turn]
    for node in range(own.end[turn] - 1, turn - 1, -1):
        found = own.known[node]
        best = -np.inf
        move = own.first[node]
        for cell in range(num_cells):
            bit = 1 << cell
            if (stones | found) & bit:
                continue
            payoff = 0.0
            for group in range(number):
                theirs = groups[group]
                if found & ~theirs:
                    continue
                if theirs & bit == 0:
                    place = 0
                    for below in range(cell):
                        place += 1 - ((stones | theirs) >> below & 1)
                    payoff += payoffs[group, place]
            played[0] += own_plan[move] * payoff
            if own.failure[move] >= 0:
                payoff += values[own.failure[move]]
            best = max(best, payoff)
            move += 1
        values[node] = best
    for group in range(number):
        slot[groups[group]] = -1
    return float(values[turn])

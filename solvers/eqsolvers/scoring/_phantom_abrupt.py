"""Best responses in abrupt phantom games: compiled passes over nodes (`eqenvs.games.extensive_form._phantom_states`).

The responder's nodes are walked with the list of the opponent's nodes that are consistent with them, down to where the
opponent has four cells left to try. From there on an opponent's node matters by its stones, by the stones that it knows
and by the realisation weights of what it can do, 124 numbers: for each node of the responder, nodes with the same two
sets are added up, and so they are again where three cells are left. The rest is played against these few sums. Of the
2.7e10 histories of phantom tic-tac-toe 1.0e8 pairs of nodes are gone through one by one if player 0 responds, 2.4e7 if
player 1 does.

What is not reached with positive probability is dropped from the lists, so that near-deterministic opponents cost less.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eqsolvers.kernels import compiled

# Numbers that stand for what a node with three, or four, cells left can do: the weights of its moves, and after each of
# them, where it failed and where it succeeded, the numbers of the node that follows (with two cells left, 2 weights).
WIDTH_3 = 3 + 2 * 3 * 2
WIDTH_4 = 4 + 2 * 4 * WIDTH_3


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
        num_cells: N, at least 4.
    """
    size = 1 << num_cells
    count = np.zeros(size, dtype=np.int32)
    for cells in range(1, size):
        count[cells] = count[cells >> 1] + (cells & 1)
    before, ends = _ends(other, plan, count, num_cells)
    room = 2 * other.first[before] + size
    lists = (
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.int32),
        np.empty(room),
    )
    groups = (
        np.full(size * size, -1, dtype=np.int32),
        np.empty((2, 16 * size), dtype=np.int32),
        np.empty(16 * size, dtype=np.int32),
        np.empty(16 * size),
        np.empty((size, WIDTH_3)),
        np.zeros((size, WIDTH_4)),
    )
    played = np.zeros(1)
    them = (other, plan, before, ends)
    lists[0][0], lists[1][0], lists[2][0], lists[3][0] = 0, 0, 0, 1.0
    if num_cells == 4:
        groups[5][0] = ends[0]
    begun, number = 1, 0
    if player == 1:  # the other moves first
        _, top, number = _replies(0, 0, False, 0, 1, them, wins[0], count, lists, groups, num_cells)
        begun = top - 1
        for entry in range(begun):
            for array in lists[:3]:
                array[entry] = array[entry + 1]
            lists[3][entry] = lists[3][entry + 1]
    win, lose = wins[player], wins[1 - player]
    if number > 0:
        best = _end(0, 0, 0, number, own, own_plan, win, lose, count, groups, _stack(num_cells), played, num_cells)
    else:
        best = _walk(begun, own, own_plan, them, win, lose, count, lists, groups, played, num_cells)
    return best, played[0]


@compiled
def _ends(other: Any, plan: Any, count: Any, num_cells: int) -> Any:
    """The first node of the opponent with four cells left, and for each such node what it can do: [., WIDTH_4]."""
    before, after = 0, 0
    for node in range(len(other.own)):
        left = num_cells - count[other.own[node] | other.known[node]]
        before += left > 4
        after += left > 3
    ends = np.zeros((after - before, WIDTH_4))
    for row in range(len(ends)):
        first = other.first[before + row]
        for i in range(4):
            ends[row, i] = plan[first + i]
            for outcome in range(2):
                node = other.success[first + i] if outcome else other.failure[first + i]
                if node >= 0:
                    at = 4 + (2 * i + outcome) * WIDTH_3
                    then = other.first[node]
                    for j in range(3):
                        ends[row, at + j] = plan[then + j]
                        for last in range(2):
                            leaf = other.success[then + j] if last else other.failure[then + j]
                            if leaf >= 0:
                                for k in range(2):
                                    ends[row, at + 3 + 4 * j + 2 * last + k] = plan[other.first[leaf] + k]
    return before, ends


@compiled
def _walk(
    count_first: int,
    own: Any,
    own_plan: Any,
    them: Any,
    wins: Any,
    loses: Any,
    count: Any,
    lists: Any,
    groups: Any,
    played: Any,
    num_cells: int,
) -> float:
    """The responder's best payoff from its first node on, with the first so many of `lists` before it.

    A stack of nodes instead of recursion, which numba cannot load from its cache. Sets that win are `wins` for the
    responder and `loses` for the opponent.
    """
    nodes, moves = np.zeros(num_cells, dtype=np.int64), np.zeros(num_cells, dtype=np.int64)
    begins, ends = np.zeros(num_cells, dtype=np.int64), np.zeros(num_cells, dtype=np.int64)
    tries = np.zeros(num_cells, dtype=np.int64)  # 2 * cell + whether it fails, the next one
    gained, best = np.zeros(num_cells), np.full(num_cells, -np.inf)
    stack = _stack(num_cells)
    depth = 0
    ends[0], moves[0] = count_first, own.first[0]
    while True:
        node, begin, end = nodes[depth], begins[depth], ends[depth]
        stones, found = own.own[node], own.known[node]
        cell, failed = tries[depth] >> 1, tries[depth] & 1 == 1
        if cell == num_cells:
            if depth == 0:
                return float(best[0])
            depth -= 1
            gained[depth] += best[depth + 1]
            if tries[depth] & 1 == 0:
                best[depth] = max(best[depth], gained[depth])
            continue
        tries[depth] += 1
        bit = 1 << cell
        if (stones | found) & bit:
            continue
        if not failed:
            gained[depth] = 0.0
        move = moves[depth]
        moves[depth] += failed
        after, known = (stones, found | bit) if failed else (stones | bit, found)
        payoff, top, number = 0.0, end, 0
        if not failed and wins[after]:
            for entry in range(begin, end):
                if lists[1][entry] & bit == 0:
                    payoff += lists[3][entry]
        else:
            payoff, top, number = _replies(after, bit, failed, begin, end, them, loses, count, lists, groups, num_cells)
        played[0] += own_plan[move] * payoff
        follows = own.failure[move] if failed else own.success[move]
        if top > end:
            gained[depth] += payoff
            depth += 1
            nodes[depth], moves[depth], tries[depth] = follows, own.first[follows], 0
            begins[depth], ends[depth], best[depth] = end, top, -np.inf
            continue
        if number > 0:
            payoff += _end(
                follows, after, known, number, own, own_plan, wins, loses, count, groups, stack, played, num_cells
            )
        gained[depth] += payoff
        if failed:
            best[depth] = max(best[depth], gained[depth])


@compiled
def _stack(num_cells: int) -> Any:
    return np.zeros((num_cells, 8), dtype=np.int64), np.zeros((num_cells, 3))


@compiled
def _replies(
    stones: int,
    bit: int,
    failed: bool,
    begin: int,
    end: int,
    them: Any,
    loses: Any,
    count: Any,
    lists: Any,
    groups: Any,
    num_cells: int,
) -> Any:
    """The opponent's moves from the listed nodes at which the responder's try of a cell fails, or does not.

    The list of the nodes after them begins at `end`. Where four cells are left after the moves, the list is one of sums
    instead, numbered from 0. Where three are left, there are sums but no list.

    Returns:
        What the moves pay the responder at once, the end of the list and the number of sums with three cells left.
    """
    other, plan, before, ends = them
    nodes, owns, knowns, weights = lists
    slot, sets, _, sums, threes, fours = groups
    full = (1 << num_cells) - 1
    payoff, top, number = 0.0, end, 0
    for entry in range(begin, end):
        own, known = owns[entry], knowns[entry]
        if (own & bit != 0) != failed:
            continue
        node = nodes[entry]
        left = full & ~(own | known)
        width = count[left]
        move = 0 if width == 4 else other.first[node]
        place = -1
        while left:
            cell = left & -left
            left ^= cell
            place += 1
            weight = fours[node, place] if width == 4 else plan[move + place]
            if weight == 0:
                continue
            hit = stones & cell != 0
            own_after, known_after = (own, known | cell) if hit else (own | cell, known)
            if not hit and loses[own_after]:
                payoff -= weight
                continue
            if own_after | stones == full:
                continue
            if width > 5:
                nodes[top] = other.failure[move + place] if hit else other.success[move + place]
                owns[top], knowns[top], weights[top] = own_after, known_after, weight
                top += 1
                continue
            key = own_after << num_cells | known_after
            group = slot[key]
            if width == 5:
                if group < 0:
                    group = top - end
                    slot[key] = group
                    nodes[top], owns[top], knowns[top], weights[top] = group, own_after, known_after, 0.0
                    fours[group] = 0.0
                    top += 1
                weights[end + group] += weight
                follows = other.failure[move + place] if hit else other.success[move + place]
                if follows >= 0:
                    _add(fours[group], ends[follows - before])
            else:
                if group < 0:
                    group = number
                    slot[key] = group
                    sets[0, group], sets[1, group] = own_after, known_after
                    threes[group] = 0.0
                    sums[group] = 0.0
                    number += 1
                sums[group] += weight
                first = 4 + (2 * place + (0 if hit else 1)) * WIDTH_3
                _add(threes[group], fours[node, first : first + WIDTH_3])
    if top > end and num_cells - count[owns[end] | knowns[end]] == 4:
        for entry in range(end, top):
            slot[owns[entry] << num_cells | knowns[entry]] = -1
    return payoff, top, number


@compiled
def _add(into: Any, numbers: Any) -> None:
    for i in range(len(into)):
        into[i] += numbers[i]


@compiled
def _end(
    node: int,
    stones: int,
    found: int,
    number: int,
    own: Any,
    own_plan: Any,
    wins: Any,
    loses: Any,
    count: Any,
    groups: Any,
    stack: Any,
    played: Any,
    num_cells: int,
) -> float:
    """The best payoff from a node on, against so many sums; forgets them."""
    slot, sets, at, _, _, _ = groups
    for group in range(number):
        slot[sets[0, group] << num_cells | sets[1, group]] = -1
        at[group] = WIDTH_3 * group
    return _play(node, stones, found, number, own, own_plan, wins, loses, count, groups, stack, played, num_cells)


@compiled
def _play(
    node: int,
    stones: int,
    found: int,
    number: int,
    own: Any,
    own_plan: Any,
    wins: Any,
    loses: Any,
    count: Any,
    groups: Any,
    stack: Any,
    played: Any,
    num_cells: int,
) -> float:
    """The best payoff against so many sums; a node with one cell left to try is not there and needs none."""
    _, sets, at, weights, threes, _ = groups
    frames, figures = stack
    flat = threes.reshape(-1)
    full = (1 << num_cells) - 1
    depth = 0
    untried, bit, move = full & ~(stones | found), 0, own.first[node]
    begin, end, failed = 0, number, True
    best, gained, own_weight = -np.inf, 0.0, 0.0
    while True:
        # The next try, or back to the node before.
        if not failed:
            failed = True
        elif untried:
            if bit:
                best = max(best, gained)
            bit = untried & -untried
            untried ^= bit
            failed, gained = False, 0.0
            if node >= 0:
                own_weight = own_plan[move]
                move += 1
        else:
            best = max(best, gained)
            if depth == 0:
                return best
            depth -= 1
            node, stones, found, untried, bit, move, begin, end = frames[depth]
            failed = figures[depth, 2] > 0
            gained = figures[depth, 1] + best
            best, own_weight = figures[depth, 0], own_plan[move - 1]
            continue
        after = stones if failed else stones | bit
        won = not failed and wins[after]
        payoff, top = 0.0, end
        for entry in range(begin, end):
            theirs, known = sets[0, entry], sets[1, entry]
            if (theirs & bit != 0) != failed:
                continue
            if won:
                payoff += weights[entry]
                continue
            left = full & ~(theirs | known)
            first = at[entry]
            width = count[left]
            place = 0
            while left:
                cell = left & -left
                left ^= cell
                weight = weights[entry] if first < 0 else flat[first + place]
                if weight > 0:
                    hit = after & cell != 0
                    if not hit and loses[theirs | cell]:
                        payoff -= weight
                    elif hit or theirs | cell | after != full:
                        sets[0, top] = theirs if hit else theirs | cell
                        sets[1, top] = known | cell if hit else known
                        weights[top] = weight
                        at[top] = first + 3 + 4 * place + (0 if hit else 2) if width == 3 else -1
                        top += 1
                place += 1
        played[0] += own_weight * payoff
        gained += payoff
        if top > end:
            frames[depth, 0], frames[depth, 1], frames[depth, 2], frames[depth, 3] = node, stones, found, untried
            frames[depth, 4], frames[depth, 5], frames[depth, 6], frames[depth, 7] = bit, move, begin, end
            figures[depth, 0], figures[depth, 1], figures[depth, 2] = best, gained, failed
            depth += 1
            begin, end, best, gained = end, top, -np.inf, 0.0
            follows = -1
            if node >= 0:
                follows = own.failure[move - 1] if failed else own.success[move - 1]
            node = follows
            if failed:
                found |= bit
            else:
                stones |= bit
            untried, bit, failed = full & ~(stones | found), 0, True
            if node >= 0:
                move = own.first[node]

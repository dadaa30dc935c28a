"""The information states of phantom games on small boards, enumerated without their histories.

A player's information state is the sequence of its own tries, so that a history is a pair of information states. In the
classic game the order of the failed tries within one turn tells nobody anything: information states that differ in it
only have the same histories of the opponent and the same continuations, and make up a *node*. In the abrupt game every
information state is a node of its own.

Whether a sequence of tries can occur depends on the sets of cells in it only, own stones and known stones of the
opponent: the opponent can have put any stones that contain the known ones, lie on other cells, have not won, and are as
many as it can have. Classic, that is one for each of its turns. Abrupt, it is at most that, and at least so many that
its other tries, made as late as possible, found stones: as many as the player has failed tries, and for the player who
moves second one more.

Cost: 9 bytes an information state, 24 bytes a node and 8 a move. Classic phantom tic-tac-toe has 3,683,314 + 2,307,355
information states in 1,882,714 + 1,093,879 nodes, the abrupt game 14,482,810 + 8,827,459. Those at which something is
decided (`deciding`) are 331,234 + 2,307,355 and 5,733,370 + 8,827,459.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import BoolArray
from eqenvs.kernels import compiled
from eqenvs.models.information_states import InformationStates

Int32Array = NDArray[np.int32]


class Nodes(NamedTuple):
    """One player's C nodes, and the Q moves from them, as they follow each other: successors have higher numbers.

    The nodes of a turn, one for each set of tries that failed in it, are in a row, smaller sets first. The moves from a
    node are in a row, by cell: one for each cell that the player has not tried. Sets of cells are numbers, a bit each.
    """

    own: Int32Array  # [C], the player's stones
    known: Int32Array  # [C], the opponent's stones that it knows
    start: Int32Array  # [C], the first node of the turn
    end: Int32Array  # [C], one past the last node of the turn
    first: Int32Array  # [C + 1], the first move from the node
    success: Int32Array  # [Q], the node after the try put a stone; -1 for none
    failure: Int32Array  # [Q], the node after the try found a stone of the opponent's; -1 for none


class Sequences(NamedTuple):
    """One player's I information states in order of length, the successors of each in a row, by cell, success first."""

    node: Int32Array  # [I]
    parent: Int32Array  # [I], -1 for the first
    last: NDArray[np.int8]  # [I], the last try, 2 * cell + success; -1 for the first


def enumerate_nodes(player: int, wins: BoolArray, abrupt: bool, *, deciding: bool = False) -> Nodes:
    """A player's nodes.

    Args:
        player: 0 or 1.
        wins: [2, 2^N], whether a set of stones wins, for each player.
        abrupt: whether a failed try loses the turn.
        deciding: leave out where nothing depends on what the player does: in the classic game turns with one empty
            cell left, in the abrupt game information states with one legal action.
    """
    num_cells = wins.shape[1].bit_length() - 1
    possible = _possible(player, wins[1 - player], abrupt, deciding, num_cells)
    sizes = _sizes(possible, wins[player], abrupt, num_cells)
    return Nodes(*_enumerate(possible, wins[player], abrupt, num_cells, *sizes))


def enumerate_sequences(nodes: Nodes) -> Sequences:
    """A player's information states."""
    return Sequences(*_unfold(nodes, _paths(nodes)))


def blocks(
    player: int, sequences: Sequences, num_cells: int, size: int = 1 << 14
) -> Iterator[tuple[int, InformationStates]]:
    """A player's information states in order, so many at a time, each block with the number of its first."""
    for start in range(0, len(sequences.node), size):
        stop = min(start + size, len(sequences.node))
        keys = _keys(sequences.parent, sequences.last, start, stop, num_cells)
        observations = np.zeros((stop - start, 2 + 2 * num_cells + num_cells**2), dtype=np.float32)
        masks = np.ones((stop - start, num_cells), dtype=bool)
        _observe(keys, player, observations, masks)
        yield start, InformationStates(keys, observations, masks)


@compiled
def _members(cells: int) -> int:
    count = 0
    while cells:
        cells &= cells - 1
        count += 1
    return count


@compiled
def _possible(player: int, wins: Any, abrupt: bool, deciding: bool, num_cells: int) -> Any:
    """Whether the player can be to move, by its own stones and those known to it: [2^N, 2^N].

    Args:
        player: 0 or 1.
        wins: [2^N], of the opponent.
        abrupt: see `enumerate_nodes`.
        deciding: see there.
        num_cells: N.
    """
    size = 1 << num_cells
    counts = np.zeros((size, size), dtype=np.int32)  # the numbers of stones that the opponent can have, as bits
    for stones in range(size):
        if wins[stones]:
            continue
        others = size - 1 - stones
        own = others
        while True:
            known = stones
            while True:
                counts[own, known] |= 1 << _members(stones)
                if known == 0:
                    break
                known = (known - 1) & stones
            if own == 0:
                break
            own = (own - 1) & others
    possible = np.zeros((size, size), dtype=np.bool_)
    for own in range(size):
        for known in range(size):
            stones, found = _members(own), _members(known)
            most = stones + player
            least = most
            if abrupt:
                most += found
                least = found + player
                if (found > 0 and most == found) or (deciding and stones + found == num_cells - 1):
                    continue  # the very first try finds no stone
            most = min(most, num_cells - stones - (2 if deciding and not abrupt else 1))  # a full board is the end
            possible[own, known] = least <= most and counts[own, known] & ((2 << most) - (1 << least)) != 0
    return possible


@compiled
def _sizes(possible: Any, wins: Any, abrupt: bool, num_cells: int) -> Any:
    """The numbers of nodes and of moves from them."""
    size = 1 << num_cells
    turns = np.zeros((size, size), dtype=np.int64)  # that begin with these stones
    turns[0, 0] = 1
    nodes, moves = 0, 0
    for own in range(size):
        for known in range(size):
            ways = turns[own, known]
            if ways == 0:
                continue
            unknown = 0 if abrupt else size - 1 - (own | known)
            failed = unknown
            while True:
                found = known | failed
                if possible[own, found]:
                    nodes += ways
                    moves += ways * (num_cells - _members(own | found))
                    for cell in range(num_cells):
                        bit = 1 << cell
                        if (own | found) & bit:
                            continue
                        if not wins[own | bit] and possible[own | bit, found]:
                            turns[own | bit, found] += ways
                        if abrupt and possible[own, found | bit]:
                            turns[own, found | bit] += ways
                if failed == 0:
                    break
                failed = (failed - 1) & unknown
    return nodes, moves


@compiled
def _enumerate(possible: Any, wins: Any, abrupt: bool, num_cells: int, num_nodes: int, num_moves: int) -> Any:
    own, known = np.empty(num_nodes, dtype=np.int32), np.empty(num_nodes, dtype=np.int32)
    start, end = np.empty(num_nodes, dtype=np.int32), np.empty(num_nodes, dtype=np.int32)
    first = np.zeros(num_nodes + 1, dtype=np.int32)
    success, failure = np.full(num_moves, -1, dtype=np.int32), np.full(num_moves, -1, dtype=np.int32)
    size = _add_turn(0, 0, possible, abrupt, num_cells, own, known, start, end, first, 0)
    for node in range(num_nodes):
        move = first[node]
        for cell in range(num_cells):
            bit = 1 << cell
            if (own[node] | known[node]) & bit:
                continue
            stones, found = own[node] | bit, known[node] | bit
            if not wins[stones] and possible[stones, known[node]]:
                success[move] = size
                size = _add_turn(stones, known[node], possible, abrupt, num_cells, own, known, start, end, first, size)
            if possible[own[node], found]:
                if abrupt:
                    failure[move] = size
                    size = _add_turn(own[node], found, possible, abrupt, num_cells, own, known, start, end, first, size)
                else:
                    other = node + 1
                    while known[other] != found:
                        other += 1
                    failure[move] = other
            move += 1
    return own, known, start, end, first, success, failure


@compiled
def _add_turn(
    stones: int,
    found: int,
    possible: Any,
    abrupt: bool,
    num_cells: int,
    own: Any,
    known: Any,
    start: Any,
    end: Any,
    first: Any,
    size: int,
) -> int:
    """Append the nodes of a turn; returns the new number of nodes."""
    before = size
    unknown = 0 if abrupt else (1 << num_cells) - 1 - (stones | found)
    for number in range(_members(unknown) + 1):
        failed = unknown
        while True:
            if _members(failed) == number and possible[stones, found | failed]:
                own[size], known[size] = stones, found | failed
                first[size + 1] = first[size] + num_cells - _members(own[size] | known[size])
                size += 1
            if failed == 0:
                break
            failed = (failed - 1) & unknown
    start[before:size], end[before:size] = before, size
    return size


@compiled
def _paths(nodes: Any) -> int:
    """How many sequences of tries the nodes stand for."""
    paths = np.zeros(len(nodes.own), dtype=np.int64)
    paths[0] = 1
    for node in range(len(paths)):
        for move in range(nodes.first[node], nodes.first[node + 1]):
            for after in (nodes.success[move], nodes.failure[move]):
                if after >= 0:
                    paths[after] += paths[node]
    return int(paths.sum())


@compiled
def _unfold(nodes: Any, size: int) -> Any:
    node, parent = np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int32)
    last = np.empty(size, dtype=np.int8)
    node[0], parent[0], last[0] = 0, -1, -1
    made = 1
    for state in range(size):
        at = node[state]
        move, cell, untried = nodes.first[at], 0, ~(nodes.own[at] | nodes.known[at])
        while move < nodes.first[at + 1]:
            if untried >> cell & 1:
                if nodes.success[move] >= 0:
                    node[made], parent[made], last[made] = nodes.success[move], state, 2 * cell + 1
                    made += 1
                if nodes.failure[move] >= 0:
                    node[made], parent[made], last[made] = nodes.failure[move], state, 2 * cell
                    made += 1
                move += 1
            cell += 1
    return node, parent, last


@compiled
def _keys(parent: Any, last: Any, start: int, stop: int, num_cells: int) -> Any:
    """The keys of a range of information states, as `PhantomBoard.information_state` gives them: [stop - start, N]."""
    keys = np.full((stop - start, num_cells), -1, dtype=np.int64)
    for state in range(start, stop):
        length, at = 0, state
        while parent[at] >= 0:
            length, at = length + 1, parent[at]
        at = state
        while length > 0:
            length -= 1
            keys[state - start, length] = last[at]
            at = parent[at]
    return keys


@compiled
def _observe(keys: Any, player: int, observations: Any, masks: Any) -> None:
    """Write the observations and masks of one player's keys, as `PhantomBoard` gives them, into zeros and ones."""
    num_cells = keys.shape[1]
    observations[:, player] = 1.0
    for row in range(len(keys)):
        for slot in range(num_cells):
            entry = keys[row, slot]
            if entry < 0:
                break
            observations[row, 2 + entry] = 1.0
            observations[row, 2 + 2 * num_cells + slot * num_cells + (entry >> 1)] = 1.0
            masks[row, entry >> 1] = False

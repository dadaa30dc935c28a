"""The layout of a two-player game for kernels that work on several information sets at once.

In a game with private hands the same public history comes with many hands, and each of them has the same actions and
the same continuations. Such information sets stand side by side here, one per lane of a vector: a *slot* is a vector of
sequences, one action of each of them. Where the parents of neighbouring lanes are neighbours too, going up and down a
treeplex is arithmetic on whole vectors, and the payoffs between a slot and a slot of the opponent are a small dense
matrix, often one of few different ones (who has the better hand, times the pot).

Nothing is told about hands or public histories: slots follow from the treeplexes. The k-th information set below a
sequence stands beside the k-th ones below its neighbours. Where neighbours have nothing in common their information
sets stay alone, in *scalar* units, and the layout degrades to plain sequence form. Only speed depends on what is found.

Liar's dice with a die of 6 faces: 12,288 information sets become 2,048 units a player, its 147,420 payoffs 4,095 blocks
that are 23 different matrices.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.models.information_states import unique_rows
from eqsolvers.extensive_form._symmetry import PAYOFF_DIGITS, QuotientPlayer, mix_hash, sum_by

WIDTHS = (4, 8)  # lanes of a vector: half a cache line or a whole one
FEWEST_LANES = 2  # a unit of fewer information sets is scalar
UInt32Array = NDArray[np.uint32]


class LaneSide(NamedTuple):
    """One player's part of the game, as the kernels take it; positions index its tables.

    Units are in depth-first order, parents before children. Position 0 is the empty sequence, in every lane of slot 0.
    """

    wide: NDArray[np.uint8]  # [U], whether the unit is one information set per lane
    first: UInt32Array  # [U], position of its first action; action a is at first + a * width, or first + a if scalar
    actions: UInt32Array  # [U]
    parent: UInt32Array  # [U], position of the sequence (of the slot, if wide) that leads to it
    block_row: UInt32Array  # [U], its first row of `block_start`, one row per action; wide units only
    block_start: UInt32Array  # [rows + 1]
    block_other: UInt32Array  # [K], position of the first of the opponent's sequences in the block
    block_pattern: UInt32Array  # [K], where its matrix [columns, width] begins
    columns: int  # of every block: a loop of one length is one that a processor predicts
    patterns: Float64Array
    entry_start: UInt32Array  # [positions + 1], single payoffs, of each position
    entry_other: UInt32Array  # [E], position of the opponent's sequence
    entry_value: Float64Array  # [E]


@dataclass(frozen=True, eq=False)
class _Units:
    """Where a player's sequences stand, before payoffs are known."""

    position: IntArray  # [Q]
    slot: IntArray  # [Q], position of the vector that the sequence is in
    in_wide: NDArray[np.bool_]  # [Q]
    wide: NDArray[np.bool_]  # [U]
    first: IntArray  # [U]
    actions: IntArray  # [U]
    parent: IntArray  # [U]
    size: int  # positions


@dataclass(frozen=True, eq=False)
class Layout:
    """A game laid out in lanes.

    Attributes:
        width: lanes of a vector.
        sides: for the kernels.
        positions: [Q] per player, where each quotient sequence stands.
        sizes: number of positions per player.
        cost: of an iteration, in vector operations; what widths are chosen by.
    """

    width: int
    sides: tuple[LaneSide, LaneSide]
    positions: tuple[IntArray, IntArray]
    sizes: tuple[int, int]
    cost: float


def lay_out(model: ExtensiveFormModel, players: tuple[QuotientPlayer, ...]) -> Layout:
    """The cheapest layout of a two-player game, as measured by the work of an iteration."""
    together = _public_states(model, players)
    layouts = []
    for width in WIDTHS:
        units = [_units(player, public, width) for player, public in zip(players, together, strict=True)]
        built = [_side(players[p], units[p], units[1 - p], width) for p in (0, 1)]
        layouts.append(
            Layout(
                width,
                (built[0][0], built[1][0]),
                (units[0].position, units[1].position),
                (units[0].size, units[1].size),
                built[0][1] + built[1][1],
            )
        )
    return min(layouts, key=lambda layout: layout.cost)


def _public_states(model: ExtensiveFormModel, players: tuple[QuotientPlayer, ...]) -> list[IntArray]:
    """A number for each information set of the quotient, [I] per player, the same within a public state.

    Information sets that the opponent cannot tell apart when it moves next have the same public state, and so on:
    connected components. Where it never moves again, those that meet the same sequence of the opponent go together.
    """
    sequences = _sequences(model)
    infoset_of = [np.repeat(np.arange(-1, len(q.parent)), np.append(1, np.diff(q.first))) for q in players]
    decisions = []  # of each player: its information set there, and both players' sequences
    for p, player in enumerate(players):
        at = np.flatnonzero(model.player == p)
        infoset = player.infoset_class[model.infoset[at]]
        free = infoset >= 0
        classes = [players[o].sequence_class[sequences[at[free], o]] for o in (0, 1)]
        decisions.append((infoset[free], classes))
    found = []
    for p, player in enumerate(players):
        size = len(player.parent)
        their_infoset, before_them = decisions[1 - p]
        last = infoset_of[p][before_them[p]]
        following = _components(size, last[last >= 0], their_infoset[last >= 0])
        own_infoset, before_me = decisions[p]
        preceding = _components(size, own_infoset, before_me[1 - p])
        goes_on = np.zeros(size, dtype=bool)
        goes_on[last[last >= 0]] = True
        found.append(np.where(goes_on, following, -1 - preceding))
    return found


def _components(size: int, nodes: IntArray, links: IntArray) -> IntArray:
    """Components of `size` nodes that hang together by sharing links, [size]."""
    total = size + int(links.max(initial=0)) + 1
    graph = sparse.coo_array((np.ones(len(nodes), dtype=np.int8), (nodes, size + links)), shape=(total, total))
    labels: IntArray = connected_components(graph, directed=False)[1][:size].astype(np.int64)
    return labels


def _sequences(model: ExtensiveFormModel) -> IntArray:
    """Each player's sequence at every history, [H, 2]."""
    sequences = np.zeros((len(model.parent), 2), dtype=np.int64)
    first_child = np.searchsorted(model.parent, np.arange(len(model.parent)))
    for start, stop in zip(model.level_start[1:-1], model.level_start[2:], strict=True):
        here = np.arange(start, stop)
        parent = model.parent[here]
        sequences[here] = sequences[parent]
        for p, treeplex in enumerate(model.treeplexes):
            moved = model.player[parent] == p
            above = parent[moved]
            sequences[here[moved], p] = treeplex.first_sequence[model.infoset[above]] + here[moved] - first_child[above]
    return sequences


def _units(player: QuotientPlayer, public: IntArray, width: int) -> _Units:
    """Group information sets into units, level by level, and number the positions depth-first."""
    num_infosets, counts = len(player.parent), np.diff(player.first)
    sequence_infoset = np.repeat(np.arange(num_infosets), counts)
    # Of each sequence: its unit, its offset there (position minus the unit's first) and its lane.
    unit_of, offset, lane = (np.zeros(player.num_sequences, dtype=np.int64) for _ in range(3))
    unit_of[0] = -1
    wide: list[NDArray[np.bool_]] = []  # of each level
    actions: list[IntArray] = []
    parent_unit: list[IntArray] = []
    parent_offset: list[IntArray] = []
    level_of: list[IntArray] = []
    units = 0
    for start, stop in zip(player.depth_start[:-1], player.depth_start[1:], strict=True):
        here = np.arange(start, stop)
        above = player.parent[here]
        base, own_lane = offset[above] - lane[above], lane[above].copy()
        fresh = above == 0  # every lane of slot 0 is the empty sequence: take the next free one
        rank = _rank(np.stack([above, counts[here], public[here]], axis=1))
        own_lane[fresh], rank[fresh] = rank[fresh] % width, rank[fresh] // width
        keys = np.stack([unit_of[above], base, counts[here], public[here], rank], axis=1)
        first, group = unique_rows(keys)
        members = np.bincount(group)
        is_wide = members >= FEWEST_LANES
        # A wide unit per group, a scalar unit per information set elsewhere.
        alone = ~is_wide[group]
        number = np.cumsum(is_wide) - 1
        unit = np.where(alone, int(is_wide.sum()) + np.cumsum(alone) - 1, number[group]) + units
        chosen = np.concatenate([first[is_wide], np.flatnonzero(alone)])
        wide.append(np.repeat([True, False], [int(is_wide.sum()), int(alone.sum())]))
        actions.append(counts[here][chosen])
        parent_unit.append(unit_of[above][chosen])
        single = np.concatenate([np.zeros(int(is_wide.sum()), dtype=bool), np.ones(int(alone.sum()), dtype=bool)])
        parent_offset.append(np.where(single, offset[above][chosen], base[chosen]))
        level_of.append(np.full(len(chosen), len(level_of)))
        mine = np.arange(player.first[start], player.first[stop])
        infoset = sequence_infoset[mine - 1] - start
        action = mine - player.first[start + infoset]
        unit_of[mine] = unit[infoset]
        offset[mine] = np.where(alone[infoset], action, action * width + own_lane[infoset])
        lane[mine] = np.where(alone[infoset], action % width, own_lane[infoset])
        units += len(chosen)
    all_wide = np.concatenate([np.zeros(0, dtype=bool), *wide])  # a player need not have a choice
    none = np.zeros(0, dtype=np.int64)
    all_actions, above_unit, above_offset, level = (
        np.concatenate([none, *parts]) for parts in (actions, parent_unit, parent_offset, level_of)
    )
    order = _depth_first(above_unit, level)
    # A scalar unit with a wide one below it is read as vectors: its last slot must be whole.
    padded = np.zeros(units, dtype=bool)
    padded[above_unit[all_wide & (above_unit >= 0)]] = True
    sizes = np.where(all_wide | padded, width, 1) * np.where(all_wide, all_actions, 0) + np.where(
        all_wide, 0, np.where(padded, -(-all_actions // width) * width, all_actions)
    )
    place = np.zeros(units, dtype=np.int64)
    place[order] = width + np.cumsum(sizes[order]) - sizes[order]
    position = np.where(unit_of >= 0, np.append(place, 0)[unit_of] + offset, 0)
    parent = np.where(above_unit >= 0, np.append(place, 0)[above_unit] + above_offset, 0)
    return _Units(
        position=position,
        slot=position - lane,
        in_wide=(unit_of >= 0) & np.append(all_wide, False)[unit_of],
        wide=all_wide[order],
        first=place[order],
        actions=all_actions[order],
        parent=parent[order],
        size=int(width + sizes.sum()) + width,
    )


def _rank(keys: IntArray) -> IntArray:
    """How many equal rows stand before each row, [M]."""
    _, group = unique_rows(keys)
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group)
    rank = np.empty(len(keys), dtype=np.int64)
    rank[order] = np.arange(len(keys)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank


def _depth_first(parent: IntArray, level: IntArray) -> IntArray:
    """The units in preorder, given each one's parent (-1 for none) and level, sorted by level."""
    below = np.ones(len(parent), dtype=np.int64)  # units of the subtree
    bounds = np.searchsorted(level, np.arange(level[-1] + 2)) if len(level) else np.zeros(1, dtype=np.int64)
    levels = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    for at in reversed(levels[1:]):
        np.add.at(below, parent[at], below[at])
    before = np.zeros(len(parent), dtype=np.int64)
    for at in levels:
        siblings = np.argsort(parent[at], kind="stable") + at.start
        running = np.cumsum(below[siblings]) - below[siblings]
        _, start = np.unique(parent[siblings], return_index=True)
        running -= np.repeat(running[start], np.diff(np.append(start, len(siblings))))
        before[siblings] = running + np.where(parent[siblings] >= 0, before[parent[siblings]] + 1, 0)
    return np.argsort(before)


def _side(player: QuotientPlayer, units: _Units, theirs: _Units, width: int) -> tuple[LaneSide, float]:
    """A player's units with their payoffs, and the cost of an iteration."""
    row = np.repeat(np.arange(player.num_sequences), np.diff(player.row_start))
    other = player.others[:, 0]
    # Payoffs of whole classes: what goes up the treeplex needs no multiplicities then, and regrets, which only their
    # ratios matter of, are those of the members times the size of the class.
    value = player.values * player.size[row]
    keys = np.stack([units.slot[row], theirs.slot[other]], axis=1)
    first, block = unique_rows(keys)
    members = np.bincount(block, minlength=len(first))
    column = theirs.position[other] - theirs.slot[other]
    lowest = np.full(len(first), width, dtype=np.int64)
    np.minimum.at(lowest, block, column)
    highest = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(highest, block, column)
    span = highest - lowest + 1
    worthwhile = units.in_wide[row[first]] & (2 * members > span)
    columns = int(span[worthwhile].max(initial=1))
    dense = worthwhile & (2 * members > columns)
    # Dense blocks, by row; equal matrices are kept once.
    blocks = np.flatnonzero(dense)
    blocks = blocks[np.argsort(keys[first[blocks], 0], kind="stable")]
    lane = units.position[row] - units.slot[row]
    cell = (column - lowest[block]) * width + lane
    digits = np.rint(value / (PAYOFF_DIGITS * np.abs(value).max(initial=1.0))).astype(np.int64)
    entry_hash = mix_hash(mix_hash(np.zeros(len(row), dtype=np.uint64), cell.astype(np.uint64)), digits.view(np.uint64))
    signature = sum_by(block, entry_hash, len(first))
    _, chosen, pattern = np.unique(signature[blocks], return_index=True, return_inverse=True)
    pattern_start = np.arange(len(chosen) + 1) * columns * width
    patterns = np.zeros(int(pattern_start[-1]))
    kept_as = np.full(len(first), -1)
    kept_as[blocks[chosen]] = pattern_start[:-1]
    kept = kept_as[block] >= 0
    patterns[kept_as[block[kept]] + cell[kept]] = value[kept]
    slots = _wide_slots(units, width)
    row_number = np.searchsorted(slots, keys[first[blocks], 0])
    block_start = np.searchsorted(row_number, np.arange(len(slots) + 1))
    # The rest, entry by entry.
    left = np.flatnonzero(~dense[block])
    left = left[np.argsort(units.position[row[left]], kind="stable")]
    entry_start = np.searchsorted(units.position[row[left]], np.arange(units.size + 1))
    actions = np.where(units.wide, units.actions, 0)
    side = LaneSide(
        wide=units.wide.astype(np.uint8),
        first=_narrow(units.first),
        actions=_narrow(units.actions),
        parent=_narrow(units.parent),
        block_row=_narrow(np.cumsum(actions) - actions),
        block_start=_narrow(block_start),
        block_other=_narrow(theirs.slot[other[first[blocks]]] + lowest[blocks]),
        block_pattern=_narrow(pattern_start[pattern.reshape(-1)]),
        columns=columns,
        patterns=patterns,
        entry_start=_narrow(entry_start),
        entry_other=_narrow(theirs.position[other[left]]),
        entry_value=value[left],
    )
    vector = {4: 1.0, 8: 1.4}[width]  # measured, as the other factors are
    cost = vector * (12 * actions.sum() + 3 * columns * len(blocks)) + 3 * len(left)
    cost += 12 * units.actions[~units.wide].sum() + 8 * len(units.wide) + 0.05 * units.size
    return side, float(cost)


def _wide_slots(units: _Units, width: int) -> IntArray:
    """The positions of all slots of wide units, in order."""
    actions = np.where(units.wide, units.actions, 0)
    starts = np.repeat(units.first, actions)
    action = np.arange(len(starts)) - np.repeat(np.cumsum(actions) - actions, actions)
    slots: IntArray = starts + width * action
    return slots


def _narrow(array: Any) -> UInt32Array:
    return np.ascontiguousarray(array, dtype=np.uint32)

"""Exact reduction of a sequence-form game by colour refinement.

Two sequences of a player get the same colour when nothing in the game tells them apart: the payoffs they collect from
each class of the others' sequences, the actions and information sets around them. Such a colouring is an equitable
partition, and any update that starts from equal values and treats equal things equally (every algorithm of
the CFR family does) keeps members of a class equal for ever. So the iterates on the quotient are those on the full
game, at a fraction of the work: Leduc poker's 1093 sequences become the 337 of Leduc by rank, without being told
about suits.

Grohe, Kersting, Mladenov and Selman (2014), "Dimension reduction via colour refinement", ESA (for linear programmes);
Gilpin and Sandholm (2007), "Lossless abstraction of imperfect information games", JACM 54. Cost: O(P) a round and a
sort of the sequences, and as many rounds as the tree is deep at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.models.information_states import unique_rows
from eqsolvers.extensive_form._sequence_form import SequenceForm, Sequences, sequence_form

UInt64Array = NDArray[np.uint64]
PAYOFF_DIGITS = 1e-12  # sums of payoffs that differ by less than this share of the largest one are the same


@dataclass(frozen=True, eq=False)
class QuotientPlayer:
    """One player's side of the quotient game; an information set stands for a class of them.

    Attributes:
        first: [I + 1] int64, bounds of each information set's sequences; sequence 0 is the empty one.
        parent: [I] int64, the sequence that leads to it.
        multiplicity: [I] float64, how many of its members follow one member of the parent sequence.
        size: [Q] float64, how many of the model's sequences each one stands for (forced moves apart).
        infoset_class: [full I] int64, the quotient information set of each of the model's; -1 at a forced move.
        sequence_class: [full Q] int64, likewise.
        depth_start: [depth + 1] int64, bounds of the information sets of each depth.
        row_start: [Q + 1] int64, bounds of each sequence's payoff entries.
        others: [P, N - 1] int64, the other players' sequences of each entry, in player order.
        values: [P] float64, what a member of the row collects from all members of the others' classes.
    """

    first: IntArray
    parent: IntArray
    multiplicity: Float64Array
    size: Float64Array
    infoset_class: IntArray
    sequence_class: IntArray
    depth_start: IntArray
    row_start: IntArray
    others: IntArray
    values: Float64Array

    @property
    def num_sequences(self) -> int:
        """Q."""
        return int(self.first[-1])


def quotient(
    model: ExtensiveFormModel, *, reduce: bool = True, forced_moves: bool = True
) -> tuple[QuotientPlayer, ...]:
    """An exact reduction of a game.

    Args:
        model: any number of players.
        reduce: False keeps every sequence apart, for comparison.
        forced_moves: False leaves out information sets of one action, where the method does nothing there.
    """
    form = sequence_form(model, forced_moves=forced_moves)
    colours = refine(form) if reduce else [np.arange(player.num_sequences) for player in form.players]
    numbered = [_number(t, colour) for t, colour in zip(form.players, colours, strict=True)]
    sequence_class = [classes for classes, _, _ in numbered]
    players = []
    for p, treeplex in enumerate(form.players):
        classes, infoset_class, representative = numbered[p]
        represents = np.zeros(treeplex.num_infosets + 1, dtype=bool)
        represents[representative] = represents[-1] = True  # the last stands for the empty sequence, in "set" -1
        chosen = represents[treeplex.sequence_infoset]
        entries = np.flatnonzero(chosen[form.payoff_sequences[:, p]] & (form.payoff_values[:, p] != 0))
        columns = [classes[form.payoff_sequences[entries, p]]]
        columns += [sequence_class[o][form.payoff_sequences[entries, o]] for o in range(len(form.players)) if o != p]
        keys = np.stack(columns, axis=1)
        first, group = unique_rows(keys)
        values = _weigh(group, form.payoff_values[entries, p], len(first))
        kept = np.flatnonzero(np.abs(values) > PAYOFF_DIGITS * np.abs(values).max(initial=0.0))
        keys, values = keys[first[kept]], values[kept]
        order = np.lexsort(keys.T[::-1])
        counts, depth = treeplex.num_actions[representative], treeplex.depth[representative]
        bounds = 1 + np.concatenate([[0], np.cumsum(counts)])
        parents = treeplex.parent_sequence[representative]
        follows = (treeplex.parent_sequence == parents[infoset_class]).astype(np.float64)
        players.append(
            QuotientPlayer(
                first=bounds,
                parent=classes[parents],
                multiplicity=_weigh(infoset_class, follows, len(representative)),
                size=np.bincount(classes, minlength=bounds[-1]).astype(np.float64),
                infoset_class=np.append(infoset_class, -1)[treeplex.infoset_of_model],
                sequence_class=classes[treeplex.of_model],
                depth_start=np.searchsorted(depth, np.arange(int(depth.max(initial=-1)) + 2)),
                row_start=np.searchsorted(keys[order, 0], np.arange(bounds[-1] + 1)),
                others=np.ascontiguousarray(keys[order, 1:]),
                values=values[order],
            )
        )
    return tuple(players)


def _weigh(index: IntArray, weights: Float64Array, size: int) -> Float64Array:
    """The sum of the weights at each index, [size]."""
    return np.bincount(index, weights=weights, minlength=size).astype(np.float64, copy=False)


def refine(form: SequenceForm) -> list[IntArray]:
    """An equitable colouring of every player's sequences that joins all that a symmetry of the game maps to each other.

    Returns:
        Per player [Q] int64.
    """
    n = len(form.players)
    scale = np.abs(form.payoff_values).max(initial=0.0) * PAYOFF_DIGITS or 1.0
    colours: list[IntArray] = [t.sequence_action + 1 for t in form.players]
    sizes = [0] * n
    while True:
        refined = []
        for p, treeplex in enumerate(form.players):
            payoff = _payoff_signature(form, p, colours, scale)
            refined.append(_recolour(colours[p], payoff, *_tree_signature(treeplex, colours[p])))
        found = [int(colour.max()) + 1 for colour in refined]
        colours = refined
        if found == sizes or found == [player.num_sequences for player in form.players]:
            return colours
        sizes = found


def _payoff_signature(form: SequenceForm, p: int, colours: list[IntArray], scale: float) -> UInt64Array:
    """A hash of the payoffs that each sequence collects and the others' colours that come with them, [Q].

    Of the single payoffs, not of their sum for each tuple of colours: symmetries of a game map payoffs one to one, and
    adding up would need a sort of all payoffs a round.
    """
    code = np.zeros(len(form.payoff_values), dtype=np.uint64)
    for other in range(len(form.players)):
        if other != p:
            code = mix_hash(code, colours[other][form.payoff_sequences[:, other]].astype(np.uint64))
    rounded = np.rint(form.payoff_values[:, p] / scale).astype(np.int64)
    entry = mix_hash(code, rounded.view(np.uint64))
    entry[rounded == 0] = 0
    return sum_by(form.payoff_sequences[:, p], entry, form.players[p].num_sequences)


def _tree_signature(treeplex: Sequences, colour: IntArray) -> tuple[UInt64Array, UInt64Array, UInt64Array]:
    """Hashes of each sequence's information set, the sequence above it and the information sets below it, [Q] each."""
    infoset = treeplex.sequence_infoset[1:]
    own = mix_hash(colour[1:].astype(np.uint64), treeplex.sequence_action[1:].astype(np.uint64))
    at_infoset = sum_by(infoset, own, treeplex.num_infosets)
    above = mix_hash(at_infoset, colour[treeplex.parent_sequence].astype(np.uint64))
    below = sum_by(treeplex.parent_sequence, mix_hash(at_infoset, np.uint64(1)), treeplex.num_sequences)
    nothing = np.zeros(1, dtype=np.uint64)
    return np.concatenate([nothing, at_infoset[infoset]]), np.concatenate([nothing, above[infoset]]), below


def _recolour(*parts: Any) -> IntArray:
    """The colours of equal tuples, numbered from 0."""
    code = np.zeros(len(parts[0]), dtype=np.uint64)
    for part in parts:
        code = mix_hash(code, part.astype(np.uint64))
    colour: IntArray = np.unique(code, return_inverse=True)[1]
    return colour


def sum_by(index: IntArray, values: UInt64Array, size: int) -> UInt64Array:
    """Sums modulo 2**64: a hash of the multiset of values at each index."""
    total = np.zeros(size, dtype=np.uint64)
    np.add.at(total, index, values)
    return total


def mix_hash(code: UInt64Array, part: Any) -> UInt64Array:
    """A 64-bit hash of pairs (the finaliser of SplitMix64: Steele, Lea and Flood 2014)."""
    mixed = (code * np.uint64(0x9E3779B97F4A7C15)) ^ (part + np.uint64(0x632BE59BD9B4E019))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    hashed: UInt64Array = mixed ^ (mixed >> np.uint64(31))
    return hashed


def _number(treeplex: Sequences, colour: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Quotient numbers of sequences [Q] and information sets [I], and a representative of each quotient set."""
    classes = np.zeros(treeplex.num_sequences, dtype=np.int64)
    # Equal colours of the first sequences mean equal colours of all: the colour of a sequence tells its set's.
    _, first, group = np.unique(colour[treeplex.first_sequence], return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.argsort(order)
    infoset_class = rank[group]
    representative = first[order]
    counts = treeplex.num_actions[representative]
    start = 1 + np.cumsum(counts) - counts
    infoset = treeplex.sequence_infoset[1:]
    offset = np.arange(1, treeplex.num_sequences) - treeplex.first_sequence[infoset]
    classes[1:] = start[infoset_class[infoset]] + offset
    return classes, infoset_class, representative

"""An extensive-form game laid out for scoring: compiled passes over the players' treeplexes and payoff entries.

Laid out once per model, in O(P log P) for P payoff entries a player; then plans cost O(Q), gradients O(N P) and best
responses O(Q), in one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from eqenvs.arrays import Float64Array, IntArray, read_only
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqsolvers.scoring import _passes
from eqsolvers.scoring.scorers import kept_with_model


class SequenceFormEvaluator:
    """See `eqsolvers.scoring.deviations.Evaluator`; players are numbered together as in `_passes`.

    Holds no reference to the model, so that it can be kept for as long as the model is there.

    Attributes:
        normaliser: see `Score`.
        num_entries: sequences of all players together.
    """

    def __init__(self, model: ExtensiveFormModel) -> None:
        n, treeplexes = model.num_players, model.treeplexes
        self.normaliser = 2 if n == 2 and model.constant_sum() else None
        # Bounds of the players' sequences but the empty ones, and of their information sets.
        self._start = n + _bounds([treeplex.num_sequences - 1 for treeplex in treeplexes])
        self._infoset_start = _bounds([treeplex.num_infosets for treeplex in treeplexes])
        self.num_entries = int(self._start[-1])
        numbers = [self._numbered(p, np.arange(treeplex.num_sequences)) for p, treeplex in enumerate(treeplexes)]
        firsts = [numbers[p][treeplex.first_sequence] for p, treeplex in enumerate(treeplexes)]
        parents = [numbers[p][treeplex.parent_sequence] for p, treeplex in enumerate(treeplexes)]
        self._first = np.concatenate([*firsts, self._start[-1:]]).astype(np.uint32)
        self._parent = np.concatenate(parents).astype(np.uint32)
        self._shapes = [treeplex.states.masks.shape for treeplex in treeplexes]
        # Where each sequence's action stands in the flat table; the empty ones have none and are not looked up.
        cells = [np.flatnonzero(treeplex.states.masks) for treeplex in treeplexes]
        self._cell = np.concatenate([np.zeros(n, dtype=np.int64), *cells]).astype(np.uint32)
        self._lay_out_payoffs(model, numbers)
        sequences = self._first, self._parent, self._cell, self._infoset_start
        self._arrays = (*sequences, self._start, self._row_start, self._others, self._payoffs)

    def _numbered(self, player: int, sequence: IntArray) -> IntArray:
        """A player's sequences in the numbering of all players together."""
        return np.where(sequence == 0, player, self._start[player] + sequence - 1)

    def _lay_out_payoffs(self, model: ExtensiveFormModel, numbers: list[IntArray]) -> None:
        """One row of payoff entries per sequence of each player."""
        columns = np.stack([number[model.payoff_sequences[:, p]] for p, number in enumerate(numbers)], axis=1)
        own = columns.T.reshape(-1)
        others = np.concatenate([np.delete(columns, p, axis=1) for p in range(model.num_players)])
        order = np.argsort(own, kind="stable")
        self._row_start = _bounds(np.bincount(own, minlength=self.num_entries)).astype(np.uint32)
        self._others = others[order].reshape(-1).astype(np.uint32)
        self._payoffs = model.payoff_values.T.reshape(-1)[order]

    def plan(self, tables: Sequence[Float64Array]) -> Float64Array:
        """The players' realisation plans, [Q]."""
        plan = np.empty(self.num_entries)
        flat = tuple([_flat(table) for table in tables])
        _passes.realise(self._first, self._parent, self._cell, self._infoset_start, flat, plan)
        return plan

    def collected(self, plan: Float64Array) -> tuple[Float64Array, Float64Array]:
        """What sequences collect against the others' plans, [Q], and players' expected payoffs, [N]."""
        gradient, values = np.empty(self.num_entries), np.empty(len(self._shapes))
        _passes.collect(self._start, self._row_start, self._others, self._payoffs, plan, gradient, values)
        return gradient, values

    def best_responses(self, gradient: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The values of the best responses, [N], and what each sequence is worth before one of them, [Q]."""
        worth = gradient.copy()
        _passes.respond(self._first, self._parent, worth)
        return worth[: len(self._shapes)], worth

    def evaluate(self, tables: Sequence[Float64Array]) -> tuple[Float64Array, Float64Array]:
        """Each player's value, [N], and that of its best response to the others, [N]."""
        plan, worth, values = np.empty(self.num_entries), np.empty(self.num_entries), np.empty(len(self._shapes))
        flat = tuple([_flat(table) for table in tables])
        _passes.evaluate(*self._arrays, flat, plan, worth, values)
        return values, worth[: len(self._shapes)]

    def table(self, player: int, worth: Float64Array) -> Float64Array:
        """The best response by that worth, the first of equal actions: a pure table [I, A]."""
        mine = slice(self._start[player], self._start[player + 1])
        values = np.full(self._shapes[player], -np.inf)
        values.reshape(-1)[self._cell[mine]] = worth[mine]
        table = np.zeros_like(values)
        table[np.arange(len(table)), values.argmax(axis=1)] = 1.0
        return table

    @cached_property
    def _depth_first(self) -> _passes.DepthFirst:
        order = _passes.DepthFirst(
            first=np.empty_like(self._first),
            parent=np.empty_like(self._parent),
            end=np.empty_like(self._parent),
            sequence=np.empty_like(self._cell),
            infoset=np.empty_like(self._parent),
        )
        # Signed: numba turns sums of signed and unsigned numbers into floats.
        first, parent = self._first.astype(np.int64), self._parent.astype(np.int64)
        infosets = np.arange(len(parent))
        empty = len(parent) + np.arange(len(self._shapes))
        owner = np.concatenate([empty, np.repeat(infosets, np.diff(first))])
        _passes.number_depth_first(first, parent, owner, self._start, order)
        return order

    def trigger_gains(
        self, weights: Float64Array, plans: Float64Array, gradients: Float64Array
    ) -> list[tuple[Float64Array, Float64Array, float, float]]:
        """Every player's gains from triggers, see `eqsolvers.scoring.triggers`.

        Args:
            weights: [K], of the components.
            plans: [K, Q], of each component.
            gradients: [K, Q], of each component.

        Returns:
            Per player: the gain of each recommendation as the trigger [Q_p] (0 for the empty sequence), of each arrival
            [I_p], and the most that either kind can gain together.
        """
        order = self._depth_first
        recommended, arrived = np.zeros(self.num_entries), np.zeros(len(self._parent))
        arguments = np.array(weights), plans[:, order.sequence], gradients[:, order.sequence]
        _passes.gain_by_trigger(order, *arguments, recommended, arrived)
        told, blind = np.zeros(self.num_entries), np.zeros(self.num_entries)
        _passes.combine(order, recommended, arrived, told, blind)
        by_sequence, by_infoset = np.empty_like(recommended), np.empty_like(arrived)
        by_sequence[order.sequence] = recommended
        by_infoset[order.infoset] = arrived
        bounds, infosets = self._start, self._infoset_start
        return [
            (
                np.append(0.0, by_sequence[bounds[p] : bounds[p + 1]]),
                by_infoset[infosets[p] : infosets[p + 1]],
                float(told[p]),
                float(blind[p]),
            )
            for p in range(len(self._shapes))
        ]


@kept_with_model
def sequence_form(model: ExtensiveFormModel) -> SequenceFormEvaluator:
    """The evaluator of a model, made once and kept for as long as the model."""
    return SequenceFormEvaluator(model)


def _bounds(sizes: Sequence[int] | IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _flat(table: Float64Array) -> Float64Array:
    """A read-only vector, whatever came in: the kernel is compiled for that type alone."""
    flat = table.ravel()
    return read_only(flat) if flat.flags.writeable else flat

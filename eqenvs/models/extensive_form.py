"""Exact extensive-form games: the flat tree and the sequence form.

Von Stengel (1996), "Efficient computation of behavior strategies", Games and Economic Behavior 14, for the sequence
form; Hoda, Gilpin, Pena and Sandholm (2010), "Smoothing techniques for computing Nash equilibria of sequential games",
Mathematics of Operations Research 35, for treeplexes. All players must have perfect recall.

Payoffs are `payoffs[z, player]`, in the game's own units, positive is good for the player.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from eqenvs.arrays import Float64Array, IntArray, read_only
from eqenvs.models.information_states import InformationStates
from eqenvs.spec import Family

MIXED = 2**22  # probabilities that are laid out at a time where policies are mixed


@dataclass(frozen=True, eq=False)
class Treeplex:
    """One player's information sets and sequences, in topological order.

    A sequence is what the player itself has done on the way to a history: sequence 0 is the empty one, and the actions
    of information set i are the sequences `first_sequence[i] .. first_sequence[i] + num_actions[i] - 1`, in the order
    of the legal actions. Information sets are sorted by depth, so parents stand before children.

    Attributes:
        states: keys, observations and masks of the information sets.
        parent_sequence: [I] int64, the sequence that leads to information set i.
        first_sequence: [I] int64.
        num_actions: [I] int64, legal actions.
        depth_start: [depth + 1] int64, bounds of the information sets of each depth.
    """

    states: InformationStates
    parent_sequence: IntArray
    first_sequence: IntArray
    num_actions: IntArray
    depth_start: IntArray

    @property
    def num_infosets(self) -> int:
        """I."""
        return len(self.parent_sequence)

    @property
    def num_sequences(self) -> int:
        """Q, the empty sequence included."""
        return 1 + int(self.num_actions.sum())

    @cached_property
    def sequence_infoset(self) -> IntArray:
        """[Q] int64, the information set each sequence ends at; -1 for the empty sequence."""
        return read_only(np.concatenate([[-1], np.repeat(np.arange(self.num_infosets), self.num_actions)]))

    @cached_property
    def sequence_action(self) -> IntArray:
        """[Q] int64, the last action of each sequence; -1 for the empty sequence."""
        return read_only(np.concatenate([[-1], np.nonzero(self.states.masks)[1]]))

    @cached_property
    def levels(self) -> list[tuple[slice, slice]]:
        """The information sets and the sequences of each depth, from the root down."""
        ends = np.append(self.first_sequence, self.num_sequences)
        bounds = zip(self.depth_start[:-1], self.depth_start[1:], strict=True)
        return [(slice(start, stop), slice(ends[start], ends[stop])) for start, stop in bounds]

    @cached_property
    def _cells(self) -> IntArray:
        """[Q - 1] int64, where the action of each sequence but the empty one stands in a flat table."""
        return read_only(np.flatnonzero(self.states.masks))

    @cached_property
    def _before(self) -> list[tuple[slice, IntArray]]:
        """The sequences of each depth, and the sequence that each of them comes after."""
        before = np.repeat(self.parent_sequence, self.num_actions)
        return [(sequences, before[sequences.start - 1 : sequences.stop - 1]) for _, sequences in self.levels]

    @cached_property
    def _uniform(self) -> Float64Array:
        return read_only(self.states.uniform())

    def realisation_plan(self, table: Float64Array) -> Float64Array:
        """The probability that the player itself gives to each sequence, [Q], under a behaviour table [I, A]."""
        plan: Float64Array = self._plans(table[None])[0]
        return plan

    def _plans(self, tables: Float64Array) -> Float64Array:
        """The realisation plans [K, Q] of behaviour tables [K, I, A]."""
        plans = np.ones((len(tables), self.num_sequences))
        plans[:, 1:] = tables.reshape(len(tables), -1)[:, self._cells]
        for sequences, before in self._before:
            plans[:, sequences] *= plans[:, before]
        return plans

    def behaviour(self, plan: Float64Array) -> Float64Array:
        """The behaviour table [I, A] of a realisation plan [Q]; uniform where the plan never arrives.

        What is played at an information set that the player's own plan excludes never matters to the realisation.
        """
        arrives = plan[self.parent_sequence] > 0
        table = np.zeros(self.states.masks.shape)
        table.reshape(-1)[self._cells] = plan[1:]
        total = table.sum(axis=1, keepdims=True)
        return np.where(arrives[:, None], table / np.where(total > 0, total, 1.0), self._uniform)

    def mix(self, tables: Float64Array, weights: Float64Array) -> Float64Array:
        """The behaviour table that is realisation-equivalent to drawing one of `tables` by `weights` (Kuhn's theorem).

        Args:
            tables: [K, I, A] float64.
            weights: [K] float64, on the simplex.

        Returns:
            [I, A] float64.
        """
        plan = np.zeros(self.num_sequences)
        size = max(1, MIXED // self.num_sequences)
        for start in range(0, len(tables), size):
            some = slice(start, start + size)
            plan += (weights[some, None] * self._plans(tables[some])).sum(axis=0)
        return self.behaviour(plan)

    def best_response(self, gradient: Float64Array) -> tuple[float, Float64Array]:
        """The best pure behaviour policy against fixed opponents, by one backward pass.

        Args:
            gradient: [Q] float64, the expected payoff that each sequence collects when the player plays to reach it.

        Returns:
            The value, and a table [I, A] with a one at a best legal action (the first of equals).
        """
        value = np.array(gradient, dtype=np.float64)
        best = np.zeros(self.num_infosets, dtype=np.int64)
        for infosets, sequences in reversed(self.levels):
            at, counts = value[sequences], self.num_actions[infosets]
            starts = self.first_sequence[infosets] - sequences.start
            highest = np.maximum.reduceat(at, starts)
            position = np.where(at == np.repeat(highest, counts), np.arange(len(at)), len(at))
            best[infosets] = np.minimum.reduceat(position, starts) + sequences.start
            np.add.at(value, self.parent_sequence[infosets], highest)
        table = np.zeros(self.states.masks.shape)
        table[np.arange(self.num_infosets), self.sequence_action[best]] = 1.0
        return float(value[0]), table


@dataclass(frozen=True, eq=False)
class ExtensiveFormModel:
    """A finite extensive-form game with perfect recall; all arrays are read-only, histories in breadth-first order.

    Attributes:
        parent: [H] int64, -1 at the root.
        action: [H] int64, the action or chance outcome that leads here; -1 at the root.
        player: [H] int64, who moves here: a player, CHANCE or TERMINAL.
        chance: [H] float64, probability of the edge leading here if chance moves at the parent, else 1.
        infoset: [H] int64, index in the mover's treeplex; -1 at chance and terminal histories.
        level_start: [levels + 1] int64, bounds of the histories of each level.
        terminals: [Z] int64, the terminal histories.
        payoffs: [Z, N] float64.
        chance_reach: [Z] float64, product of the chance probabilities on the way.
        terminal_sequences: [Z, N] int64, each player's sequence there.
        treeplexes: one per player.
        payoff_sequences: [P, N] int64, the distinct rows of `terminal_sequences`.
        payoff_values: [P, N] float64, the chance-weighted payoffs summed over the terminals with those sequences.
    """

    family: ClassVar[Family] = Family.EXTENSIVE_FORM
    parent: IntArray
    action: IntArray
    player: IntArray
    chance: Float64Array
    infoset: IntArray
    level_start: IntArray
    terminals: IntArray
    payoffs: Float64Array
    chance_reach: Float64Array
    terminal_sequences: IntArray
    treeplexes: tuple[Treeplex, ...]
    payoff_sequences: IntArray
    payoff_values: Float64Array

    @property
    def num_players(self) -> int:
        """N."""
        return len(self.treeplexes)

    @cached_property
    def information_states(self) -> tuple[InformationStates, ...]:
        """The decision points of each player."""
        return tuple(treeplex.states for treeplex in self.treeplexes)

    def sizes(self) -> dict[str, Any]:
        """Histories, terminals, and per player information sets and sequences."""
        return {
            "histories": len(self.parent),
            "terminals": len(self.terminals),
            "infosets": [treeplex.num_infosets for treeplex in self.treeplexes],
            "sequences": [treeplex.num_sequences for treeplex in self.treeplexes],
            "payoff_entries": len(self.payoff_sequences),
        }

    def mix(self, player: int, tables: Float64Array, weights: Float64Array) -> Float64Array:
        """See `Treeplex.mix`."""
        return self.treeplexes[player].mix(tables, weights)

    def constant_sum(self, tolerance: float = 1e-9) -> bool:
        """Whether payoffs add up to the same number at every end, up to `tolerance` times the largest payoff."""
        return bool(np.ptp(self.payoffs.sum(axis=1)) <= tolerance * np.abs(self.payoffs).max())

    def gradient(self, player: int, plans: list[Float64Array]) -> Float64Array:
        """What each sequence of `player` collects against the others' realisation plans, [Q] float64.

        The inner product with the player's own plan is its expected payoff. `plans[player]` is not read.
        """
        weight = self.payoff_values[:, player].copy()
        for other, plan in enumerate(plans):
            if other != player:
                weight *= plan[self.payoff_sequences[:, other]]
        collected: Float64Array = np.bincount(
            self.payoff_sequences[:, player], weights=weight, minlength=self.treeplexes[player].num_sequences
        ).astype(np.float64, copy=False)
        return collected

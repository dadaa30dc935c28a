"""Rules of an extensive-form game that is given as its tree: what other programs' games become here.

One player moves at a time; players who move at once stand one after the other in the tree, none seeing the others'
choices. Cost: O(B) look-ups for a move of B games. Memory, with N players, in all I information sets of at most A
actions, and K chance moves of at most C outcomes: 8 (7 + 4 N) bytes a history, (9 A + 8 D) I and 8 C K bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import (
    Array,
    BoolArray,
    Constants,
    Float32Array,
    Float64Array,
    IntArray,
    everywhere,
    namespace,
    one_hot,
)
from eqenvs.errors import GameDefinitionError, GameTooLargeError
from eqenvs.rules import CHANCE, TERMINAL, Rules

MAX_TABLE = 1 << 28  # entries of the largest array that a tree is laid out in
ONE_HOT = 256  # information sets whose numbers are shown one-hot


@dataclass(frozen=True, eq=False)
class Tree:
    """A game tree of H histories, parents before children, the children of one next to each other.

    The children of a decision are in the order of its legal actions, those of a chance move in the order of outcomes.

    Attributes:
        player: [H] int64, who moves: a player, CHANCE or TERMINAL.
        infoset: [H] int64, the mover's information set; -1 where no player moves.
        first_child: [H] int64; 0 at ends.
        num_children: [H] int64; 0 at ends.
        chance: [H] float64, the probability of the chance move that led there; 1 elsewhere.
        payoffs: [H, N] float64, of each player at an end; ignored elsewhere.
        masks: [I_p, A_p] bool per player, the legal actions at its information sets.
        observations: [I_p, D] float32 per player, what it sees there.
        infoset_labels: a name of each information set, unique for the player.
        action_labels: a name of each action, by player.
    """

    player: IntArray
    infoset: IntArray
    first_child: IntArray
    num_children: IntArray
    chance: Float64Array
    payoffs: Float64Array
    masks: tuple[BoolArray, ...]
    observations: tuple[Float32Array, ...]
    infoset_labels: tuple[Sequence[str], ...] = ()
    action_labels: tuple[Sequence[str], ...] = ()

    @property
    def num_players(self) -> int:
        """N."""
        return int(self.payoffs.shape[1])

    def levels(self) -> list[tuple[IntArray, IntArray]]:
        """The histories of each depth, and the history before each of them (-1 before the first).

        Raises:
            GameDefinitionError: not as many histories follow from the first as there are.
        """
        found = [(np.zeros(1, dtype=np.int64), np.full(1, -1, dtype=np.int64))]
        size, reached = len(self.player), 1
        while True:
            level = found[-1][0]
            counts = self.num_children[level]
            parent = np.repeat(level, counts)
            reached += len(parent)
            if reached > size or (not len(parent) and reached < size):
                raise GameDefinitionError(f"tree: {size} histories must follow from the first once, {reached} do")
            if not len(parent):
                return found
            offset = np.arange(len(parent)) - np.repeat(np.cumsum(counts) - counts, counts)
            found.append((self.first_child[parent] + offset, parent))


def numbered(count: int, most: int) -> Float32Array:
    """What players see who know nothing but the number of their information set, [I, D].

    One-hot up to 256 of them, bits above.

    Args:
        count: I, of this player.
        most: of any player.
    """
    numbers = np.arange(count)[:, None]
    if most <= ONE_HOT:
        marks = numbers == np.arange(max(1, most))
    else:
        marks = (numbers >> np.arange((most - 1).bit_length())) % 2 == 1
    shown: Float32Array = marks.astype(np.float32)
    return shown


class TreeState(NamedTuple):
    """A batch of games."""

    history: Array  # [B] int64


def _last_decisions(tree: Tree, masks: BoolArray, place: IntArray) -> tuple[IntArray, IntArray]:
    """For every player and history its last information set so far, and what it did there; [N, H] each.

    -1 stands for no information set, and for an action that is still to be taken.
    """
    infoset, action = np.full((2, tree.num_players, len(tree.player)), -1, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(masks.sum(axis=1))])
    legal = np.append(np.nonzero(masks)[1], -1)
    for level, before in tree.levels():
        inner = before >= 0
        for known in (infoset, action):
            known[:, level[inner]] = known[:, before[inner]]
        by_player = inner & (tree.player[before] >= 0)
        child, parent = level[by_player], before[by_player]
        action[tree.player[parent], child] = legal[starts[place[parent]] + child - tree.first_child[parent]]
        own = level[tree.player[level] >= 0]
        infoset[tree.player[own], own] = tree.infoset[own]
        action[tree.player[own], own] = -1
    return infoset, action


def require_fits(num_players: int, histories: int, masks: Sequence[tuple[int, ...]]) -> None:
    """Refuses a tree whose arrays would be too large, before they are made.

    Args:
        num_players: N.
        histories: H.
        masks: the shape [I_p, A_p] of each player's masks.

    Raises:
        GameTooLargeError: more than 2^28 entries.
    """
    sets, widest = sum(shape[0] for shape in masks), max(shape[1] for shape in masks)
    for what, entries in ((f"{num_players} players", num_players * histories), (f"{widest} actions", sets * widest)):
        if entries > MAX_TABLE:
            raise GameTooLargeError(
                f"tree: {histories:,} histories and {sets:,} information sets with {what} need {entries:,} entries, "
                f"the limit is {MAX_TABLE:,}"
            )


def _check(tree: Tree) -> None:
    """Raises GameDefinitionError where the arrays do not fit together."""
    size, inner = len(tree.player), tree.num_children > 0
    if ((tree.first_child < 0) | (tree.first_child + tree.num_children > size) | (tree.num_children < 0)).any():
        raise GameDefinitionError(f"tree: children must be among the {size} histories")
    if len(np.unique(np.concatenate([level for level, _ in tree.levels()]))) != size:
        raise GameDefinitionError("tree: a history follows from two others")
    if ((tree.player < TERMINAL) | (tree.player >= tree.num_players)).any():
        raise GameDefinitionError(f"tree: movers must be players below {tree.num_players}, chance or nobody")
    if (inner != (tree.player != TERMINAL)).any():
        raise GameDefinitionError("tree: histories with no children must be ends, and ends have none")
    for player, mask in enumerate(tree.masks):
        own = np.flatnonzero(tree.player == player)
        if len(own) and not 0 <= tree.infoset[own].min() <= tree.infoset[own].max() < len(mask):
            raise GameDefinitionError(f"tree: player {player}'s information sets must be among its {len(mask)}")
        counts = mask.sum(axis=1)
        if len(own) and not np.array_equal(counts[tree.infoset[own]], tree.num_children[own]):
            raise GameDefinitionError(f"tree: player {player}'s histories have other numbers of children than actions")


class TreeRules(Rules[TreeState]):
    """A game given as its tree.

    Observation: float32 [N + D]: one-hot player, and what the tree says it saw at its last information set so far.
    Key: that information set, and what it did there, -1 where it is to move.
    Reward: the payoffs at the end.

    Raises:
        GameDefinitionError: the tree's arrays do not fit together.
    """

    def __init__(self, tree: Tree) -> None:
        require_fits(tree.num_players, len(tree.player), [mask.shape for mask in tree.masks])
        _check(tree)
        self.tree = tree
        self.num_players = tree.num_players
        self.num_actions = tuple(mask.shape[1] for mask in tree.masks)
        chance = tree.player == CHANCE
        self.num_chance_outcomes = int(tree.num_children[chance].max(initial=0))
        self.observation_size = self.num_players + tree.observations[0].shape[1]
        self.observation_bounds = (
            min(float(own.min(initial=0.0)) for own in tree.observations),
            max(float(own.max(initial=1.0)) for own in tree.observations),
        )
        starts = np.cumsum([0, *(len(mask) for mask in tree.masks)])
        # A row for every information set, one player's after another's; the last is of whoever has not moved yet.
        masks = np.zeros((starts[-1] + 1, self.max_actions), dtype=bool)
        views = np.zeros((starts[-1] + 1, tree.observations[0].shape[1]))
        for start, own, seen in zip(starts[:-1], tree.masks, tree.observations, strict=True):
            masks[start : start + len(own), : own.shape[1]] = own
            views[start : start + len(own)] = seen
        place = np.where(tree.player >= 0, starts[np.maximum(tree.player, 0)] + tree.infoset, starts[-1])
        infoset, action = _last_decisions(tree, masks, place)
        self._tables = Constants(
            player=tree.player,
            place=place,
            first_child=tree.first_child,
            payoffs=np.where((tree.player == TERMINAL)[:, None], tree.payoffs, 0.0),
            outcomes=self._outcomes(chance),
            chance_row=np.where(chance, np.cumsum(chance) - 1, 0),
            masks=masks,
            rank=np.cumsum(masks, axis=1) - 1,
            views=views,
            starts=starts[:-1],
            infoset=infoset,
            action=action,
        )
        self._nowhere = int(starts[-1])

    def _outcomes(self, chance: BoolArray) -> Float64Array:
        """The distributions of chance moves, [K, C]."""
        nodes = np.flatnonzero(chance)
        if len(nodes) * self.num_chance_outcomes > MAX_TABLE:
            raise GameTooLargeError(
                f"tree: {len(nodes):,} chance moves of up to {self.num_chance_outcomes:,} outcomes, the limit is "
                f"{MAX_TABLE:,} in all"
            )
        table = np.zeros((max(1, len(nodes)), max(1, self.num_chance_outcomes)))
        for row, node in enumerate(nodes):
            first, count = self.tree.first_child[node], self.tree.num_children[node]
            table[row, :count] = self.tree.chance[first : first + count]
        return table

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> TreeState:
        return TreeState(xp.zeros((batch,), dtype=xp.int64, device=device))

    def _at(self, name: str, index: Array) -> Array:
        return self._tables.on(name, index)[index]

    def turn(self, state: TreeState) -> Array:
        return self._at("player", state.history)

    def legal_actions(self, state: TreeState, player: Array) -> Array:
        return self._at("masks", self._at("place", state.history))

    def chance_probabilities(self, state: TreeState) -> Array:
        return self._at("outcomes", self._at("chance_row", state.history))

    def apply(self, state: TreeState, actions: Array) -> tuple[TreeState, Array]:
        xp, history = namespace(state.history), state.history
        mover = self.turn(state)
        decided = xp.where(mover >= 0, actions, 0)
        rank = self._tables.on("rank", history)[self._at("place", history), decided]
        after = self._at("first_child", history) + xp.where(mover >= 0, rank, actions)
        after = xp.where(mover == TERMINAL, history, after)
        return TreeState(after), self._at("payoffs", after)

    def information_state(self, state: TreeState, player: Array) -> Array:
        xp = namespace(player)
        infoset = self._tables.on("infoset", player)[player, state.history]
        return xp.stack([infoset, self._tables.on("action", player)[player, state.history]], axis=1)

    def observation(self, state: TreeState, player: Array) -> Array:
        xp = namespace(player)
        infoset = self._tables.on("infoset", player)[player, state.history]
        place = xp.where(infoset >= 0, self._at("starts", player) + infoset, everywhere(player, self._nowhere))
        parts = [one_hot(player, self.num_players), self._at("views", place)]
        return xp.concat([xp.astype(part, xp.float32) for part in parts], axis=1)

    def describe_information_state(self, player: int, key: Array) -> str:
        infoset, action = (int(entry) for entry in np.asarray(key))
        if infoset < 0:
            return "start"
        labels = self.tree.infoset_labels
        name = labels[player][infoset] if labels else str(infoset)
        return name if action < 0 else f"{name} > {self.describe_action(player, action)}"

    def describe_action(self, player: int, action: int) -> str:
        return self.tree.action_labels[player][action] if self.tree.action_labels else str(action)

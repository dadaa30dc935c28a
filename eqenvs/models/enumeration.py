"""From rules to the exact model: breadth-first enumeration, a whole level per call of the rules.

Simultaneous moves are put in sequence, in player order, each mover blind to the others'. Levels are worked through in
blocks of fixed size. Cost: one call of each rules method per block; memory: 56 + 8N bytes per history for the tree (N
players), about as much again while it is put together, and the states of two neighbouring levels.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eqenvs.arrays import (
    BoolArray,
    Float32Array,
    Float64Array,
    IntArray,
    joined_rows,
    namespace,
    put_rows,
    read_only,
    take_rows,
)
from eqenvs.errors import GameDefinitionError, GameTooLargeError
from eqenvs.models.extensive_form import ExtensiveFormModel, Treeplex
from eqenvs.models.information_states import InformationStates, unique_rows
from eqenvs.rules import CHANCE, SIMULTANEOUS, TERMINAL, Rules

DEFAULT_MAX_SIZE = 20_000_000
BLOCK = 1 << 16  # histories whose masks, observations and successors are worked out at a time


@dataclass
class _Infosets:
    """One player's information states as they are met, a block per level."""

    keys: list[IntArray] = field(default_factory=list)
    observations: list[Float32Array] = field(default_factory=list)
    masks: list[BoolArray] = field(default_factory=list)
    nodes: list[IntArray] = field(default_factory=list)  # history of each member
    local: list[IntArray] = field(default_factory=list)  # member -> running number of its block's key
    count: int = 0


@dataclass
class _Level:
    """The histories of one level."""

    state: Any
    pending: IntArray | None  # [b, N] actions chosen in an unfinished simultaneous stage, -1 none
    reward: Float64Array  # [b, N] collected so far
    first: int  # number of the level's first history


def enumerate_rules(rules: Rules[Any], *, name: str, max_size: int = DEFAULT_MAX_SIZE) -> ExtensiveFormModel:
    """The exact model of a game.

    Args:
        rules: the game.
        name: what to call it in messages.
        max_size: the most histories to enumerate; a level's successors are counted before they are made.

    Raises:
        GameTooLargeError: if there are more histories than `max_size`.
        GameDefinitionError: if chance probabilities do not sum to one, a decision has no legal action, a player's
            information set has imperfect recall, or its members differ in legal actions or observation.
    """
    n = rules.num_players
    level = _Level(
        state=rules.initial_state(1, namespace(np.zeros(0))),
        pending=np.full((1, n), -1, dtype=np.int64) if rules.simultaneous else None,
        reward=np.zeros((1, n)),
        first=0,
    )
    parents, actions, chances = [np.array([-1])], [np.array([-1])], [np.ones(1)]
    movers: list[IntArray] = []
    starts = [0]
    payoffs: list[Float64Array] = []
    infosets = [_Infosets() for _ in range(n)]
    total = 1
    while True:
        size = len(level.reward)
        starts.append(level.first + size)
        blocks = []
        for start in range(0, size, BLOCK):
            block = _block(level, slice(start, start + BLOCK))
            mover = _mover(rules, block)
            movers.append(mover)
            payoffs.append(block.reward[mover == TERMINAL])
            row, action, probability = _successors(rules, block, mover, infosets, name)
            total += len(row)
            if total > max_size:
                raise GameTooLargeError(
                    f"{name}: exact enumeration needs more than {total:,} histories (level {len(starts) - 1} of the "
                    f"tree reached), the limit is max_size={max_size:,}; use smaller parameters, or score "
                    "by simulation"
                )
            parents.append(row + block.first)
            actions.append(action)
            chances.append(probability)
            blocks.append((block, mover, row, action))
        level = _join(rules, blocks, first=starts[-1])
        if len(level.reward) == 0:
            break
    return _assemble(
        rules,
        name,
        parent=np.concatenate(parents),
        action=np.concatenate(actions),
        chance=np.concatenate(chances),
        player=np.concatenate(movers),
        level_start=np.array(starts),
        payoffs=np.concatenate(payoffs),
        infosets=infosets,
    )


def _block(level: _Level, rows: slice) -> _Level:
    """A part of a level; views of its arrays."""
    return _Level(
        state=take_rows(level.state, rows),
        pending=None if level.pending is None else level.pending[rows],
        reward=level.reward[rows],
        first=level.first + rows.start,
    )


def _join(rules: Rules[Any], blocks: list[tuple[_Level, IntArray, IntArray, IntArray]], *, first: int) -> _Level:
    """The next level: the successors of every block, made block by block."""
    made = [_children(rules, *block, first=first) for block in blocks]
    if len(made) == 1:
        return made[0]
    return _Level(
        state=joined_rows([part.state for part in made]),
        pending=None if made[0].pending is None else np.concatenate([part.pending for part in made]),
        reward=np.concatenate([part.reward for part in made]),
        first=first,
    )


def _successors(
    rules: Rules[Any], block: _Level, mover: IntArray, infosets: list[_Infosets], name: str
) -> tuple[IntArray, IntArray, Float64Array]:
    """The edges out of a block: its row, the action or outcome, and the probability where chance moves (else 1)."""
    edges = np.zeros((len(mover), max(rules.max_actions, rules.num_chance_outcomes)), dtype=bool)
    outcomes = None
    chance_rows = mover == CHANCE
    if chance_rows.any():
        outcomes = checked_chance(rules, take_rows(block.state, chance_rows), name)
        edges[chance_rows, : rules.num_chance_outcomes] = outcomes > 0
    for player in range(rules.num_players):
        rows = np.flatnonzero(mover == player)
        if rows.size:
            edges[rows, : rules.num_actions[player]] = _visit(rules, block, player, rows, infosets[player], name)
    row, action = np.nonzero(edges)
    probability = np.ones(len(row))
    if outcomes is not None:
        by_chance = chance_rows[row]
        position = np.cumsum(chance_rows) - 1
        probability[by_chance] = outcomes[position[row[by_chance]], action[by_chance]]
    return row, action, probability


def _mover(rules: Rules[Any], level: _Level) -> IntArray:
    turn: IntArray = rules.turn(level.state).astype(np.int64)
    if level.pending is None:
        return turn
    waiting = rules.acting(level.state) & (level.pending < 0)
    return np.where(turn == SIMULTANEOUS, np.argmax(waiting, axis=1), turn)


def checked_chance(rules: Rules[Any], state: Any, name: str) -> Float64Array:
    """The probabilities of chance's outcomes at states where it moves, [B, M].

    Raises:
        GameDefinitionError: if those of a state are no distribution.
    """
    outcomes: Float64Array = rules.chance_probabilities(state)
    good = (np.abs(outcomes.sum(axis=1) - 1) <= 1e-9) & (outcomes >= 0).all(axis=1)  # False for NaN too
    if not good.all():
        wrong = int(np.argmin(good))
        raise GameDefinitionError(
            f"{name}: chance probabilities must be non-negative and sum to 1, got {outcomes[wrong].tolist()} at "
            f"{take_rows(state, np.array([wrong]))}"
        )
    return outcomes


def _visit(rules: Rules[Any], level: _Level, player: int, rows: IntArray, seen: _Infosets, name: str) -> BoolArray:
    """Record one player's decision points of a level; returns their masks [len(rows), A_p]."""
    state = take_rows(level.state, rows)
    who = np.full(len(rows), player, dtype=np.int64)
    keys = rules.information_state(state, who).astype(np.int64)
    first, group = unique_rows(keys)
    masks: BoolArray = rules.legal_actions(state, who)[:, : rules.num_actions[player]]
    observations: Float32Array = rules.observation(state, who)
    if not masks.any(axis=1).all():
        key = keys[int(np.argmin(masks.any(axis=1)))]
        raise GameDefinitionError(
            f"{name}: player {player} has no legal action at {rules.describe_information_state(player, key)!r}"
        )
    _same(rules, player, keys, masks, masks[first][group], "legal actions", name)
    _same(rules, player, keys, observations, observations[first][group], "observations", name)
    seen.keys.append(keys[first])
    seen.masks.append(masks[first])
    seen.observations.append(observations[first])
    seen.nodes.append(rows + level.first)
    seen.local.append(group + seen.count)
    seen.count += len(first)
    return masks


def _same(rules: Rules[Any], player: int, keys: IntArray, got: Any, want: Any, what: str, name: str) -> None:
    differs = np.flatnonzero((got != want).any(axis=1))
    if differs.size:
        label = rules.describe_information_state(player, keys[differs[0]])
        raise GameDefinitionError(f"{name}: histories of player {player}'s information set {label!r} differ in {what}")


def _children(
    rules: Rules[Any], level: _Level, mover: IntArray, row: IntArray, action: IntArray, *, first: int
) -> _Level:
    state = take_rows(level.state, row)
    reward = level.reward[row]
    if level.pending is None:
        state, received = rules.apply(state, action)
        return _Level(state, None, reward + received, first)
    who = mover[row]
    pending = level.pending[row]
    deciding = who >= 0
    pending[deciding, who[deciding]] = action[deciding]
    missing = rules.acting(state) & (pending < 0)
    ready = np.flatnonzero(~deciding | ~missing.any(axis=1))
    if ready.size:
        joint = np.concatenate([np.maximum(pending, 0), action[:, None]], axis=1)[ready]
        after, received = rules.apply(take_rows(state, ready), joint)
        state = put_rows(state, ready, after)
        reward[ready] += received
        pending[ready] = -1
    return _Level(state, pending, reward, first)


def _assemble(
    rules: Rules[Any],
    name: str,
    *,
    parent: IntArray,
    action: IntArray,
    chance: Float64Array,
    player: IntArray,
    level_start: IntArray,
    payoffs: Float64Array,
    infosets: list[_Infosets],
) -> ExtensiveFormModel:
    n = rules.num_players
    infoset = np.full(len(parent), -1, dtype=np.int64)
    sequence = np.zeros((len(parent), n), dtype=np.int64)
    met = [_merge(rules, p, infosets[p], infoset, name) for p in range(n)]
    numbers = [_number_sequences(states) for states in met]
    for start, stop in itertools.pairwise(level_start[1:]):
        above = parent[start:stop]
        sequence[start:stop] = sequence[above]
        for p in range(n):
            moved = np.flatnonzero(player[above] == p)
            sequence[start + moved, p] = numbers[p][infoset[above[moved]], action[start + moved]]
    treeplexes = []
    for p, states in enumerate(met):
        members = np.flatnonzero(player == p)
        parents = _parent_sequences(rules, p, states, infoset[members], sequence[members, p], name)
        treeplex, new_infoset, new_sequence = _sort_by_depth(states, numbers[p], parents)
        infoset[members] = new_infoset[infoset[members]]
        sequence[:, p] = new_sequence[sequence[:, p]]
        treeplexes.append(treeplex)
    reach = chance.copy()
    for start, stop in itertools.pairwise(level_start[1:]):
        reach[start:stop] *= reach[parent[start:stop]]
    terminals = np.flatnonzero(player == TERMINAL)
    terminal_sequences = sequence[terminals]
    payoff_sequences, payoff_values = collected_payoffs(terminal_sequences, payoffs, reach[terminals])
    return ExtensiveFormModel(
        parent=read_only(parent),
        action=read_only(action),
        player=read_only(player),
        chance=read_only(chance),
        infoset=read_only(infoset),
        level_start=read_only(level_start),
        terminals=read_only(terminals),
        payoffs=read_only(payoffs),
        chance_reach=read_only(reach[terminals]),
        terminal_sequences=read_only(terminal_sequences),
        treeplexes=tuple(treeplexes),
        payoff_sequences=read_only(payoff_sequences),
        payoff_values=read_only(payoff_values),
    )


def collected_payoffs(
    terminal_sequences: IntArray, payoffs: Float64Array, reach: Float64Array
) -> tuple[IntArray, Float64Array]:
    """`payoff_sequences` and `payoff_values` of a model from its terminal histories; see there."""
    first, group = unique_rows(terminal_sequences)
    weighted = payoffs * reach[:, None]
    values = [np.bincount(group, weights=column, minlength=len(first)) for column in weighted.T]
    return terminal_sequences[first], np.stack(values, axis=1)


def _merge(rules: Rules[Any], player: int, seen: _Infosets, infoset: IntArray, name: str) -> InformationStates:
    """Join the levels' blocks, writing each member's number (in order of meeting) into `infoset`."""
    if not seen.keys:
        width = rules.num_actions[player]
        return InformationStates(
            np.zeros((0, 1), dtype=np.int64),
            np.zeros((0, rules.observation_size), dtype=np.float32),
            np.zeros((0, width), dtype=bool),
        )
    keys, masks, observations = np.concatenate(seen.keys), np.concatenate(seen.masks), np.concatenate(seen.observations)
    first, group = unique_rows(keys)
    _same(rules, player, keys, masks, masks[first][group], "legal actions", name)
    _same(rules, player, keys, observations, observations[first][group], "observations", name)
    infoset[np.concatenate(seen.nodes)] = group[np.concatenate(seen.local)]
    return InformationStates(keys[first], observations[first], masks[first])


def _number_sequences(states: InformationStates) -> IntArray:
    """The sequence number of each legal action, [I, A]; 0 is the empty sequence."""
    numbers = np.zeros(states.masks.shape, dtype=np.int64)
    numbers[states.masks] = 1 + np.arange(int(states.masks.sum()))
    return numbers


def _parent_sequences(
    rules: Rules[Any], player: int, states: InformationStates, infoset: IntArray, sequence: IntArray, name: str
) -> IntArray:
    """The sequence that leads to each information set, [I]; every member must be reached by the same one."""
    parents = np.zeros(len(states.keys), dtype=np.int64)
    parents[infoset] = sequence
    forgetful = np.flatnonzero(parents[infoset] != sequence)
    if forgetful.size:
        label = rules.describe_information_state(player, states.keys[infoset[forgetful[0]]])
        raise GameDefinitionError(
            f"{name}: player {player} has imperfect recall: information set {label!r} is reached by different "
            "sequences of the player's own actions; the information-state key must contain all the player saw and did"
        )
    return parents


def _sort_by_depth(
    states: InformationStates, numbers: IntArray, parents: IntArray
) -> tuple[Treeplex, IntArray, IntArray]:
    """Put information sets in order of depth, those of equal depth in order of meeting.

    Returns:
        The treeplex, the new number of each information set [I] and of each sequence [Q].
    """
    infoset_of = np.concatenate([[-1], np.nonzero(states.masks)[0]])
    depth = np.zeros(len(parents), dtype=np.int64)
    while True:  # at most once per level of the treeplex
        deeper = np.where(parents == 0, 0, depth[infoset_of[parents]] + 1) if len(parents) else depth
        if np.array_equal(deeper, depth):
            break
        depth = deeper
    order = np.argsort(depth, kind="stable")
    new_infoset = np.argsort(order)
    ordered = InformationStates(*(read_only(part) for part in states.rows(order)))
    new_numbers = _number_sequences(ordered)
    new_sequence = np.zeros(len(infoset_of), dtype=np.int64)
    new_sequence[numbers[order][ordered.masks]] = new_numbers[ordered.masks]
    counts = ordered.masks.sum(axis=1, dtype=np.int64)
    treeplex = Treeplex(
        states=ordered,
        parent_sequence=read_only(new_sequence[parents[order]]),
        first_sequence=read_only(1 + np.cumsum(counts) - counts),
        num_actions=read_only(counts),
        depth_start=read_only(np.searchsorted(depth[order], np.arange(depth.max(initial=-1) + 2))),
    )
    return treeplex, new_infoset, new_sequence

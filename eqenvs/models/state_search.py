"""The exact model of a Markov game by rules: all states that can be reached, met level by level in batches.

A level is the states first met after the same number of steps. Each is expanded by every legal joint action and all
that chance can do, in blocks of so many rows that one move of chance makes a million transitions of a block at most (or
one row's). What is kept grows with the transitions, about 120 bytes each at the end; their number is limited. No Python
runs per transition, but for one look-up per block and state that it leads to.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import BoolArray, Float32Array, Float64Array, IntArray, joined_rows, namespace, take_rows
from eqenvs.errors import GameDefinitionError, GameTooLargeError
from eqenvs.markov_rules import MarkovRules
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE, checked_chance
from eqenvs.models.information_states import masks_where_acting, unique_rows
from eqenvs.models.markov import MarkovModel, Successors, joint_legal
from eqenvs.rules import CHANCE, SIMULTANEOUS, TERMINAL

BLOCK = 1 << 16  # rows whose successors are worked out at a time
MAX_OUTCOMES = 1 << 20  # outcomes of one move of chance in a block
MAX_TRANSITIONS = 40_000_000  # that are kept
MAX_CHANCE_MOVES = 1000  # in a row between two joint actions

_END = -1  # number of the end of the game while states are still being met


class _Level(NamedTuple):
    """States met for the first time, and what is kept of them."""

    state: Any
    keys: IntArray  # [M, W]
    legal: tuple[BoolArray, ...]  # per player [M, A_p]
    views: tuple[Float32Array, ...]  # per player [M, D]


class _Edges(NamedTuple):
    """Transitions out of a block of rows, in the order of rows and successors, the end last; no two the same."""

    row: IntArray  # [E] number of the row in the model
    state: IntArray  # [E] number of the successor, or _END
    probability: Float64Array  # [E]


def enumerate_states(rules: MarkovRules[Any], *, name: str, max_size: int = DEFAULT_MAX_SIZE) -> MarkovModel:
    """The exact model of a game.

    Args:
        rules: the game; its horizon plays no part in the search.
        name: what to call it in messages.
        max_size: the most pairs of a state and a joint action (illegal ones counted, the model has room for them); a
            level's are counted before they are made. Transitions may be 10 times as many, and 40 million at most.

    Raises:
        GameTooLargeError: if there are more of either.
        GameDefinitionError: if chance probabilities do not sum to one, a player has no legal action, chance never
            stops moving, the first move of chance pays, or the game may be over before it begins.
    """
    profiles = prod(rules.num_actions)
    known: dict[bytes, int] = {}
    levels: list[_Level] = []
    edges: list[_Edges] = []
    rewards: list[Float64Array] = []
    first = rules.initial_state(1, namespace(np.zeros(0)))
    opening = _resolved(rules, first, np.zeros(1, dtype=np.int64), np.zeros((1, rules.num_players)), name)
    if np.any(opening.reward):
        raise GameDefinitionError(f"{name}: a move of chance before the first step pays {opening.reward[0].tolist()}")
    if opening.ends.row.size:
        raise GameDefinitionError(f"{name}: the game may be over before the first step")
    numbers, level = _meet(rules, opening.state, known, name)
    initial = numbers, opening.probability
    most, made = min(10 * max_size, MAX_TRANSITIONS), 0
    while len(level.keys):
        levels.append(level)
        _require_room(len(known), profiles, max_size, name)
        fresh: list[_Level] = []
        offset = len(known) - len(level.keys)
        for start in range(0, len(level.keys), max(1, BLOCK // profiles)):
            part = slice(start, start + max(1, BLOCK // profiles))
            paid = np.zeros((len(level.keys[part]) * profiles, rules.num_players))
            for row, after in _expand(rules, _rows(level, part), name):
                paid[row] = after.reward
                met, new = _meet(rules, after.state, known, name)
                fresh.append(new)
                block = _sorted_edges(row, after, met, len(known))
                edges.append(block._replace(row=block.row + (offset + start) * profiles))
                made += len(block.row)
                _require_room(len(known), profiles, max_size, name)
                if made > most:
                    raise GameTooLargeError(
                        f"{name}: exact enumeration needs more than {made:,} transitions ({len(known):,} states met), "
                        f"the limit is {most:,}; use smaller parameters, or score by simulation"
                    )
            rewards.append(paid)
        level = _joined(fresh)
    return _assemble(rules, levels, edges, rewards, initial)


def _require_room(count: int, profiles: int, max_size: int, name: str) -> None:
    if count * profiles > max_size:
        raise GameTooLargeError(
            f"{name}: exact enumeration needs more than {count * profiles:,} pairs of a state and a joint action "
            f"({count:,} states met, {profiles:,} joint actions each), the limit is max_size={max_size:,}; use "
            "smaller parameters, or score by simulation"
        )


class _Ends(NamedTuple):
    row: IntArray
    probability: Float64Array


class _After(NamedTuple):
    """What rows lead to once chance has moved."""

    state: Any
    row: IntArray  # [M] which row each state follows
    probability: Float64Array  # [M]
    ends: _Ends
    reward: Float64Array  # [rows, N] expected


def _rows(level: _Level, part: slice) -> _Level:
    return _Level(
        take_rows(level.state, part),
        level.keys[part],
        tuple(mask[part] for mask in level.legal),
        tuple(view[part] for view in level.views),
    )


def _joined(parts: list[_Level]) -> _Level:
    return _Level(
        joined_rows([part.state for part in parts]),
        np.concatenate([part.keys for part in parts]),
        tuple(np.concatenate(masks) for masks in zip(*(part.legal for part in parts), strict=True)),
        tuple(np.concatenate(views) for views in zip(*(part.views for part in parts), strict=True)),
    )


def _expand(rules: MarkovRules[Any], level: _Level, name: str) -> Iterator[tuple[IntArray, _After]]:
    """Every legal joint action at the states: their rows within the level, and what follows; some rows at a time."""
    allowed = joint_legal(level.legal).reshape(len(level.keys), -1)
    every = np.flatnonzero(allowed)
    size = min(BLOCK, max(1, MAX_OUTCOMES // max(1, rules.num_chance_outcomes)))
    for start in range(0, len(every), size):
        row = every[start : start + size]
        state, joint = np.divmod(row, allowed.shape[1])
        actions = np.stack([*np.unravel_index(joint, rules.num_actions), np.zeros_like(joint)], axis=1)
        after, received = rules.apply(take_rows(level.state, state), actions)
        yield row, _resolved(rules, after, np.arange(len(row)), received, name)


def _sorted_edges(rows: IntArray, after: _After, met: IntArray, states: int) -> _Edges:
    """The transitions of a block, those from the same row to the same successor added up."""
    ends = after.ends
    code = np.concatenate([after.row * (states + 1) + met, ends.row * (states + 1) + states])
    order = np.argsort(code, kind="stable")
    code = code[order]
    first = np.flatnonzero(np.diff(code, prepend=-1))
    which, state = np.divmod(code[first], states + 1)
    probability = np.concatenate([after.probability, ends.probability])[order]
    return _Edges(rows[which], np.where(state == states, _END, state), np.add.reduceat(probability, first))


def _resolved(rules: MarkovRules[Any], state: Any, row: IntArray, received: Float64Array, name: str) -> _After:
    """Follow chance from the states until players are to move or the game is over."""
    reward = np.array(received, dtype=np.float64)
    probability = np.ones(len(row))
    states, rows, shares = [], [], []
    end_rows, end_shares = [], []
    for _ in range(MAX_CHANCE_MOVES):
        phase = rules.phase(state)
        over = phase == TERMINAL
        end_rows.append(row[over])
        end_shares.append(probability[over])
        ready = np.flatnonzero(phase == SIMULTANEOUS)
        states.append(take_rows(state, ready))
        rows.append(row[ready])
        shares.append(probability[ready])
        waiting = np.flatnonzero(phase == CHANCE)
        if not waiting.size:
            ends = _Ends(np.concatenate(end_rows), np.concatenate(end_shares))
            return _After(joined_rows(states), np.concatenate(rows), np.concatenate(shares), ends, reward)
        state, row, probability = take_rows(state, waiting), row[waiting], probability[waiting]
        outcomes = checked_chance(rules, state, name)
        parent, outcome = np.nonzero(outcomes)
        moves = np.zeros((len(parent), rules.num_players + 1), dtype=np.int64)
        moves[:, -1] = outcome
        row, probability = row[parent], probability[parent] * outcomes[parent, outcome]
        state, received = rules.apply(take_rows(state, parent), moves)
        for player in range(rules.num_players):
            reward[:, player] += np.bincount(row, weights=probability * received[:, player], minlength=len(reward))
    raise GameDefinitionError(f"{name}: chance moves {MAX_CHANCE_MOVES} times in a row without players to move")


def _meet(rules: MarkovRules[Any], state: Any, known: dict[bytes, int], name: str) -> tuple[IntArray, _Level]:
    """The numbers of the states in a batch, and those met for the first time; `known` learns of them."""
    keys = np.ascontiguousarray(rules.state_key(state), dtype=np.int64)
    first, group = unique_rows(keys)
    width, raw = keys.shape[1] * keys.itemsize, keys[first].tobytes()
    numbers = np.empty(len(first), dtype=np.int64)
    new = []
    for index in range(len(first)):
        count = len(known)
        numbers[index] = known.setdefault(raw[index * width : (index + 1) * width], count)
        if len(known) > count:
            new.append(index)
    fresh = first[np.array(new, dtype=np.int64)]
    met = take_rows(state, fresh)
    # What follows a state does not depend on when it was met.
    met = met._replace(step=np.zeros_like(met.step))
    legal, views = [], []
    acting = rules.acting(met)
    for player, width_of in enumerate(rules.num_actions):
        who = np.full(len(fresh), player, dtype=np.int64)
        mask: BoolArray = masks_where_acting(rules.legal_actions(met, who)[:, :width_of], acting[:, player])
        if not mask.any(axis=1).all():
            raise GameDefinitionError(
                f"{name}: player {player} has no legal action in {keys[fresh[int(np.argmin(mask.any(axis=1)))]]}"
            )
        legal.append(mask)
        views.append(rules.view(met, who))
    return numbers[group], _Level(met, keys[fresh], tuple(legal), tuple(views))


def _assemble(
    rules: MarkovRules[Any],
    levels: list[_Level],
    edges: list[_Edges],
    rewards: list[Float64Array],
    initial: tuple[IntArray, Float64Array],
) -> MarkovModel:
    whole = _joined([level._replace(state=()) for level in levels])
    states = len(whole.keys)
    row, state, probability = (np.concatenate(parts) for parts in zip(*edges, strict=True))
    start = np.searchsorted(row, np.arange(states * prod(rules.num_actions) + 1))
    state = np.where(state == _END, states, state)
    reward = np.moveaxis(np.concatenate(rewards).reshape(states, *rules.num_actions, rules.num_players), -1, 0)
    return MarkovModel(
        Successors(start, state, probability),
        reward,
        np.bincount(initial[0], weights=initial[1], minlength=states),
        discount=rules.discount,
        horizon=rules.horizon,
        legal=whole.legal,
        keys=whole.keys,
        views=whole.views,
    )

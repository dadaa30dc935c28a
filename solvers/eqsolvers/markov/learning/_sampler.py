"""Sampled play of a Markov game: the game as the learners' loops take it, and the draws.

A learner is told the state, the actions and the rewards; what stands here of the transitions is what the simulator
draws from. A reward is the model's, expected over the successors.

A game without a horizon is played in episodes of a stated length. Its cut is no end of the game: the value of the state
that was reached counts as that of any other, and only then the next episode starts from the initial distribution. A
horizon and an end by the rules are ends, after which there is nothing more to get.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.kernels import drawn_entry
from eqenvs.models.markov import FirstStates, MarkovModel
from eqsolvers.kernels import compiled, inlined, uniform

END = -1  # in place of a decision point: the game is over


class Table(NamedTuple):
    """A game for compiled loops; points are states, or step * S + state given a horizon."""

    start: IntArray  # [R + 1], as in `Successors`
    state: IntArray  # [E]
    probability: Float64Array  # [E]
    cumulative: Float64Array  # [E], within each row
    reward: Float64Array  # [R, N]
    actions: IntArray  # [N, S, A], the legal ones first
    counts: IntArray  # [N, S], of legal actions
    strides: IntArray  # [N], of the players' actions in a joint action's number
    first: FirstStates
    states: int  # S
    profiles: int  # joint actions of a state, illegal ones counted
    horizon: int  # 0: none
    length: int  # steps of an episode at most
    discount: float


def table_of(model: MarkovModel, length: int = 0) -> Table:
    """The game; `length` is the steps of an episode of one without a horizon."""
    players, states, actions = model.num_players, model.num_states, model.num_actions
    order = np.zeros((players, states, max(actions)), dtype=np.int64)
    for player, mask in enumerate(model.legal):
        order[player, :, : actions[player]] = np.argsort(~mask, axis=1, kind="stable")
    return Table(
        **model.successors._asdict(),
        cumulative=model.cumulative,
        reward=model.row_rewards,
        actions=order,
        counts=np.stack([mask.sum(axis=1) for mask in model.legal]).astype(np.int64),
        strides=model.strides,
        first=model.first,
        states=states,
        profiles=model.num_profiles,
        horizon=model.horizon or 0,
        length=model.horizon or length,
        discount=model.discount,
    )


@compiled
def first_of(table: Any, stream: Any) -> int:
    """A state to begin in."""
    return int(table.first.state[drawn_entry(table.first.cumulative, 0, len(table.first.state), uniform(stream))])


@compiled
def successor_entry(table: Any, row: int, stream: Any) -> int:
    """The entry of the successor that chance draws after a joint action."""
    return drawn_entry(table.cumulative, table.start[row], table.start[row + 1], uniform(stream))


@compiled
def drawn_entries(table: Any, row: IntArray, draws: Float64Array) -> IntArray:
    """The entry of the successor of each row [M] for as many uniform numbers."""
    found = np.empty(len(row), np.int64)
    for k in range(len(row)):
        found[k] = drawn_entry(table.cumulative, table.start[row[k]], table.start[row[k] + 1], draws[k])
    return found


@compiled
def point_after(table: Any, step: int, state: int) -> int:
    """The decision point of `state`, reached by joint action number `step`, from 0, of an episode; END."""
    if state == table.states or step + 1 == table.horizon:
        return END
    return int((step + 1) * table.states + state) if table.horizon else state


@compiled
def drawn_action(strategy: Any, actions: Any, count: int, draw: float) -> int:
    """One of the first `count` of `actions` by the probabilities in `strategy` [A]."""
    last = actions[0]
    for k in range(count):
        action = actions[k]
        if strategy[action] > 0.0:
            if draw < strategy[action]:
                return int(action)
            draw -= strategy[action]
            last = action
    return int(last)  # rounding left a little


@inlined
def explored_action(strategy: Any, actions: Any, count: int, exploration: float, stream: Any) -> int:
    """One of the first `count` of `actions`: any with some probability, else by `strategy` [A]."""
    if uniform(stream) < exploration:
        return int(actions[min(int(uniform(stream) * count), count - 1)])
    return drawn_action(strategy, actions, count, uniform(stream))


@compiled
def first_profile(table: Any, state: int, digit: Any) -> int:
    """Write zeros, the places of the first legal joint action of a state in the players' lists [N]; its number."""
    joint = 0
    for player in range(len(digit)):
        digit[player] = 0
        joint += table.actions[player, state, 0] * table.strides[player]
    return joint


@compiled
def next_profile(table: Any, state: int, digit: Any) -> int:
    """Move on to the next legal joint action, in the order of their numbers where all are legal; its number, or -1."""
    moved = len(digit) - 1
    while moved >= 0:
        digit[moved] += 1
        if digit[moved] < table.counts[moved, state]:
            break
        digit[moved] = 0
        moved -= 1
    if moved < 0:
        return -1
    joint = 0
    for player in range(len(digit)):
        joint += table.actions[player, state, digit[player]] * table.strides[player]
    return joint

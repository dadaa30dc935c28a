"""Many steps of `TableEnv` in one compiled call, with actions drawn from behaviour tables.

For play that needs no network in between: simulated payoffs, trajectories of tabular policies, random play. A call for
each step costs microseconds whatever the number of games; here that is paid once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import BoolArray, Float32Array, Float64Array, IntArray, cumulative_by_row
from eqenvs.kernels import compiled, drawn_entry


class Rollout(NamedTuple):
    """What happened in T steps of B games; N players, D numbers of an observation.

    Attributes:
        players: [T, B] int64, who moved; SIMULTANEOUS in a Markov game.
        information_states: [T, B] int64, where: the row of the mover's information states (`game.information_states`);
            in a Markov game, where they are numbered alike, of everybody's.
        actions: [T, B] int64; [T, B, N] in a Markov game.
        rewards: [T, B, N] float64, what each step paid.
        terminated: [T, B] bool, games that ended by that step; the next step is of another game.
        truncated: [T, B] bool, games that were cut off by it; likewise.
        observations: [T, B, D] float32, what the mover saw before it moved, or [T, B, N, D]; None if not asked for.
    """

    players: IntArray
    information_states: IntArray
    actions: IntArray
    rewards: Float64Array
    terminated: BoolArray
    truncated: BoolArray
    observations: Float32Array | None


class Choices(NamedTuple):
    """Behaviour tables as lists of what is played at all.

    Attributes:
        start: [rows + 1], of the lists; a row for each decision point and player that moves there.
        action: [E] int64.
        cumulative: [E] float64, of probabilities within the row.
    """

    start: IntArray
    action: IntArray
    cumulative: Float64Array


class Laws(NamedTuple):
    """What `advance` is told of a game and of how far it goes, in its order; see `eqenvs.envs.tables`."""

    strides: IntArray
    start: IntArray
    after: IntArray
    cumulative: Float64Array
    reward: Float64Array
    first_node: IntArray
    first_cumulative: Float64Array
    first_reward: Float64Array
    opening: Float64Array
    num_rows: int
    states: int
    pays_by_row: bool
    horizon: int
    max_cycles: int
    final: IntArray


def choices(probabilities: Float64Array) -> Choices:
    """The lists of rows [rows, A] of probabilities; an action of probability 0 is never drawn."""
    row, action = np.nonzero(probabilities)
    start = np.searchsorted(row, np.arange(len(probabilities) + 1))
    return Choices(start, action, cumulative_by_row(start, probabilities[row, action]))


@compiled
def choose(
    node: IntArray,
    point: IntArray,
    start: IntArray,
    action: IntArray,
    cumulative: Float64Array,
    uniform: Float64Array,
    chosen: IntArray,
) -> None:
    """Every mover's action in every game, into `chosen` [B, movers]."""
    games, movers = chosen.shape
    for game in range(games):
        for mover in range(movers):
            row = point[node[game]] * movers + mover
            chosen[game, mover] = action[drawn_entry(cumulative, start[row], start[row + 1], uniform[game, mover])]


@compiled
def advance(
    node: IntArray,
    cycles: IntArray,
    actions: IntArray,
    uniform: Float64Array,
    strides: IntArray,
    start: IntArray,
    after: IntArray,
    cumulative: Float64Array,
    reward: Float64Array,
    first_node: IntArray,
    first_cumulative: Float64Array,
    first_reward: Float64Array,
    opening: Float64Array,
    num_rows: int,
    states: int,
    pays_by_row: bool,
    horizon: int,
    max_cycles: int,
    final: IntArray,
    rewards: Float64Array,
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
) -> None:
    """Move in every game, in place, by legal actions; a successor below 0 ends the game."""
    games, movers = actions.shape
    for game in range(games):
        at = node[game]
        row = (at % states if states else at) * num_rows
        for mover in range(movers):
            row += actions[game, mover] * strides[mover]
        entry = drawn_entry(cumulative, start[row], start[row + 1], uniform[game, 0])
        for player in range(rewards.shape[1]):
            rewards[game, player] = reward[row if pays_by_row else entry, player] + opening[game, player]
            opening[game, player] = 0.0
        target = after[entry]
        if states and target >= 0:
            step = at // states + 1
            target = target + step * states if step < horizon else -1
        cycles[game] += 1
        terminated[game] = target < 0
        truncated[game] = target >= 0 and max_cycles > 0 and cycles[game] >= max_cycles
        final[game] = target
        if terminated[game] or truncated[game]:
            entry = drawn_entry(first_cumulative, 0, len(first_node), uniform[game, 1])
            target = first_node[entry]
            for player in range(rewards.shape[1]):
                opening[game, player] = first_reward[entry, player]
            cycles[game] = 0
        node[game] = target


@compiled
def play(
    node: IntArray,
    cycles: IntArray,
    point: IntArray,
    choice_start: IntArray,
    choice_action: IntArray,
    choice_cumulative: Float64Array,
    choosing: Float64Array,
    uniform: Float64Array,
    strides: IntArray,
    start: IntArray,
    after: IntArray,
    cumulative: Float64Array,
    reward: Float64Array,
    first_node: IntArray,
    first_cumulative: Float64Array,
    first_reward: Float64Array,
    opening: Float64Array,
    num_rows: int,
    states: int,
    pays_by_row: bool,
    horizon: int,
    max_cycles: int,
    final: IntArray,
    points: IntArray,
    actions: IntArray,
    rewards: Float64Array,
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
) -> None:
    """Steps by `choose` and `advance`; what is written has the steps as its first axis."""
    for step in range(len(actions)):
        for game in range(len(node)):
            points[step, game] = point[node[game]]
        choose(node, point, choice_start, choice_action, choice_cumulative, choosing[step], actions[step])
        advance(
            node,
            cycles,
            actions[step],
            uniform[step],
            strides,
            start,
            after,
            cumulative,
            reward,
            first_node,
            first_cumulative,
            first_reward,
            opening,
            num_rows,
            states,
            pays_by_row,
            horizon,
            max_cycles,
            final,
            rewards[step],
            terminated[step],
            truncated[step],
        )


@compiled
def looked_up(table: Float32Array, points: IntArray, out: Float32Array) -> None:
    """Rows [D] of a table at points [K], into `out` [K, D]; several times faster than numpy's indexing."""
    for k in range(len(points)):
        for i in range(table.shape[1]):
            out[k, i] = table[points[k], i]

"""Advantage estimates of a rollout in one compiled pass over its stages, on a CPU.

`trajectory.advantages_by_arrays` says the same in operations on whole arrays, some 30 a stage, each of which takes far
longer to start than to run on a few hundred games; sums are in the same order, in float32, so the bits are the same.
Cost: O(T B (M + N)).
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import BoolArray, Float32Array, IntArray
from eqenvs.kernels import compiled


@compiled
def longest_waits(players: IntArray, learns: BoolArray, ended: BoolArray, next_known: BoolArray) -> IntArray:
    """See `trajectory.longest_waits`."""
    stages, games, movers = players.shape
    count = next_known.shape[1]
    waited = np.zeros((games, count), dtype=np.int64)
    moved = np.zeros(count, dtype=np.bool_)
    longest = np.ones(count, dtype=np.int64)
    for t in range(stages):
        for game in range(games):
            for player in range(count):
                moved[player] = False
            for mover in range(movers):
                if learns[t, game, mover]:
                    moved[players[t, game, mover]] = True
            for player in range(count):
                if moved[player]:
                    longest[player] = max(longest[player], waited[game, player])
                    waited[game, player] = 1
                elif waited[game, player] > 0:
                    waited[game, player] += 1
                if ended[t, game]:
                    longest[player] = max(longest[player], waited[game, player])
                    waited[game, player] = 0
    for game in range(games):
        for player in range(count):
            unseen = waited[game, player] > 0 and not next_known[game, player]
            longest[player] = max(longest[player], waited[game, player] + unseen)
    return longest


@compiled
def estimated(
    players: IntArray,
    learns: BoolArray,
    ended: BoolArray,
    values: Float32Array,
    rewards: Float32Array,
    cut_values: Float32Array,
    next_values: Float32Array,
    next_known: BoolArray,
    longest: IntArray,
    discount: np.float32,
    decay: np.float32,
    found: Float32Array,
    usable: BoolArray,
) -> None:
    """Write the estimates to `found`, and which there are to `usable`, [T, B, M]; both start as zeros."""
    stages, games, movers = players.shape
    count = next_values.shape[1]
    value, known = next_values.copy(), next_known.copy()
    ahead, paid = np.zeros_like(value), np.zeros_like(value)
    for t in range(stages - 1, -1, -1):
        for game in range(games):
            over = ended[t, game]
            for player in range(count):
                if over:
                    value[game, player] = cut_values[t, game, player]
                    ahead[game, player] = np.float32(0.0)
                    paid[game, player] = np.float32(0.0)
                    known[game, player] = True
                value[game, player] = discount * value[game, player]
                ahead[game, player] = discount * ahead[game, player]
                paid[game, player] = rewards[t, game, player] + discount * paid[game, player]
            for mover in range(movers):
                who = players[t, game, mover]
                if learns[t, game, mover] and known[game, who] and t <= stages - longest[who]:
                    delta = paid[game, who] + value[game, who] - values[t, game, mover]
                    found[t, game, mover] = delta + decay * ahead[game, who]
                    usable[t, game, mover] = True
            for mover in range(movers):
                if learns[t, game, mover]:
                    who = players[t, game, mover]
                    value[game, who], ahead[game, who] = values[t, game, mover], found[t, game, mover]
                    paid[game, who] = np.float32(0.0)
                    known[game, who] = True

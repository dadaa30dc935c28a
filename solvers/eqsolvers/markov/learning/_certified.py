"""The tables of V-learning, and the exact recursion of the policy that its theorems are about.

See `v_learning` for what is computed. Cost of a visit: the joint actions times their successors, for each player.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqsolvers.kernels import compiled
from eqsolvers.markov.learning._sampler import END, first_profile, next_profile, point_after


class Rule(NamedTuple):
    """What does not change."""

    eta: float
    gamma: float
    bonus: Float64Array  # [N], at a first visit with one action
    highest: Float64Array  # [N, H], what can be had from step h on at most
    span: Float64Array  # [N, H], that less the least
    swap: bool
    monotone: bool
    certify: bool


class VLearningState(NamedTuple):
    """All that changes; B seeds, I points, S states at the first step."""

    visits: IntArray  # [B, I]
    estimate: Float64Array  # [B, N, I], V without its cut
    value: Float64Array  # [B, N, I]
    loss: Float64Array  # [B, N, I, X, A], estimates weighed by w_i / w_n; X = 1, or A with swap regret
    strategy: Float64Array  # [B, N, I, A]
    mixture: Float64Array  # [B, I, A_0 * ... * A_{N-1}]
    own: Float64Array  # [B, N, I], W
    committed: Float64Array  # [B, N, I, A], L
    committed_best: Float64Array  # [B, N, I]
    told: Float64Array  # [B, N, I, A, A], L of deviators who are told their part; A = 0 under "cce"
    told_best: Float64Array  # [B, N, I]
    since: IntArray  # [B, S], the episode up to which the sums over episodes below are done
    own_sum: Float64Array  # [B, N, S]
    committed_sum: Float64Array  # [B, N, S, A]
    told_sum: Float64Array  # [B, N, S, A, A]


class Scratch(NamedTuple):
    """Room for the loops."""

    digit: IntArray  # [N]
    action: IntArray  # [N]
    own: Float64Array  # [N], W of what was played
    gain: Float64Array  # [2, N, A], L by own action, not told and told
    product: Float64Array  # [joint actions]


@compiled
def follow_up(table: Any, tables: Any, b: int, step: int, row: int, player: int, told: bool) -> tuple[Any, Any, Any]:
    """What a player gets after a joint action, by the certified policy and by the best deviations from it."""
    own, committed, heard = 0.0, 0.0, 0.0
    for entry in range(table.start[row], table.start[row + 1]):
        after = point_after(table, step, table.state[entry])
        if after != END:
            chance = table.probability[entry] * table.discount
            own += chance * tables.own[b, player, after]
            committed += chance * tables.committed_best[b, player, after]
            if told:
                heard += chance * tables.told_best[b, player, after]
    return own, committed, heard


@compiled
def certify(table: Any, rule: Any, tables: Any, scratch: Any, b: int, step: int, state: int, weight: float) -> None:
    """The recursion of the certified policy at a visit, before anything else of it changes; its weight is a_n."""
    point = step * table.states + state
    players = len(scratch.digit)
    strategy, kept, gain = tables.strategy, 1.0 - weight, scratch.gain
    gain[:] = 0.0
    scratch.own[:] = 0.0
    joint = first_profile(table, state, scratch.digit)
    while joint >= 0:
        row = state * table.profiles + joint
        for player in range(players):
            others = 1.0
            for other in range(players):
                if other != player:
                    others *= strategy[b, other, point, table.actions[other, state, scratch.digit[other]]]
            if others > 0.0:
                action = table.actions[player, state, scratch.digit[player]]
                own, committed, heard = follow_up(table, tables, b, step, row, player, rule.swap)
                reward = table.reward[row, player]
                scratch.own[player] += others * strategy[b, player, point, action] * (reward + own)
                gain[0, player, action] += others * (reward + committed)
                gain[1, player, action] += others * (reward + heard)
        joint = next_profile(table, state, scratch.digit)
    for player in range(players):
        tables.own[b, player, point] *= kept
        tables.own[b, player, point] += weight * scratch.own[player]
        best, count = -np.inf, table.counts[player, state]
        for k in range(count):
            action = table.actions[player, state, k]
            tables.committed[b, player, point, action] *= kept
            tables.committed[b, player, point, action] += weight * gain[0, player, action]
            best = max(best, tables.committed[b, player, point, action])
        tables.committed_best[b, player, point] = best
        if rule.swap:
            total = 0.0
            for heard_place in range(count):
                heard_action = table.actions[player, state, heard_place]
                share = weight * strategy[b, player, point, heard_action]
                best = -np.inf
                for k in range(count):
                    action = table.actions[player, state, k]
                    tables.told[b, player, point, heard_action, action] *= kept
                    tables.told[b, player, point, heard_action, action] += share * gain[1, player, action]
                    best = max(best, tables.told[b, player, point, heard_action, action])
                total += best
            tables.told_best[b, player, point] = total


@compiled
def certify_unvisited(table: Any, rule: Any, tables: Any, scratch: Any) -> None:
    """The recursion at n = 0 everywhere: uniform play to the end."""
    for b in range(tables.visits.shape[0]):
        for step in range(table.horizon - 1, -1, -1):
            for state in range(table.states):
                certify(table, rule, tables, scratch, b, step, state, 1.0)


@compiled
def sum_up(tables: Any, b: int, state: int, episodes: int) -> None:
    """Bring the sums over the episodes up to number `episodes`, at a state of the first step."""
    more = float(episodes - tables.since[b, state])
    tables.since[b, state] = episodes
    for player in range(tables.own_sum.shape[1]):
        tables.own_sum[b, player, state] += more * tables.own[b, player, state]
        for action in range(tables.committed_sum.shape[3]):
            tables.committed_sum[b, player, state, action] += more * tables.committed[b, player, state, action]
        for heard in range(tables.told_sum.shape[3]):
            for action in range(tables.told_sum.shape[4]):
                tables.told_sum[b, player, state, heard, action] += more * tables.told[b, player, state, heard, action]

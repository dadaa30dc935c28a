"""Equilibria of the one-shot game at a decision point, compiled: what a learner solves at every step of play.

The payoffs are the players' values of the joint actions, [N, A_0 * ... * A_{N-1}]; the solution is a distribution over
these. Illegal joint actions are left out before anything is solved.

Correlated equilibria are linear programmes over a cone cut off at total probability 1, with a positive objective: the
optimum then has it all, and x = 0 is a vertex to start the simplex method from (`eqsolvers.normal_form._simplex`, whose
lexicographic rule keeps it from cycling among the many vertices where gains are 0).
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from eqsolvers.kernels import Linked, compiled, link
from eqsolvers.markov.learning._process import ONE_STEP
from eqsolvers.markov.learning._sampler import first_profile, next_profile, table_of
from eqsolvers.normal_form._dictionary import TIE
from eqsolvers.normal_form._simplex import primal, solve_dictionary
from eqsolvers.normal_form.lemke_howson import end_strategies

ZERO_SUM, NASH, NASH_WELFARE, FRIEND, CE, CCE = range(6)  # what is solved for
UTILITARIAN, EGALITARIAN, REPUBLICAN = range(3)  # which CE or CCE
MAX_PIVOTS = 100_000
MAX_GAP = 1e-6  # of a matrix game, over the range of its payoffs; 1e-12 unless it is degenerate but for rounding
MAX_FIRST, MAX_ALL = 10_000, 1_000  # pivots of a Lemke-Howson path, of one label and of each


class Stage(NamedTuple):
    """What is solved for, as kernels are told: `call_linked(stage.solve, table, stage.kind, stage.objective, ...)`."""

    kind: int
    objective: int
    solve: Linked  # `solve_stage`


def stage_of(kind: int, objective: int = UTILITARIAN) -> Stage:
    """See `Stage`; only for this process."""
    return Stage(kind, objective, _linked())


@cache
def _linked() -> Linked:
    digit, payoff, joint = np.zeros(1, np.int64), np.zeros((1, 1)), np.zeros(1)
    return link(solve_stage, table_of(ONE_STEP), 0, 0, 0, payoff, digit, joint, joint)


@compiled
def write_product(table: Any, state: int, row: Any, column: Any, joint: Any) -> None:
    """Write the product of two players' strategies over their legal actions."""
    joint[:] = 0.0
    for i in range(len(row)):
        at = table.actions[0, state, i] * table.strides[0]
        for j in range(len(column)):
            joint[at + table.actions[1, state, j]] = row[i] * column[j]


@compiled
def bimatrix(table: Any, state: int, payoff: Any, player: int) -> Any:
    """A player's payoffs on the legal actions of two, [m, n]."""
    m, n = table.counts[0, state], table.counts[1, state]
    matrix = np.empty((m, n))
    for i in range(m):
        at = table.actions[0, state, i] * table.strides[0]
        for j in range(n):
            matrix[i, j] = payoff[player, at + table.actions[1, state, j]]
    return matrix


@compiled
def zero_sum(table: Any, state: int, payoff: Any, joint: Any) -> bool:
    """Write optimal strategies of the first player's matrix game; whether they were found."""
    matrix = bimatrix(table, state, payoff, 0)
    row, column = np.empty(matrix.shape[0]), np.empty(matrix.shape[1])
    pivots, gap = solve_dictionary(matrix, row, column, MAX_PIVOTS)
    found = pivots >= 0 and gap <= MAX_GAP
    if found:
        write_product(table, state, row, column, joint)
    return found


@compiled
def nash(table: Any, state: int, payoff: Any, welfare: bool, joint: Any) -> bool:
    """Write a Nash equilibrium of two players; whether one was found.

    That at the end of the Lemke-Howson path of label 0, or the one of the highest sum of payoffs among the ends of all.
    """
    first, second = bimatrix(table, state, payoff, 0), bimatrix(table, state, payoff, 1)
    m, n = first.shape
    rows, columns = end_strategies(first, second, 0, m + n if welfare else 1, MAX_ALL if welfare else MAX_FIRST, TIE)
    if len(rows) == 0 and not welfare:
        rows, columns = end_strategies(first, second, 1, m + n, MAX_ALL, TIE)
    best, most = -1, -np.inf
    for e in range(len(rows)):
        total = 0.0
        for i in range(m):
            for j in range(n):
                total += rows[e, i] * columns[e, j] * (first[i, j] + second[i, j])
        if total > most + TIE * (1.0 + abs(total)):
            best, most = e, total
        if not welfare:
            break
    if best >= 0:
        write_product(table, state, rows[best], columns[best], joint)
    return best >= 0


@compiled
def friend(table: Any, state: int, payoff: Any, digit: Any, joint: Any, value: Any) -> bool:
    """Each player's own part of the first joint action that is best for itself; `value` is what it hopes for."""
    players = len(digit)
    value[:] = -np.inf
    best = np.zeros(players, dtype=np.int64)
    profile = first_profile(table, state, digit)
    while profile >= 0:
        for player in range(players):
            if payoff[player, profile] > value[player]:
                value[player] = payoff[player, profile]
                best[player] = table.actions[player, state, digit[player]] * table.strides[player]
        profile = next_profile(table, state, digit)
    joint[:] = 0.0
    joint[best.sum()] = 1.0
    return True


@compiled
def lay_out_incentives(table: Any, state: int, payoff: Any, digit: Any, profiles: Any, told: bool, tableau: Any) -> int:
    """Write a row for each deviation, its gain from each of the legal joint actions; how many rows.

    Args:
        table: the game.
        state: of it.
        payoff: [N, joint actions].
        digit: [N], scratch.
        profiles: [d], the legal joint actions.
        told: a row for each action that is recommended and one that is played; else for the latter alone.
        tableau: [rows, d], written.
    """
    players, width = len(digit), len(profiles)
    rows = 0
    for player in range(players):
        low, high = np.inf, -np.inf
        for c in range(width):
            low, high = min(low, payoff[player, profiles[c]]), max(high, payoff[player, profiles[c]])
        scale = 1.0 / (high - low) if high > low else 1.0
        count, stride = table.counts[player, state], table.strides[player]
        for heard in range(count if told else 1):
            for k in range(count):
                if told and k == heard:
                    continue
                first_profile(table, state, digit)
                for c in range(width):
                    own = digit[player]
                    swapped = profiles[c] + (
                        (table.actions[player, state, k] - table.actions[player, state, own]) * stride
                    )
                    gain = (payoff[player, swapped] - payoff[player, profiles[c]]) * scale
                    tableau[rows, c] = gain if not told or own == heard else 0.0
                    next_profile(table, state, digit)
                rows += 1
    return rows


@compiled
def correlated(
    table: Any, state: int, payoff: Any, digit: Any, told: bool, objective: int, favoured: int, joint: Any
) -> bool:
    """Write a CE (`told`) or a CCE; whether it was found.

    Args:
        table: the game.
        state: of it.
        payoff: [N, joint actions].
        digit: [N], scratch.
        told: a CE; else a CCE.
        objective: UTILITARIAN: the highest sum of payoffs; EGALITARIAN: the highest least payoff; else the highest
            payoff of the player `favoured`.
        favoured: a player.
        joint: [joint actions], written where it was found.
    """
    players, fair = len(digit), objective == EGALITARIAN
    width, deviations = 1, 0
    for player in range(players):
        count = table.counts[player, state]
        width *= count
        deviations += count * (count - 1) if told else count
    profiles = np.empty(width, np.int64)
    profiles[0] = first_profile(table, state, digit)
    for c in range(1, width):
        profiles[c] = next_profile(table, state, digit)
    # Last row but the cost: total probability; before it, given the fair objective, one for each player.
    k, d = deviations + 1 + (players if fair else 0), width + (1 if fair else 0)
    tableau = np.zeros((k + 1, d + 1))
    rows = lay_out_incentives(table, state, payoff, digit, profiles, told, tableau)
    low, high = np.inf, -np.inf
    for player in range(players):
        for c in range(width):
            low, high = min(low, payoff[player, profiles[c]]), max(high, payoff[player, profiles[c]])
    scale = 1.0 / (high - low) if high > low else 1.0
    for c in range(width):
        tableau[k - 1, c] = 1.0
        for player in range(players):
            worth = 1.0 + (payoff[player, profiles[c]] - low) * scale
            if fair:
                tableau[rows + player, c] = -worth
                tableau[rows + player, width] = 1.0
            elif objective == UTILITARIAN or player == favoured:
                tableau[k, c] -= worth
    if fair:
        tableau[k, width] = -1.0
    tableau[k - 1, d] = 1.0
    basis, cobasis, where = np.empty(k, np.int64), np.empty(d, np.int64), np.empty(k + d, np.int64)
    for i in range(k):
        basis[i], where[d + i] = d + i, i
    for c in range(d):
        cobasis[c], where[c] = c, -1 - c
    if primal(tableau, basis, cobasis, where, MAX_PIVOTS) < 0:
        return False
    total = 0.0
    for i in range(k):
        if basis[i] < width:
            total += max(tableau[i, d], 0.0)
    if not total > 0.5:  # it is 1, unless rounding has spoilt the dictionary
        return False
    joint[:] = 0.0
    for i in range(k):
        if basis[i] < width:
            joint[profiles[basis[i]]] = max(tableau[i, d], 0.0) / total
    return True


@compiled
def expected(payoff: Any, joint: Any, value: Any) -> None:
    """Write the players' payoffs [N] under a distribution."""
    value[:] = 0.0
    for profile in range(len(joint)):
        if joint[profile] > 0.0:
            for player in range(len(value)):
                value[player] += joint[profile] * payoff[player, profile]


@compiled
def solve_stage(
    table: Any, kind: int, objective: int, state: int, payoff: Any, digit: Any, joint: Any, value: Any
) -> bool:
    """Write an equilibrium of a state's one-shot game and the players' values; whether one was found.

    Args:
        table: the game.
        kind: see the constants.
        objective: of CE and CCE.
        state: of the game.
        payoff: [N, joint actions].
        digit: [N], scratch.
        joint: [joint actions], written; as it was, where nothing was found.
        value: [N], written.
    """
    if kind == FRIEND:
        return friend(table, state, payoff, digit, joint, value)
    if kind == ZERO_SUM:
        found = zero_sum(table, state, payoff, joint)
    elif kind in (NASH, NASH_WELFARE):
        found = nash(table, state, payoff, kind == NASH_WELFARE, joint)
    elif objective == REPUBLICAN:
        found, most = False, -np.inf
        tried = np.empty(len(joint))
        for favoured in range(len(digit)):
            if correlated(table, state, payoff, digit, kind == CE, objective, favoured, tried):
                expected(payoff, tried, value)
                if value[favoured] > most:
                    found, most = True, value[favoured]
                    joint[:] = tried
    else:
        found = correlated(table, state, payoff, digit, kind == CE, objective, 0, joint)
    expected(payoff, joint, value)
    return found

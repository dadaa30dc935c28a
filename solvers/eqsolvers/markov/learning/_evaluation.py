"""Exact evaluation of independent Markov policies: what policy gradients are made of.

Of play by strategies [N, I, A], at every decision point: each player's value; its *averaged* action values, the others
playing as they do; and the expected discounted number of visits from the initial distribution. By the policy gradient
theorem (Sutton, McAllester, Singh and Mansour 2000, NeurIPS; Agarwal, Kakade, Lee and Mahajan 2021, JMLR 22) the
derivative of a player's value with respect to its own probability of action a at point x is

    visits(x) * averaged(x, a)

up to a number that is the same for all actions of x. Cost: O(N) for each joint action and each successor, and without a
horizon two linear systems of the states (visits beyond 400 states: a sum that ends once less than 1e-16 is left).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, joint_play
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import TabularPolicy
from eqsolvers.kernels import compiled
from eqsolvers.markov.learning._sampler import END, Table, first_profile, next_profile, point_after
from eqsolvers.normal_form.learning._simplex import project
from eqsolvers.scoring.chains import DENSE, chains

LEFT = 1e-16  # share of the visits that a sum over time may leave out


class Evaluated(NamedTuple):
    """Play at every decision point."""

    values: Float64Array  # [N, I]
    averaged: Float64Array  # [N, I, A]; 0 at illegal actions
    visits: Float64Array  # [I]


def evaluate(
    model: MarkovModel, table: Table, strategy: Float64Array, besides: Float64Array | None = None
) -> Evaluated:
    """Values, averaged action values and visits of strategies [N, I, A].

    Args:
        model: the game.
        table: of it.
        strategy: [N, I, A].
        besides: [N, I], paid at every point whatever is played there; not counted in the point's own action values.
    """
    values = np.zeros(strategy.shape[:2])
    averaged = np.zeros_like(strategy)
    if model.horizon is None:
        form, played = chains(model), joint_play(policy_tables(model, strategy))
        values[:] = form.values(played).T
        if besides is not None:
            values += form.stationary(played.reshape(form.points, -1), besides.T).T
    look_ahead(table, strategy, np.zeros_like(values) if besides is None else besides, values, averaged)
    return Evaluated(values, averaged, visits_of(model, table, strategy))


def visits_of(model: MarkovModel, table: Table, strategy: Float64Array) -> Float64Array:
    """Expected discounted visits of each decision point, [I]."""
    states = model.num_states
    visits = np.zeros(strategy.shape[1])
    visits[:states] = model.initial
    if model.horizon is not None:
        for step in range(model.horizon):
            push(table, strategy, step, visits[step * states : (step + 1) * states], visits[(step + 1) * states :])
        return visits
    if states <= DENSE:
        flow = np.zeros((states, states))
        spread(table, strategy, flow)
        solved: Float64Array = np.maximum(np.linalg.solve(np.eye(states) - flow.T, visits), 0.0)
        return solved
    mass = visits.copy()
    while mass.sum() > LEFT * (1 - model.discount) * visits.sum():
        after = np.zeros(states)
        push(table, strategy, 0, mass, after)
        visits, mass = visits + after, after
    return visits


def policy_tables(model: MarkovModel, strategy: Float64Array) -> tuple[Float64Array, ...]:
    """Strategies [N, I, A] as one table [I, A_p] for each player."""
    return tuple(strategy[p, :, :own] for p, own in enumerate(model.num_actions))


def policy_of_strategies(model: MarkovModel, strategy: Float64Array) -> TabularPolicy:
    """Strategies [N, I, A] as a policy."""
    return TabularPolicy(model, policy_tables(model, strategy))


def starting_strategies(model: MarkovModel, seeds: tuple[int, ...], spread_out: bool) -> Float64Array:
    """Uniform play, or for each seed strategies drawn uniformly from the simplices, [B, N, I, A]."""
    strategy = np.zeros((len(seeds), model.num_players, len(model.information_states[0].masks), max(model.num_actions)))
    for run, seed in enumerate(seeds):
        rng = np.random.default_rng([seed, 1])
        for player, states in enumerate(model.information_states):
            own = states.masks.shape[1]
            drawn = states.masks * (rng.exponential(size=states.masks.shape) if spread_out else 1.0)
            strategy[run, player, :, :own] = drawn / drawn.sum(axis=1, keepdims=True)
    return strategy


def reward_scales(model: MarkovModel) -> Float64Array:
    """Each player's largest reward in size, [N]; half their range where a shift of all rewards changes nothing."""
    rewards = model.reward[:, model.joint_legal]
    scale = np.abs(rewards).max(axis=1) if model.may_end else np.ptp(rewards, axis=1) / 2
    return np.where(scale > 0, scale, 1.0).astype(np.float64)


def effective_horizon(model: MarkovModel) -> float:
    """The sum of the discounts of all steps: H, or 1 / (1 - discount)."""
    if model.horizon is None:
        return 1 / (1 - model.discount)
    return float((model.discount ** np.arange(model.horizon)).sum())


@compiled
def average_at(table: Any, strategy: Any, later: Any, step: int, state: int, digit: Any, before: Any, out: Any) -> None:
    """Write each player's averaged action values at a point.

    Args:
        table: the game.
        strategy: [N, I, A].
        later: [N, I], what points are worth.
        step: of the game, 0 without a horizon.
        state: at that step.
        digit: [N], scratch.
        before: [N + 1], scratch.
        out: [N, A], written.
    """
    players, point = len(digit), step * table.states + state
    out[:] = 0.0
    before[0] = 1.0
    joint = first_profile(table, state, digit)
    while joint >= 0:
        row = state * table.profiles + joint
        for player in range(players):
            action = table.actions[player, state, digit[player]]
            before[player + 1] = before[player] * strategy[player, point, action]
        behind = 1.0
        for player in range(players - 1, -1, -1):
            action = table.actions[player, state, digit[player]]
            others = before[player] * behind
            if others > 0.0:
                following = 0.0
                for entry in range(table.start[row], table.start[row + 1]):
                    after = point_after(table, step, table.state[entry])
                    if after != END:
                        following += table.probability[entry] * later[player, after]
                out[player, action] += others * (table.reward[row, player] + table.discount * following)
            behind *= strategy[player, point, action]
        joint = next_profile(table, state, digit)


@compiled
def look_ahead(table: Any, strategy: Any, besides: Any, values: Any, averaged: Any) -> None:
    """Write averaged action values [N, I, A] everywhere; given a horizon the values [N, I] too, which are read else."""
    players = strategy.shape[0]
    digit, before = np.zeros(players, np.int64), np.zeros(players + 1)
    out = np.zeros(strategy.shape[::2])
    for step in range(max(table.horizon, 1) - 1, -1, -1):
        for state in range(table.states):
            point = step * table.states + state
            average_at(table, strategy, values, step, state, digit, before, out)
            averaged[:, point] = out
            if table.horizon:
                for player in range(players):
                    total = besides[player, point]
                    for action in range(out.shape[1]):
                        total += strategy[player, point, action] * out[player, action]
                    values[player, point] = total


@compiled
def chance_of(table: Any, strategy: Any, point: int, state: int, digit: Any) -> float:
    """The probability of the joint action at which `digit` stands."""
    chance = 1.0
    for player in range(len(digit)):
        chance *= strategy[player, point, table.actions[player, state, digit[player]]]
    return chance


@compiled
def push(table: Any, strategy: Any, step: int, mass: Any, after: Any) -> None:
    """Add what the mass [S] at a step makes, discounted, of the next step's states to `after` [S or more or none]."""
    digit = np.zeros(strategy.shape[0], np.int64)
    for state in range(table.states):
        if mass[state] > 0.0:
            joint = first_profile(table, state, digit)
            while joint >= 0:
                chance = table.discount * mass[state]
                chance *= chance_of(table, strategy, step * table.states + state, state, digit)
                row = state * table.profiles + joint
                if chance > 0.0:
                    for entry in range(table.start[row], table.start[row + 1]):
                        if point_after(table, step, table.state[entry]) != END:
                            after[table.state[entry]] += chance * table.probability[entry]
                joint = next_profile(table, state, digit)


@compiled
def spread(table: Any, strategy: Any, flow: Any) -> None:
    """Add the discounted transition probabilities under play to `flow`, [S, S]."""
    digit = np.zeros(strategy.shape[0], np.int64)
    for state in range(table.states):
        joint = first_profile(table, state, digit)
        while joint >= 0:
            chance = table.discount * chance_of(table, strategy, state, state, digit)
            row = state * table.profiles + joint
            for entry in range(table.start[row], table.start[row + 1]):
                if table.state[entry] < table.states:
                    flow[state, table.state[entry]] += chance * table.probability[entry]
            joint = next_profile(table, state, digit)


@compiled
def project_at(table: Any, player: int, state: int, point: Any, out: Any) -> None:
    """Write the nearest point of the simplex of the legal actions, from [A] to [A]."""
    count = table.counts[player, state]
    gathered = np.empty((1, count))
    for k in range(count):
        gathered[0, k] = point[table.actions[player, state, k]]
    nearest = project(gathered)
    for k in range(count):
        out[table.actions[player, state, k]] = nearest[0, k]

"""Policy optimisation with the log-barrier, run by every player independently: correlated equilibria at rate 1 / T.

Cai, Luo, Wei and Zheng (2024), "Near-optimal policy optimization for correlated equilibrium in general-sum Markov
games", AISTATS: at every step h and state s an optimistic no-swap-regret learner, and values that move smoothly. With

    a_t = (H + 1) / (H + t),   a_t^t = a_t,   a_t^j = a_j (1 - a_{j+1}) ... (1 - a_t),   j = 1 .. t,

iteration t plays x_t(h, s) and, from the last step to the first, with q_t(h, s, .) a player's action values averaged
over the others' x_t, V_t(h + 1, .) being the values of what follows,

    V_t(h, s) = (1 - a_t) V_tm1(h, s) + a_t <x_t(h, s), q_t(h, s, .)>.

The learner (Blum and Mansour 2007): x_t is stationary under the advice of one expert for each action, x_t = sum over b
of x_t(b) advice_t(b); expert b is told g_t = x_t(b) q_t and follows the regularised leader, with weights w_j ~ a_t^j of
the past and its last payoffs expected again, as the values forget:

    advice_t(b) = argmax over y of  (eta / w_t) <y, sum of w_j g_j + w_t g_tm1> + sum of ln y,    j = 1 .. t - 1,

payoffs scaled to [0, 1] by what can be had from h on. The swap regret with weights a_t^j is O~(1 / t) in self-play, for
small eta by the proof; the default is larger, and up to 300 the gaps below were seen to fall like 1 / (eta T).

The *certified policy* is what the theorem is about: draw j with probability a_T^j, play x_j(1, s), and go on at the
next step with j in place of T. Its value is V_T. It remembers j, so it is none of `eqenvs.policies`; the measures
`certified_ce_gap` and `certified_cce_gap` are kept exactly by the recursion of the deviations' values, as in
`v_learning`: the deviator is told after each step which j was drawn, so these are upper bounds.

`policy` plays at (h, s) the mixture of the products x_j(h, s) with weights a_T^j, drawn anew at every point: a Markov
policy with an exact gap of its own in `residual`, which the theorem does not bound. Games with a horizon, any number of
players, full information. Cost of an iteration: O(N) for each joint action and successor, O(N A^3) for the experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import compiled
from eqsolvers.markov.learning._evaluation import average_at, chance_of, starting_strategies
from eqsolvers.markov.learning._online import ModelOnly
from eqsolvers.markov.learning._process import (
    SampledProcess,
    compiling,
    joint_shape,
    refuse_large,
    seeds_of,
)
from eqsolvers.markov.learning._sampler import first_profile, next_profile
from eqsolvers.markov.learning.independent_policy_gradient import START
from eqsolvers.markov.learning.v_learning import bounds
from eqsolvers.normal_form.learning._simplex import power
from eqsolvers.normal_form.learning._stationary import stationary
from eqsolvers.result import with_horizon

METHOD = "log-barrier-policy-optimisation"


class LogBarrierState(NamedTuple):
    """All that changes; E experts of a player, as many as actions."""

    strategy: Float64Array  # [B, N, I, A], x
    value: Float64Array  # [B, N, I], V
    gains: Float64Array  # [B, N, I, E, A], sum of w_j g_j over w_t
    last: Float64Array  # [B, N, I, E, A], g_tm1
    mixture: Float64Array  # [B, I, A_0 * ... * A_{N-1}]
    told: Float64Array  # [B, N, I, E, A], value of hearing one action and playing another
    told_best: Float64Array  # [B, N, I]
    committed: Float64Array  # [B, N, I, A]
    committed_best: Float64Array  # [B, N, I]


class Rule(NamedTuple):
    """What does not change."""

    eta: float
    lowest: Float64Array  # [N, H], what a player can have from step h on
    span: Float64Array  # [N, H]


class Scratch(NamedTuple):
    """Room for the loops."""

    digit: Any  # [N] int64
    before: Float64Array  # [N + 1]
    averaged: Float64Array  # [3, N, A]: with V, with told_best, with committed_best


@compiled
def advise(table: Any, eta: float, gains: Any, last: Any, player: int, state: int, strategy: Any) -> None:
    """Write the play [A] that the experts' advice leaves as it is."""
    count, actions = table.counts[player, state], table.actions[player, state]
    score = np.empty((count, count))
    for b in range(count):
        for k in range(count):
            score[b, k] = eta * (gains[actions[b], actions[k]] + last[actions[b], actions[k]])
    fixed = stationary(power(score, 1).reshape((1, count, count)))
    for k in range(count):
        strategy[actions[k]] = fixed[0, k]


@compiled
def learn(table: Any, rule: Any, tables: Any, b: int, step: int, state: int, averaged: Any, kept: float) -> None:
    """Tell the experts of a point what the round paid, [N, A]; `kept` is w_t / w_{t + 1}."""
    point = step * table.states + state
    for player in range(averaged.shape[0]):
        count, actions = table.counts[player, state], table.actions[player, state]
        for i in range(count):
            share = tables.strategy[b, player, point, actions[i]]
            for k in range(count):
                scaled = (averaged[player, actions[k]] - rule.lowest[player, step]) / rule.span[player, step]
                told = share * scaled
                before = tables.gains[b, player, point, actions[i], actions[k]]
                tables.gains[b, player, point, actions[i], actions[k]] = kept * (before + told)
                tables.last[b, player, point, actions[i], actions[k]] = told


@compiled
def value_point(table: Any, tables: Any, scratch: Any, b: int, step: int, state: int, rate: float) -> None:
    """Move values, deviations' values and mixture of a point towards those of the present play."""
    point = step * table.states + state
    strategy, digit = tables.strategy[b], scratch.digit
    later = (tables.value[b], tables.told_best[b], tables.committed_best[b])
    for kind in range(3):
        average_at(table, strategy, later[kind], step, state, digit, scratch.before, scratch.averaged[kind])
    for player in range(strategy.shape[0]):
        count, actions = table.counts[player, state], table.actions[player, state]
        worth, told_best, committed_best = 0.0, 0.0, -np.inf
        for i in range(count):
            heard = actions[i]
            share = strategy[player, point, heard]
            worth += share * scratch.averaged[0, player, heard]
            best = -np.inf
            for k in range(count):
                told = tables.told[b, player, point, heard, actions[k]]
                told = (1.0 - rate) * told + rate * share * scratch.averaged[1, player, actions[k]]
                tables.told[b, player, point, heard, actions[k]] = told
                best = max(best, told)
            told_best += best
            committed = tables.committed[b, player, point, heard]
            committed = (1.0 - rate) * committed + rate * scratch.averaged[2, player, heard]
            tables.committed[b, player, point, heard] = committed
            committed_best = max(committed_best, committed)
        tables.value[b, player, point] = (1.0 - rate) * tables.value[b, player, point] + rate * worth
        tables.told_best[b, player, point] = told_best
        tables.committed_best[b, player, point] = committed_best
    joint = first_profile(table, state, digit)
    while joint >= 0:
        chance = chance_of(table, strategy, point, state, digit)
        tables.mixture[b, point, joint] = (1.0 - rate) * tables.mixture[b, point, joint] + rate * chance
        joint = next_profile(table, state, digit)


@compiled
def iterate(table: Any, rule: Any, tables: Any, scratch: Any, begun: int, iterations: int) -> None:
    """Run iterations begun + 1 .. of every seed; `strategy` is always what is to be played next."""
    horizon = float(table.horizon)
    for b in range(len(tables.value)):
        for t in range(begun + 1, begun + iterations + 1):
            rate, kept = (horizon + 1.0) / (horizon + t), t / (horizon + t)
            for step in range(table.horizon - 1, -1, -1):
                for state in range(table.states):
                    point = step * table.states + state
                    value_point(table, tables, scratch, b, step, state, rate)
                    learn(table, rule, tables, b, step, state, scratch.averaged[0], kept)
                    for player in range(tables.strategy.shape[1]):
                        if table.counts[player, state] > 1:
                            advise(
                                table,
                                rule.eta,
                                tables.gains[b, player, point],
                                tables.last[b, player, point],
                                player,
                                state,
                                tables.strategy[b, player, point],
                            )


class LogBarrierPolicyOptimisation(SampledProcess):
    """See the module.

    Args:
        model: with a horizon.
        seed: of random first strategies; several run side by side.
        concept: "ce" or "cce", what the residual is of.
        eta: learning rate, for payoffs scaled to [0, 1].
        start: "uniform" or "random" first strategies.

    Raises:
        UnsupportedGame: if the game has no horizon.
        GameTooLargeError: if the tables would be too large.
    """

    def __init__(self, model: MarkovModel, seed: int | Sequence[int], *, concept: str, eta: float, start: str) -> None:
        if model.horizon is None:
            raise UnsupportedGame(f"{METHOD}: needs a game with a horizon; make it with horizon=...")
        seeds = seeds_of(seed)
        highest, lowest = bounds(model)
        span = highest - lowest
        self._rule = Rule(eta, lowest, np.where(span > 0, span, 1.0))
        super().__init__(model, seed, _tables(model, seeds, start == "random"), concept=concept)
        players, actions = model.num_players, max(model.num_actions)
        self._scratch = Scratch(np.zeros(players, np.int64), np.zeros(players + 1), np.zeros((3, players, actions)))

    def _play(self, episodes: int) -> None:
        iterate(self.table, self._rule, self._tables, self._scratch, self.iteration, episodes)
        self._steps += episodes * self.model.num_points * self.table.profiles

    def policy_of(self, run: int) -> MarkovCorrelatedPolicy:
        """The Markov policy of the seed in that place; see the module."""
        return MarkovCorrelatedPolicy(self.model, self._tables.mixture[run].reshape(joint_shape(self.model)))

    def certified(self, run: int = 0) -> dict[str, float]:
        """Gaps of the certified policy, upper bounds, and its values; none before the first iteration."""
        if not self.iteration:
            return {}
        states, first = self.model.num_states, self.model.initial
        values, told, committed = (
            array[run, :, :states] @ first
            for array in (self._tables.value, self._tables.told_best, self._tables.committed_best)
        )
        found = {f"certified_value_{player}": float(value) for player, value in enumerate(values)}
        found["certified_ce_gap"] = float(np.maximum(told - values, 0.0).sum())
        found["certified_cce_gap"] = float(np.maximum(committed - values, 0.0).sum())
        return found

    def measures(self) -> dict[str, float]:
        """The certified policy's values and gaps."""
        return self.certified()


def _tables(model: MarkovModel, seeds: tuple[int, ...], spread_out: bool) -> LogBarrierState:
    runs, players, points, actions = len(seeds), model.num_players, model.num_points, max(model.num_actions)
    profiles = int(np.prod(model.num_actions))
    refuse_large(METHOD, runs, players, points, actions, actions)
    refuse_large(METHOD, runs, points, profiles)
    shape = (runs, players, points)
    legal = model.joint_legal.reshape(model.num_states, profiles).astype(np.float64)
    mixture = np.tile(legal / legal.sum(axis=1, keepdims=True), (runs, model.horizon or 1, 1))
    return LogBarrierState(
        strategy=starting_strategies(model, seeds, spread_out),
        value=np.zeros(shape),
        gains=np.zeros((*shape, actions, actions)),
        last=np.zeros((*shape, actions, actions)),
        mixture=mixture,
        told=np.zeros((*shape, actions, actions)),
        told_best=np.zeros(shape),
        committed=np.zeros((*shape, actions)),
        committed_best=np.zeros(shape),
    )


ONLINE = ModelOnly(
    id=METHOD,
    why="it takes every action's exact value at every state and step, from the model",
)
SOLVER = compiling(
    iterative_solver(
        METHOD,
        LogBarrierPolicyOptimisation,
        source="Cai, Luo, Wei, Zheng (2024), AISTATS",
        parameters=(
            Parameter(
                name="eta",
                default=20.0,
                kind=float,
                low=1e-9,
                high=1e3,
                description="learning rate, for payoffs scaled to [0, 1]",
            ),
            START,
        ),
        random=True,
        concepts=("ce", "cce"),
        family=Family.MARKOV,
        covers=with_horizon,
        check_every=100,
        default_iterations=10_000,
    )
)

"""Optimistic gradient descent ascent at every state, with a critic that learns the states' values slowly.

Wei, Lee, Zhang and Luo (2021), "Last-iterate convergence of decentralized optimistic gradient descent/ascent in
infinite-horizon competitive Markov games", COLT, algorithm 1. In iteration t every player, at every state, with Q its
action values averaged over the other's play x_t and with V_tm1 as the values of the states that follow,

    z_t+1 = P(z_t + eta Q),   x_t+1 = P(z_t+1 + eta Q),   V_t = (1 - a_t) V_tm1 + a_t <x_t, Q>,   P the projection.

In two-player zero-sum games the last x comes to the set of equilibria: with a_t = (H + 1) / (H + t), H = 2 / (1 -
discount), its squared distance is of order 1 / t and the average NashConv of order 1 / sqrt(t), proved for eta <= 1e-4
sqrt((1 - discount)^5 / S) and rewards in [0, 1]. These a_t forget the first V like t^-(3 - discount) only, so that the
values have no linear rate. `critic` is a constant a_t instead: then values and last iterate are seen to converge
linearly, which is not proved ("Can we find Nash equilibria at a linear rate in Markov games?", ICLR 2023, does so for
two such methods in turn). Default eta = 1 / (4 A) over the range of the rewards: as `ogda` for games of one step; over
H times as much, which takes H times as long, it would be safe for each state's game whatever its action values are.

`feedback=sampled`: in each iteration both play `steps` steps of (1 - exploration) x + exploration / A, going on from
where the last iteration ended; Q is estimated for each state and own action by the mean of reward + discount V_tm1(next
state), where there was a visit, else by the last one, and <x, Q> by the mean over the state's visits. Nothing of the
opponent is seen. The noise of these means stays: the last iterate comes as near as `steps` and the exploration allow. A
game that its rules or its horizon end begins anew; nothing else is an end.

With a horizon, states are pairs of step and state, all values of an iteration are updated from the same V_tm1, and H in
a_t is the horizon. Cost of an iteration: O(1) for each joint action and successor, or O(A) a sampled step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import UnsupportedGame
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver, require_two_player_zero_sum
from eqsolvers.kernels import compiled
from eqsolvers.markov.learning._evaluation import (
    average_at,
    policy_of_strategies,
    project_at,
    reward_scales,
    starting_strategies,
)
from eqsolvers.markov.learning._online import Moves, OnlineLearner, OnlineMethod, Told, uniform_at
from eqsolvers.markov.learning._process import SampledProcess, compiling, refuse_large, seeds_of
from eqsolvers.markov.learning._sampler import END, Table, explored_action, first_of, point_after, successor_entry
from eqsolvers.markov.learning.independent_policy_gradient import ETA, START, choose_all
from eqsolvers.result import two_players_constant_sum

METHOD = "optimistic-gradient"


class OptimisticGradientState(NamedTuple):
    """All that changes."""

    centre: Float64Array  # [B, 2, I, A], z
    strategy: Float64Array  # [B, 2, I, A], x
    value: Float64Array  # [B, 2, I], V
    averaged: Float64Array  # [B, 2, I, A], the last Q
    place: IntArray  # [B, 2], point and state where sampled play goes on; END: from the beginning


class Rule(NamedTuple):
    """What does not change."""

    eta: Float64Array  # [2]
    horizon: float  # H
    critic: float  # 0: the published rates


@compiled
def move(table: Any, rule: Any, averaged: Any, centre: Any, strategy: Any) -> None:
    """The two steps of every point, [2, I, A]."""
    moved = np.empty(centre.shape[2])
    for player in range(centre.shape[0]):
        for point in range(centre.shape[1]):
            state = point % table.states
            if table.counts[player, state] > 1:
                for target in (centre, strategy):
                    for action in range(len(moved)):
                        gained = rule.eta[player] * averaged[player, point, action]
                        moved[action] = centre[player, point, action] + gained
                    project_at(table, player, state, moved, target[player, point])


@compiled
def critic_rate(rule: Any, iteration: int) -> float:
    """a_t, t from 1."""
    if rule.critic > 0.0:
        return float(rule.critic)
    return float((rule.horizon + 1.0) / (rule.horizon + iteration))


@compiled
def iterate(table: Any, rule: Any, tables: Any, begun: int, iterations: int) -> None:
    """Run iterations begun + 1 .. of every seed with exact averages."""
    players, points, actions = tables.strategy.shape[1:]
    digit, before = np.zeros(players, np.int64), np.zeros(players + 1)
    out = np.zeros((players, actions))
    value = np.empty((players, points))
    for b in range(len(tables.value)):
        for t in range(begun + 1, begun + iterations + 1):
            rate = critic_rate(rule, t)
            for point in range(points):
                step, state = point // table.states, point % table.states
                average_at(table, tables.strategy[b], tables.value[b], step, state, digit, before, out)
                tables.averaged[b, :, point] = out
                for player in range(players):
                    worth = 0.0
                    for action in range(actions):
                        worth += tables.strategy[b, player, point, action] * out[player, action]
                    value[player, point] = (1.0 - rate) * tables.value[b, player, point] + rate * worth
            tables.value[b] = value
            move(table, rule, tables.averaged[b], tables.centre[b], tables.strategy[b])


@compiled
def sample(
    table: Any, tables: Any, b: int, exploration: float, length: int, stream: Any, total: Any, visits: Any
) -> None:
    """Play on for some steps; the sums of what own actions were seen to be worth, and how often, [2, I, A] each."""
    players = total.shape[0]
    taken = np.zeros(players, np.int64)
    point, state = tables.place[b, 0], tables.place[b, 1]
    for _ in range(length):
        if point == END:
            state = first_of(table, stream)
            point = state
        row = state * table.profiles
        for player in range(players):
            count, actions = table.counts[player, state], table.actions[player, state]
            own = tables.strategy[b, player, point]
            taken[player] = explored_action(own, actions, count, exploration, stream)
            row += taken[player] * table.strides[player]
        state = table.state[successor_entry(table, row, stream)]
        after = point_after(table, point // table.states, state)
        for player in range(players):
            got = table.reward[row, player]
            if after != END:
                got += table.discount * tables.value[b, player, after]
            total[player, point, taken[player]] += got
            visits[player, point, taken[player]] += 1.0
        point = after
    tables.place[b, 0], tables.place[b, 1] = point, state


@compiled
def conclude(table: Any, rule: Any, rate: float, total: Any, visits: Any, tables: Any, b: int) -> None:
    """Move values and strategies by what own actions were seen to be worth, sums and visits [2, I, A]."""
    for player in range(total.shape[0]):
        for point in range(total.shape[1]):
            worth, count = 0.0, 0.0
            for action in range(total.shape[2]):
                seen = visits[player, point, action]
                if seen > 0.0:
                    tables.averaged[b, player, point, action] = total[player, point, action] / seen
                worth += total[player, point, action]
                count += seen
            if count > 0.0:
                before = tables.value[b, player, point]
                tables.value[b, player, point] = (1.0 - rate) * before + rate * worth / count
    move(table, rule, tables.averaged[b], tables.centre[b], tables.strategy[b])


@compiled
def gather(table: Any, value: Any, moves: Any, total: Any, visits: Any) -> None:
    """Add what own actions were seen to be worth, and how often, [1, 2, I, A] each."""
    for m in range(moves.point.shape[0]):
        for player in range(moves.point.shape[1]):
            point, following, action = moves.point[m, player], moves.following[m, player], moves.action[m, player]
            got = moves.reward[m, player]
            if following != END:
                got += table.discount * value[0, player, following]
            total[0, player, point, action] += got
            visits[0, player, point, action] += 1.0


@compiled
def play(
    table: Any,
    rule: Any,
    tables: Any,
    exploration: float,
    length: int,
    streams: Any,
    steps: Any,
    begun: int,
    iterations: int,
) -> None:
    """Run iterations begun + 1 .. of every seed with averages estimated from `length` steps of play."""
    total, visits = np.zeros(tables.strategy.shape[1:]), np.zeros(tables.strategy.shape[1:])
    for b in range(len(streams)):
        for t in range(begun + 1, begun + iterations + 1):
            rate = critic_rate(rule, t)
            total[:], visits[:] = 0.0, 0.0
            sample(table, tables, b, exploration, length, streams[b], total, visits)
            steps[b] += length
            conclude(table, rule, rate, total, visits, tables, b)


class OptimisticGradient(SampledProcess):
    """See the module.

    Args:
        model: two players, constant-sum.
        seed: one, or several to run side by side.
        feedback: "full" or "sampled".
        eta: step size, per unit of payoff; None: the default of the module.
        critic: constant rate of the critic; None: the published ones.
        start: "uniform" or "random" strategies; random ones are drawn by the seed.
        exploration: share of uniform play, of `sampled`; the next one too.
        steps: of play in an iteration.

    Raises:
        UnsupportedGame: for other games.
    """

    def __init__(
        self,
        model: MarkovModel,
        seed: int | Sequence[int],
        *,
        feedback: str,
        eta: float | None,
        critic: float | None,
        start: str,
        exploration: float,
        steps: int,
    ) -> None:
        require_two_player_zero_sum(model, METHOD)
        seeds = seeds_of(seed)
        shape = len(seeds), 2, model.num_points, max(model.num_actions)
        refuse_large(METHOD, *shape)
        first = starting_strategies(model, seeds, start == "random")
        tables = OptimisticGradientState(
            centre=first.copy(),
            strategy=first,
            value=np.zeros(shape[:3]),
            averaged=np.zeros(shape),
            place=np.full((len(seeds), 2), END, dtype=np.int64),
        )
        super().__init__(model, seed, tables, concept="nash")
        steps_up = default_steps(model) if eta is None else np.full(2, eta)
        horizon = 2 / (1 - model.discount) if model.horizon is None else float(model.horizon)
        self._rule = Rule(steps_up, horizon, critic or 0.0)
        self._sampled, self._exploration, self._length = feedback == "sampled", exploration, steps

    def _play(self, episodes: int) -> None:
        if self._sampled:
            play(
                self.table,
                self._rule,
                self._tables,
                self._exploration,
                self._length,
                self._streams,
                self._steps,
                self.iteration,
                episodes,
            )
        else:
            iterate(self.table, self._rule, self._tables, self.iteration, episodes)
            self._steps += episodes * self.model.num_points * self.table.profiles

    def policy_of(self, run: int) -> TabularPolicy:
        """The last strategies of the seed in that place."""
        return policy_of_strategies(self.model, self._tables.strategy[run])


def default_steps(model: MarkovModel) -> Float64Array:
    """1 / (4 A) over the range of the rewards, [2]."""
    return 1 / (4 * max(model.num_actions) * 2 * reward_scales(model))


class OnlineOptimisticState(NamedTuple):
    """All that changes in an environment."""

    centre: Float64Array  # [1, 2, I, A], z
    strategy: Float64Array  # [1, 2, I, A], x
    value: Float64Array  # [1, 2, I], V
    averaged: Float64Array  # [1, 2, I, A], the last Q
    total: Float64Array  # [1, 2, I, A], what own actions were worth in this iteration
    visits: Float64Array  # [1, 2, I, A], how often they were seen
    done: IntArray  # [1, 2], steps of this iteration, and iterations


class OnlineOptimisticGradient(OnlineLearner):
    """The learner in an environment, `feedback=sampled`; an iteration is some whole steps of all games.

    Args:
        told: of the game.
        eta: step size, per unit of payoff; None: the default of the module, for which the rewards' bounds are needed.
        critic: constant rate of the critic; None: the published ones.
        exploration: share of uniform play.
        steps: of play in an iteration at least.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum.
    """

    def __init__(self, told: Told, *, eta: float | None, critic: float | None, exploration: float, steps: int) -> None:
        if told.num_players != 2 or not told.constant_sum:
            raise UnsupportedGame(f"{METHOD}: covers two-player constant-sum games only")
        if eta is None:
            eta = 1 / (4 * max(told.num_actions) * 2 * told.scale(METHOD))
        horizon = float(told.horizon) if told.horizon is not None else 2 * told.effective_horizon(METHOD)
        self._told, self._rule = told, Rule(np.full(2, eta), horizon, critic or 0.0)
        self._exploration, self._length = exploration, steps

    def blank(self, points: int) -> OnlineOptimisticState:
        """See `OnlineLearner`."""
        shape = 1, 2, points, max(self._told.num_actions)
        refuse_large(METHOD, *shape)
        centre, strategy, averaged, total, visits = (np.zeros(shape) for _ in range(5))
        done = np.zeros((1, 2), dtype=np.int64)
        return OnlineOptimisticState(centre, strategy, np.zeros(shape[:3]), averaged, total, visits, done)

    def meet(self, table: Table, tables: OnlineOptimisticState, player: int, rows: IntArray, steps: IntArray) -> None:
        """See `OnlineLearner`; play begins uniform."""
        tables.centre[0, player, rows] = tables.strategy[0, player, rows] = uniform_at(table, player, rows)

    def act(self, table: Table, tables: OnlineOptimisticState, points: IntArray, stream: Any) -> tuple[IntArray, None]:
        """See `OnlineLearner`."""
        taken = np.zeros_like(points)
        choose_all(table, self._exploration, tables.strategy, points, stream, taken)
        return taken, None

    def learn(self, table: Table, tables: OnlineOptimisticState, moves: Moves, chosen: None) -> None:
        """See `OnlineLearner`."""
        gather(table, tables.value, moves, tables.total, tables.visits)
        tables.done[0, 0] += len(moves.point)
        if tables.done[0, 0] >= self._length:
            rate = critic_rate(self._rule, int(tables.done[0, 1]) + 1)
            conclude(table, self._rule, rate, tables.total[0], tables.visits[0], tables, 0)
            tables.done[0] = 0, tables.done[0, 1] + 1
            tables.total[:] = tables.visits[:] = 0.0

    def strategies(self, table: Table, tables: OnlineOptimisticState) -> Float64Array:
        """The last strategies."""
        found: Float64Array = tables.strategy[0]
        return found


CRITIC = Parameter(
    name="critic",
    default=None,
    kind=float,
    low=1e-9,
    high=1.0,
    description="constant rate of the critic; none: (H + 1) / (H + t)",
)
EXPLORED = Parameter(
    name="exploration",
    default=0.1,
    kind=float,
    low=0.0,
    high=1.0,
    description="share of uniform play while averages are sampled",
)
STEPS = Parameter(
    name="steps", default=1000, low=1, high=100_000_000, description="of play in an iteration, if sampled"
)
ONLINE = OnlineMethod(id=METHOD, start=OnlineOptimisticGradient, parameters=(ETA, CRITIC, EXPLORED, STEPS))
SOLVER = compiling(
    iterative_solver(
        METHOD,
        OptimisticGradient,
        source="Wei, Lee, Zhang, Luo (2021), COLT",
        parameters=(
            Parameter(
                name="feedback",
                default="full",
                kind=str,
                choices=("full", "sampled"),
                description="averages from the model, or estimated from play",
            ),
            ETA,
            CRITIC,
            START,
            EXPLORED,
            STEPS,
        ),
        random=True,
        family=Family.MARKOV,
        covers=two_players_constant_sum,
        check_every=100,
        default_iterations=100_000,
    )
)

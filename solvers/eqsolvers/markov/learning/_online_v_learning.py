"""V-learning in an environment; see `v_learning`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError, UnsupportedGame
from eqsolvers.kernels import compiled, uniform
from eqsolvers.markov.learning._online import Moves, OnlineLearner, Told, uniform_at, uniform_joint
from eqsolvers.markov.learning._process import refuse_large
from eqsolvers.markov.learning._sampler import END, Table, drawn_action
from eqsolvers.markov.learning._visit import MAX_MIXED, backed_up, learn, rule_of, write_product

METHOD = "v-learning"


@compiled
def choose_all(table: Any, strategy: Any, points: Any, stream: Any, taken: Any, played: Any) -> None:
    """Write the actions [M, N] at points [M, N], and the strategies [N, M, A] that they were drawn from."""
    for m in range(points.shape[0]):
        for player in range(points.shape[1]):
            point = points[m, player]
            own = strategy[0, player, point]
            count, actions = table.counts[player, point], table.actions[player, point]
            taken[m, player] = drawn_action(own, actions, count, uniform(stream))
            played[player, m] = own


@compiled
def learn_all(table: Any, rule: Any, tables: Any, moves: Any, played: Any) -> None:
    """Learn from each of the transitions in turn; `played` [N, M, A] is what their actions were drawn from."""
    horizon, profiles = table.horizon, tables.mixture.shape[2]
    product = np.empty(profiles)
    for m in range(moves.point.shape[0]):
        step = moves.step[m]
        for player in range(moves.point.shape[1]):
            point, following, taken = moves.point[m, player], moves.following[m, player], moves.action[m, player]
            count = table.counts[player, point]
            n = tables.visits[0, player, point] + 1
            tables.visits[0, player, point] = n
            weight = (horizon + 1.0) / (horizon + n)
            if player == 0 and profiles:
                write_product(played, m, table.strides, weight, product)
                for joint in range(profiles):
                    tables.mixture[0, point, joint] = (1.0 - weight) * tables.mixture[0, point, joint] + product[joint]
            for action in range(played.shape[2]):
                before = tables.marginal[0, player, point, action]
                tables.marginal[0, player, point, action] = (1.0 - weight) * before + weight * played[player, m, action]
            got = moves.reward[m, player]
            if following != END:
                got += table.discount * tables.value[0, player, following]
            estimate, value = tables.estimate[0, player, point], tables.value[0, player, point]
            estimate, value, cost = backed_up(rule, estimate, value, got, player, step, count, n, weight)
            tables.estimate[0, player, point], tables.value[0, player, point] = estimate, value
            learn(
                rule,
                tables.loss[0, player, point],
                tables.strategy[0, player, point],
                played[player, m],
                table.actions[player, point],
                count,
                horizon,
                n,
                taken,
                cost,
            )


class OnlineVState(NamedTuple):
    """All that changes in an environment; I points of each player."""

    visits: IntArray  # [1, N, I]
    estimate: Float64Array  # [1, N, I], V without its cut
    value: Float64Array  # [1, N, I]
    loss: Float64Array  # [1, N, I, X, A]
    strategy: Float64Array  # [1, N, I, A]
    marginal: Float64Array  # [1, N, I, A], each player's own part of the mixture
    mixture: Float64Array  # [1, I, A_0 * ... * A_{N-1}]; no joint actions where it is not kept


class OnlineVLearning(OnlineLearner):
    """The learner in an environment; no certificate, which takes the game's transitions.

    The mixture of joint actions is kept where all players see the same state and there are at most 200 000 of them.
    Elsewhere `policy` is the product of its marginals, about which nothing is known.

    Args:
        told: of the game.
        concept: "cce" or "ce".
        eta_scale: factor on the bandits' learning rate.
        gamma_scale: factor on their implicit exploration.
        bonus_scale: c.
        monotone: whether V never grows.

    Raises:
        UnsupportedGame: if the game has no horizon.
        InputError: if the rewards' bounds are not known.
    """

    def __init__(
        self, told: Told, *, concept: str, eta_scale: float, gamma_scale: float, bonus_scale: float, monotone: bool
    ) -> None:
        if told.horizon is None:
            raise UnsupportedGame(f"{METHOD}: needs a game with a horizon, such as random_markov_game with horizon=5")
        highest, least = told.from_step_on(METHOD)
        self._told = told
        self._rule = rule_of(highest, least, concept, eta_scale, gamma_scale, bonus_scale, monotone, False)
        self._mixed = told.shared and told.num_profiles <= MAX_MIXED

    def blank(self, points: int) -> OnlineVState:
        """See `OnlineLearner`."""
        players, actions = self._told.num_players, max(self._told.num_actions)
        shape, profiles = (1, players, points), self._told.num_profiles if self._mixed else 0
        told = actions if self._rule.swap else 1
        refuse_large(METHOD, players, points, told, actions)
        refuse_large(METHOD, points, profiles)
        return OnlineVState(
            visits=np.zeros(shape, dtype=np.int64),
            estimate=np.zeros(shape),
            value=np.zeros(shape),
            loss=np.zeros((*shape, told, actions)),
            strategy=np.zeros((*shape, actions)),
            marginal=np.zeros((*shape, actions)),
            mixture=np.zeros((1, points, profiles)),
        )

    def meet(self, table: Table, tables: OnlineVState, player: int, rows: IntArray, steps: IntArray) -> None:
        """See `OnlineLearner`; values begin at the most that can be had."""
        uniform_play = uniform_at(table, player, rows)
        tables.strategy[0, player, rows] = tables.marginal[0, player, rows] = uniform_play
        if (steps >= table.horizon).any():
            raise InputError(f"{METHOD}: told of a horizon of {table.horizon}, and a game goes on after it")
        tables.value[0, player, rows] = tables.estimate[0, player, rows] = self._rule.highest[player, steps]
        if player == 0 and self._mixed:
            tables.mixture[0, rows] = uniform_joint(table, rows, self._told.num_actions)

    def act(self, table: Table, tables: OnlineVState, points: IntArray, stream: Any) -> tuple[IntArray, Float64Array]:
        """See `OnlineLearner`."""
        taken = np.zeros_like(points)
        played = np.zeros((points.shape[1], points.shape[0], tables.strategy.shape[3]))
        choose_all(table, tables.strategy, points, stream, taken, played)
        return taken, played

    def learn(self, table: Table, tables: OnlineVState, moves: Moves, chosen: Float64Array) -> None:
        """See `OnlineLearner`."""
        learn_all(table, self._rule, tables, moves, chosen)

    def strategies(self, table: Table, tables: OnlineVState) -> Float64Array:
        """Each player's own part of the mixture."""
        found: Float64Array = tables.marginal[0]
        return found

    def joint(self, table: Table, tables: OnlineVState) -> Float64Array | None:
        """The mixture, where it is kept."""
        return tables.mixture[0] if self._mixed else None

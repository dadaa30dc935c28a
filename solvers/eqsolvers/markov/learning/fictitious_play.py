"""Fictitious play in Markov games: best replies to beliefs about the opponent, values learned on a slower timescale.

Sayin, Parise and Ozdaglar (2022), "Fictitious play in zero-sum stochastic games", SIAM Journal on Control and
Optimization 60. Each player p believes that in state s the opponent plays B(s), and that joint actions are worth
Q_p(s, .). It plays a best reply to both. With c the visits to s, then

    B(s)  <-  B(s) + c ** -belief_rate (indicator of the action seen - B(s)),
    Q_p(s, a, b)  <-  Q_p(s, a, b) + c ** -value_rate (r_p + discount * V_p(s') - Q_p(s, a, b)),

    V_p(s) = max over a of the expectation of Q_p(s, a, .) under B(s).

Where the model is known, that is done for all joint actions of the state, s' averaged over. Where it is not, for the
joint action that was played, c counting its own visits, and with probability exploration * c ** -exploration_rate, c
the visits to s, a player plays a uniformly random action instead: up to a rate of 1/2 every joint action is played
without end, and from a rate above 0 on the beliefs forget that anything was random.

In two-player zero-sum games beliefs converge to an equilibrium if values are learned on the slower timescale,
1/2 < belief_rate < value_rate <= 1; `policy` is the beliefs. The dynamics is made for games without a horizon; given
one, there is a belief for each step. Two players. Cost of a step: O(A_0 + A_1), times A_0 A_1 and the successors where
the model is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import compiled, uniform
from eqsolvers.markov.learning._online import Moves, OnlineLearner, OnlineMethod, Told, fits, uniform_at
from eqsolvers.markov.learning._process import (
    EPISODE_LENGTH,
    SampledProcess,
    compiling,
    rate_parameter,
    refuse_large,
    seeds_of,
    uniform_strategies,
)
from eqsolvers.markov.learning._sampler import END, Table, first_of, point_after, successor_entry
from eqsolvers.markov.learning.independent_q import learned
from eqsolvers.result import two_players_constant_sum

METHOD = "fictitious-play"


class FictitiousPlayState(NamedTuple):
    """All that changes."""

    belief: Float64Array  # [B, 2, I, A], what is believed about the player
    payoff: Float64Array  # [B, 2, I, A_0, A_1], Q
    visits: IntArray  # [B, I]
    played: IntArray  # [B, I, A_0, A_1]


@compiled
def best_reply(table: Any, tables: Any, b: int, player: int, point: int) -> tuple[int, float]:
    """A player's first best action at a point, and V there."""
    state, other = point % table.states, 1 - player
    best, most = -1, -np.inf
    for k in range(table.counts[player, state]):
        own = table.actions[player, state, k]
        total = 0.0
        for j in range(table.counts[other, state]):
            theirs = table.actions[other, state, j]
            if player == 0:
                total += tables.belief[b, 1, point, theirs] * tables.payoff[b, 0, point, own, theirs]
            else:
                total += tables.belief[b, 0, point, theirs] * tables.payoff[b, 1, point, theirs, own]
        if total > most:
            best, most = own, total
    return best, most


@compiled
def improve(table: Any, tables: Any, b: int, step: int, point: int, size: float) -> None:
    """Move the values of all joint actions at a point towards what the model and V say."""
    state = point % table.states
    for i in range(table.counts[0, state]):
        first = table.actions[0, state, i]
        for j in range(table.counts[1, state]):
            second = table.actions[1, state, j]
            row = state * table.profiles + first * table.strides[0] + second
            got, got_too = table.reward[row, 0], table.reward[row, 1]
            for entry in range(table.start[row], table.start[row + 1]):
                following = point_after(table, step, table.state[entry])
                if following != END:
                    chance = table.discount * table.probability[entry]
                    got += chance * best_reply(table, tables, b, 0, following)[1]
                    got_too += chance * best_reply(table, tables, b, 1, following)[1]
            tables.payoff[b, 0, point, first, second] += size * (got - tables.payoff[b, 0, point, first, second])
            tables.payoff[b, 1, point, first, second] += size * (got_too - tables.payoff[b, 1, point, first, second])


@compiled
def explored(action: int, chance: float, actions: Any, count: int, stream: Any) -> int:
    """The action, or with some chance any legal one."""
    if chance > 0.0 and uniform(stream) < chance:
        return int(actions[min(int(uniform(stream) * count), count - 1)])
    return action


@compiled
def believe(belief: Any, actions: Any, count: int, seen: int, visits: int, belief_rate: float) -> None:
    """Move the belief [A] about a player at a point towards the action seen there at visit number `visits`."""
    # The first action seen weighs half: it should not wipe out the uniform belief.
    size = float(visits + 1) ** -belief_rate
    for k in range(count):
        belief[actions[k]] *= 1.0 - size
    belief[seen] += size


@compiled
def choose_all(
    table: Any, exploration: float, exploration_rate: float, tables: Any, points: Any, stream: Any, taken: Any
) -> None:
    """Write the actions [M, 2] at points [M, 2]."""
    for m in range(points.shape[0]):
        point = points[m, 0]
        chance = exploration * float(tables.visits[0, point] + 1) ** -exploration_rate
        for player in range(2):
            action, _value = best_reply(table, tables, 0, player, point)
            count, actions = table.counts[player, point], table.actions[player, point]
            taken[m, player] = explored(action, chance, actions, count, stream)


@compiled
def learn_all(table: Any, belief_rate: float, value_rate: float, tables: Any, moves: Any) -> None:
    """Update after each of the transitions in turn."""
    for m in range(moves.point.shape[0]):
        point, following = moves.point[m, 0], moves.following[m, 0]
        first, second = moves.action[m, 0], moves.action[m, 1]
        tables.visits[0, point] += 1
        tables.played[0, point, first, second] += 1
        for player in range(2):
            got = moves.reward[m, player]
            if following != END:
                got += table.discount * best_reply(table, tables, 0, player, following)[1]
            value, times = tables.payoff[0, player, point, first, second], tables.played[0, point, first, second]
            tables.payoff[0, player, point, first, second] = learned(value, got, times, value_rate)
        for player in range(2):
            belief, seen = tables.belief[0, player, point], moves.action[m, player]
            count, actions = table.counts[player, point], table.actions[player, point]
            believe(belief, actions, count, seen, tables.visits[0, point], belief_rate)


@compiled
def play(
    table: Any,
    informed: bool,
    exploration: float,
    exploration_rate: float,
    belief_rate: float,
    value_rate: float,
    tables: Any,
    streams: Any,
    steps: Any,
    episodes: int,
) -> None:
    """Run some episodes of every seed."""
    taken = np.zeros(2, np.int64)
    for b in range(len(streams)):
        stream = streams[b]
        for _ in range(episodes):
            state = first_of(table, stream)
            point = state
            for step in range(table.length):
                chance = exploration * float(tables.visits[b, point] + 1) ** -exploration_rate
                for player in range(2):
                    action, _value = best_reply(table, tables, b, player, point)
                    count, actions = table.counts[player, state], table.actions[player, state]
                    taken[player] = explored(action, chance, actions, count, stream)
                first, second = taken[0], taken[1]
                row = state * table.profiles + first * table.strides[0] + second
                after = table.state[successor_entry(table, row, stream)]
                following = point_after(table, step, after)
                # Values are formed with the beliefs held while playing, as the payoffs are.
                tables.visits[b, point] += 1
                tables.played[b, point, first, second] += 1
                if informed:
                    improve(table, tables, b, step, point, float(tables.visits[b, point]) ** -value_rate)
                else:
                    times = tables.played[b, point, first, second]
                    for player in range(2):
                        got = table.reward[row, player]
                        if following != END:
                            got += table.discount * best_reply(table, tables, b, player, following)[1]
                        value = tables.payoff[b, player, point, first, second]
                        tables.payoff[b, player, point, first, second] = learned(value, got, times, value_rate)
                for player in range(2):
                    count, actions = table.counts[player, state], table.actions[player, state]
                    belief = tables.belief[b, player, point]
                    believe(belief, actions, count, taken[player], tables.visits[b, point], belief_rate)
                steps[b] += 1
                if following == END:
                    break
                state, point = after, following


class FictitiousPlay(SampledProcess):
    """See the module.

    Args:
        model: of two players.
        seed: one, or several to run side by side.
        informed: whether the players know the model.
        episode_length: of a game without a horizon.
        exploration: in [0, 1], at the first visit.
        exploration_rate: exponent by which it falls.
        belief_rate: exponent of the beliefs' step sizes.
        value_rate: exponent of the values'.

    Raises:
        UnsupportedGame: if there are not two players.
        InputError: if values would be learned on the faster timescale.
    """

    def __init__(
        self,
        model: MarkovModel,
        seed: int | Sequence[int],
        *,
        informed: bool,
        episode_length: int,
        exploration: float,
        exploration_rate: float,
        belief_rate: float,
        value_rate: float,
    ) -> None:
        if model.num_players != 2:
            raise UnsupportedGame(f"{METHOD}: covers two-player games only; joint-q covers any number of players")
        if value_rate < belief_rate:
            raise InputError(f"{METHOD}: value_rate must be at least belief_rate={belief_rate}, got {value_rate}")
        runs, points = len(seeds_of(seed)), model.num_points
        refuse_large(METHOD, runs, 2, points, *model.num_actions)
        tables = FictitiousPlayState(
            belief=np.tile(uniform_strategies(model), (runs, 1, 1, 1)),
            payoff=np.zeros((runs, 2, points, *model.num_actions)),
            visits=np.zeros((runs, points), dtype=np.int64),
            played=np.zeros((runs, points, *model.num_actions), dtype=np.int64),
        )
        super().__init__(model, seed, tables, concept="nash", length=episode_length)
        self._rule = informed, exploration, exploration_rate, belief_rate, value_rate

    def _play(self, episodes: int) -> None:
        play(self.table, *self._rule, self._tables, self._streams, self._steps, episodes)

    def policy_of(self, run: int) -> TabularPolicy:
        """The beliefs of the seed in that place."""
        beliefs = self._tables.belief[run]
        return TabularPolicy(
            self.model, [beliefs[player, :, :own] for player, own in enumerate(self.model.num_actions)]
        )


class OnlineFictitiousPlay(OnlineLearner):
    """The learner in an environment, which does not know the model.

    Args:
        told: of the game.
        exploration: in [0, 1], at the first visit.
        exploration_rate: exponent by which it falls.
        belief_rate: exponent of the beliefs' step sizes.
        value_rate: exponent of the values'.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum.
        InputError: if values would be learned on the faster timescale.
    """

    together = True

    def __init__(
        self, told: Told, *, exploration: float, exploration_rate: float, belief_rate: float, value_rate: float
    ) -> None:
        if told.num_players != 2 or not told.constant_sum:
            raise UnsupportedGame(f"{METHOD}: covers two-player constant-sum games only")
        if value_rate < belief_rate:
            raise InputError(f"{METHOD}: value_rate must be at least belief_rate={belief_rate}, got {value_rate}")
        fits(METHOD, told)
        self._told = told
        self._exploration, self._rates = (exploration, exploration_rate), (belief_rate, value_rate)

    def blank(self, points: int) -> FictitiousPlayState:
        """See `OnlineLearner`."""
        own = self._told.num_actions
        refuse_large(METHOD, 2, points, *own)
        return FictitiousPlayState(
            belief=np.zeros((1, 2, points, max(own))),
            payoff=np.zeros((1, 2, points, *own)),
            visits=np.zeros((1, points), dtype=np.int64),
            played=np.zeros((1, points, *own), dtype=np.int64),
        )

    def meet(self, table: Table, tables: FictitiousPlayState, player: int, rows: IntArray, steps: IntArray) -> None:
        """See `OnlineLearner`; beliefs begin uniform."""
        tables.belief[0, player, rows] = uniform_at(table, player, rows)

    def act(self, table: Table, tables: FictitiousPlayState, points: IntArray, stream: Any) -> tuple[IntArray, None]:
        """See `OnlineLearner`."""
        taken = np.zeros_like(points)
        choose_all(table, *self._exploration, tables, points, stream, taken)
        return taken, None

    def learn(self, table: Table, tables: FictitiousPlayState, moves: Moves, chosen: None) -> None:
        """See `OnlineLearner`."""
        learn_all(table, *self._rates, tables, moves)

    def strategies(self, table: Table, tables: FictitiousPlayState) -> Float64Array:
        """The beliefs."""
        found: Float64Array = tables.belief[0]
        return found


SETTINGS = (
    Parameter(
        name="exploration",
        default=1.0,
        kind=float,
        low=0.0,
        high=1.0,
        description="probability of a uniformly random action at the first visit to a state",
    ),
    Parameter(
        name="exploration_rate",
        default=0.5,
        kind=float,
        low=0.0,
        high=0.5,
        description="exploration falls as visits ** -exploration_rate",
    ),
    rate_parameter("belief_rate", 0.9, "step sizes of beliefs"),
    rate_parameter("value_rate", 0.95, "step sizes of values"),
)
ONLINE = OnlineMethod(id=METHOD, start=OnlineFictitiousPlay, parameters=SETTINGS)
SOLVER = compiling(
    iterative_solver(
        METHOD,
        FictitiousPlay,
        source="Sayin, Parise, Ozdaglar (2022), SIAM Journal on Control and Optimization 60",
        parameters=(
            Parameter(name="informed", default=False, kind=bool, description="whether the players know the model"),
            EPISODE_LENGTH,
            *SETTINGS,
        ),
        random=True,
        family=Family.MARKOV,
        covers=two_players_constant_sum,
        check_every=100,
        default_iterations=20_000,
    )
)

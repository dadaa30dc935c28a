"""Independent Q-learning: every player learns values of its own actions, as if the others were part of the world.

Tan (1993), "Multi-agent reinforcement learning: independent versus cooperative agents", ICML; Claus and Boutilier
(1998), "The dynamics of reinforcement learning in cooperative multiagent systems", AAAI. After own action a in state s
with reward r and next state s', the n-th time that it is played there,

    Q_p(s, a)  <-  Q_p(s, a) + n ** -rate (r + discount * max Q_p(s', .) - Q_p(s, a)),

and play is greedy, with a uniformly random action now and then. `policy` is the greedy one, which is pure: where every
equilibrium is mixed it is none. Nothing is proved in general, the world of each being anything but stationary; a
baseline. Any number of players. Cost of a step: O(N A).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import compiled, inlined, uniform
from eqsolvers.markov.learning._online import Moves, OnlineLearner, OnlineMethod, Told
from eqsolvers.markov.learning._process import (
    EPISODE_LENGTH,
    EXPLORATION,
    SampledProcess,
    compiling,
    rate_parameter,
    refuse_large,
    seeds_of,
)
from eqsolvers.markov.learning._sampler import END, Table, first_of, point_after, successor_entry

METHOD = "independent-q"


class IndependentQState(NamedTuple):
    """All that changes."""

    payoff: Float64Array  # [B, N, I, A], Q
    visits: IntArray  # [B, N, I, A]


@compiled
def greedy(payoff: Any, actions: Any, count: int) -> int:
    """The first of the legal actions of the highest value."""
    best = actions[0]
    for k in range(1, count):
        if payoff[actions[k]] > payoff[best]:
            best = actions[k]
    return int(best)


@inlined
def choose(values: Any, actions: Any, count: int, exploration: float, stream: Any) -> int:
    """A player's action, from its values [A] at a point and the legal ones there."""
    if uniform(stream) < exploration:
        return int(actions[min(int(uniform(stream) * count), count - 1)])
    return greedy(values, actions, count)


@compiled
def learned(value: float, got: float, visits: int, rate: float) -> float:
    """A value after its visit number `visits`, from 1: `got` is the reward and what the state that follows is worth."""
    return float(value + float(visits) ** -rate * (got - value))


@compiled
def choose_all(table: Any, exploration: float, tables: Any, points: Any, stream: Any, taken: Any) -> None:
    """Write the actions [M, N] at points [M, N]."""
    for m in range(points.shape[0]):
        for player in range(points.shape[1]):
            point = points[m, player]
            count, actions = table.counts[player, point], table.actions[player, point]
            taken[m, player] = choose(tables.payoff[0, player, point], actions, count, exploration, stream)


@compiled
def learn_all(table: Any, rate: float, tables: Any, moves: Any) -> None:
    """Update after each of the transitions in turn."""
    for m in range(moves.point.shape[0]):
        for player in range(moves.point.shape[1]):
            point, following, got = moves.point[m, player], moves.following[m, player], moves.reward[m, player]
            if following != END:
                values = tables.payoff[0, player, following]
                best = greedy(values, table.actions[player, following], table.counts[player, following])
                got += table.discount * values[best]
            action = moves.action[m, player]
            tables.visits[0, player, point, action] += 1
            value, visits = tables.payoff[0, player, point, action], tables.visits[0, player, point, action]
            tables.payoff[0, player, point, action] = learned(value, got, visits, rate)


@compiled
def play(table: Any, exploration: float, rate: float, tables: Any, streams: Any, steps: Any, episodes: int) -> None:
    """Run some episodes of every seed."""
    players = tables.payoff.shape[1]
    taken = np.zeros(players, np.int64)
    for b in range(len(streams)):
        stream = streams[b]
        for _ in range(episodes):
            state = first_of(table, stream)
            point = state
            for step in range(table.length):
                row = state * table.profiles
                for player in range(players):
                    count, actions = table.counts[player, state], table.actions[player, state]
                    taken[player] = choose(tables.payoff[b, player, point], actions, count, exploration, stream)
                    row += taken[player] * table.strides[player]
                after = table.state[successor_entry(table, row, stream)]
                following = point_after(table, step, after)
                for player in range(players):
                    got = table.reward[row, player]
                    if following != END:
                        values = tables.payoff[b, player, following]
                        best = greedy(values, table.actions[player, after], table.counts[player, after])
                        got += table.discount * values[best]
                    action = taken[player]
                    tables.visits[b, player, point, action] += 1
                    value, visits = tables.payoff[b, player, point, action], tables.visits[b, player, point, action]
                    tables.payoff[b, player, point, action] = learned(value, got, visits, rate)
                steps[b] += 1
                if following == END:
                    break
                state, point = after, following


class IndependentQ(SampledProcess):
    """See the module.

    Args:
        model: the game.
        seed: one, or several to run side by side.
        episode_length: of a game without a horizon.
        exploration: in [0, 1].
        rate: exponent of the step sizes.
    """

    def __init__(
        self, model: MarkovModel, seed: int | Sequence[int], *, episode_length: int, exploration: float, rate: float
    ) -> None:
        shape = len(seeds_of(seed)), model.num_players, model.num_points, max(model.num_actions)
        refuse_large(METHOD, *shape)
        tables = IndependentQState(np.zeros(shape), np.zeros(shape, dtype=np.int64))
        super().__init__(model, seed, tables, concept="nash", length=episode_length)
        self._exploration, self._rate = exploration, rate

    def _play(self, episodes: int) -> None:
        play(self.table, self._exploration, self._rate, self._tables, self._streams, self._steps, episodes)

    def policy_of(self, run: int) -> TabularPolicy:
        """The greedy policy of the seed in that place."""
        played = []
        for player, states in enumerate(self.model.information_states):
            own = self._tables.payoff[run, player, :, : states.masks.shape[1]]
            best = np.where(states.masks, own, -np.inf).argmax(axis=1)
            played.append(np.eye(states.masks.shape[1])[best])
        return TabularPolicy(self.model, played)


class OnlineIndependentQ(OnlineLearner):
    """The learner in an environment.

    Args:
        told: of the game.
        exploration: in [0, 1].
        rate: exponent of the step sizes.
    """

    def __init__(self, told: Told, *, exploration: float, rate: float) -> None:
        self._told, self._exploration, self._rate = told, exploration, rate

    def blank(self, points: int) -> IndependentQState:
        """See `OnlineLearner`."""
        shape = 1, self._told.num_players, points, max(self._told.num_actions)
        return IndependentQState(np.zeros(shape), np.zeros(shape, dtype=np.int64))

    def act(self, table: Table, tables: IndependentQState, points: IntArray, stream: Any) -> tuple[IntArray, None]:
        """See `OnlineLearner`."""
        taken = np.zeros_like(points)
        choose_all(table, self._exploration, tables, points, stream, taken)
        return taken, None

    def learn(self, table: Table, tables: IndependentQState, moves: Moves, chosen: None) -> None:
        """See `OnlineLearner`."""
        learn_all(table, self._rate, tables, moves)

    def strategies(self, table: Table, tables: IndependentQState) -> Float64Array:
        """The greedy policy."""
        return greedy_strategies(table, tables.payoff[0])


def greedy_strategies(table: Table, values: Float64Array) -> Float64Array:
    """The first best legal action of each player at each point, from values [N, I, A] to strategies [N, I, A]."""
    played = np.zeros_like(values)
    for player, point in np.argwhere(table.counts > 0):
        actions = np.sort(table.actions[player, point, : table.counts[player, point]])
        played[player, point, actions[values[player, point, actions].argmax()]] = 1.0
    return played


RATE = rate_parameter("rate", 0.8, "step sizes")
ONLINE = OnlineMethod(id=METHOD, start=OnlineIndependentQ, parameters=(EXPLORATION, RATE))
SOLVER = compiling(
    iterative_solver(
        METHOD,
        IndependentQ,
        source="Tan (1993), ICML; Claus, Boutilier (1998), AAAI",
        parameters=(EPISODE_LENGTH, EXPLORATION, RATE),
        random=True,
        family=Family.MARKOV,
        check_every=100,
        default_iterations=20_000,
    )
)

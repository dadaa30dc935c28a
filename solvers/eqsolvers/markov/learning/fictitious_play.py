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
from eqsolvers.markov.learning._process import (
    EPISODE_LENGTH,
    SampledProcess,
    compiling,
    rate_parameter,
    refuse_large,
    seeds_of,
    uniform_strategies,
)
from eqsolvers.markov.learning._sampler import END, first_of, point_after, successor_entry
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
                    taken[player], _value = best_reply(table, tables, b, player, point)
                    if chance > 0.0 and uniform(stream) < chance:
                        count = table.counts[player, state]
                        pick = min(int(uniform(stream) * count), count - 1)
                        taken[player] = table.actions[player, state, pick]
                row = state * table.profiles + taken[0] * table.strides[0] + taken[1]
                after = table.state[successor_entry(table, row, stream)]
                following = point_after(table, step, after)
                # Values are formed with the beliefs held while playing, as the payoffs are.
                tables.visits[b, point] += 1
                tables.played[b, point, taken[0], taken[1]] += 1
                if informed:
                    improve(table, tables, b, step, point, float(tables.visits[b, point]) ** -value_rate)
                else:
                    size = float(tables.played[b, point, taken[0], taken[1]]) ** -value_rate
                    for player in range(2):
                        got = table.reward[row, player]
                        if following != END:
                            got += table.discount * best_reply(table, tables, b, player, following)[1]
                        known = tables.payoff[b, player, point, taken[0], taken[1]]
                        tables.payoff[b, player, point, taken[0], taken[1]] = known + size * (got - known)
                # The first action seen weighs half: it should not wipe out the uniform belief.
                size = float(tables.visits[b, point] + 1) ** -belief_rate
                for player in range(2):
                    for k in range(table.counts[player, state]):
                        tables.belief[b, player, point, table.actions[player, state, k]] *= 1.0 - size
                    tables.belief[b, player, point, taken[player]] += size
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


SOLVER = compiling(
    iterative_solver(
        METHOD,
        FictitiousPlay,
        source="Sayin, Parise, Ozdaglar (2022), SIAM Journal on Control and Optimization 60",
        parameters=(
            Parameter(name="informed", default=False, kind=bool, description="whether the players know the model"),
            EPISODE_LENGTH,
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
        ),
        random=True,
        family=Family.MARKOV,
        covers=two_players_constant_sum,
        check_every=100,
        default_iterations=20_000,
    )
)

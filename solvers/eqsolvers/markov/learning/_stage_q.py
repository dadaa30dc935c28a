"""Q-learning over joint actions whose next state is worth an equilibrium of the one-shot game there.

All players see all actions and rewards, so that one table of every player's values serves all of them. After joint
action a in state s with rewards r and next state s', the n-th time that a is played there,

    Q_p(s, a)  <-  Q_p(s, a) + n ** -rate (r_p + discount * V_p(s') - Q_p(s, a)),

V_p(s') being p's equilibrium payoff in Q(s', .), and play is the equilibrium of Q(s, .), each player now and then
replacing its own action by a uniformly random one. The equilibrium solved for is the method: see the files that use
this one. A state's is solved again only once its values have changed. Cost of a step: two stage solutions at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.kernels import drawn_entry
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy, TabularPolicy
from eqsolvers.kernels import compiled, uniform
from eqsolvers.markov.learning._process import SampledProcess, joint_shape, refuse_large, seeds_of
from eqsolvers.markov.learning._sampler import END, first_of, point_after, successor_entry
from eqsolvers.markov.learning._stage import solve_stage


class StageQState(NamedTuple):
    """All that changes; P joint actions."""

    payoff: Float64Array  # [B, I, N, P], Q
    visits: IntArray  # [B, I, P]
    joint: Float64Array  # [B, I, P], the stage equilibrium
    value: Float64Array  # [B, I, N], its payoffs
    stale: IntArray  # [B, I], 1 where Q has changed since


@compiled
def settle(table: Any, kind: int, objective: int, tables: Any, digit: Any, b: int, point: int) -> None:
    """Solve the stage at a point, unless its solution is that of its values."""
    if tables.stale[b, point]:
        solve_stage(
            table,
            kind,
            objective,
            point % table.states,
            tables.payoff[b, point],
            digit,
            tables.joint[b, point],
            tables.value[b, point],
        )
        tables.stale[b, point] = 0


@compiled
def settle_all(table: Any, kind: int, objective: int, tables: Any, b: int) -> None:
    """Solve the stages of a seed that need it."""
    digit = np.zeros(tables.value.shape[2], np.int64)
    for point in range(tables.stale.shape[1]):
        settle(table, kind, objective, tables, digit, b, point)


@compiled
def explored(table: Any, state: int, joint: int, exploration: float, stream: Any) -> int:
    """A joint action in which each player may have replaced its own part by a random one."""
    for player in range(len(table.strides)):
        if uniform(stream) < exploration:
            stride = table.strides[player]
            width = table.strides[player - 1] // stride if player else table.profiles // stride
            own = (joint // stride) % width
            count = table.counts[player, state]
            pick = table.actions[player, state, min(int(uniform(stream) * count), count - 1)]
            joint += (pick - own) * stride
    return joint


@compiled
def play(
    table: Any,
    kind: int,
    objective: int,
    exploration: float,
    rate: float,
    tables: Any,
    streams: Any,
    steps: Any,
    episodes: int,
) -> None:
    """Run some episodes of every seed."""
    players = tables.value.shape[2]
    digit, cumulative = np.zeros(players, np.int64), np.empty(table.profiles)
    for b in range(len(streams)):
        stream = streams[b]
        for _ in range(episodes):
            state = first_of(table, stream)
            point = state
            for step in range(table.length):
                settle(table, kind, objective, tables, digit, b, point)
                total = 0.0
                for profile in range(table.profiles):
                    total += tables.joint[b, point, profile]
                    cumulative[profile] = total
                joint = drawn_entry(cumulative, 0, table.profiles, uniform(stream) * total)
                joint = explored(table, state, joint, exploration, stream)
                row = state * table.profiles + joint
                after = table.state[successor_entry(table, row, stream)]
                following = point_after(table, step, after)
                tables.visits[b, point, joint] += 1
                size = float(tables.visits[b, point, joint]) ** -rate
                if following != END:
                    settle(table, kind, objective, tables, digit, b, following)
                for player in range(players):
                    got = table.reward[row, player]
                    if following != END:
                        got += table.discount * tables.value[b, following, player]
                    tables.payoff[b, point, player, joint] += size * (got - tables.payoff[b, point, player, joint])
                tables.stale[b, point] = 1
                steps[b] += 1
                if following == END:
                    break
                state, point = after, following


class StageQ(SampledProcess):
    """See the module.

    Args:
        model: the game.
        seed: one, or several to run side by side.
        method: its id, for messages.
        kind: what is solved for at a state.
        objective: which of the correlated equilibria.
        concept: "nash": the policy is the product of the stage equilibria's marginals; else the equilibria.
        episode_length: of a game without a horizon.
        exploration: in [0, 1].
        rate: exponent of the step sizes.
    """

    def __init__(
        self,
        model: MarkovModel,
        seed: int | Sequence[int],
        *,
        method: str,
        kind: int,
        objective: int = 0,
        concept: str,
        episode_length: int,
        exploration: float,
        rate: float,
    ) -> None:
        runs, points, profiles = len(seeds_of(seed)), model.num_points, int(np.prod(model.num_actions))
        refuse_large(method, runs, points, model.num_players, profiles)
        tables = StageQState(
            payoff=np.zeros((runs, points, model.num_players, profiles)),
            visits=np.zeros((runs, points, profiles), dtype=np.int64),
            joint=np.zeros((runs, points, profiles)),
            value=np.zeros((runs, points, model.num_players)),
            stale=np.ones((runs, points), dtype=np.int64),
        )
        super().__init__(model, seed, tables, concept=concept, length=episode_length)
        # Where no equilibrium should be found, the one before stays: at first uniform play.
        legal = model.joint_legal.reshape(model.num_states, profiles)
        tables.joint[:] = np.tile(legal / legal.sum(axis=1, keepdims=True), (model.horizon or 1, 1))
        self._stage = kind, objective
        self._exploration, self._rate = exploration, rate

    def _play(self, episodes: int) -> None:
        play(
            self.table,
            *self._stage,
            self._exploration,
            self._rate,
            self._tables,
            self._streams,
            self._steps,
            episodes,
        )

    def policy_of(self, run: int) -> TabularPolicy | MarkovCorrelatedPolicy:
        """The stage equilibria of the present values, of the seed in that place; looking does not change the state."""
        own = StageQState(*(array[run : run + 1].copy() for array in self._tables))
        settle_all(self.table, *self._stage, own, 0)
        policy = MarkovCorrelatedPolicy(self.model, own.joint[0].reshape(joint_shape(self.model)))
        return policy.marginals() if self.concept == "nash" else policy

    def payoffs(self, run: int = 0) -> Float64Array:
        """The learned values Q, [N, I, A_0, ..., A_{N-1}]; 0 where a joint action is illegal or was never played."""
        learned: Float64Array = np.moveaxis(self._tables.payoff[run], 1, 0).copy()
        return learned.reshape(self.model.num_players, *joint_shape(self.model))

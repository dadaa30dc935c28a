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
from eqsolvers.kernels import call_linked, compiled, uniform
from eqsolvers.markov.learning._online import Moves, OnlineLearner, Told, fits, uniform_joint
from eqsolvers.markov.learning._process import SampledProcess, joint_shape, refuse_large, seeds_of
from eqsolvers.markov.learning._sampler import END, Table, first_of, point_after, successor_entry
from eqsolvers.markov.learning._stage import stage_of


class StageQState(NamedTuple):
    """All that changes; P joint actions."""

    payoff: Float64Array  # [B, I, N, P], Q
    visits: IntArray  # [B, I, P]
    joint: Float64Array  # [B, I, P], the stage equilibrium
    value: Float64Array  # [B, I, N], its payoffs
    stale: IntArray  # [B, I], 1 where Q has changed since


@compiled
def settle(table: Any, stage: Any, tables: Any, digit: Any, b: int, point: int) -> None:
    """Solve the stage at a point, unless its solution is that of its values."""
    if tables.stale[b, point]:
        call_linked(
            stage.solve,
            table,
            stage.kind,
            stage.objective,
            point % table.states,
            tables.payoff[b, point],
            digit,
            tables.joint[b, point],
            tables.value[b, point],
        )
        tables.stale[b, point] = 0


@compiled
def settle_all(table: Any, stage: Any, tables: Any, b: int) -> None:
    """Solve the stages of a seed that need it."""
    digit = np.zeros(tables.value.shape[2], np.int64)
    for point in range(tables.stale.shape[1]):
        settle(table, stage, tables, digit, b, point)


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
def drawn_joint(equilibrium: Any, cumulative: Any, stream: Any) -> int:
    """A joint action by its probability [P]; `cumulative` [P] is scratch."""
    total = 0.0
    for profile in range(len(equilibrium)):
        total += equilibrium[profile]
        cumulative[profile] = total
    return drawn_entry(cumulative, 0, len(equilibrium), uniform(stream) * total)


@compiled
def learn(payoff: Any, visits: Any, joint: int, reward: Any, discount: float, value: Any, rate: float) -> None:
    """The update of the values [N, P] at a point after a joint action.

    Args:
        payoff: written.
        visits: [P], written.
        joint: played.
        reward: [N], what it paid.
        discount: 0 if the game is over.
        value: [N], of the point that follows.
        rate: exponent of the step sizes.
    """
    visits[joint] += 1
    size = float(visits[joint]) ** -rate
    for player in range(len(reward)):
        got = reward[player] + discount * value[player]
        payoff[player, joint] += size * (got - payoff[player, joint])


@compiled
def choose_all(table: Any, stage: Any, exploration: float, tables: Any, points: Any, stream: Any, taken: Any) -> None:
    """Write the actions [M, N] at points [M, N]."""
    players = points.shape[1]
    digit, cumulative = np.zeros(players, np.int64), np.empty(table.profiles)
    for m in range(points.shape[0]):
        point = points[m, 0]
        settle(table, stage, tables, digit, 0, point)
        joint = drawn_joint(tables.joint[0, point], cumulative, stream)
        joint = explored(table, point, joint, exploration, stream)
        for player in range(players):
            taken[m, player] = joint // table.strides[player]
            joint %= table.strides[player]


@compiled
def learn_all(table: Any, stage: Any, rate: float, tables: Any, moves: Any) -> None:
    """Update after each of the transitions in turn."""
    players = moves.point.shape[1]
    digit = np.zeros(players, np.int64)
    for m in range(moves.point.shape[0]):
        joint = 0
        for player in range(players):
            joint += moves.action[m, player] * table.strides[player]
        point, following, discount = moves.point[m, 0], moves.following[m, 0], 0.0
        if following != END:
            settle(table, stage, tables, digit, 0, following)
            discount = table.discount
        value = tables.value[0, following]
        learn(tables.payoff[0, point], tables.visits[0, point], joint, moves.reward[m], discount, value, rate)
        tables.stale[0, point] = 1


@compiled
def play(
    table: Any,
    stage: Any,
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
                settle(table, stage, tables, digit, b, point)
                joint = drawn_joint(tables.joint[b, point], cumulative, stream)
                joint = explored(table, state, joint, exploration, stream)
                row = state * table.profiles + joint
                after = table.state[successor_entry(table, row, stream)]
                following, discount = point_after(table, step, after), 0.0
                if following != END:
                    settle(table, stage, tables, digit, b, following)
                    discount = table.discount
                value, reward = tables.value[b, following], table.reward[row]  # END is -1: some point, times 0
                learn(tables.payoff[b, point], tables.visits[b, point], joint, reward, discount, value, rate)
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
            stage_of(*self._stage),
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
        settle_all(self.table, stage_of(*self._stage), own, 0)
        policy = MarkovCorrelatedPolicy(self.model, own.joint[0].reshape(joint_shape(self.model)))
        return policy.marginals() if self.concept == "nash" else policy

    def payoffs(self, run: int = 0) -> Float64Array:
        """The learned values Q, [N, I, A_0, ..., A_{N-1}]; 0 where a joint action is illegal or was never played."""
        learned: Float64Array = np.moveaxis(self._tables.payoff[run], 1, 0).copy()
        return learned.reshape(self.model.num_players, *joint_shape(self.model))


class OnlineStageQ(OnlineLearner):
    """The learner in an environment.

    Args:
        told: of the game.
        method: its id, for messages.
        kind: what is solved for at a state.
        objective: which of the correlated equilibria.
        correlated: whether the policy is the stage equilibria; else the product of their marginals.
        exploration: in [0, 1].
        rate: exponent of the step sizes.

    Raises:
        UnsupportedGame: if there are too many joint actions.
    """

    together = True

    def __init__(
        self, told: Told, *, method: str, kind: int, objective: int, correlated: bool, exploration: float, rate: float
    ) -> None:
        fits(method, told)
        self._told, self._method, self._correlated = told, method, correlated
        self._stage = kind, objective
        self._exploration, self._rate = exploration, rate

    def blank(self, points: int) -> StageQState:
        """See `OnlineLearner`."""
        players, profiles = self._told.num_players, self._told.num_profiles
        refuse_large(self._method, points, players, profiles)
        return StageQState(
            payoff=np.zeros((1, points, players, profiles)),
            visits=np.zeros((1, points, profiles), dtype=np.int64),
            joint=np.zeros((1, points, profiles)),
            value=np.zeros((1, points, players)),
            stale=np.ones((1, points), dtype=np.int64),
        )

    def meet(self, table: Table, tables: StageQState, player: int, rows: IntArray, steps: IntArray) -> None:
        """See `OnlineLearner`; play begins uniform."""
        if player == 0:
            tables.joint[0, rows] = uniform_joint(table, rows, self._told.num_actions)

    def act(self, table: Table, tables: StageQState, points: IntArray, stream: Any) -> tuple[IntArray, None]:
        """See `OnlineLearner`."""
        taken = np.zeros_like(points)
        choose_all(table, stage_of(*self._stage), self._exploration, tables, points, stream, taken)
        return taken, None

    def learn(self, table: Table, tables: StageQState, moves: Moves, chosen: None) -> None:
        """See `OnlineLearner`."""
        learn_all(table, stage_of(*self._stage), self._rate, tables, moves)

    def strategies(self, table: Table, tables: StageQState) -> Float64Array:
        """The marginals of the stage equilibria of the present values."""
        return marginals_of(self._settled(table, tables), self._told.num_actions)

    def joint(self, table: Table, tables: StageQState) -> Float64Array | None:
        """The stage equilibria of the present values."""
        return self._settled(table, tables) if self._correlated else None

    def _settled(self, table: Table, tables: StageQState) -> Float64Array:
        """[I, P]; looking does not change the state."""
        own = tables._replace(joint=tables.joint.copy(), value=tables.value.copy(), stale=tables.stale.copy())
        own.stale[0, table.counts[0] == 0] = 0  # rows of no state yet
        settle_all(table, stage_of(*self._stage), own, 0)
        found: Float64Array = own.joint[0]
        return found


def marginals_of(joint: Float64Array, num_actions: tuple[int, ...]) -> Float64Array:
    """Each player's own part of distributions over joint actions, from [I, P] to [N, I, A]."""
    shaped = joint.reshape(len(joint), *num_actions)
    played = np.zeros((len(num_actions), len(joint), max(num_actions)))
    for player, own in enumerate(num_actions):
        others = tuple(1 + other for other in range(len(num_actions)) if other != player)
        played[player, :, :own] = shaped.sum(axis=others)
    return played

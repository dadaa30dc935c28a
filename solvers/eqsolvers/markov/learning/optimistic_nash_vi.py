"""Optimistic Nash value iteration: plan in the estimated game with bonuses, play the plan, estimate again.

Liu, Yu, Bai and Jin (2021), "A sharp analysis of model-based reinforcement learning with self-play", ICML, algorithms 1
(zero-sum, "nash") and 3 (any number of players, "cce" and "ce"); before it Bai and Jin (2020), "Provable self-play
algorithms for competitive reinforcement learning", ICML. Before each episode, from the last step h to the first, at
every state with n visits of joint action a there and estimated transitions P:

    upper_p(h, s, a) = r_p + P V+_p + extra + bonus,  lower_p(h, s, a) = r_p + P V-_p - extra - bonus,

cut off at what can be had from h on; bonus = c H range(r_p) sqrt(1 / n), extra = c / H times P (V+_p - V-_p); never
played: the cut-offs themselves. The plan at (h, s) is a CE or a CCE of the one-shot game `upper`, for "nash" a CCE,
whose marginals are played; V+ and V- are its payoffs in upper and lower. All transitions are estimated for each step
apart.

`policy` is the plan that had the least difference between V+ and V- at the start, over the players' largest, so far:
the measure `certificate`, which bounds each player's gain with high probability if c is as large as in theorem 3, a
logarithm of all sizes; the default is smaller, and `residual` is exact. The bonuses are the first of the two terms of
Hoeffding's in the paper; the second, of order 1 / n, hides everything else in games of this size.

Which equilibrium of a stage is taken is open in the paper; here of the highest sum of payoffs. Games with a horizon.
Cost of an episode: H S linear programmes of A_0 ... A_{N-1} variables, once in `plan_every` episodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray, read_only
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models.markov import FirstStates, MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy, TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import call_linked, compiled
from eqsolvers.markov.learning._online import Moves, OnlineLearner, OnlineMethod, Told, fits, uniform_joint
from eqsolvers.markov.learning._process import SampledProcess, compiling, joint_shape, refuse_large, seeds_of
from eqsolvers.markov.learning._sampler import (
    END,
    Table,
    first_of,
    first_profile,
    next_profile,
    point_after,
    successor_entry,
)
from eqsolvers.markov.learning._stage import CCE, CE, Stage, expected, stage_of
from eqsolvers.markov.learning._stage_q import drawn_joint, marginals_of
from eqsolvers.markov.learning.v_learning import bounds
from eqsolvers.result import with_horizon

METHOD = "optimistic-nash-vi"


class Rule(NamedTuple):
    """What does not change."""

    stage: Stage  # what is solved for at a state
    apart: bool  # whether marginals are played
    bonus: Float64Array  # [N], at one visit
    extra: float  # c / H
    highest: Float64Array  # [N, H]
    least: Float64Array  # [N, H]
    every: int


class OptimisticNashState(NamedTuple):
    """All that changes; P joint actions, E successors of all rows."""

    visits: IntArray  # [B, I, P]
    moves: IntArray  # [B, H, E], how often the successor followed
    plan: Float64Array  # [B, I, P]
    upper: Float64Array  # [B, I, N], V+
    lower: Float64Array  # [B, I, N], V-
    best: Float64Array  # [B, I, P], the plan of the least certificate
    certificate: Float64Array  # [B]


@compiled
def write_marginals(table: Any, state: int, digit: Any, joint: Any) -> None:
    """Replace a distribution over joint actions by the product of its marginals."""
    players = len(digit)
    own = np.zeros((players, table.actions.shape[2]))
    profile = first_profile(table, state, digit)
    while profile >= 0:
        for player in range(players):
            own[player, table.actions[player, state, digit[player]]] += joint[profile]
        profile = next_profile(table, state, digit)
    profile = first_profile(table, state, digit)
    while profile >= 0:
        joint[profile] = 1.0
        for player in range(players):
            joint[profile] *= own[player, table.actions[player, state, digit[player]]]
        profile = next_profile(table, state, digit)


@compiled
def estimate(
    table: Any, rule: Any, tables: Any, digit: Any, b: int, layer: int, state: int, step: int, high: Any, low: Any
) -> None:
    """Write the upper and lower values [N, P] of the joint actions at a state of the layer `layer` of the tables.

    A layer is a step of the game, or all of the game where each state knows its step.
    """
    point, players = layer * table.states + state, len(digit)
    profile = first_profile(table, state, digit)
    while profile >= 0:
        n = tables.visits[b, point, profile]
        row = state * table.profiles + profile
        for player in range(players):
            most, fewest = rule.highest[player, step], rule.least[player, step]
            if n == 0:
                high[player, profile], low[player, profile] = most, fewest
                continue
            above, below = 0.0, 0.0
            for entry in range(table.start[row], table.start[row + 1]):
                following = point_after(table, layer, table.state[entry])
                if following != END and tables.moves[b, layer, entry] > 0:
                    share = tables.moves[b, layer, entry] / n
                    above += share * tables.upper[b, following, player]
                    below += share * tables.lower[b, following, player]
            slack = rule.bonus[player] / np.sqrt(n) + rule.extra * (above - below)
            reward = table.reward[row, player]
            high[player, profile] = min(reward + table.discount * above + slack, most)
            low[player, profile] = max(reward + table.discount * below - slack, fewest)
        profile = next_profile(table, state, digit)


@compiled
def plan_at(
    table: Any, rule: Any, tables: Any, digit: Any, b: int, layer: int, state: int, step: int, high: Any, low: Any
) -> None:
    """Plan at a state and step, after all that may follow; see `estimate`, `high` and `low` are scratch."""
    point = layer * table.states + state
    estimate(table, rule, tables, digit, b, layer, state, step, high, low)
    plan = tables.plan[b, point]
    stage = rule.stage
    call_linked(stage.solve, table, stage.kind, stage.objective, state, high, digit, plan, tables.upper[b, point])
    expected(low, plan, tables.lower[b, point])
    if rule.apart:
        # The upper value is that of the CCE itself, as in the paper: no less than that of any deviation.
        write_marginals(table, state, digit, plan)


@compiled
def make_plan(table: Any, rule: Any, tables: Any, digit: Any, b: int) -> None:
    """Plan a seed's next episode, and keep the plan if it has the least certificate."""
    players = len(digit)
    high, low = np.zeros((players, table.profiles)), np.zeros((players, table.profiles))
    for step in range(table.horizon - 1, -1, -1):
        for state in range(table.states):
            plan_at(table, rule, tables, digit, b, step, state, step, high, low)
    keep_best(table, tables, players, b)


@compiled
def plan_met(table: Any, rule: Any, tables: Any, digit: Any, order: Any, steps: Any) -> None:
    """The same over points that were met, [K], the last step's first, and their steps [K]."""
    high, low = np.zeros((len(digit), table.profiles)), np.zeros((len(digit), table.profiles))
    for k in range(len(order)):
        plan_at(table, rule, tables, digit, 0, 0, order[k], steps[k], high, low)
    keep_best(table, tables, len(digit), 0)


@compiled
def keep_best(table: Any, tables: Any, players: int, b: int) -> None:
    """Keep the plan if it has the least certificate."""
    certificate = 0.0
    for player in range(players):
        gap = 0.0
        for k in range(len(table.first.state)):
            state = table.first.state[k]
            gap += table.first.probability[k] * (tables.upper[b, state, player] - tables.lower[b, state, player])
        certificate = max(certificate, gap)
    if certificate < tables.certificate[b]:
        tables.certificate[b] = certificate
        tables.best[b] = tables.plan[b]


@compiled
def play(table: Any, rule: Any, tables: Any, streams: Any, steps: Any, begun: int, episodes: int) -> None:
    """Run episodes begun + 1 .. begun + episodes of every seed."""
    digit, cumulative = np.zeros(len(table.strides), np.int64), np.empty(table.profiles)
    for b in range(len(streams)):
        stream = streams[b]
        for episode in range(begun, begun + episodes):
            if episode % rule.every == 0:
                make_plan(table, rule, tables, digit, b)
            state = first_of(table, stream)
            for step in range(table.horizon):
                point = step * table.states + state
                joint = drawn_joint(tables.plan[b, point], cumulative, stream)
                entry = successor_entry(table, state * table.profiles + joint, stream)
                tables.visits[b, point, joint] += 1
                tables.moves[b, step, entry] += 1
                steps[b] += 1
                state = table.state[entry]
                if state == table.states:
                    break


@compiled
def choose_all(table: Any, plan: Any, points: Any, stream: Any, taken: Any) -> None:
    """Write the actions [M, N] at points [M, N], from a plan [1, I, P]."""
    cumulative = np.empty(table.profiles)
    for m in range(points.shape[0]):
        joint = drawn_joint(plan[0, points[m, 0]], cumulative, stream)
        for player in range(points.shape[1]):
            taken[m, player] = joint // table.strides[player]
            joint %= table.strides[player]


class OptimisticNashVI(SampledProcess):
    """See the module.

    Args:
        model: with a horizon.
        seed: one, or several to run side by side.
        concept: "nash", "cce" or "ce".
        bonus_scale: c.
        plan_every: episodes for which a plan is played.

    Raises:
        UnsupportedGame: if the game has no horizon, or is not two-player constant-sum under concept "nash".
    """

    def __init__(
        self, model: MarkovModel, seed: int | Sequence[int], *, concept: str, bonus_scale: float, plan_every: int
    ) -> None:
        if model.horizon is None:
            raise UnsupportedGame(f"{METHOD}: needs a game with a horizon, such as random_markov_game with horizon=5")
        if concept == "nash" and not (model.num_players == 2 and model.constant_sum()):
            raise UnsupportedGame(
                f"{METHOD}: concept 'nash' covers two-player constant-sum games only; ask for 'cce' or 'ce'"
            )
        self._rule = rule_of(*bounds(model), concept, bonus_scale, plan_every)
        runs, points, profiles = len(seeds_of(seed)), model.num_points, int(np.prod(model.num_actions))
        refuse_large(METHOD, runs, points, profiles)
        refuse_large(METHOD, runs, model.horizon, len(model.successors.state))
        legal = model.joint_legal.reshape(model.num_states, profiles)
        plan = np.tile(legal / legal.sum(axis=1, keepdims=True), (runs, model.horizon, 1))
        tables = OptimisticNashState(
            visits=np.zeros((runs, points, profiles), dtype=np.int64),
            moves=np.zeros((runs, model.horizon, len(model.successors.state)), dtype=np.int64),
            plan=plan,
            upper=np.zeros((runs, points, model.num_players)),
            lower=np.zeros((runs, points, model.num_players)),
            best=plan.copy(),
            certificate=np.full(runs, np.inf),
        )
        super().__init__(model, seed, tables, concept=concept)

    def _play(self, episodes: int) -> None:
        play(self.table, self._rule, self._tables, self._streams, self._steps, self.iteration, episodes)

    def policy_of(self, run: int) -> TabularPolicy | MarkovCorrelatedPolicy:
        """The plan of the least certificate of the seed in that place."""
        policy = MarkovCorrelatedPolicy(self.model, self._tables.best[run].reshape(joint_shape(self.model)))
        return policy.marginals() if self.concept == "nash" else policy

    def measures(self) -> dict[str, float]:
        """The certificate of the policy, once there is one."""
        certificate = float(self._tables.certificate[0])
        return {"certificate": certificate} if np.isfinite(certificate) else {}


class OnlineNashState(NamedTuple):
    """All tables that change in an environment; I points, P joint actions."""

    visits: IntArray  # [1, I, P]
    reward: Float64Array  # [1, I, P, N], the mean of what was paid
    plan: Float64Array  # [1, I, P]
    upper: Float64Array  # [1, I, N], V+
    lower: Float64Array  # [1, I, N], V-
    best: Float64Array  # [1, I, P], the plan of the least certificate
    certificate: Float64Array  # [1]
    steps: IntArray  # [1, I], joint actions before the point


class OnlineNashVI(OnlineLearner):
    """The learner in an environment: rewards are estimated too, and the first states by how often games began there.

    A plan is over the points met so far; new ones are played uniformly until the next plan, which is made when
    `plan_every` games have begun since the last. A game in progress goes on with the new plan.

    Args:
        told: of the game.
        concept: "nash", "cce" or "ce".
        bonus_scale: c.
        plan_every: games for which a plan is played.

    Raises:
        UnsupportedGame: if the game has no horizon, is not two-player constant-sum under concept "nash", or has too
            many joint actions.
        InputError: if the rewards' bounds are not known.
    """

    together = True

    def __init__(self, told: Told, *, concept: str, bonus_scale: float, plan_every: int) -> None:
        if told.horizon is None:
            raise UnsupportedGame(f"{METHOD}: needs a game with a horizon, such as random_markov_game with horizon=5")
        if concept == "nash" and not (told.num_players == 2 and told.constant_sum):
            raise UnsupportedGame(
                f"{METHOD}: concept 'nash' covers two-player constant-sum games only; ask for 'cce' or 'ce'"
            )
        fits(METHOD, told)
        self._told, self._correlated = told, concept != "nash"
        self._rule = rule_of(*told.from_step_on(METHOD), concept, bonus_scale, plan_every)
        self._moves: dict[tuple[int, int], int] = {}  # how often a point followed the row of a joint action
        self._first: dict[int, int] = {}  # how often games began at a point
        self._waiting = 0  # games begun since the last plan

    def blank(self, points: int) -> OnlineNashState:
        """See `OnlineLearner`."""
        players, profiles = self._told.num_players, self._told.num_profiles
        refuse_large(METHOD, points, players, profiles)
        return OnlineNashState(
            visits=np.zeros((1, points, profiles), dtype=np.int64),
            reward=np.zeros((1, points, profiles, players)),
            plan=np.zeros((1, points, profiles)),
            upper=np.zeros((1, points, players)),
            lower=np.zeros((1, points, players)),
            best=np.zeros((1, points, profiles)),
            certificate=np.full(1, np.inf),
            steps=np.zeros((1, points), dtype=np.int64),
        )

    def meet(self, table: Table, tables: OnlineNashState, player: int, rows: IntArray, steps: IntArray) -> None:
        """See `OnlineLearner`; play begins uniform."""
        if player:
            return
        if (steps >= table.horizon).any():
            raise InputError(f"{METHOD}: told of a horizon of {table.horizon}, and a game goes on after it")
        tables.plan[0, rows] = tables.best[0, rows] = uniform_joint(table, rows, self._told.num_actions)
        tables.upper[0, rows], tables.lower[0, rows] = self._rule.highest[:, steps].T, self._rule.least[:, steps].T
        tables.steps[0, rows] = steps

    def act(self, table: Table, tables: OnlineNashState, points: IntArray, stream: Any) -> tuple[IntArray, None]:
        """See `OnlineLearner`."""
        if not self._first:
            self._begin(points[:, 0])
        taken = np.zeros_like(points)
        choose_all(table, tables.plan, points, stream, taken)
        return taken, None

    def learn(self, table: Table, tables: OnlineNashState, moves: Moves, chosen: None) -> None:
        """See `OnlineLearner`."""
        joint = moves.action @ table.strides
        for point, profile, reward, following in zip(
            moves.point[:, 0].tolist(), joint.tolist(), moves.reward, moves.following[:, 0].tolist(), strict=True
        ):
            tables.visits[0, point, profile] += 1
            mean = tables.reward[0, point, profile]
            mean += (reward - mean) / tables.visits[0, point, profile]
            row = point * table.profiles + profile
            self._moves[row, following] = self._moves.get((row, following), 0) + 1
        self._begin(moves.begun[moves.begins, 0])
        if self._waiting >= self._rule.every:
            self._waiting = 0
            self._plan(table, tables)

    def strategies(self, table: Table, tables: OnlineNashState) -> Float64Array:
        """The marginals of the plan of the least certificate."""
        return marginals_of(tables.best[0], self._told.num_actions)

    def joint(self, table: Table, tables: OnlineNashState) -> Float64Array | None:
        """The plan of the least certificate."""
        return tables.best[0] if self._correlated else None

    def measures(self, tables: OnlineNashState) -> dict[str, float]:
        """The certificate of the policy, once there is one."""
        certificate = float(tables.certificate[0])
        return {"certificate": certificate} if np.isfinite(certificate) else {}

    def memory(self) -> dict[str, Any]:
        """Counts of transitions and of first states."""
        moves = np.array([(*key, count) for key, count in self._moves.items()], dtype=np.int64).reshape(-1, 3)
        first = np.array(list(self._first.items()), dtype=np.int64).reshape(-1, 2)
        return {"moves": moves, "first": first, "waiting": self._waiting}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """See `OnlineLearner`."""
        self._moves = {(row, following): count for row, following, count in np.asarray(memory["moves"]).tolist()}
        self._first = dict(np.asarray(memory["first"]).tolist())
        self._waiting = int(memory["waiting"])

    def _begin(self, points: IntArray) -> None:
        for point in points.tolist():
            self._first[point] = self._first.get(point, 0) + 1
        self._waiting += len(points)

    def _plan(self, table: Table, tables: OnlineNashState) -> None:
        """Lay the counts out as a game and plan in it."""
        counts = np.array([(*key, count) for key, count in self._moves.items()], dtype=np.int64)
        counts = counts[np.lexsort((counts[:, 1], counts[:, 0]))]
        rows = table.states * table.profiles
        after = np.where(counts[:, 1] == END, table.states, counts[:, 1])
        first = np.array(sorted(self._first.items()), dtype=np.int64)
        share = first[:, 1] / first[:, 1].sum()
        seen = table._replace(
            start=read_only(np.searchsorted(counts[:, 0], np.arange(rows + 1)).astype(np.int64)),
            state=read_only(after),
            reward=read_only(tables.reward[0].reshape(rows, -1).copy()),
            first=FirstStates(*(read_only(array.copy()) for array in (first[:, 0], share, share.cumsum()))),
            horizon=0,
        )
        met = np.flatnonzero(table.counts[0])
        order = met[np.argsort(-tables.steps[0, met], kind="stable")]
        own = OptimisticNashState(
            visits=tables.visits,
            moves=counts[:, 2].copy().reshape(1, 1, -1),
            plan=tables.plan,
            upper=tables.upper,
            lower=tables.lower,
            best=tables.best,
            certificate=tables.certificate,
        )
        digit = np.zeros(self._told.num_players, dtype=np.int64)
        plan_met(seen, self._rule, own, digit, order, tables.steps[0, order])


def rule_of(highest: Float64Array, least: Float64Array, concept: str, bonus_scale: float, plan_every: int) -> Rule:
    """The method's constants, from what can be had from each step on, [N, H] each, and its settings."""
    horizon = highest.shape[1]
    return Rule(
        stage=stage_of(CE if concept == "ce" else CCE),
        apart=concept == "nash",
        bonus=bonus_scale * (highest - least)[:, -1] * horizon,
        extra=bonus_scale / horizon,
        highest=highest,
        least=least,
        every=plan_every,
    )


SETTINGS = (
    Parameter(name="bonus_scale", default=0.1, kind=float, low=0.0, high=1e9, description="factor on the bonuses, c"),
    Parameter(name="plan_every", default=1, low=1, description="episodes for which a plan is played"),
)
ONLINE = OnlineMethod(id=METHOD, start=OnlineNashVI, parameters=SETTINGS, concepts=("nash", "cce", "ce"))
SOLVER = compiling(
    iterative_solver(
        METHOD,
        OptimisticNashVI,
        source="Liu, Yu, Bai, Jin (2021), ICML",
        parameters=SETTINGS,
        random=True,
        concepts=("nash", "cce", "ce"),
        family=Family.MARKOV,
        covers=with_horizon,
        check_every=1000,
        default_iterations=20_000,
    )
)

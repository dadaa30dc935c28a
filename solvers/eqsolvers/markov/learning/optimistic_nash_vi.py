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

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import UnsupportedGame
from eqenvs.kernels import drawn_entry
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy, TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import compiled, uniform
from eqsolvers.markov.learning._process import SampledProcess, compiling, joint_shape, refuse_large, seeds_of
from eqsolvers.markov.learning._sampler import (
    END,
    first_of,
    first_profile,
    next_profile,
    point_after,
    successor_entry,
)
from eqsolvers.markov.learning._stage import CCE, CE, UTILITARIAN, expected, solve_stage
from eqsolvers.markov.learning.v_learning import bounds
from eqsolvers.result import with_horizon

METHOD = "optimistic-nash-vi"


class Rule(NamedTuple):
    """What does not change."""

    kind: int  # of stage equilibrium
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
    table: Any, rule: Any, tables: Any, digit: Any, b: int, step: int, state: int, high: Any, low: Any
) -> None:
    """Write the upper and lower values [N, P] of the joint actions at a state and step."""
    point, players = step * table.states + state, len(digit)
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
                following = point_after(table, step, table.state[entry])
                if following != END and tables.moves[b, step, entry] > 0:
                    share = tables.moves[b, step, entry] / n
                    above += share * tables.upper[b, following, player]
                    below += share * tables.lower[b, following, player]
            slack = rule.bonus[player] / np.sqrt(n) + rule.extra * (above - below)
            reward = table.reward[row, player]
            high[player, profile] = min(reward + table.discount * above + slack, most)
            low[player, profile] = max(reward + table.discount * below - slack, fewest)
        profile = next_profile(table, state, digit)


@compiled
def make_plan(table: Any, rule: Any, tables: Any, digit: Any, b: int) -> None:
    """Plan a seed's next episode, and keep the plan if it has the least certificate."""
    players = len(digit)
    high, low = np.zeros((players, table.profiles)), np.zeros((players, table.profiles))
    for step in range(table.horizon - 1, -1, -1):
        for state in range(table.states):
            point = step * table.states + state
            estimate(table, rule, tables, digit, b, step, state, high, low)
            plan = tables.plan[b, point]
            solve_stage(table, rule.kind, UTILITARIAN, state, high, digit, plan, tables.upper[b, point])
            if rule.apart:
                # The upper value is that of the CCE itself, as in the paper: no less than that of any deviation.
                expected(low, plan, tables.lower[b, point])
                write_marginals(table, state, digit, plan)
            else:
                expected(low, plan, tables.lower[b, point])
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
                total = 0.0
                for profile in range(table.profiles):
                    total += tables.plan[b, point, profile]
                    cumulative[profile] = total
                joint = drawn_entry(cumulative, 0, table.profiles, uniform(stream) * total)
                entry = successor_entry(table, state * table.profiles + joint, stream)
                tables.visits[b, point, joint] += 1
                tables.moves[b, step, entry] += 1
                steps[b] += 1
                state = table.state[entry]
                if state == table.states:
                    break


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
        highest, least = bounds(model)
        self._rule = Rule(
            kind=CE if concept == "ce" else CCE,
            apart=concept == "nash",
            bonus=bonus_scale * (highest - least)[:, -1] * model.horizon,
            extra=bonus_scale / model.horizon,
            highest=highest,
            least=least,
            every=plan_every,
        )
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


SOLVER = compiling(
    iterative_solver(
        METHOD,
        OptimisticNashVI,
        source="Liu, Yu, Bai, Jin (2021), ICML",
        parameters=(
            Parameter(
                name="bonus_scale", default=0.1, kind=float, low=0.0, high=1e9, description="factor on the bonuses, c"
            ),
            Parameter(name="plan_every", default=1, low=1, description="episodes for which a plan is played"),
        ),
        random=True,
        concepts=("nash", "cce", "ce"),
        family=Family.MARKOV,
        covers=with_horizon,
        check_every=1000,
        default_iterations=20_000,
    )
)

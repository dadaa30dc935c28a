"""V-learning: every player runs a bandit algorithm at each state and step, and sees its own rewards only.

Episode k, at its h-th step and the n-th visit to (h, s), with a_n = (H + 1) / (H + n):

    V(h, s)  <-  (1 - a_n) V(h, s) + a_n (r + V(h + 1, s') + bonus_n),     cut off at what can be had from h on,

and the bandit of (h, s) is told the loss of the action played. Its regret must be small with the weights a_n^i = a_i
(1 - a_{i+1}) ... (1 - a_n) of the updates: follow the regularised leader with entropy, the losses of visit i weighing
w_i ~ a_n^i and estimated with implicit exploration, has small external regret ("cce"); one of them for each action,
told its share of the loss, the stationary distribution of their advice being played, small swap regret ("ce").

The *certified policy* is what the theorems are about. All players draw the same episode number k uniformly; at (h, s),
visited n times before episode k, they draw visit i with probability a_n^i, play independently as they did then, and go
on with the number of that visit's episode in place of k. (Where n = 0 they play uniformly to the end.) The policy
remembers, so that it is none of `eqenvs.policies`, but its value and its gaps satisfy the learner's own recursion,

    W(h, s)  <-  (1 - a_n) W(h, s) + a_n E[r + W(h + 1, s')],        E over the play and the successors,
    L(h, s, b)  <-  (1 - a_n) L(h, s, b) + a_n E[r + max L(h + 1, s')  |  own action b],

and are kept exactly from episode to episode with the game's own transitions, which the learners are never told:
`certified_cce_gap` among the measures and, under concept "ce" with L(h, s, recommended, b), `certified_ce_gap`. The
deviator of this recursion is told after each step which visit was drawn. It knows more than a player that has seen
states and actions alone, so these are upper bounds of the gaps of deviations with memory; `certify=false` leaves them
out, whose cost grows with the joint actions.

`policy` is the Markov policy that plays at (h, s) the same mixture of products, drawn anew at every point: a
`MarkovCorrelatedPolicy`, whose own gap is exact and in `residual`. No theorem bounds it: Markov coarse correlated
equilibria take other methods (Daskalakis, Golowich and Zhang 2023, "The complexity of Markov equilibrium in stochastic
games", COLT). Wherever it was measured it was the smaller of the two.

Jin, Liu, Wang and Yu (2021), "V-learning: a simple, efficient, decentralized algorithm for multiagent RL", arXiv
2110.14555; Song, Mei and Bai (2022), "When can we learn general-sum Markov games with a large number of players
sample-efficiently?", ICLR; Mao and Basar (2022), Dynamic Games and Applications 13. The gap after K episodes is of
order sqrt(H^5 S A / K) with bonus_n = c sqrt(H^3 A i / n), i a logarithm; here with c = `bonus_scale` and i = 1. A is
squared for swap regret. Losses are scaled by what can be had from step h on, where the papers divide by H. Cost of a
step: O(N A), O(N A^3) for "ce"; besides O(A_0 ... A_{N-1}) for `policy`, and N^2 times that and the successors for the
certificate. What a player learns needs neither; games of more than 200 000 joint actions at a state, 5000 with the
certificate, are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import GameTooLargeError, UnsupportedGame
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import compiled, uniform
from eqsolvers.markov.learning._certified import Rule, Scratch, VLearningState, certify, certify_unvisited, sum_up
from eqsolvers.markov.learning._online import OnlineMethod
from eqsolvers.markov.learning._online_v_learning import METHOD, OnlineVLearning
from eqsolvers.markov.learning._process import (
    SampledProcess,
    compiling,
    joint_shape,
    refuse_large,
    seeds_of,
    uniform_strategies,
)
from eqsolvers.markov.learning._sampler import (
    END,
    drawn_action,
    first_of,
    point_after,
    successor_entry,
)
from eqsolvers.markov.learning._visit import MAX_CERTIFIED, MAX_MIXED, backed_up, learn, rule_of, write_product
from eqsolvers.result import with_horizon
from eqsolvers.scoring.score import score


@compiled
def visit(table: Any, rule: Any, tables: Any, scratch: Any, stream: Any, b: int, step: int, state: int) -> int:
    """Play and learn at one state; the state that follows."""
    horizon, players = table.horizon, len(scratch.digit)
    point = step * table.states + state
    n = tables.visits[b, point] + 1
    tables.visits[b, point] = n
    weight = (horizon + 1.0) / (horizon + n)
    if rule.certify:
        certify(table, rule, tables, scratch, b, step, state, weight)
    mixture = tables.mixture[b, point]
    write_product(tables.strategy[b], point, table.strides, weight, scratch.product)
    for joint in range(table.profiles):
        mixture[joint] = (1.0 - weight) * mixture[joint] + scratch.product[joint]
    row = state * table.profiles
    for player in range(players):
        actions, count = table.actions[player, state], table.counts[player, state]
        scratch.action[player] = drawn_action(tables.strategy[b, player, point], actions, count, uniform(stream))
        row += scratch.action[player] * table.strides[player]
    after = table.state[successor_entry(table, row, stream)]
    following = point_after(table, step, after)
    for player in range(players):
        count = table.counts[player, state]
        got = table.reward[row, player]
        if following != END:
            got += table.discount * tables.value[b, player, following]
        estimate, value = tables.estimate[b, player, point], tables.value[b, player, point]
        estimate, value, cost = backed_up(rule, estimate, value, got, player, step, count, n, weight)
        tables.estimate[b, player, point], tables.value[b, player, point] = estimate, value
        learn(
            rule,
            tables.loss[b, player, point],
            tables.strategy[b, player, point],
            tables.strategy[b, player, point],
            table.actions[player, state],
            count,
            horizon,
            n,
            scratch.action[player],
            cost,
        )
    return int(after)


@compiled
def play(table: Any, rule: Any, tables: Any, scratch: Any, streams: Any, steps: Any, begun: int, episodes: int) -> None:
    """Run episodes begun + 1 .. begun + episodes of every seed."""
    for b in range(len(streams)):
        stream = streams[b]
        for episode in range(begun, begun + episodes):
            state = first_of(table, stream)
            if rule.certify:
                sum_up(tables, b, state, episode + 1)
            for step in range(table.horizon):
                state = visit(table, rule, tables, scratch, stream, b, step, state)
                steps[b] += 1
                if state == table.states:
                    break


class VLearning(SampledProcess):
    """See the module.

    Args:
        model: with a horizon.
        seed: one, or several to run side by side.
        concept: "cce" or "ce".
        eta_scale: factor on the bandits' learning rate.
        gamma_scale: factor on their implicit exploration.
        bonus_scale: c.
        monotone: whether V never grows.
        certify: whether the gaps of the certified policy are kept.

    Raises:
        UnsupportedGame: if the game has no horizon.
        GameTooLargeError: if there are more than 200 000 joint actions at a state, or 5000 and `certify`; or if the
            tables would be too large.
    """

    def __init__(
        self,
        model: MarkovModel,
        seed: int | Sequence[int],
        *,
        concept: str,
        eta_scale: float,
        gamma_scale: float,
        bonus_scale: float,
        monotone: bool,
        certify: bool,
    ) -> None:
        if model.horizon is None:
            raise UnsupportedGame(f"{METHOD}: needs a game with a horizon, such as random_markov_game with horizon=5")
        highest, least = bounds(model)
        self._rule = rule_of(highest, least, concept, eta_scale, gamma_scale, bonus_scale, monotone, certify)
        tables = _tables(model, len(seeds_of(seed)), self._rule)
        super().__init__(model, seed, tables, concept=concept)
        players, actions = model.num_players, max(model.num_actions)
        self._scratch = Scratch(
            np.zeros(players, dtype=np.int64),
            np.zeros(players, dtype=np.int64),
            np.zeros(players),
            np.zeros((2, players, actions)),
            np.zeros(model.num_profiles),
        )
        if certify:
            certify_unvisited(self.table, self._rule, self._tables, self._scratch)

    def _play(self, episodes: int) -> None:
        play(
            self.table,
            self._rule,
            self._tables,
            self._scratch,
            self._streams,
            self._steps,
            self.iteration,
            episodes,
        )

    def policy_of(self, run: int) -> MarkovCorrelatedPolicy:
        """The Markov policy of the seed in that place; see the module."""
        return MarkovCorrelatedPolicy(self.model, self._tables.mixture[run].reshape(joint_shape(self.model)))

    def certified(self, run: int = 0) -> dict[str, float]:
        """Value and gaps of the certified policy of the seed in that place; none before the first episode.

        The deviator is not told the first number before its first action.
        """
        if not self._rule.certify or not self.iteration:
            return {}
        tables, table = self._tables, self.table
        more = (self.iteration - tables.since[run])[None, :]
        found: dict[str, float] = {}
        own = (tables.own_sum[run] + more * tables.own[run, :, : table.states]) / self.iteration
        first = self.model.initial
        values = own @ first
        for player, value in enumerate(values):
            found[f"certified_value_{player}"] = float(value)
        committed = tables.committed_sum[run] + more[..., None] * tables.committed[run, :, : table.states]
        legal = uniform_strategies(self.model)[:, : table.states] > 0
        best = np.where(legal, committed / self.iteration, -np.inf).max(axis=2)
        found["certified_cce_gap"] = float(np.maximum(best @ first - values, 0.0).sum())
        if self._rule.swap:
            told = tables.told_sum[run] + more[..., None, None] * tables.told[run, :, : table.states]
            worth = np.where(legal[:, :, None, :], told / self.iteration, -np.inf).max(axis=3)
            heard = np.where(legal, worth, 0.0).sum(axis=2)
            found["certified_ce_gap"] = float(np.maximum(heard @ first - values, 0.0).sum())
        return found

    def measures(self) -> dict[str, float]:
        """The certified policy's values and gaps, and the NashConv of the marginals of `policy`."""
        return self.certified() | {"nash_conv_of_marginals": score(self.model, self.policy()).nash_conv}


def bounds(model: MarkovModel) -> tuple[Float64Array, Float64Array]:
    """The most and the least that each player can have from each step on, [N, H] each."""
    assert model.horizon is not None
    legal = model.joint_legal
    high = np.array([own[legal].max() for own in model.reward])
    low = np.array([own[legal].min() for own in model.reward])
    if model.may_end:
        high, low = np.maximum(high, 0.0), np.minimum(low, 0.0)
    left = np.cumsum(model.discount ** np.arange(model.horizon))[::-1]
    return high[:, None] * left, low[:, None] * left


def _tables(model: MarkovModel, runs: int, rule: Rule) -> VLearningState:
    players, actions, states = model.num_players, max(model.num_actions), model.num_states
    strategy = uniform_strategies(model)
    points = strategy.shape[1]
    told = actions if rule.swap else 0
    told_kept = told if rule.certify else 0
    profiles = model.num_profiles
    if profiles > (MAX_CERTIFIED if rule.certify else MAX_MIXED):
        way = f"certify=false takes up to {MAX_MIXED:,}" if profiles <= MAX_MIXED else "use fewer players or actions"
        raise GameTooLargeError(
            f"{METHOD}: {profiles:,} joint actions at a state, the limit is {MAX_CERTIFIED:,} with certify=true and "
            f"{MAX_MIXED:,} without; {way}"
        )
    refuse_large(METHOD, runs, players, points, max(told, 1), actions)
    refuse_large(METHOD, runs, points, profiles)
    legal = model.joint_legal.reshape(states, profiles).astype(np.float64)
    spread = np.tile(legal / legal.sum(axis=1, keepdims=True), (model.horizon or 1, 1))
    start = np.repeat(rule.highest, states, axis=1)
    shape = (runs, players, points)
    first = (runs, players, states)
    return VLearningState(
        visits=np.zeros((runs, points), dtype=np.int64),
        estimate=np.tile(start, (runs, 1, 1)),
        value=np.tile(start, (runs, 1, 1)),
        loss=np.zeros((*shape, max(told, 1), actions)),
        strategy=np.tile(strategy, (runs, 1, 1, 1)),
        mixture=np.tile(spread, (runs, 1, 1)),
        own=np.zeros(shape),
        committed=np.zeros((*shape, actions)),
        committed_best=np.zeros(shape),
        told=np.zeros((*shape, told_kept, told_kept)),
        told_best=np.zeros(shape),
        since=np.zeros((runs, states), dtype=np.int64),
        own_sum=np.zeros(first),
        committed_sum=np.zeros((*first, actions)),
        told_sum=np.zeros((*first, told_kept, told_kept)),
    )


def _factor(name: str, default: float, what: str, low: float = 0.0) -> Parameter:
    return Parameter(name=name, default=default, kind=float, low=low, high=1e9, description=f"factor on {what}")


SETTINGS = (
    _factor("eta_scale", 3.0, "the bandits' learning rate", 1e-9),
    _factor("gamma_scale", 0.03, "the bandits' implicit exploration"),
    _factor("bonus_scale", 0.1, "the bonus"),
    Parameter(name="monotone", default=False, kind=bool, description="whether values never grow"),
)
ONLINE = OnlineMethod(id=METHOD, start=OnlineVLearning, parameters=SETTINGS, concepts=("cce", "ce"))
SOLVER = compiling(
    iterative_solver(
        METHOD,
        VLearning,
        source="Jin, Liu, Wang, Yu (2021), arXiv 2110.14555; Song, Mei, Bai (2022), ICLR",
        parameters=(
            *SETTINGS,
            Parameter(
                name="certify",
                default=True,
                kind=bool,
                description="keep value and gaps of the policy that the theorems are about; cost as the joint actions",
            ),
        ),
        random=True,
        concepts=("cce", "ce"),
        family=Family.MARKOV,
        covers=with_horizon,
        check_every=10_000,
        default_iterations=1_000_000,
    )
)

"""A lower bound on NashConv from learned best responses, where no exact model can be built.

Timbers et al. (2022), "Approximate exploitability: learning a best response", IJCAI. Every gain is what some actual
policy achieves, so the true gain is at least that, up to the sampling error that is stated. Several learners, each from
several seeds, may try; the best counts. Training, selection and measurement use separate random streams, so a response
is not judged on the luck that it was selected by.

The interval is that of what the selected responses gain, two-sided at 95 %. How far below the true gains they are it
does not say: that the budgets decide, and only games with an exact score can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import (
    BehaviourPolicy,
    JointPolicy,
    MarkovCorrelatedPolicy,
    MixturePolicy,
    ProductPolicy,
    components,
    marginals,
    player_entries,
    player_table,
)
from eqenvs.simulation import simulate
from eqsolvers.scoring.score import Score, ScoreKind

Z_95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


class BestResponder(Protocol):
    """Learns a response to fixed opponents from play alone.

    Attributes:
        id: what to call it in a score's detail.
        budget: what one call may use, in words or numbers.
    """

    id: str
    budget: Any

    def __call__(self, game: Game, player: int, policy: JointPolicy, seed: np.random.SeedSequence) -> BehaviourPolicy:
        """A policy for `player` that does well against the others' entries of `policy`."""


@dataclass(frozen=True)
class Attempt:
    """A response to be learned.

    Attributes:
        responder: who learns.
        player: the player who responds.
        policy: the joint policy; the player's own entry is ignored.
        seed: of all randomness.
    """

    responder: BestResponder
    player: int
    policy: JointPolicy
    seed: np.random.SeedSequence


# Learns the responses of all attempts, in their order.
Respond: TypeAlias = Callable[[Game, Sequence[Attempt]], Sequence[BehaviourPolicy]]


def one_by_one(game: Game, attempts: Sequence[Attempt]) -> list[BehaviourPolicy]:
    """Every response in its turn, in this process."""
    return [attempt.responder(game, attempt.player, attempt.policy, attempt.seed) for attempt in attempts]


@dataclass(frozen=True)
class _Bound:
    """What the players' best responders gained, with its sampling error."""

    values: Float64Array  # [N], of the joint policy itself
    value_errors: Float64Array  # [N], standard errors
    gains: Float64Array  # [N]
    variance: float  # of the sum of the gains
    chosen: list[str]  # which responder each player kept
    attempts: list[dict[str, Any]]  # all that were tried

    @property
    def half_width(self) -> float:
        """Of the 95 % interval of the sum of the gains."""
        return float(Z_95 * np.sqrt(self.variance))

    @property
    def interval(self) -> list[float]:
        """The same, as its ends."""
        total = float(self.gains.sum())
        return [max(0.0, total - self.half_width), total + self.half_width]


def score_by_simulation(
    game: Game,
    policy: JointPolicy,
    responders: Sequence[BestResponder],
    *,
    episodes: int = 20_000,
    repeats: int = 1,
    seed: int = 0,
    respond: Respond = one_by_one,
) -> Score:
    """A score from play: values are estimates, gains lower bounds.

    Each player keeps the best response of all responders and repeats, or does not deviate, chosen on one sample and
    measured on another.

    Args:
        game: any game with rules.
        policy: the joint policy. For a correlation device the gains are those of the product of its marginals, as in an
            exact score, and `cce_gap` is what committing before the draws gains.
        responders: the learners to try, at least one; their budgets may differ.
        episodes: episodes for each estimate, at least 2.
        repeats: how often each learner tries, every time from a seed of its own; at least 1.
        seed: of everything.
        respond: where and when the responses are learned; no result may depend on it.

    Returns:
        A score of kind `lower_bound`; `detail` holds

        - `responders`, `budgets`, `repeats`, `seed`, `episodes`: what was asked for,
        - `attempts`: of each response its player, responder, repeat and `spawn_key` (its seed is
          `SeedSequence(seed, spawn_key=...)`), and `selected_gain`, the gain by which it was selected or not, with the
          half-width of its own 95 % interval, which the selection does not enter,
        - `chosen`: by player, the responder that was kept, `none` where no response seemed to gain,
        - `nash_conv_interval`, and the half-widths of the 95 % intervals of the values and of NashConv;
        - for a device the same of the CCE gap: `cce_gap_attempts`, `cce_gap_interval`, `cce_gap_half_width`.

    Raises:
        InputError: if there is no responder, or a number is too small.
    """
    if not responders:
        raise InputError("score_by_simulation: at least one best responder is needed")
    for name, number, least in (("episodes", episodes, 2), ("repeats", repeats, 1)):
        if number < least:
            raise InputError(f"score_by_simulation: {name} must be at least {least}, got {number}")
    n = game.num_players
    drawn, weights = components(policy, n)
    device: JointPolicy | None = None
    if len(drawn) > 1:
        device = MixturePolicy(drawn, weights)
    elif isinstance(drawn[0], MarkovCorrelatedPolicy):
        device = drawn[0]
    product = drawn[0] if device is None else marginals(device, n)
    of_product, of_device = np.random.SeedSequence(seed).spawn(2)
    tried = _Tried(game, responders, repeats, episodes, respond)
    bound = _bound(tried, product, of_product)
    detail: dict[str, Any] = {
        "responders": [responder.id for responder in responders],
        "budgets": [responder.budget for responder in responders],
        "repeats": repeats,
        "chosen": bound.chosen,
        "attempts": bound.attempts,
        "seed": seed,
        "episodes": episodes,
        "values_half_width": (Z_95 * bound.value_errors).tolist(),
        "nash_conv_half_width": bound.half_width,
        "nash_conv_interval": bound.interval,
    }
    values, cce_gap = bound.values, None
    if device is not None:
        committed = _bound(tried, device, of_device)
        values, cce_gap = committed.values, float(committed.gains.sum())
        detail["values_half_width"] = (Z_95 * committed.value_errors).tolist()
        detail["cce_gap_half_width"] = committed.half_width
        detail["cce_gap_interval"] = committed.interval
        detail["cce_gap_attempts"] = committed.attempts
    return Score(
        values=values,
        gains=bound.gains,
        cce_gap=cce_gap,
        kind=ScoreKind.LOWER_BOUND,
        normaliser=2 if n == 2 and game.constant_sum else None,
        detail=detail,
    )


@dataclass(frozen=True)
class _Tried:
    """What each player tries; see `score_by_simulation`."""

    game: Game
    responders: Sequence[BestResponder]
    repeats: int
    episodes: int
    respond: Respond


def _bound(tried: _Tried, policy: JointPolicy, seed: np.random.SeedSequence) -> _Bound:
    game, episodes, n = tried.game, tried.episodes, tried.game.num_players
    reported, compared, training, selection, judgement = seed.spawn(5)
    payoffs = simulate(game.rules, policy, episodes, reported)
    values, errors = payoffs.mean(axis=0), payoffs.std(axis=0, ddof=1) / np.sqrt(episodes)
    # Responses are chosen against a sample of their own, or the luck that chose one would count as its gain.
    baseline = simulate(game.rules, policy, episodes, compared)
    who = [(player, r, k) for player in range(n) for r in range(len(tried.responders)) for k in range(tried.repeats)]
    seeds = training.spawn(len(who))
    attempts = [Attempt(tried.responders[r], p, policy, own) for (p, r, _), own in zip(who, seeds, strict=True)]
    learned = tried.respond(game, attempts)
    best: list[tuple[float, str, JointPolicy | None]] = [(0.0, "none", None)] * n
    said: list[dict[str, Any]] = []
    for attempt, response, (player, r, repeat), select in zip(
        attempts, learned, who, selection.spawn(len(who)), strict=True
    ):
        joint = replace_player(policy, player, response, n)
        earned, before = simulate(game.rules, joint, episodes, select)[:, player], baseline[:, player]
        gain = float(earned.mean() - before.mean())
        said.append(
            {
                "player": player,
                "responder": r,
                "repeat": repeat,
                "spawn_key": list(attempt.seed.spawn_key),
                "selected_gain": gain,
                "selected_half_width": float(Z_95 * np.sqrt((earned.var(ddof=1) + before.var(ddof=1)) / episodes)),
            }
        )
        if gain > best[player][0]:
            best[player] = gain, attempt.responder.id, joint
    gains, variance, leaving = np.zeros(n), 0.0, np.zeros(n, dtype=bool)
    for player, ((_, _, kept), judge) in enumerate(zip(best, judgement.spawn(n), strict=True)):
        if kept is None:
            continue
        final = simulate(game.rules, kept, episodes, judge)[:, player]
        # A response that looked better on its first sample and worse on its second is no gain; not deviating is 0.
        gains[player] = max(0.0, float(final.mean() - values[player]))
        variance += float(final.var(ddof=1)) / episodes
        leaving[player] = True
    if leaving.any():
        # What they earn without deviating comes from the same episodes, where it is correlated: in a zero-sum game the
        # sum over all players has no error at all.
        variance += float(payoffs[:, leaving].sum(axis=1).var(ddof=1)) / episodes
    return _Bound(values, errors, gains, variance, [name for _, name, _ in best], said)


def replace_player(policy: JointPolicy, player: int, response: BehaviourPolicy, num_players: int) -> JointPolicy:
    """The joint policy in which `player` plays `response` and nobody else changes; it hears nothing of a device."""
    drawn, weights = components(policy, num_players)
    if len(drawn) > 1:
        return MixturePolicy([replace_player(each, player, response, num_players) for each in drawn], weights)
    if isinstance(drawn[0], MarkovCorrelatedPolicy):
        return _left_by(drawn[0], player, response)
    entries: list[Any] = list(player_entries(drawn[0], num_players))
    entries[player] = response
    return ProductPolicy(entries)


def _left_by(device: MarkovCorrelatedPolicy, player: int, response: BehaviourPolicy) -> MarkovCorrelatedPolicy:
    """The others are told their parts, the player draws its action from the response, independently."""
    others = device.distributions.sum(axis=1 + player, keepdims=True)
    table = player_table(device, player, response)
    beside = [len(table), *(1 for _ in range(others.ndim - 1))]
    beside[1 + player] = table.shape[1]
    return MarkovCorrelatedPolicy(device, others * table.reshape(beside))

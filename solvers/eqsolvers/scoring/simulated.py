"""A lower bound on NashConv from learned best responses, where no exact model can be built.

Timbers et al. (2022), "Approximate exploitability: learning a best response", IJCAI. Every gain is what some actual
policy achieves, so the true gain is at least that, up to the sampling error that is stated. Training and evaluation use
separate random streams, so a responder is not judged on the luck it was selected by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
class _Bound:
    """What the players' best responders gained, with its sampling error."""

    values: Float64Array  # [N], of the joint policy itself
    value_errors: Float64Array  # [N], standard errors
    gains: Float64Array  # [N]
    variance: float  # of the sum of the gains
    chosen: list[str]  # which responder each player kept


def score_by_simulation(
    game: Game,
    policy: JointPolicy,
    responders: Sequence[BestResponder],
    *,
    episodes: int = 20_000,
    seed: int = 0,
) -> Score:
    """A score from play: values are estimates, gains lower bounds.

    Each player keeps the best of its responders and of not deviating, chosen on one sample and measured on another.

    Args:
        game: any game with rules.
        policy: the joint policy. For a correlation device the gains are those of the product of its marginals, as in an
            exact score, and `cce_gap` is what committing before the draws gains.
        responders: the learners to try, at least one.
        episodes: episodes for each estimate, at least 2.
        seed: of everything.

    Returns:
        A score of kind `lower_bound`; `detail` holds the responders, budgets, seed, episodes and the half-widths of the
        95 % confidence intervals of the values, of NashConv and, for a device, of the CCE gap.
    """
    if not responders:
        raise InputError("score_by_simulation: at least one best responder is needed")
    if episodes < 2:
        raise InputError(f"score_by_simulation: episodes must be at least 2, got {episodes}")
    n = game.num_players
    drawn, weights = components(policy, n)
    device: JointPolicy | None = None
    if len(drawn) > 1:
        device = MixturePolicy(drawn, weights)
    elif isinstance(drawn[0], MarkovCorrelatedPolicy):
        device = drawn[0]
    product = drawn[0] if device is None else marginals(device, n)
    of_product, of_device = np.random.SeedSequence(seed).spawn(2)
    bound = _bound(game, product, responders, episodes, of_product)
    detail: dict[str, Any] = {
        "responders": [responder.id for responder in responders],
        "budgets": [responder.budget for responder in responders],
        "chosen": bound.chosen,
        "seed": seed,
        "episodes": episodes,
        "values_half_width": (Z_95 * bound.value_errors).tolist(),
        "nash_conv_half_width": float(Z_95 * np.sqrt(bound.variance)),
    }
    values, cce_gap = bound.values, None
    if device is not None:
        committed = _bound(game, device, responders, episodes, of_device)
        values, cce_gap = committed.values, float(committed.gains.sum())
        detail["values_half_width"] = (Z_95 * committed.value_errors).tolist()
        detail["cce_gap_half_width"] = float(Z_95 * np.sqrt(committed.variance))
    return Score(
        values=values,
        gains=bound.gains,
        cce_gap=cce_gap,
        kind=ScoreKind.LOWER_BOUND,
        normaliser=2 if n == 2 and game.constant_sum else None,
        detail=detail,
    )


def _bound(
    game: Game, policy: JointPolicy, responders: Sequence[BestResponder], episodes: int, seed: np.random.SeedSequence
) -> _Bound:
    n = game.num_players
    reported, compared, *roots = seed.spawn(2 + n * len(responders) * 3)
    payoffs = simulate(game.rules, policy, episodes, reported)
    values, errors = payoffs.mean(axis=0), payoffs.std(axis=0, ddof=1) / np.sqrt(episodes)
    # Responses are chosen against a sample of their own, or the luck that chose one would count as its gain.
    baseline = simulate(game.rules, policy, episodes, compared).mean(axis=0)
    gains, variance, chosen = np.zeros(n), 0.0, []
    streams = iter(roots)
    for player in range(n):
        best: tuple[float, float, float, str] = (0.0, 0.0, 0.0, "none")
        for responder in responders:
            train, select, judge = next(streams), next(streams), next(streams)
            response = replace_player(policy, player, responder(game, player, policy, train), n)
            trial = simulate(game.rules, response, episodes, select)[:, player]
            selected = float(trial.mean() - baseline[player])
            if selected > best[0]:
                final = simulate(game.rules, response, episodes, judge)[:, player]
                spread = final.var(ddof=1) / episodes + errors[player] ** 2
                best = (selected, float(final.mean() - values[player]), float(spread), responder.id)
        # A response that looked better on its first sample and worse on its second is no gain; not deviating is 0.
        gains[player] = max(0.0, best[1])
        variance += best[2]
        chosen.append(best[3])
    return _Bound(values, errors, gains, variance, chosen)


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

"""A lower bound on NashConv from learned best responses, where no exact model can be built.

Timbers et al. (2022), "Approximate exploitability: learning a best response", IJCAI. Every gain is what some actual
policy achieves, so the true gain is at least that, up to the sampling error that is stated. Training and evaluation use
separate random streams, so a responder is not judged on the luck it was selected by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import BehaviourPolicy, JointPolicy, MixturePolicy, ProductPolicy, player_entries
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
        policy: the joint policy; for a correlation device the gains are those of committing beforehand.
        responders: the learners to try, at least one.
        episodes: episodes for each estimate.
        seed: of everything.

    Returns:
        A score of kind `lower_bound`; `detail` holds the responders, budget, seed, episodes and the half-width of the
        95 % confidence interval of the values and of NashConv.
    """
    if not responders:
        raise InputError("score_by_simulation: at least one best responder is needed")
    n = game.num_players
    reported, compared, *roots = np.random.SeedSequence(seed).spawn(2 + n * len(responders) * 3)
    payoffs = simulate(game.rules, policy, episodes, reported)
    values = payoffs.mean(axis=0)
    # Responses are chosen against a sample of their own, or the luck that chose one would count as its gain.
    baseline = simulate(game.rules, policy, episodes, compared).mean(axis=0)
    value_error = payoffs.std(axis=0, ddof=1) / np.sqrt(episodes)
    gains, variances, chosen = np.zeros(n), np.zeros(n), []
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
                variance = final.var(ddof=1) / episodes + value_error[player] ** 2
                best = (selected, float(final.mean() - values[player]), float(variance), responder.id)
        # A response that looked better on its first sample and worse on its second is no gain; not deviating is 0.
        gains[player], variances[player] = max(0.0, best[1]), best[2]
        chosen.append(best[3])
    detail = {
        "responders": [responder.id for responder in responders],
        "budgets": [responder.budget for responder in responders],
        "chosen": chosen,
        "seed": seed,
        "episodes": episodes,
        "values_half_width": (Z_95 * value_error).tolist(),
        "nash_conv_half_width": float(Z_95 * np.sqrt(variances.sum())),
    }
    correlated = isinstance(policy, MixturePolicy) and n > 1
    return Score(
        values=values,
        gains=gains,
        ce_gap=None,
        cce_gap=float(gains.sum()) if correlated else None,
        kind=ScoreKind.LOWER_BOUND,
        constant_sum=n == 2 and game.spec.constant_sum,
        detail=detail,
    )


def replace_player(policy: JointPolicy, player: int, response: BehaviourPolicy, num_players: int) -> JointPolicy:
    """The joint policy in which `player` plays `response` and nobody else changes."""
    if isinstance(policy, MixturePolicy) and num_players > 1:
        return MixturePolicy(
            [replace_player(c, player, response, num_players) for c in policy.components], policy.weights
        )
    entries: list[Any] = list(player_entries(policy, num_players))
    entries[player] = response
    return ProductPolicy(entries)

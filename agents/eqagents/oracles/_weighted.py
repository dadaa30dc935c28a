"""A learned response to a weighted sum of opponents, whose weights may be negative and follow the response.

What is maximised is payoff + diversity of the payoffs m [J] against the J profiles of the others. Its gradient in the
policy's parameters is sum_j w_j grad m_j, w_j being the mixture's weight plus the diversity's slope at m. So profile j
is drawn with a chance q_j, for the most part in proportion to |w_j|, and what a game against it pays counts w_j / q_j
times: the policy gradient from such games is that of the objective. m is a running mean over the games, and w and q
follow it from round to round; a game keeps the factor that it was begun with. The ascent ends at a local maximum.

Cost: that of the oracle `ppo`, and a forward pass for each profile.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from eqagents.learners.deep.ppo import loss
from eqagents.oracles import OracleResult, Populations, Situation, policy_of, populations_of
from eqagents.oracles._actor_learner import begun, judged, one_for_all, played_and_fitted
from eqagents.oracles._diverse import Measure
from eqagents.oracles._opponents import Against
from eqagents.oracles._plans import others_weights
from eqagents.oracles.ppo import PPOOracleConfig, learner_of
from eqagents.rollout.cast import Acted
from eqagents.rollout.games import Shown
from eqagents.rollout.networks import ActorCritic
from eqagents.rollout.trajectory import Rollout
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import JointPolicy, MixturePolicy, ProductPolicy, uniform_play

EXPLORED = 0.2  # share of the games that is spread over all profiles alike
REMEMBERED = 0.9  # of the running means, from one round to the next


def learned_response(
    config: PPOOracleConfig,
    situation: Situation,
    oracle: str,
    measure_of: Callable[[Float64Array], Measure],
    scale: float,
) -> OracleResult:
    """Train a response.

    Args:
        config: of play and networks.
        situation: see `Oracle`; the payoffs of the empirical game must be known.
        oracle: who asks.
        measure_of: from the population's payoffs [K, J] to the diversity of a row [J].
        scale: payoffs are measured in this unit.

    Raises:
        InputError: if there are no populations, or no payoffs.
    """
    game, player = situation.game, situation.player
    populations = populations_of(situation, oracle)
    if populations.payoffs is None:
        raise InputError(
            f"oracle {oracle!r}: a learned response needs the payoffs of the empirical game; leave `learner` out"
        )
    own = np.moveaxis(populations.payoffs[player], player, 0)
    payoffs: Float64Array = own.reshape(len(own), -1) / scale
    aim = _Aim(measure_of(payoffs), others_weights(populations.meta, player), payoffs.mean(axis=0))
    games, generator, words = begun(config, game, situation.seed)
    networks = one_for_all(game.rules, config.network(), words[0])
    networks.to(games.device)
    cast = _Weighted(game, networks, player, _profiles(game, player, populations), config.num_envs, generator, aim)
    running = _Running(config.num_envs, games.discount)

    def seen(found: Rollout) -> Rollout:
        profiles, factors = cast.taken()
        rewards = found.rewards.clone()
        aim.follow(*running.ended(rewards[..., player] / scale, found, profiles, len(aim.mean)))
        rewards[..., player] *= factors
        return found._replace(rewards=rewards)

    episodes = played_and_fitted(config, learner_of(config), loss, networks, games, cast, words, seen)
    record = networks.actor.record(0, game.rules.num_actions[player])
    result = judged(situation, record, learned=episodes, episodes=config.value_episodes)
    result.metrics["diversity"] = aim.measure(aim.mean)[0]
    return result


class _Aim:
    """The weights of the profiles, as the response's payoffs are known.

    Attributes:
        measure: of the payoffs [J].
        mean: [J], the response's payoffs.
    """

    def __init__(self, measure: Measure, mixture: Float64Array, mean: Float64Array) -> None:
        self.measure, self.mean, self._mixture = measure, mean, mixture
        self._sums, self._counts = np.zeros(len(mean)), np.zeros(len(mean))

    def follow(self, sums: Float64Array, counts: Float64Array) -> None:
        """With what further games paid [J], and how many they were [J]."""
        self._sums, self._counts = REMEMBERED * self._sums + sums, REMEMBERED * self._counts + counts
        self.mean = np.where(self._counts > 0, self._sums / np.maximum(self._counts, 1e-12), self.mean)

    def chances(self) -> tuple[Float64Array, Float64Array]:
        """Of the profiles [J], and what a game against each counts [J]."""
        weights = self._mixture + self.measure(self.mean)[1]
        size = np.abs(weights)
        chances = EXPLORED / len(size) + (1.0 - EXPLORED) * size / max(float(size.sum()), 1e-12)
        chances /= chances.sum()
        return chances, weights / chances


class _Weighted(Against):
    """One player against profiles drawn as an aim says."""

    def __init__(
        self,
        game: Game,
        networks: ActorCritic,
        player: int,
        profiles: list[JointPolicy],
        batch: int,
        generator: torch.Generator,
        aim: _Aim,
    ) -> None:
        self._aim, self._factors = aim, torch.zeros(batch, device=generator.device)
        self._stages: list[tuple[Tensor, Tensor]] = []
        drawn = MixturePolicy(profiles, np.full(len(profiles), 1.0 / len(profiles)))
        super().__init__(game, networks, player, drawn, batch, generator)

    def redraw(self, rows: Tensor) -> None:
        """See `Against`."""
        chances, factor = (torch.tensor(part, device=rows.device) for part in self._aim.chances())
        self._weights = chances
        super().redraw(rows)
        self._factors = torch.where(rows, factor[self._profile].float(), self._factors)

    def act(self, shown: Shown) -> Acted:
        """See `Cast`."""
        self._stages.append((self._profile, self._factors))
        return super().act(shown)

    def taken(self) -> tuple[Tensor, Tensor]:
        """The profiles and factors of all stages since the last call, [T, B] each."""
        profiles, factors = (torch.stack(column) for column in zip(*self._stages, strict=True))
        self._stages = []
        return profiles, factors


class _Running:
    """What the games in progress have paid so far."""

    def __init__(self, batch: int, discount: float) -> None:
        self._paid, self._weight, self._discount = torch.zeros(batch), torch.ones(batch), discount

    def ended(self, rewards: Tensor, found: Rollout, profiles: Tensor, count: int) -> tuple[Float64Array, Float64Array]:
        """The sums of payoffs [J] and numbers [J] of the games that ended, by profile.

        Args:
            rewards: [T, B] of the player, before any factor.
            found: the rollout.
            profiles: [T, B].
            count: J.
        """
        sums, counts = torch.zeros(count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64)
        stages = rewards.cpu(), found.over.cpu(), found.cut.cpu(), profiles.cpu()
        for paid, over, cut, profile in zip(*stages, strict=True):
            self._paid += self._weight * paid
            self._weight *= self._discount
            sums.index_add_(0, profile[over], self._paid[over].double())
            counts.index_add_(0, profile[over], torch.ones(int(over.sum()), dtype=torch.float64))
            gone = over | cut
            self._paid, self._weight = self._paid.masked_fill(gone, 0.0), self._weight.masked_fill(gone, 1.0)
        return sums.numpy(), counts.numpy()


def _profiles(game: Game, player: int, populations: Populations) -> list[JointPolicy]:
    """The others' profiles, in C order of their members."""
    policies = [
        [uniform_play] if p == player else [policy_of(game, p, member) for member in members]
        for p, members in enumerate(populations.members)
    ]
    return [ProductPolicy(list(profile)) for profile in itertools.product(*policies)]

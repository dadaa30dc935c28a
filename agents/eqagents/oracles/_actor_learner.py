"""A best response by the actor-learner: one player's network learns, the others play what they are given.

Play, advantages, losses and gradient steps are those of the learners in `eqagents.learners.deep`; here the other seats
are taken by fixed opponents, drawn anew for every game, so the response is to their mixture and not to one member
(Lanctot et al. 2017, NeurIPS). Step size and entropy bonus fall linearly to zero, so that the last policy is nearly
pure, as a best response is.

Cost: updates x num_envs x steps stages of play and one gradient pass over the player's decisions for each epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from eqagents.configuration import NamedSettings
from eqagents.learners.deep._batch import Batch, batch_of
from eqagents.learners.deep._config import ActorLearnerConfig, FitConfig
from eqagents.learners.deep._engine import Loss, Terms
from eqagents.learners.deep._fit import Fitter
from eqagents.learners.deep._schedule import Schedule
from eqagents.oracles import OracleResult, OracleSpec, Situation
from eqagents.oracles._opponents import Against
from eqagents.policies import PolicyRecord, to_network, to_policy
from eqagents.policies.mlp import Activation, MaskedMLP
from eqagents.rollout.cast import Cast
from eqagents.rollout.games import Games, Source
from eqagents.rollout.networks import ActorCritic, NetworkConfig, RoleNetwork
from eqagents.rollout.play import rollout
from eqagents.rollout.task import games_of
from eqagents.rollout.trajectory import Rollout
from eqenvs.arrays import require_torch_device
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.rules import Rules
from eqenvs.simulation import simulate
from eqsolvers.scoring.simulated import replace_player


class ResponseConfig(NamedSettings):
    """Settings of every oracle that learns from play with networks."""

    updates: int = Field(default=300, ge=1, description="rounds of play and learning per response")
    num_envs: int = Field(default=256, ge=1, description="games side by side")
    steps: int = Field(default=32, ge=1, description="stages of every game in a round; games go on in the next")
    hidden: tuple[PositiveInt, ...] = Field(default=(128, 128), description="widths of the networks' hidden layers")
    activation: Activation = "relu"
    learning_rate: float = Field(
        default=5e-3, gt=0, description="Adam's step size at the start, annealed linearly to 0"
    )
    gradient_clip: float = Field(default=1.0, gt=0, description="largest norm of a gradient")
    value_episodes: int = Field(
        default=1024, ge=2, description="episodes played at the end to say what the response earns"
    )
    warm_start: bool = Field(
        default=False,
        description="start from the player's previous response: faster, but the responses resemble each other",
    )
    source: Source = Field(
        default="auto", description="play from a table or from the rules; auto: a table where the game is small"
    )
    device: str = Field(default="cpu", description="torch device of the networks and of the games")

    def network(self) -> NetworkConfig:
        """The shape of the networks."""
        return NetworkConfig(hidden=self.hidden, activation=self.activation)

    def falling(self, start: float) -> Schedule:
        """A coefficient that is 0 at the end."""
        return Schedule(start=start, end=0.0, over=self.updates)


class ActorCriticConfig(ResponseConfig):
    """Settings of every oracle with an actor and a critic."""

    trace: float = Field(default=0.95, ge=0, le=1, description="lambda of the advantage estimates")

    def fit(self, epochs: int, minibatches: int) -> FitConfig:
        """How the networks are fitted."""
        return FitConfig(
            learning_rate=self.falling(self.learning_rate),
            gradient_clip=self.gradient_clip,
            device=self.device,
            epochs=epochs,
            minibatches=minibatches,
        )


class EntropyConfig(ActorCriticConfig):
    """Settings of those of them that explore by an entropy bonus."""

    entropy: float = Field(
        default=0.03, ge=0, description="entropy bonus at the start, in standardised advantage per nat"
    )


# From an oracle's settings to those of the learner whose loss it uses.
AsLearner = Callable[[ActorCriticConfig], ActorLearnerConfig]


def actor_critic_oracle(name: str, config: type[ActorCriticConfig], loss: Loss, learner: AsLearner) -> OracleSpec:
    """The spec of an oracle that is a learner's loss and nothing more."""

    def respond(config: ActorCriticConfig, situation: Situation) -> OracleResult:
        """Train a response; see `Oracle`."""
        record, episodes = _train(config, learner(config), loss, situation)
        return judged(situation, record, learned=episodes, episodes=config.value_episodes)

    return OracleSpec(id=name, config=config, respond=respond, needs_model=False, check=check)


def one_for_all(rules: Rules[Any], config: NetworkConfig, seed: int, width: int | None = None) -> ActorCritic:
    """A policy and a critic, whatever the role they play; `width` of what they see, by default an observation's."""
    width = rules.observation_size if width is None else width
    networks = ActorCritic(width, width, (rules.max_actions,), config, seed)
    networks.num_actions = (rules.max_actions,) * rules.num_players
    return networks


def _train(
    config: ActorCriticConfig, learner: ActorLearnerConfig, loss: Loss, situation: Situation
) -> tuple[PolicyRecord, int]:
    """The response, and how many games were begun."""
    game, player, start = situation.game, situation.player, situation.warm_start
    games, generator, words = begun(config, game, situation.seed)
    networks = one_for_all(game.rules, config.network(), words[0])
    if config.warm_start and start is not None:
        take_up(networks.actor, start, game, player)
    networks.to(games.device)
    cast = Against(game, networks, player, situation.opponents, config.num_envs, generator)
    episodes = played_and_fitted(config, learner, loss, networks, games, cast, words)
    return networks.actor.record(0, game.rules.num_actions[player]), episodes


def played_and_fitted(
    config: ActorCriticConfig,
    learner: ActorLearnerConfig,
    loss: Loss,
    networks: ActorCritic,
    games: Games,
    cast: Cast,
    words: Sequence[int],
    seen: Callable[[Rollout], Rollout] = lambda found: found,
) -> int:
    """Alternate play and fitting, in place.

    Args:
        config: of the oracle.
        learner: whose loss it is.
        loss: of the policy.
        networks: are fitted; one role.
        games: not yet begun.
        cast: who plays, the networks among them.
        words: seeds, as `begun` gives them.
        seen: what is learned from a rollout.

    Returns:
        How many games were begun.
    """
    fitter = Fitter(networks, learner.fit)
    order = torch.Generator().manual_seed(words[1])
    shown, episodes = games.begin(words[2]), config.num_envs
    for update in range(config.updates):
        found, shown = rollout(games, cast, shown, config.steps)
        episodes += int((found.over | found.cut).sum())
        batch = batch_of(seen(found), games.roles, games.discount, learner.trace, standardised=learner.fit.standardised)
        terms = Terms(learner, update, None)

        def of_policy(log_policy: Tensor, part: Batch, terms: Terms = terms) -> Tensor:
            return loss(log_policy, part, terms)

        if len(batch.actions):
            fitter.fit(batch, of_policy, update, order)
    return episodes


def begun(
    config: ResponseConfig, game: Game, seed: np.random.SeedSequence
) -> tuple[Games, torch.Generator, tuple[int, ...]]:
    """The games of a response, the generator of everybody's moves, and three seeds of 63 bits for the rest."""
    moves, *words = (int(word) for word in seed.generate_state(4, np.uint64) >> np.uint64(1))
    games = games_of(game, config.num_envs, config.device, config.source)
    return games, torch.Generator(games.device).manual_seed(moves), tuple(words)


def judged(situation: Situation, record: PolicyRecord, *, learned: int, episodes: int) -> OracleResult:
    """With what the response earns in so many episodes that it did not learn from, beside the `learned` ones."""
    game, player, seed = situation.game, situation.player, situation.seed
    policy = replace_player(situation.opponents, player, to_policy(record, game, player), game.num_players)
    # A key of its own, not a child: the caller's seed is left as it is.
    own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, 1))
    payoffs = simulate(game.rules, policy, episodes, own)[:, player]
    metrics = {"value": float(payoffs.mean()), "value_stderr": float(payoffs.std(ddof=1) / np.sqrt(len(payoffs)))}
    return OracleResult(record, metrics, learned + episodes)


def take_up(started: RoleNetwork, record: PolicyRecord, game: Game, player: int) -> None:
    """Write a record's weights to a network of one role; a record that is no network is left aside.

    Raises:
        InputError: if the record's network has another shape.
    """
    network = to_network(record, game, player)
    if network is None:
        return
    inside = started.network
    shape = (inside.hidden, inside.activation)
    if not isinstance(network, MaskedMLP) or (network.hidden, network.activation) != shape:
        found = (network.hidden, network.activation) if isinstance(network, MaskedMLP) else type(network).__name__
        raise InputError(f"config: warm_start: the previous response is {found}, hidden and activation say {shape}")
    write(started, [(layer.weight, layer.bias) for layer in network.layers if isinstance(layer, torch.nn.Linear)])


@torch.no_grad()
def write(started: RoleNetwork, layers: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Write layers' weights [out, in] and biases [out] to a network of one role."""
    inside = started.network
    for (given, shift), weight, bias in zip(layers, inside.weights, inside.biases, strict=True):
        outputs = len(shift)  # the head has the game's width, of which a player may use less
        weight[0, :, :outputs], bias[0, :outputs] = given.T, shift


def check(config: ResponseConfig) -> None:
    """Raise InputError if the device is absent where the oracle runs."""
    require_torch_device(torch, config.device)

"""Playing as a task: games and networks are kept by the process that plays, what goes in and out are arrays."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch

from eqagents.rollout.behaviour import Behaviour
from eqagents.rollout.cast import SOFTMAX, Cast, Seat
from eqagents.rollout.games import Games, Source
from eqagents.rollout.networks import ActorCritic, NetworkConfig, QNetworks, tensors_of
from eqagents.rollout.play import collected
from eqenvs.errors import InputError
from eqenvs.game import Game


@lru_cache(maxsize=4)  # laying a game out as a table costs far more than playing it for a while
def games_of(game: Game, num_envs: int, device: str, source: Source) -> Games:
    """A batch of games of this process, made once; whoever asks starts it anew."""
    return Games(game, num_envs, device, source)


def networks_of(game: Game, config: NetworkConfig, seed: int = 0) -> ActorCritic:
    """Networks for all roles of a game.

    Raises:
        InputError: if the critic is to see what all players see in a game whose agents are interchangeable.
    """
    rules = game.rules
    roles = max(rules.roles) + 1
    if config.centralised_critic and roles < rules.num_players:
        raise InputError("config: network.centralised_critic is for games whose players are told apart")
    width = rules.observation_size
    actions = tuple(rules.num_actions[rules.roles.index(role)] for role in range(roles))
    return ActorCritic(width, width * (rules.num_players if config.centralised_critic else 1), actions, config, seed)


def critics_of(game: Game, config: NetworkConfig, seed: int = 0) -> QNetworks:
    """Action values for all roles of a game.

    Raises:
        InputError: if the critic is to see what all players see.
    """
    return _q_networks(game, config, seed, actor=False)


def critics_and_actors_of(game: Game, config: NetworkConfig, seed: int = 0) -> QNetworks:
    """Action values and policies for all roles of a game.

    Raises:
        InputError: if the critic is to see what all players see.
    """
    return _q_networks(game, config, seed, actor=True)


def _q_networks(game: Game, config: NetworkConfig, seed: int, *, actor: bool) -> QNetworks:
    if config.centralised_critic:
        raise InputError("config: network.centralised_critic is for learners from state values; action values see less")
    rules = game.rules
    actions = tuple(rules.num_actions[rules.roles.index(role)] for role in range(max(rules.roles) + 1))
    return QNetworks(rules.observation_size, actions, config, seed, actor=actor)


class MakesNetworks(Protocol):
    """`networks_of` or one like it; a function of a module, so that its name can be sent to who plays."""

    def __call__(self, game: Game, config: NetworkConfig, seed: int = 0) -> ActorCritic | QNetworks:
        """Networks for all roles of a game."""


def play(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    network: NetworkConfig,
    weights: Mapping[str, Any],
    snapshot: Any,
    num_envs: int,
    steps: int,
    source: Source,
    device: str,
    seats: Mapping[int, Seat],
    arrays: bool,
    make: MakesNetworks = networks_of,
    behaviour: Behaviour = SOFTMAX,
) -> dict[str, Any]:
    """One batch of games played on for some stages.

    Args:
        seed: of the play.
        game: the game.
        network: shape of the networks.
        weights: theirs, arrays or tensors.
        snapshot: where the games stand; None for new ones.
        num_envs: games.
        steps: stages.
        source: see `Games`.
        device: where.
        seats: roles that are played by populations.
        arrays: give numpy arrays rather than tensors of the device.
        make: gives networks of the shape.
        behaviour: how they play.

    Returns:
        The parts of the rollout, the next snapshot, and the seconds that it took.
    """
    started = time.perf_counter()
    stream, chance = (int(word) for word in seed.generate_state(2, np.uint64) >> np.uint64(1))
    games = games_of(game, num_envs, device, source)
    networks = make(game, network)
    networks.load_state_dict(tensors_of(weights, "cpu"))
    networks.to(games.device)
    cast = Cast(game, networks, seats, num_envs, torch.Generator(games.device).manual_seed(stream), behaviour)
    found, after = collected(games, cast, steps, seed=chance, snapshot=snapshot, central=network.centralised_critic)
    parts: list[Any] = [part.cpu().numpy() for part in found] if arrays else list(found)
    return {"rollout": parts, "snapshot": after, "seconds": time.perf_counter() - started}

"""Playing as a task: games and networks are kept by the process that plays, what goes in and out are arrays."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch

from eqagents.rollout.behaviour import Behaviour
from eqagents.rollout.cast import SOFTMAX, Cast
from eqagents.rollout.games import Games, Source
from eqagents.rollout.memory import memory_named
from eqagents.rollout.networks import ActorCritic, NetworkConfig, QNetworks, tensors_of
from eqagents.rollout.play import collected
from eqagents.rollout.trajectory import changed_once
from eqenvs.errors import InputError
from eqenvs.game import Game


@lru_cache(maxsize=4)  # laying a game out as a table costs far more than playing it for a while
def games_of(game: Game, num_envs: int, device: str, source: Source) -> Games:
    """A batch of games of this process, made once; whoever asks starts it anew."""
    return Games(game, num_envs, device, source)


@lru_cache(maxsize=4)  # initial weights cost more than to write others over them
def _networks_to_play(make: MakesNetworks, game: Game, config: NetworkConfig, device: str) -> ActorCritic | QNetworks:
    """Networks of this process, made once; whoever asks gives them their weights."""
    return make(game, config).to(device)


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

    def __hash__(self) -> int:
        """As of every function."""


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
        arrays: give numpy arrays rather than tensors of the device.
        make: gives networks of the shape.
        behaviour: how they play.

    Returns:
        The parts of the rollout, the next snapshot, and the seconds that it took.

    Raises:
        InputError: if memory does not suffice.
    """
    started = time.perf_counter()
    stream, chance = (int(word) for word in seed.generate_state(2, np.uint64) >> np.uint64(1))
    with memory_named(lambda: _out_of_memory(game, weights, num_envs, steps, device)):
        games = games_of(game, num_envs, device, source)
        networks = _networks_to_play(make, game, network, str(games.device))
        networks.load_state_dict(tensors_of(weights, games.device))
        cast = Cast(game, networks, {}, num_envs, torch.Generator(games.device).manual_seed(stream), behaviour)
        found, after = collected(games, cast, steps, seed=chance, snapshot=snapshot, central=network.centralised_critic)
        parts = changed_once(found, lambda part: part.cpu().numpy()) if arrays else list(found)
    return {"rollout": parts, "snapshot": after, "seconds": time.perf_counter() - started}


def _out_of_memory(game: Game, weights: Mapping[str, Any], num_envs: int, steps: int, device: str) -> str:
    count = sum(int(np.prod(part.shape)) for part in weights.values())
    return (
        f"out of memory on {device} while playing: {num_envs:,} games of {steps:,} stages, "
        f"{game.rules.observation_size:,} numbers seen at each, and {count:,} weights; lower play.num_envs, play.steps "
        "or network.hidden"
    )

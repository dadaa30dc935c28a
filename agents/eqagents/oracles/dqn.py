"""A learned best response: deep Q-learning from what was played in this and earlier rounds.

Mnih et al. (2015), "Human-level control through deep reinforcement learning", Nature 518: the loss of the learner `dqn`
and its differences from the paper. Against fixed opponents a player's decisions form a Markov decision process over its
information states, and what was played long ago is as good as what was played now. The response is the greedy policy.

Cost: updates x num_envs x steps stages of play, and 3 passes over updates x replay.updates x replay.batch decisions.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from eqagents.distributed import InlineExecutor
from eqagents.learners.deep._actors import Played
from eqagents.learners.deep._config import GradientConfig, PlayConfig
from eqagents.learners.deep._off_policy import OffPolicyLearner, ReplayConfig
from eqagents.learners.deep._schedule import Schedule
from eqagents.learners.deep.dqn import DQNConfig, method
from eqagents.oracles import OracleResult, OracleSpec, Situation
from eqagents.oracles._actor_learner import ResponseConfig, begun, check, judged, take_up
from eqagents.oracles._opponents import Against
from eqagents.policies import PolicyRecord
from eqagents.rollout.behaviour import Behaviour
from eqagents.rollout.games import Games, Shown
from eqagents.rollout.networks import SHARPNESS, NetworkConfig, QNetworks, Weights
from eqagents.rollout.play import rollout
from eqenvs.game import Game


class DQNOracleConfig(ResponseConfig):
    """Settings of the oracle `dqn`."""

    id: Literal["dqn"] = "dqn"
    updates: int = Field(default=100, ge=1, description="rounds of play and learning per response")
    gradient_clip: float = Field(default=10.0, gt=0, description="largest norm of a gradient")
    epsilon: float = Field(
        default=0.1, ge=0, le=1, description="share of moves drawn uniformly at the end of play; it starts at 1"
    )
    double: bool = Field(default=True, description="choose the next action by the network, not by its target's values")
    replay: ReplayConfig = ReplayConfig(capacity=200_000, warm_up=0, batch=512, target_every=1)


def respond(config: DQNOracleConfig, situation: Situation) -> OracleResult:
    """Train a response; see `Oracle`."""
    record, episodes = trained(config, situation)
    return judged(situation, record, learned=episodes, episodes=config.value_episodes)


def trained(config: DQNOracleConfig, situation: Situation) -> tuple[PolicyRecord, int]:
    """The response, and how many games were begun."""
    game, player = situation.game, situation.player
    games, generator, words = begun(config, game, situation.seed)
    networks = _one_for_all(game, config.network()).to(games.device)
    cast = Against(game, networks, player, situation.opponents, config.num_envs, generator)
    plays = _Play(games, cast, networks, games.begin(words[2]), config.steps)
    settings = _learner(config)
    learner = OffPolicyLearner(game, settings, InlineExecutor(0), method(settings, _one_for_all), plays=plays)
    state = learner.init(np.random.SeedSequence(words[:2]))
    if config.warm_start and situation.warm_start is not None:
        networks.load_state_dict(state.weights)
        take_up(networks.critic, values_of(situation.warm_start), game, player)
        weights = networks.weights()
        state = replace(state, weights=weights, target=weights)
    for _ in range(config.updates):
        state, _ = learner.step(state)
    return learner.record(state, player), plays.episodes


def _learner(config: DQNOracleConfig) -> DQNConfig:
    return DQNConfig(
        play=PlayConfig(num_envs=config.num_envs, steps=config.steps, source=config.source, device=config.device),
        network=config.network(),
        fit=GradientConfig(
            learning_rate=config.falling(config.learning_rate), gradient_clip=config.gradient_clip, device=config.device
        ),
        replay=config.replay,
        double=config.double,
        epsilon=Schedule(start=1.0, end=config.epsilon, over=config.updates),
    )


def _one_for_all(game: Game, config: NetworkConfig, seed: int = 0) -> QNetworks:
    """One network, whatever the role it plays."""
    rules = game.rules
    networks = QNetworks(rules.observation_size, (rules.max_actions,), config, seed, actor=False)
    networks.num_actions = tuple(rules.num_actions)
    return networks


def values_of(record: PolicyRecord) -> PolicyRecord:
    """The action values of which a response's record is the greedy policy; see `QNetworks.records`."""
    if record["kind"] != "mlp":
        return record
    weights: dict[str, Any] = dict(record["weights"])
    *_, head, bias = weights
    weights[head], weights[bias] = weights[head] / np.float32(SHARPNESS), weights[bias] / np.float32(SHARPNESS)
    return {**record, "weights": weights}


class _Play:
    """Games against the opponents in this process, which keeps them: the learner's snapshots are not used."""

    def __init__(self, games: Games, cast: Against, networks: QNetworks, shown: Shown, steps: int) -> None:
        self._games, self._cast, self._networks, self._shown, self._steps = games, cast, networks, shown, steps
        self.episodes = games.num_envs  # begun

    def begin(self, iteration: int, weights: Weights, behaviour: Behaviour, snapshots: tuple[Any, ...]) -> None:
        """Nothing: nobody could play meanwhile."""

    def collect(self, iteration: int, weights: Weights, behaviour: Behaviour, snapshots: tuple[Any, ...]) -> Played:
        """See `Plays`."""
        started = time.perf_counter()
        self._networks.load_state_dict(weights)
        self._cast.behaviour = behaviour
        found, self._shown = rollout(self._games, self._cast, self._shown, self._steps)
        self.episodes += int((found.over | found.cut).sum())
        return Played(found, snapshots, time.perf_counter() - started)


ORACLE = OracleSpec(id="dqn", config=DQNOracleConfig, respond=respond, needs_model=False, check=check)

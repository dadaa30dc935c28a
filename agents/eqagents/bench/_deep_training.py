"""PPO's samples a second, end to end: beside OpenSpiel's torch PPO, and where the time and the memory go.

A sample is a decision that is played and learnt from: four passes in four minibatches, two perceptrons of two layers of
64, 64 games at once, 128 stages each, one thread. OpenSpiel's agent learns a single player's game, so its observations,
legal actions and rewards are handed over as those of whoever is to move; it does the same work a sample, and what it
learns is not looked at.
"""

from __future__ import annotations

import contextlib
import importlib
import statistics
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._measure import medians, paired
from eqagents.configuration import validate
from eqagents.distributed import InlineExecutor, one_torch_thread
from eqagents.learners.deep import ppo
from eqagents.learners.deep._engine import ActorLearner
from eqagents.rollout import Games
from eqenvs.game import Game

GAMES = ("kuhn_poker", "leduc_poker", "tic_tac_toe", "connect_four")  # OpenSpiel calls them the same
ENVS, STEPS, HIDDEN, PASSES, PARTS = 64, 128, (64, 64), 4, 4


def learner_of(game: Game, *, envs: int = ENVS, steps: int = STEPS) -> ActorLearner:
    """PPO with the settings above."""
    config = validate(
        ppo.PPOConfig,
        {
            "play": {"num_envs": envs, "steps": steps},
            "network": {"hidden": HIDDEN},
            "fit": {"epochs": PASSES, "minibatches": PARTS},
        },
    )
    built = ppo.LEARNER.build(game, config, InlineExecutor(0))
    assert isinstance(built, ActorLearner)
    return built


class Ours:
    """Iterations, and what they took."""

    def __init__(self, learner: ActorLearner) -> None:
        self._learner, self._state = learner, learner.init(np.random.SeedSequence(0))
        self.decisions, self.bytes = 0.0, 0.0
        self._played: list[float] = []
        self._learned: list[float] = []

    def __call__(self, iterations: int) -> None:
        """Some iterations."""
        for _ in range(iterations):
            self._state, metrics = self._learner.step(self._state)
            self.decisions = metrics["samples/decisions"]
            self._played.append(metrics["time/played_s"])
            self._learned.append(metrics["time/learned_s"])
            self.bytes = metrics["memory/rollout_bytes"]

    @property
    def play_share(self) -> float:
        """Of an iteration's time, by the medians."""
        played, learned = statistics.median(self._played), statistics.median(self._learned)
        return played / (played + learned)


def _peer(name: str, envs: int, steps: int) -> Callable[[int], None] | None:
    """Iterations of OpenSpiel's PPO; None where it or the game is absent."""
    try:
        ppo_module: Any = importlib.import_module("open_spiel.python.pytorch.ppo")
        environment: Any = importlib.import_module("open_spiel.python.rl_environment")
        vector: Any = importlib.import_module("open_spiel.python.vector_env")
        games = vector.SyncVectorEnv([environment.Environment(name) for _ in range(envs)])
    except (ImportError, RuntimeError):
        return None
    spec = games.envs[0].observation_spec()
    shape = tuple(np.atleast_1d(spec["info_state"]))
    actions = games.envs[0].action_spec()["num_actions"]
    agent = ppo_module.PPO(
        input_shape=shape, num_actions=actions, num_players=2, num_envs=envs, steps_per_batch=steps,
        num_minibatches=PARTS, update_epochs=PASSES, agent_fn=ppo_module.PPOAgent,
    )  # fmt: skip
    shown = [games.reset()]

    def mover(step: Any) -> Any:
        player = max(0, step.observations["current_player"])
        told = {key: [step.observations[key][player]] for key in ("info_state", "legal_actions")}
        return SimpleNamespace(observations=told)

    def run(iterations: int) -> None:
        for _ in range(iterations):
            for _ in range(steps):
                outputs = agent.step([mover(step) for step in shown[0]])
                after, rewards, done, _ = games.step(outputs, reset_if_done=True)
                agent.post_step([reward[0] for reward in rewards], done)
                shown[0] = after
            with contextlib.redirect_stdout(None):
                agent.learn([mover(step) for step in shown[0]])

    return run


def _random_play(games: Games, steps: int) -> float:
    """CPU seconds of as many stages with the first legal action: the environments alone."""
    shown = games.begin(0)
    started = time.process_time()
    for _ in range(steps):
        shown = games.step(shown.masks.int().argmax(dim=-1)).shown
    return time.process_time() - started


class _Saved:
    """Bytes that autograd keeps for the backward pass."""

    def __init__(self) -> None:
        self.kept: dict[int, int] = {}

    def __call__(self, tensor: Tensor) -> Tensor:
        self.kept[tensor.data_ptr()] = tensor.nbytes
        return tensor


def _update_bytes(learner: ActorLearner, decisions: int, game: Game) -> int:
    """What a gradient step on one minibatch holds: what autograd saves, and weights, gradients and Adam's two means."""
    networks = learner.networks
    rows = max(1, decisions // PARTS)
    seen = torch.zeros(rows, game.rules.observation_size)
    masks = torch.ones(rows, game.rules.max_actions, dtype=torch.bool)
    saved = _Saved()
    with torch.autograd.graph.saved_tensors_hooks(saved, lambda tensor: tensor):
        log_policy = networks.log_policy(seen, torch.zeros(rows, dtype=torch.int64), masks)
        values = networks.values(seen, torch.zeros(rows, dtype=torch.int64))
        del log_policy, values
    weights = sum(part.nbytes for part in networks.parameters())
    return sum(saved.kept.values()) + 4 * weights


def section(settings: Settings) -> Section:
    """Samples a second."""
    rows: list[Row] = []
    names = GAMES[:1] if settings.quick else GAMES
    envs, steps = (8, 16) if settings.quick else (ENVS, STEPS)
    with one_torch_thread("the benchmark"):
        for name in names:
            game = eqenvs.make(name)
            learner = learner_of(game, envs=envs, steps=steps)
            ours = Ours(learner)
            peer = _peer(name, envs, steps)
            measured = paired({"eqenvs": ours, "open_spiel": peer}, settings)
            seconds = medians(measured)
            games = Games(game, envs)
            alone = statistics.median(_random_play(games, steps) for _ in range(settings.rounds))
            environment = alone / seconds["eqenvs"]
            row: Row = {
                "game": name,
                "eqenvs": ours.decisions / seconds["eqenvs"],
                "open_spiel": envs * steps / seconds["open_spiel"] if peer else None,
                "environment": environment,
                "inference": ours.play_share - environment,
                "learning": 1 - ours.play_share,
                "rollout_mb": ours.bytes / 1e6,
                "update_mb": _update_bytes(learner, round(ours.decisions), game) / 1e6,
            }
            if peer:
                row["ratio"] = row["eqenvs"] / row["open_spiel"]
            rows.append(row)
            settings.say(brief(row))
    return Section(
        id="training",
        title="PPO: samples a second from play to update, and the shares of an iteration",
        columns={
            "game": "game",
            "eqenvs": "eqenvs",
            "open_spiel": "OpenSpiel",
            "ratio": "ratio",
            "environment": "environment",
            "inference": "inference",
            "learning": "learning",
            "rollout_mb": "MB of play",
            "update_mb": "MB of a gradient step",
        },
        rows=rows,
        notes=(
            "Two perceptrons of two layers of 64, 4 passes in 4 minibatches, 64 games of 128 stages an iteration, "
            "Adam, one thread. Every stage of OpenSpiel's is counted as a sample, of ours only those with a choice.",
            "Play grows with play.num_envs x play.steps, a gradient step with those over fit.minibatches; the latter "
            "is what autograd keeps, weights, gradients and Adam's means.",
        ),
    )


BATCHES = (64, 1024, 8192)


def batches(settings: Settings) -> Section:
    """Play and learning as the batch of games grows."""
    rows: list[Row] = []
    game = eqenvs.make("leduc_poker")
    with one_torch_thread("the benchmark"):
        for envs in BATCHES[:1] if settings.quick else BATCHES:
            steps = 16
            ours = Ours(learner_of(game, envs=envs, steps=steps))
            seconds = medians(paired({"eqenvs": ours}, settings))["eqenvs"]
            games = Games(game, envs)
            alone = min(map(partial(_random_play, games), [steps] * settings.rounds))
            rows.append(
                {
                    "games": envs,
                    "samples": ours.decisions / seconds,
                    "environment_steps": envs * steps / alone,
                    "play_steps": envs * steps / (seconds * ours.play_share),
                    "rollout_mb": ours.bytes / 1e6,
                }
            )
            settings.say(brief(rows[-1]))
    return Section(
        id="batches",
        title="Leduc poker: stages a second by the number of games at once",
        columns={
            "games": "games at once",
            "environment_steps": "environment alone",
            "play_steps": "with networks",
            "samples": "PPO, end to end",
            "rollout_mb": "MB of play",
        },
        rows=rows,
    )

"""The run loop: a configuration becomes a run directory; a run directory goes on, is scored, or gives its policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import eqenvs
from eqagents.configuration import NamedSettings, validate
from eqagents.distributed import InlineExecutor, make_executor, one_torch_thread
from eqagents.learners import Learner, find_learner
from eqagents.oracles import find_oracle
from eqagents.policies.records import to_policy
from eqagents.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from eqagents.training.config import RunConfig, ScoreConfig
from eqagents.training.files import write_json
from eqagents.training.metrics import MetricsWriter
from eqagents.training.run_directory import RunDirectory
from eqenvs.errors import CheckpointError
from eqenvs.game import Game
from eqenvs.policies import BehaviourPolicy, JointPolicy
from eqsolvers.scoring import Score, score, score_by_simulation


@dataclass(frozen=True)
class Progress:
    """What a run reports after each iteration.

    Attributes:
        iteration: iterations done.
        iterations: iterations in all.
        metrics: of the iteration, the score's among them where it was due.
        score: where it was due.
    """

    iteration: int
    iterations: int
    metrics: dict[str, float]
    score: Score | None


OnProgress = Callable[[Progress], None]


class OracleResponder:
    """A learned oracle as the best responder of `score_by_simulation`."""

    def __init__(self, config: NamedSettings) -> None:
        self.id: str = config.id
        self.budget = config.model_dump(mode="json")
        self._config = config

    def __call__(self, game: Game, player: int, policy: JointPolicy, seed: np.random.SeedSequence) -> BehaviourPolicy:
        """Train against the others' entries of `policy`."""
        found = find_oracle(self.id).respond(self._config, game, player, policy, seed, None)
        return to_policy(found.record, game, player)


def score_as(config: ScoreConfig, game: Game, policy: JointPolicy, seed: int) -> Score:
    """The score that a configuration asks for."""
    if config.method == "exact":
        return score(game, policy)
    with one_torch_thread("scoring"):  # as in a task, or the bits would depend on the driver's threads
        return score_by_simulation(game, policy, [OracleResponder(config.oracle)], episodes=config.episodes, seed=seed)


def train(config: RunConfig, path: Path, on_progress: OnProgress = lambda _: None) -> RunDirectory:
    """Start a run.

    Args:
        config: the run's configuration.
        path: where its directory is to be; it must not hold anything.
        on_progress: called after each iteration, and once at the start.

    Raises:
        InputError: for a bad configuration, or a directory that is in use; nothing is written then.
    """
    RunDirectory.require_free(path)
    with ExitStack() as stack:
        game, learner = _build(config, stack)
        state = learner.init()
        run = RunDirectory.create(path, config.model_dump(mode="json"))
        _loop(config, run, game, learner, state, on_progress, fresh=True)
    return run


def resume(path: Path, on_progress: OnProgress = lambda _: None) -> RunDirectory:
    """Go on with a run from its last checkpoint (from the start, if it was stopped before the first one).

    Raises:
        CheckpointError: if there is no run, or its checkpoint is corrupt or belongs to another game.
    """
    run = RunDirectory.open(path)
    config = _config_of(run)
    with ExitStack() as stack:
        game, learner = _build(config, stack)
        if list_checkpoints(run.checkpoints):
            state, fresh = _load(run, config, learner), False
        else:
            state, fresh = learner.init(), True
        _loop(config, run, game, learner, state, on_progress, fresh=fresh)
    return run


def _config_of(run: RunDirectory) -> RunConfig:
    return validate(RunConfig, run.read_config())


def _build(config: RunConfig, stack: ExitStack) -> tuple[Game, Learner[Any]]:
    """The game and its learner; the executor lives as long as the stack."""
    game = eqenvs.make(config.game.id, **config.game.parameters)
    executor = stack.enter_context(make_executor(config.executor, config.seed))
    return game, find_learner(config.learner.id).build(game, config.learner, executor)


def _identity(config: RunConfig) -> dict[str, Any]:
    """What a checkpoint must have in common with the run that loads it."""
    game = eqenvs.make(config.game.id, **config.game.parameters)
    return {"game": config.game.id, "parameters": game.parameters, "learner": config.learner.id}


def _load(run: RunDirectory, config: RunConfig, learner: Learner[Any]) -> Any:
    _, tree = load_checkpoint(run.checkpoints)
    found = tree.get("identity") if isinstance(tree, dict) else None
    expected = _identity(config)
    if found != expected:
        raise CheckpointError(
            f"{run.checkpoints}: the checkpoint is of {found}, the run's configuration says {expected}"
        )
    return learner.from_tree(tree["state"])


def _loop(
    config: RunConfig,
    run: RunDirectory,
    game: Game,
    learner: Learner[Any],
    state: Any,
    on_progress: OnProgress,
    *,
    fresh: bool,
) -> None:
    """Iterate to the end, writing metrics, artefacts and checkpoints."""
    with MetricsWriter(run.path) as writer:
        iteration = learner.iteration(state)
        writer.truncate(-1 if fresh else iteration)
        if fresh:
            _record(config, run, game, learner, state, {}, writer, on_progress)
        while learner.iteration(state) < config.iterations:
            started = time.perf_counter()
            state, metrics = learner.step(state)
            metrics = {**metrics, "run/iteration_s": time.perf_counter() - started}
            _record(config, run, game, learner, state, metrics, writer, on_progress)


def _record(
    config: RunConfig,
    run: RunDirectory,
    game: Game,
    learner: Learner[Any],
    state: Any,
    metrics: dict[str, float],
    writer: MetricsWriter,
    on_progress: OnProgress,
) -> None:
    """Score where it is due, write everything, and store the state last: a checkpoint vouches for what is before it."""
    iteration = learner.iteration(state)
    last = iteration >= config.iterations
    scored = None
    if last or iteration % config.score.every == 0:
        started = time.perf_counter()
        scored = score_as(config.score, game, learner.average_policy(state), config.seed)
        metrics = {**metrics, **score_metrics(scored), "time/score_s": time.perf_counter() - started}
    writer.write(iteration, metrics)
    if last or iteration % config.checkpoint.every == 0:
        for name, data in learner.artefacts(state).items():
            write_json(run.path / f"{name}.json", data)
        tree = {"identity": _identity(config), "state": learner.to_tree(state)}
        save_checkpoint(run.checkpoints, iteration, tree, keep=config.checkpoint.keep)
    on_progress(Progress(iteration, config.iterations, metrics, scored))


def score_metrics(scored: Score) -> dict[str, float]:
    """A score as metrics, by name."""
    metrics = {"score/nash_conv": scored.nash_conv, "score/welfare": scored.welfare}
    if scored.constant_sum:
        metrics["score/exploitability"] = scored.exploitability
    for name, gap in (("ce_gap", scored.ce_gap), ("cce_gap", scored.cce_gap)):
        if gap is not None:
            metrics[f"score/{name}"] = gap
    for player, (value, gain) in enumerate(zip(scored.values, scored.gains, strict=True)):
        metrics[f"score/value_{player}"] = float(value)
        metrics[f"score/gain_{player}"] = float(gain)
    return metrics


@dataclass(frozen=True)
class Trained:
    """What a run has learned.

    Attributes:
        run: its directory.
        config: its configuration.
        game: the game.
        policy: the joint policy of the last checkpoint.
        step: the checkpoint's iteration.
    """

    run: RunDirectory
    config: RunConfig
    game: Game
    policy: JointPolicy
    step: int


def load_trained(path: Path) -> Trained:
    """The policy of a run, from its last checkpoint.

    Raises:
        CheckpointError: if there is no run, no checkpoint, or the checkpoint is corrupt.
    """
    run = RunDirectory.open(path)
    config = _config_of(run)
    with InlineExecutor(config.seed) as executor:
        game = eqenvs.make(config.game.id, **config.game.parameters)
        learner = find_learner(config.learner.id).build(game, config.learner, executor)
        state = _load(run, config, learner)
        return Trained(run, config, game, learner.average_policy(state), learner.iteration(state))


def evaluate(path: Path) -> Score:
    """Score the policy of a run's last checkpoint as its configuration asks, and keep the score beside it."""
    trained = load_trained(path)
    scored = score_as(trained.config.score, trained.game, trained.policy, trained.config.seed)
    write_json(trained.run.score_file, {**scored.to_dict(), "evaluated_step": trained.step})
    return scored

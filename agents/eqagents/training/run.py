"""The run loop: a configuration becomes a run directory; a run directory goes on, is scored, or gives its policy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import eqenvs
from eqagents.configuration import NamedSettings, validate
from eqagents.distributed import Executor, InlineExecutor, make_executor, one_torch_thread
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

logger = logging.getLogger(__name__)


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


@cache
def _say_lower_bound(game: str) -> None:
    """Once a process: every score of the run is of the same kind."""
    logger.warning("%s cannot be enumerated: scores are lower bounds from learned best responses", game)


def score_as(config: ScoreConfig, game: Game, policy: JointPolicy, seed: int) -> Score:
    """The score that a configuration asks for.

    Raises:
        GameTooLargeError: if an exact score is asked for and the game cannot be enumerated.
    """
    if config.method == "exact" or (config.method == "auto" and game.exact):
        return score(game, policy)
    if config.method == "auto":
        _say_lower_bound(repr(game))
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
        state = learner.init(np.random.SeedSequence(config.seed))
        start = _scored(config, game, learner, state, {})  # before anything is written: it may be refused
        run = RunDirectory.create(path, config.model_dump(mode="json"))
        stack.enter_context(run.locked())
        _loop(config, run, game, learner, state, on_progress, start=start)
    return run


def resume(path: Path, on_progress: OnProgress = lambda _: None, *, step: int | None = None) -> RunDirectory:
    """Go on with a run from a checkpoint (from the start, if it was stopped before the first one).

    Args:
        path: the run's directory.
        on_progress: as in `train`.
        step: the checkpoint to go on from; default the last.

    Raises:
        CheckpointError: if there is no run, another process is at it, or its checkpoint is missing, corrupt, or of
            another configuration.
    """
    run = RunDirectory.open(path)
    config = _config_of(run)
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        game, learner = _build(config, stack)
        if step is None and not list_checkpoints(run.checkpoints):
            state = learner.init(np.random.SeedSequence(config.seed))
            _loop(config, run, game, learner, state, on_progress, start=_scored(config, game, learner, state, {}))
        else:
            _loop(config, run, game, learner, _load(run, config, game, learner, step), on_progress, start=None)
    return run


def _config_of(run: RunDirectory) -> RunConfig:
    return validate(RunConfig, run.read_config())


def _build(config: RunConfig, stack: ExitStack, executor: Executor | None = None) -> tuple[Game, Learner[Any]]:
    """The game and its learner; the executor, by default the configuration's, lives as long as the stack."""
    game = eqenvs.make(config.game.id, **config.game.parameters)
    executor = stack.enter_context(executor or make_executor(config.executor, config.seed))
    return game, find_learner(config.learner.id).build(game, config.learner, executor)


def _identity(config: RunConfig, game: Game) -> dict[str, Any]:
    """What a checkpoint must have in common with the run that loads it: all that its result depends on."""
    return {
        "game": config.game.id,
        "parameters": game.parameters,
        "learner": config.learner.model_dump(mode="json"),
        "seed": config.seed,
    }


def _load(run: RunDirectory, config: RunConfig, game: Game, learner: Learner[Any], step: int | None) -> Any:
    _, tree = load_checkpoint(run.checkpoints, step)
    found = tree.get("identity") if isinstance(tree, dict) else None
    expected = _identity(config, game)
    if found != expected:
        differing = [name for name in expected if not isinstance(found, dict) or found.get(name) != expected[name]]
        name = differing[0]
        there = found.get(name) if isinstance(found, dict) else None
        raise CheckpointError(
            f"{run.checkpoints}: the checkpoint has {name} {there}, the run's configuration says {expected[name]}"
        )
    return learner.from_tree(tree["state"])


Scored = tuple[Score | None, dict[str, float]]


def _scored(config: RunConfig, game: Game, learner: Learner[Any], state: Any, metrics: dict[str, float]) -> Scored:
    """The score where it is due, and the metrics with it."""
    iteration = learner.iteration(state)
    if iteration < config.iterations and iteration % config.score.every:
        return None, metrics
    started = time.perf_counter()
    scored = score_as(config.score, game, learner.average_policy(state), config.seed)
    return scored, {**metrics, **score_metrics(scored), "time/score_s": time.perf_counter() - started}


def _loop(
    config: RunConfig,
    run: RunDirectory,
    game: Game,
    learner: Learner[Any],
    state: Any,
    on_progress: OnProgress,
    *,
    start: Scored | None,
) -> None:
    """Iterate to the end, writing metrics, artefacts and checkpoints; `start` is the score of a fresh state."""
    with MetricsWriter(run.path) as writer:
        writer.truncate(-1 if start is not None else learner.iteration(state))
        if start is not None:
            _record(config, run, game, learner, state, start, writer, on_progress)
        while learner.iteration(state) < config.iterations:
            started = time.perf_counter()
            state, metrics = learner.step(state)
            metrics = {**metrics, "run/iteration_s": time.perf_counter() - started}
            scored = _scored(config, game, learner, state, metrics)
            _record(config, run, game, learner, state, scored, writer, on_progress)


def _record(
    config: RunConfig,
    run: RunDirectory,
    game: Game,
    learner: Learner[Any],
    state: Any,
    scored: Scored,
    writer: MetricsWriter,
    on_progress: OnProgress,
) -> None:
    """Write everything, and store the state last: a checkpoint vouches for what is before it."""
    iteration = learner.iteration(state)
    writer.write(iteration, scored[1])
    if iteration >= config.iterations or iteration % config.checkpoint.every == 0:
        for name, data in learner.artefacts(state).items():
            write_json(run.path / f"{name}.json", data)
        tree = {"identity": _identity(config, game), "state": learner.to_tree(state)}
        save_checkpoint(run.checkpoints, iteration, tree, keep=config.checkpoint.keep)
    on_progress(Progress(iteration, config.iterations, scored[1], scored[0]))


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


def load_trained(path: Path, *, step: int | None = None) -> Trained:
    """The policy of a run, from a checkpoint (default the last).

    Raises:
        CheckpointError: if there is no run or no such checkpoint, or it is corrupt.
    """
    run = RunDirectory.open(path)
    config = _config_of(run)
    with ExitStack() as stack:
        game, learner = _build(config, stack, InlineExecutor(config.seed))
        state = _load(run, config, game, learner, step)
        return Trained(run, config, game, learner.average_policy(state), learner.iteration(state))


def evaluate(path: Path, *, step: int | None = None) -> Score:
    """Score a run's policy as its configuration asks, and keep the score beside it.

    Args:
        path: the run's directory.
        step: the checkpoint to score; default the last.
    """
    trained = load_trained(path, step=step)
    scored = score_as(trained.config.score, trained.game, trained.policy, trained.config.seed)
    write_json(trained.run.score_file, {**scored.to_dict(), "evaluated_step": trained.step})
    return scored

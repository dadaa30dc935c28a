"""The run loop: a configuration becomes a run directory; a run directory goes on, is scored, or gives its policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import eqenvs
from eqagents.configuration import validate
from eqagents.distributed import Executor, InlineExecutor, Task, TaskError, make_executor
from eqagents.learners import HIGHEST_GAIN, Learner, find_learner
from eqagents.training.checkpoint import Cadence, list_checkpoints, load_checkpoint, save_checkpoint
from eqagents.training.config import RunConfig
from eqagents.training.files import remove_temporaries, write_json
from eqagents.training.journal import Journal, JournalledExecutor
from eqagents.training.log import RunLog
from eqagents.training.metrics import MetricsWriter
from eqagents.training.pictures import due, pictures
from eqagents.training.progress import OnProgress, Progress, Standing, StopAsked
from eqagents.training.remote import copying, require_place
from eqagents.training.replay import Seen, Watch
from eqagents.training.run_directory import RunDirectory
from eqagents.training.scoring import is_exact, require_oracles, score_as
from eqenvs.errors import CheckpointError, InputError
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqsolvers.scoring import Score


def train(
    config: RunConfig, path: Path, on_progress: OnProgress = lambda _: None, stop_asked: StopAsked = lambda: False
) -> RunDirectory:
    """Start a run.

    Args:
        config: the run's configuration.
        path: where its directory is to be; it must not hold anything.
        on_progress: called after each iteration, and once at the start.
        stop_asked: called after each iteration; where it says so the run stops with a checkpoint, and can be resumed.

    Raises:
        InputError: for a bad configuration, or a directory that is in use; nothing is written then.
        CheckpointError: if the directory cannot be written to any more, as where the disk is full.
        TaskError: if a task failed; `failed.json` says which, and `replay` runs it again.
    """
    RunDirectory.require_free(path)
    with ExitStack() as stack:
        parts = _build(config, stack)
        require_oracles(config.score, parts.game, parts.executor)
        require_place(config.checkpoint.copy_to)
        course = _Course(_start(parts))  # before anything is written: it may be refused
        run = RunDirectory.create(path, config.model_dump(mode="json"))
        stack.enter_context(run.locked())
        _go(parts, run, course, on_progress, stop_asked)
    return run


def resume(
    path: Path,
    on_progress: OnProgress = lambda _: None,
    stop_asked: StopAsked = lambda: False,
    *,
    step: int | None = None,
) -> RunDirectory:
    """Go on with a run from a checkpoint (from the start, if it was stopped before the first one).

    A run that has ended has nothing left to do, unless its `config.yaml` now asks for more.

    Args:
        path: the run's directory.
        on_progress: as in `train`.
        stop_asked: as in `train`.
        step: the checkpoint to go on from; default the last that loads.

    Raises:
        CheckpointError: if there is no run, another process is at it, its checkpoint is missing, corrupt, or of
            another configuration, or it cannot be written to.
        TaskError: as in `train`.
    """
    run = RunDirectory.open(path)
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        parts = _build(_config_of(run), stack)
        require_oracles(parts.config.score, parts.game, parts.executor)
        require_place(parts.config.checkpoint.copy_to)
        _go(parts, run, _Course(_standing(run, parts, step)), on_progress, stop_asked)
    return run


def replay(path: Path) -> tuple[Task, Any]:
    """The task that a run failed at, run again in this process, and its result where it has one this time.

    What a task is given follows from the run's configuration, seed and last checkpoint, so nothing of it was stored:
    the run goes on from there, with the results that its journal keeps, until it asks for the task.

    Args:
        path: the run's directory.

    Raises:
        CheckpointError: if there is no run, no task failed in it, or it ends without asking for that task.
        TaskError, InputError: what the task fails with; a TaskError has the original exception as its cause.
    """
    run = RunDirectory.open(path)
    if not run.failed_file.exists():
        raise CheckpointError(f"{path}: no task has failed in this run: it has no {run.failed_file.name}")
    failure = run.failure()
    config = _config_of(run)
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        parts = _build(config, stack, Watch(config.seed, failure.function, failure.key))
        try:
            point = _standing(run, parts, None)
            parts.executor.write_to(Journal(run.journal_file, point.standing.iteration))
            while point.standing.ended(config.iterations, config.stop) is None:
                point = _next(parts, point)
        except Seen as seen:
            return seen.task, seen.result
    raise CheckpointError(f"{path}: the run no longer asks for task {failure.key} ({failure.function})")


def _standing(run: RunDirectory, parts: _Parts, step: int | None) -> Point:
    """Where a run goes on: at a checkpoint, or at its start where it has none."""
    begins = step is None and not list_checkpoints(run.checkpoints)
    return _start(parts) if begins else _load(run, parts, step)


def _config_of(run: RunDirectory) -> RunConfig:
    return validate(RunConfig, run.config())


@dataclass(frozen=True)
class _Parts:
    """What a run is made of."""

    config: RunConfig
    game: Game
    learner: Learner[Any]
    executor: JournalledExecutor


def _build(config: RunConfig, stack: ExitStack, own: Executor | None = None) -> _Parts:
    """The parts of a run; the executor, by default the configuration's, lives as long as the stack."""
    game = eqenvs.make(config.game.id, **config.game.parameters)
    _require_exact_target(config, game)
    _require_gains(config)
    executor = stack.enter_context(JournalledExecutor(own or make_executor(config.executor, config.seed)))
    learner = find_learner(config.learner.id).build(game, config.learner, executor)
    return _Parts(config, game, learner, executor)


def _require_exact_target(config: RunConfig, game: Game) -> None:
    """Raises InputError where a target is set and scores are lower bounds."""
    if config.stop.nash_conv is not None and not is_exact(config.score, game):
        raise InputError(
            f"config: stop.nash_conv needs exact scores, and those of {game!r} are lower bounds here, which can be "
            "small far from equilibrium; use stop.seconds"
        )


def _require_gains(config: RunConfig) -> None:
    """Raises InputError where a run is to end by gains of responses and its learner has none."""
    if config.stop.gain is not None and not find_learner(config.learner.id).responds:
        raise InputError(
            f"config: stop.gain needs a learner that responds, such as 'psro' or 'xdo'; {config.learner.id!r} does "
            "not; use stop.nash_conv"
        )


def _identity(config: RunConfig, game: Game) -> dict[str, Any]:
    """What a checkpoint must have in common with the run that loads it: all that its result depends on."""
    data = {} if game.spec.digest is None else {"game_data": game.spec.digest}
    return {
        "game": config.game.id,
        "parameters": game.parameters,
        **data,
        "learner": config.learner.model_dump(mode="json"),
        "seed": config.seed,
    }


@dataclass(frozen=True)
class Point:
    """A run at one iteration.

    Attributes:
        state: the learner's.
        standing: see `Standing`.
        metrics: of the iteration.
        score: where it was due.
        policy: that was scored.
        recorded: whether it comes from a checkpoint, and its metrics are written.
    """

    state: Any
    standing: Standing
    metrics: dict[str, float]
    score: Score | None = None
    policy: JointPolicy | None = None
    recorded: bool = False


@dataclass
class _Course:
    """Where a run is. Nobody else holds its points.

    Where an earlier state lives, memories of experience keep all that they replaced since.

    Attributes:
        point: it.
    """

    point: Point


def _load(run: RunDirectory, parts: _Parts, step: int | None) -> Point:
    _, tree = load_checkpoint(run.checkpoints, step)
    found = tree.get("identity") if isinstance(tree, dict) else None
    expected = _identity(parts.config, parts.game)
    if found != expected:
        there = found if isinstance(found, dict) else {}
        no = object()  # neither has a key of that value
        name = next(name for name in (*expected, *there) if there.get(name, no) != expected.get(name, no))
        raise CheckpointError(
            f"{run.checkpoints}: the checkpoint has {name} {there.get(name)}, the run's configuration says "
            f"{expected.get(name)}"
        )
    with _understood(run, parts.config.learner.id):
        state = parts.learner.from_tree(tree["state"])
        standing = Standing.from_tree(parts.learner.iteration(state), tree)
    return Point(state, standing, {}, recorded=True)


@contextmanager
def _understood(run: RunDirectory, learner: str) -> Iterator[None]:
    """Raises CheckpointError for whatever is wrong with a state that came from a file."""
    try:
        yield
    except (InputError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        reason = f"does not fit the learner {learner!r} ({type(error).__name__}: {error})"
        raise CheckpointError(f"{run.checkpoints}: the checkpoint's state {reason}") from error


def _start(parts: _Parts) -> Point:
    """A run before its first iteration."""
    state = parts.learner.init(np.random.SeedSequence(parts.config.seed))
    return _scored(parts, Point(state, Standing(parts.learner.iteration(state)), {"run/seconds": 0.0}))


def _next(parts: _Parts, point: Point) -> Point:
    """One iteration on."""
    started = time.perf_counter()
    state, metrics = parts.learner.step(point.state)
    seconds = time.perf_counter() - started
    gains = point.standing.gains
    if HIGHEST_GAIN in metrics:
        gains = (*gains, metrics[HIGHEST_GAIN])[-parts.config.stop.gain_for :]
    standing = Standing(parts.learner.iteration(state), point.standing.seconds + seconds, gains=gains)
    timing = {"run/iteration_s": seconds, "run/seconds": standing.seconds}
    return _scored(parts, Point(state, standing, {**metrics, **timing}))


def _scored(parts: _Parts, point: Point) -> Point:
    """With the score and the learner's measures where due: every so many iterations, and where the run ends."""
    config, learner, standing = parts.config, parts.learner, point.standing
    if standing.iteration % config.score.every and not standing.ended(config.iterations, config.stop):
        return point
    started = time.perf_counter()
    policy = learner.average_policy(point.state)
    scored = score_as(config.score, parts.game, policy, config.seed, parts.executor)
    measures = {f"measures/{name}": value for name, value in learner.measures(point.state).items()}
    timing = {"time/score_s": time.perf_counter() - started}
    metrics = {**point.metrics, **score_metrics(scored), **measures, **timing}
    standing = replace(standing, nash_conv=scored.nash_conv_or_none)
    return replace(point, standing=standing, metrics=metrics, score=scored, policy=policy)


def _go(parts: _Parts, run: RunDirectory, course: _Course, on_progress: OnProgress, stop_asked: StopAsked) -> None:
    """Iterate to the end, and keep a log of it; a task that fails is named in a file."""
    start, recorded = course.point.standing, course.point.recorded
    with RunLog(run.log_file, run.id()) as log:
        log.iteration = start.iteration
        if not recorded:
            log.event("begun")
        elif start.ended(parts.config.iterations, parts.config.stop) is None:
            log.event("resumed from the checkpoint")
        remove_temporaries(run.path)
        run.failed_file.unlink(missing_ok=True)
        try:
            parts.executor.write_to(Journal(run.journal_file, start.iteration))
            with copying(run, parts.config.checkpoint) as copied:
                if recorded:
                    copied(start.iteration)
                out = _Out(MetricsWriter(run.path), Cadence(parts.config.checkpoint.every), copied, on_progress)
                _loop(parts, run, course, out, stop_asked, log)
        except TaskError as error:
            log.event(f"failed at task {error.key} ({error.function})")
            stored = {"function": error.function, "key": list(error.key), "details": error.details}
            with _writing(run):
                write_json(run.failed_file, stored)
            raise
        except BaseException as error:
            log.event(f"ended by {type(error).__name__}: {error}".partition("\n")[0])
            raise


@contextmanager
def _writing(run: RunDirectory) -> Iterator[None]:
    """Raises CheckpointError where the directory cannot be written to, as where the disk is full."""
    try:
        yield
    except OSError as error:
        done = list_checkpoints(run.checkpoints)
        stands = f"it stands at checkpoint {done[-1]}" if done else "it has no checkpoint yet"
        reason = f"cannot be written to ({error}); {stands}, and can be resumed when this is mended"
        raise CheckpointError(f"{run.path}: {reason}") from error


@dataclass(frozen=True)
class _Out:
    """What is told of each iteration.

    Attributes:
        writer: of metrics.
        cadence: of checkpoints.
        copied: called with the step of each checkpoint.
        on_progress: see `train`.
    """

    writer: MetricsWriter
    cadence: Cadence
    copied: Callable[[int], None]
    on_progress: OnProgress


def _loop(parts: _Parts, run: RunDirectory, course: _Course, out: _Out, stop_asked: StopAsked, log: RunLog) -> None:
    """Iterate to the end, or until it is asked to stop, writing metrics, artefacts and checkpoints."""
    config = parts.config
    with out.writer:
        with _writing(run):
            out.writer.truncate(course.point.standing.iteration if course.point.recorded else -1)
        if not course.point.recorded:
            with _writing(run):
                out.writer.describe(_identity(config, parts.game))
            _record(parts, run, course.point, out)
        while (ended := course.point.standing.ended(config.iterations, config.stop)) is None:
            run.ended_file.unlink(missing_ok=True)
            course.point = _next(parts, course.point)
            log.iteration = course.point.standing.iteration
            asked = stop_asked()
            _record(parts, run, course.point, out, last=asked)
            if asked and course.point.standing.ended(config.iterations, config.stop) is None:
                log.event("stopped as asked, with a checkpoint")
                return
    standing = course.point.standing
    facts = {"iteration": standing.iteration, "seconds": standing.seconds, "nash_conv": standing.nash_conv}
    if not run.ended_file.exists():
        log.event(f"ended: {ended.value}")
    with _writing(run):
        write_json(run.ended_file, {"stopped": ended.value, **facts})


def _record(parts: _Parts, run: RunDirectory, point: Point, out: _Out, *, last: bool = False) -> None:
    """Write everything, and store the state last: a checkpoint vouches for what is before it."""
    config, learner, standing = parts.config, parts.learner, point.standing
    ended = standing.ended(config.iterations, config.stop)
    with _writing(run):
        out.writer.write(standing.iteration, point.metrics)
        if point.policy is not None and (ended or due(standing.iteration // config.score.every)):
            drawn = point.policy if is_exact(config.score, parts.game) else None
            out.writer.show(standing.iteration, pictures(parts.game, drawn, learner.artefacts(point.state)))
    if ended or last or out.cadence.due(standing.iteration):
        with out.cadence.storing():
            tree = {
                "identity": _identity(config, parts.game),
                **standing.to_tree(),
                "state": learner.to_tree(point.state),
            }
            with _writing(run):
                for name, data in learner.artefacts(point.state).items():
                    write_json(run.artefact_file(name), data)
                save_checkpoint(run.checkpoints, standing.iteration, tree, keep=config.checkpoint.keep)
            parts.executor.checkpointed(standing.iteration)
            out.copied(standing.iteration)
    out.on_progress(Progress(standing.iteration, config.iterations, point.metrics, point.score, ended))


def score_metrics(scored: Score) -> dict[str, float]:
    """A score as metrics, by name."""
    metrics = {"score/nash_conv": scored.nash_conv, "score/welfare": scored.welfare}
    if scored.normaliser is not None:
        metrics["score/exploitability"] = scored.exploitability
    metrics |= {f"score/{name}": gap for name, gap in scored.gaps.items()}
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
        measures: the learner's own of that policy, see `Learner`.
        learner: that made it, for questions about its state; it has nothing to run tasks with any more.
        state: the learner's, at the checkpoint.
    """

    run: RunDirectory
    config: RunConfig
    game: Game
    policy: JointPolicy
    step: int
    measures: dict[str, float]
    learner: Learner[Any]
    state: Any


def load_trained(path: Path, *, step: int | None = None) -> Trained:
    """The policy of a run, from a checkpoint (default the last).

    Raises:
        CheckpointError: if there is no run or no such checkpoint, or it is corrupt.
    """
    run = RunDirectory.open(path)
    config = _config_of(run)
    with ExitStack() as stack:
        parts = _build(config, stack, InlineExecutor(config.seed))
        point = _load(run, parts, step)
        with _understood(run, config.learner.id):
            policy, measures = parts.learner.average_policy(point.state), parts.learner.measures(point.state)
        step = point.standing.iteration
        return Trained(run, config, parts.game, policy, step, measures, parts.learner, point.state)


def evaluate(path: Path, *, step: int | None = None) -> Score:
    """Score a run's policy as its configuration asks, and keep the score beside it.

    Args:
        path: the run's directory.
        step: the checkpoint to score; default the last.

    Returns:
        The independent score; the learner's own figures, where it has any, are its detail `measures`.
    """
    trained = load_trained(path, step=step)
    config, game = trained.config, trained.game
    # An exact score is computed here; best responses are learned where the run's own tasks were.
    inline = is_exact(config.score, game)
    with InlineExecutor(config.seed) if inline else make_executor(config.executor, config.seed) as executor:
        scored = score_as(config.score, game, trained.policy, config.seed, executor)
    if trained.measures:
        scored = replace(scored, detail={**scored.detail, "measures": trained.measures})
    write_json(trained.run.score_file, {**scored.to_dict(), "evaluated_step": trained.step})
    return scored

"""A leaderboard's directory, and the runs in it that are missing: a task each, on Ray or in this process.

    DIR/leaderboard.yaml                       the configuration
    DIR/runs/TASK/ENTRY/seed_K/                an ordinary run's directory
    DIR/runs/TASK/ENTRY/unsupported.json       why the entry does not apply to the task; without it, it is tried
                                               again

What is done is read from there and never touched; what is half done goes on from its last checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from eqagents.configuration import validate
from eqagents.distributed import ExecutorConfig, Raised, Task, TaskError, make_executor
from eqagents.leaderboard.config import LeaderboardConfig
from eqagents.leaderboard.plan import Place, planned
from eqagents.leaderboard.results import Outcome, Result, outcome_at
from eqagents.training.config import RunConfig
from eqagents.training.files import write_text
from eqagents.training.metrics import flattened
from eqagents.training.run_directory import RunDirectory
from eqagents.yaml_text import parse_yaml
from eqenvs.errors import CheckpointError, InputError

CONFIG_FILE = "leaderboard.yaml"
MAKE = "eqagents.leaderboard.cell:make"
OnResult = Callable[[Place, Result, int, int], None]


@contextmanager
def opened(directory: Path, config: LeaderboardConfig) -> Iterator[dict[Place, RunConfig]]:
    """The runs of a leaderboard, while its directory is this process's alone.

    A directory that holds a leaderboard already takes a configuration that asks for the same runs, or for these and
    more: further tasks, entries and seeds. Nothing else of a run may change.

    Args:
        directory: made where it is missing.
        config: what to run.

    Raises:
        InputError: it holds something else, or a leaderboard of another configuration; nothing is written then.
        CheckpointError: another process is at it, or it cannot be written to.
    """
    runs, stored = planned(config), directory / CONFIG_FILE
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is not a directory; choose another --out")
    if stored.exists():
        _require_same(directory, runs)
    elif directory.exists() and any(not entry.name.startswith((".lock", ".tmp-")) for entry in directory.iterdir()):
        raise InputError(f"{directory} is not empty and holds no leaderboard; choose another --out")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{directory} cannot be made ({error.strerror})") from None
    with _alone(directory):
        text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        if not stored.exists() or stored.read_text(encoding="utf-8") != text:
            write_text(stored, text)
        yield runs


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    held = False
    try:
        with RunDirectory(directory).locked():
            held = True
            yield
    except CheckpointError as error:
        if held or "another process" not in str(error):
            raise
        raise CheckpointError(f"{directory}: another process is running this leaderboard") from None


def _require_same(directory: Path, runs: Mapping[Place, RunConfig]) -> None:
    """Raises InputError where a run of the leaderboard that is there is gone, or another one now."""
    file = directory / CONFIG_FILE
    try:
        before = planned(validate(LeaderboardConfig, parse_yaml(file.read_text(encoding="utf-8"))))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{file}: {error}") from None
    for place, run in before.items():
        if place not in runs:
            raise InputError(f"{directory} holds a leaderboard with the run {place}, which is not asked for any more")
        was, now = (flattened(each.model_dump(mode="json")) for each in (run, runs[place]))
        for key in (*was, *now):
            if was.get(key) != now.get(key):
                change = f"{key} {was.get(key)!r}, now {now.get(key)!r}"
                raise InputError(
                    f"{directory} holds a leaderboard whose run {place} has {change}; choose another --out"
                )


def run_missing(
    runs: Mapping[Place, RunConfig], directory: Path, executor: ExecutorConfig, on_result: OnResult
) -> dict[Place, Result]:
    """Make the runs that are missing, and give what came of all.

    Args:
        runs: by place.
        directory: the leaderboard's.
        executor: where; no result depends on it. On a cluster the directory must be on a disk that all nodes share.
        on_result: called with (place, result, done, total) for each run that was not done before.

    Returns:
        Of every run; those that failed are tried again by the next call.
    """
    found = {place: outcome_at(place.within(directory)) for place in runs}
    missing = [place for place, result in found.items() if result.outcome is not Outcome.SCORED]
    missing = [place for place in missing if found[place].outcome is not Outcome.UNSUPPORTED]
    if not missing:
        return found
    done = len(found) - len(missing)
    with make_executor(_whole_runs(executor, len(missing)), 0) as workers:
        stream = workers.stream()
        stream.send([_task(index, place, runs[place], directory) for index, place in enumerate(missing)])
        try:
            while len(stream):
                (index,), result = stream.receive()
                place, done = missing[index], done + 1
                found[place] = _reason(result) if isinstance(result, Raised) else result
                on_result(place, found[place], done, len(found))
        finally:
            stream.close()
    return found


def _task(index: int, place: Place, run: RunConfig, directory: Path) -> Task:
    where = str(place.within(directory.absolute()))
    arguments: dict[str, Any] = {"path": where, "config": run.model_dump(mode="json")}
    return Task((index,), MAKE, arguments)


def _whole_runs(executor: ExecutorConfig, runs: int) -> ExecutorConfig:
    """One run at a time for each worker: the next goes to whoever is free first."""
    return executor.model_copy(update={"in_flight": 1, "workers": min(executor.workers, runs)})


def _reason(raised: Raised) -> Result:
    """A run that failed for a reason that is nobody's to expect: a defect, or workers lost too often."""
    error = raised.error
    return Result(Outcome.FAILED, reason=error.reason if isinstance(error, TaskError) else str(error))

"""One run of a leaderboard as a task: begun, or gone on with, to its end, and scored."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: F401 - before the task starts, which sets torch's threads

from eqagents.configuration import validate
from eqagents.distributed import TaskError
from eqagents.leaderboard.results import CPU_FILE, REFUSED_FILE, Outcome, Result, outcome_at
from eqagents.training.config import RunConfig
from eqagents.training.files import write_json
from eqagents.training.progress import Progress
from eqagents.training.run import evaluate, resume, train
from eqagents.training.run_directory import RunDirectory
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame

PAUSE = 0.5  # seconds between two looks at a run that another process is at


def make(seed: np.random.SeedSequence, *, path: str, config: dict[str, Any]) -> Result:
    """A task function: what it writes is the run at `path`, whose random streams are the run's own.

    The task may be sent twice: where a worker was lost it goes on from the last checkpoint, and where another process
    is at the run it waits for that one.

    Args:
        seed: not used.
        path: the run's directory, on a disk that every worker has.
        config: the run's.

    Returns:
        What came of it; a run that fails is a result too.
    """
    directory, settings = Path(path), validate(RunConfig, config)
    while (found := outcome_at(directory)).outcome is Outcome.MISSING:
        if RunDirectory(directory).is_locked():
            time.sleep(PAUSE)
            continue
        try:
            _to_its_end(directory, settings)
        except (UnsupportedGame, GameTooLargeError) as error:
            directory.parent.mkdir(parents=True, exist_ok=True)
            write_json(directory.parent / REFUSED_FILE, {"reason": str(error)})
        except (InputError, TaskError) as error:
            if not RunDirectory(directory).is_locked():  # else another process was faster, and is waited for
                return Result(Outcome.FAILED, reason=error.reason if isinstance(error, TaskError) else str(error))
    return found


def _to_its_end(directory: Path, settings: RunConfig) -> None:
    """Train or resume the run, keep its last score beside it, and the CPU seconds of a run made in one go."""
    last: Progress | None = None

    def progress(now: Progress) -> None:
        nonlocal last
        last = now

    run, started = RunDirectory(directory), time.process_time()
    if run.config_file.exists():
        resume(directory, progress)
    else:
        train(settings, directory, progress)
        write_json(directory / CPU_FILE, {"cpu_seconds": time.process_time() - started})
    if last is not None and last.score is not None:
        write_json(run.score_file, {**last.score.to_dict(), "evaluated_step": last.iteration})
    else:
        evaluate(directory)

"""How a run stands, from its files alone: for looking at one that another process is at."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eqagents.training.checkpoint import list_checkpoints
from eqagents.training.journal import kept
from eqagents.training.run_directory import RunDirectory
from eqagents.training.stored import step_of

LATEST = 20  # iterations whose time says how long the others will take


@dataclass(frozen=True)
class Status:
    """A run at the moment.

    Attributes:
        state: running, ended, failed (at a task), or stopped, which can be resumed.
        why: of a run that ended: target, converged, iterations or seconds; of one that failed: the task.
        iteration: the last one that was written down; None before the first.
        iterations: the most iterations.
        seconds: of learning so far.
        seconds_per_iteration: the median of the latest; None where there is none.
        seconds_left: at that pace, to the last iteration; a run may end before it.
        nash_conv: the last score's, where there is one.
        scored_iteration: that it is of.
        checkpoint: the last one; None where there is none.
        since_written: seconds since metrics were last written.
        kept_results: results of tasks since the checkpoint, which would not be computed again.
    """

    state: str
    why: str | None
    iteration: int | None
    iterations: int
    seconds: float
    seconds_per_iteration: float | None
    seconds_left: float | None
    nash_conv: float | None
    scored_iteration: int | None
    checkpoint: int | None
    since_written: float | None
    kept_results: int

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def status_of(path: Path) -> Status:
    """How a run stands.

    Args:
        path: its directory; nothing in it is changed, and who trains it is not held up.

    Raises:
        CheckpointError: if there is no run, or a file of it is malformed.
    """
    run = RunDirectory.open(path)
    running, ended = run.is_locked(), run.ended()
    iterations = step_of(run.config().get("iterations"), f"{run.config_file}: 'iterations'")
    records = run.metrics()
    last = records[-1] if records else {}
    taken = [each["run/iteration_s"] for each in records[-LATEST:] if each.get("run/iteration_s") is not None]
    pace = statistics.median(taken) if taken else None
    scores = [each for each in records if each.get("score/nash_conv") is not None]
    state, why = "stopped", None
    if running:
        state = "running"
    elif run.failed_file.exists():
        failure = run.failure()
        state, why = "failed", f"task {failure.key} ({failure.function})"
    elif ended is not None:
        state, why = "ended", ended.stopped
    iteration = last.get("step")
    checkpoints = list_checkpoints(run.checkpoints)
    return Status(
        state=state,
        why=why,
        iteration=iteration,
        iterations=iterations,
        seconds=float(last.get("run/seconds") or 0.0),
        seconds_per_iteration=pace,
        seconds_left=None if pace is None or iteration is None or state == "ended" else pace * (iterations - iteration),
        nash_conv=scores[-1]["score/nash_conv"] if scores else None,
        scored_iteration=scores[-1]["step"] if scores else None,
        checkpoint=checkpoints[-1] if checkpoints else None,
        since_written=time.time() - run.metrics_file.stat().st_mtime if run.metrics_file.exists() else None,
        kept_results=kept(run.journal_file),
    )

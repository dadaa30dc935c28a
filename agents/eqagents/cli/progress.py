"""What a run says while it trains, and when it has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as ProgressBar

from eqagents.cli.console import err
from eqagents.training.progress import Progress
from eqagents.training.run_directory import RunDirectory


class TrainingDisplay:
    """The progress of a run on standard error: a bar, and a line for every score."""

    def __init__(self) -> None:
        self._progress = ProgressBar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> TrainingDisplay:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()
        if self._task is None and exc[0] is None:
            err.print("nothing left to do: the run has ended")

    def __call__(self, progress: Progress) -> None:
        """See `eqagents.training.run.OnProgress`."""
        if self._task is None:
            self._task = self._progress.add_task("iterations", total=progress.iterations)
        self._progress.update(self._task, completed=progress.iteration)
        if progress.score is not None:
            scored = progress.score
            line = f"iteration {progress.iteration}/{progress.iterations}  nash_conv {scored.nash_conv:.6g}"
            if scored.exploitability_or_none is not None:
                line += f"  exploitability {scored.exploitability:.6g}"
            err.print(f"{line}  ({scored.kind.value})")
        if progress.ended is not None:
            err.print(f"ended by {progress.ended.value}")


def summary(path: Path) -> dict[str, Any]:
    """What a finished run says on standard output."""
    run = RunDirectory.open(path)
    last = next(reversed(run.metrics()), {"step": None})
    ended = run.ended()
    assert ended is not None  # the loop has come to its end
    return {
        "run": str(run.path),
        "iteration": last["step"],
        "stopped": ended.stopped,
        "seconds": ended.seconds,
        "score": {name.removeprefix("score/"): value for name, value in last.items() if name.startswith("score/")},
        "tensorboard": str(run.tensorboard),
    }

"""What came of one run, read from its directory alone."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from eqagents.training.progress import Ended
from eqagents.training.run_directory import RunDirectory
from eqagents.training.stored import read_object
from eqenvs.errors import InputError

CPU_FILE = "cpu.json"  # in a run's directory: CPU seconds of a run that was made in one go
REFUSED_FILE = "unsupported.json"  # beside the runs of an entry on a task: why it does not apply
SAMPLES = ("samples/stages", "samples/episodes", "samples/histories")  # metrics that count what a learner saw


class Outcome(StrEnum):
    """How a run stands."""

    SCORED = "scored"
    UNSUPPORTED = "unsupported"  # the learner does not apply to the game
    FAILED = "failed"
    MISSING = "missing"  # not made yet, or not at its end


@dataclass(frozen=True)
class Result:
    """A run's outcome.

    Attributes:
        outcome: how it stands.
        reason: of one that is unsupported or failed, in one line.
        nash_conv: of the last policy.
        kind: exact, lower_bound or estimate.
        iterations: done.
        stopped: why it ended.
        samples: what the learner counts, by name: stages, episodes or histories.
        seconds: of learning, by the clock, over all resumes.
        cpu_seconds: of the process, scores and all else included; None for a run that was resumed.
    """

    outcome: Outcome
    reason: str | None = None
    nash_conv: float | None = None
    kind: str | None = None
    iterations: int | None = None
    stopped: str | None = None
    samples: dict[str, float] | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None

    @property
    def timed_out(self) -> bool:
        """Whether the clock ended it."""
        return self.stopped == Ended.SECONDS

    def to_json(self) -> dict[str, Any]:
        """Without what is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def outcome_at(path: Path) -> Result:
    """What came of the run at a path: scored, unsupported, or missing.

    Raises:
        CheckpointError: a file of it is malformed.
    """
    refused = path.parent / REFUSED_FILE
    if refused.exists():
        return Result(Outcome.UNSUPPORTED, reason=str(read_object(refused).get("reason")))
    try:
        run = RunDirectory.open(path)
    except InputError:
        return Result(Outcome.MISSING)
    ended, scored = run.ended(), run.score()
    if ended is None or scored is None or scored.evaluated_step != ended.iteration:
        return Result(Outcome.MISSING)
    if not math.isfinite(scored.nash_conv):
        return Result(Outcome.FAILED, reason="its score is not finite")
    last = run.metrics()[-1]
    samples = {name.removeprefix("samples/"): last[name] for name in SAMPLES if last.get(name)}
    cpu = read_object(path / CPU_FILE).get("cpu_seconds") if (path / CPU_FILE).exists() else None
    return Result(
        Outcome.SCORED,
        nash_conv=scored.nash_conv,
        kind=scored.kind.value,
        iterations=ended.iteration,
        stopped=ended.stopped,
        samples=samples or None,
        seconds=ended.seconds,
        cpu_seconds=cpu,
    )

"""How far a run has come, why it ends, and what it tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from eqagents.training.config import StopConfig
from eqsolvers.scoring import Score


class Ended(StrEnum):
    """Why a run has nothing left to do; where several reasons hold, the first of them."""

    TARGET = "target"  # the score came down to `stop.nash_conv`
    CONVERGED = "converged"  # no response gains more than `stop.gain`
    ITERATIONS = "iterations"
    SECONDS = "seconds"  # `stop.seconds` is spent


@dataclass(frozen=True)
class Standing:
    """How far a run has come: all that its end depends on, and a part of every checkpoint.

    Attributes:
        iteration: iterations done.
        seconds: spent in iterations, over all resumes.
        nash_conv: of the policy, where a score was due.
        gains: the highest gains of a response, at the last `stop.gain_for` times that they were known.
    """

    iteration: int
    seconds: float = 0.0
    nash_conv: float | None = None
    gains: tuple[float, ...] = ()

    def to_tree(self) -> dict[str, Any]:
        """All but the iteration, which is the learner's to say, as checkpoints hold it."""
        return {"seconds": self.seconds, "nash_conv": self.nash_conv, "gains": list(self.gains)}

    @classmethod
    def from_tree(cls, iteration: int, tree: dict[str, Any]) -> Self:
        """The standing at an iteration that a checkpoint holds; what older ones lack is as at the start."""
        return cls(iteration, tree.get("seconds", 0.0), tree.get("nash_conv"), tuple(tree.get("gains", ())))

    def ended(self, iterations: int, stop: StopConfig) -> Ended | None:
        """Why the run has nothing left to do, or None if it has."""
        if stop.nash_conv is not None and self.nash_conv is not None and self.nash_conv <= stop.nash_conv:
            return Ended.TARGET
        if (
            stop.gain is not None
            and len(self.gains) >= stop.gain_for
            and max(self.gains[-stop.gain_for :]) <= stop.gain
        ):
            return Ended.CONVERGED
        if self.iteration >= iterations:
            return Ended.ITERATIONS
        if stop.seconds is not None and self.seconds >= stop.seconds:
            return Ended.SECONDS
        return None


@dataclass(frozen=True)
class Progress:
    """What a run reports after each iteration.

    Attributes:
        iteration: iterations done.
        iterations: the most iterations.
        metrics: of the iteration, the score's among them where it was due.
        score: where it was due.
        ended: why the run ends here, if it does.
    """

    iteration: int
    iterations: int
    metrics: dict[str, float]
    score: Score | None
    ended: Ended | None = None


OnProgress = Callable[[Progress], None]
StopAsked = Callable[[], bool]

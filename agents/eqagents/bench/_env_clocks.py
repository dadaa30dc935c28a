"""Two clocks: CPU seconds of all threads, and seconds on the wall, of paired slices of several contestants.

Pgx runs on as many threads as there are processors, everything else here on one, so neither clock says it all.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import NamedTuple

from eqagents.bench import Settings
from eqagents.bench._measure import CHUNK, Step


class Times(NamedTuple):
    """Seconds of an iteration, a number for every round."""

    cpu: list[float]
    wall: list[float]

    def medians(self) -> tuple[float, float]:
        """CPU and wall seconds."""
        return statistics.median(self.cpu), statistics.median(self.wall)


def _timed(step: Step, iterations: int) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    step(iterations)
    return time.process_time() - cpu, time.perf_counter() - wall


def timed(contestants: Mapping[str, Step | None], settings: Settings, *, multiple: int = 1) -> dict[str, Times]:
    """A slice of every contestant, and again; absent ones are left out.

    Args:
        contestants: by name.
        settings: how long slices are and how many.
        multiple: iterations are run in multiples of this.
    """
    present = {name: step for name, step in contestants.items() if step is not None}
    chunks: dict[str, int] = {}
    for name, step in present.items():
        iterations = multiple
        while (passed := _timed(step, iterations)[1]) < min(CHUNK, settings.seconds) / 4:
            iterations *= 2
        chunks[name] = max(1, round(iterations / multiple * settings.seconds / passed)) * multiple
    found = {name: Times([], []) for name in present}
    for _ in range(settings.rounds):
        for name, step in present.items():
            cpu, wall = _timed(step, chunks[name])
            found[name].cpu.append(cpu / chunks[name])
            found[name].wall.append(wall / chunks[name])
    return found

"""Clocks: paired slices of several contestants, medians, ratios, and what the figures were measured on."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import logging
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from eqagents.bench import Row, Settings

Step = Callable[[int], object]  # runs that many iterations

CHUNK = 0.02  # seconds between two looks at the clock
LONG = 8.0
FEWEST_ROUNDS = 3
DISTRIBUTIONS = (
    "eqenvs",
    "numpy",
    "numba",
    "scipy",
    "open_spiel",
    "LiteEFG",
    "quantecon",
    "nashpy",
    "pygambit",
    "mfglib",
    "pettingzoo",
    "pgx",
    "jax",
    "torch",
    "ray",
    "clarabel",
    "cvxpy",
    "ecos",
)
PROCESSOR_FILE = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


@contextlib.contextmanager
def without_warnings(package: str) -> Iterator[None]:
    """What a package warns of is what is measured here, and is in the tables."""
    logger = logging.getLogger(package)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def seconds_of(call: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def chunk_for(step: Step, seconds: float) -> int:
    """Iterations that take about `CHUNK`, or the slice if that is shorter; runs some."""
    goal, iterations = min(CHUNK, seconds), 1
    while True:
        passed = seconds_of(partial(step, iterations))
        if passed >= goal / 4:
            return max(1, round(iterations * goal / passed))
        iterations *= 2


def seconds_per_iteration(step: Step, chunk: int, seconds: float) -> float:
    """CPU seconds of an iteration, over about that long."""
    done, started = 0, time.process_time()
    while (passed := time.process_time() - started) < seconds:
        step(chunk)
        done += chunk
    return passed / done


def paired(contestants: Mapping[str, Step | None], settings: Settings) -> dict[str, list[float]]:
    """CPU seconds of an iteration in every round: a slice of each contestant, and again; absent ones are left out.

    Where one iteration takes seconds, the rounds end after `LONG`, but not before `FEWEST_ROUNDS`.
    """
    present = {name: step for name, step in contestants.items() if step is not None}
    chunks = {name: chunk_for(step, settings.seconds) for name, step in present.items()}
    measured: dict[str, list[float]] = {name: [] for name in present}
    started = time.process_time()
    for done in range(settings.rounds):
        if done >= FEWEST_ROUNDS and time.process_time() - started > LONG:
            break
        for name, step in present.items():
            measured[name].append(seconds_per_iteration(step, chunks[name], settings.seconds))
    return measured


def medians(measured: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each contestant's rounds."""
    return {name: statistics.median(values) for name, values in measured.items()}


def ratios(measured: Mapping[str, list[float]], ours: str = "eqenvs") -> Row:
    """`ratio_X`: how many times longer X takes than we do, the median over the rounds of the ratio within a round."""
    return {
        f"ratio_{name}": statistics.median(theirs / mine for mine, theirs in zip(measured[ours], values, strict=True))
        for name, values in measured.items()
        if name != ours
    }


def environment() -> dict[str, Any]:
    """Versions, the processor and the date; nothing that names the machine."""
    versions: dict[str, str | None] = dict.fromkeys(DISTRIBUTIONS)
    for name in DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "versions": versions,
        "python": platform.python_version(),
        "processor": _processor(),
        "caches": _caches(),
        "processors": os.cpu_count(),
        "threads": 1,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _processor() -> str:
    """The processor's model name, as the system gives it."""
    with contextlib.suppress(OSError):
        for line in PROCESSOR_FILE.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _caches() -> dict[str, str]:
    """The size of each data cache of a core, by level; empty where the system does not tell."""
    found = {}
    for index in sorted(CACHES.glob("index*")):
        with contextlib.suppress(OSError):
            if (index / "type").read_text().strip() != "Instruction":
                found[f"L{(index / 'level').read_text().strip()}"] = (index / "size").read_text().strip()
    return found

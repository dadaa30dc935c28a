"""A soak: runs under real conditions for long, whose memory, files, threads and shared memory must stay as they are.

The first half of a run warms up: memories fill, allocators settle. Over the second half a line is fitted to the memory
that is a process's own. Samples that follow each other are alike, so the interval of the slope is from ten blocks
(Student's t with eight degrees of freedom); of a block the lower quartile counts, because while a checkpoint is
written there is more.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy import stats

from eqagents.bench import Row, Section
from eqagents.bench._faults_processes import Driver
from eqagents.bench._soak_samples import Sample, family, named, object_store, sample, segments
from eqagents.training.checkpoint import list_checkpoints, name_of
from eqagents.training.metrics import read_metrics

MIB = 2**20
BOUND = 16.0  # MiB an hour that a process may grow by
BLOCKS, FLOOR = 10, 0.25
PAGE = 4096
SLACK = 0.05  # by which counts may differ, and one more
SIZE = "checkpoint, bytes"
ENDING = 120.0  # seconds that a run may take to end when it is told to

PSRO: dict[str, Any] = {
    "game": {"id": "kuhn_poker"},
    "learner": {
        "id": "psro",
        "oracle": {"id": "policy_gradient", "updates": 60, "num_envs": 64, "steps": 8, "hidden": [32]},
        "payoffs": {"method": "simulated", "episodes": 4096},
        # Policies that no equilibrium uses go: the state of the run stays as large as it is.
        "prune_after": 3,
        "least_gain": None,
    },
    "iterations": 10**9,
    "seed": 0,
    "executor": {"workers": 2},
    "checkpoint": {"every": 2},
}
NFSP: dict[str, Any] = {
    "game": {"id": "leduc_poker"},
    "learner": {"id": "nfsp", "network": {"hidden": [64]}, "reservoir": 20_000},
    "iterations": 10**9,
    "seed": 0,
    "score": {"every": 50},
    "checkpoint": {"every": 5},
}
RUNS = {"psro, two workers": PSRO, "nfsp, inline": NFSP}


@dataclass(frozen=True)
class Slope:
    """Of a line through samples, with the ends of its 95 % interval, per hour."""

    value: float
    low: float
    high: float


def slope(seconds: Sequence[float], values: Sequence[float], blocks: int = BLOCKS) -> Slope | None:
    """How fast something grows; None where there are fewer than three samples a block.

    >>> found = slope(range(0, 3600, 10), [7.0 + second / 3600 for second in range(0, 3600, 10)])
    >>> round(found.low, 6), round(found.high, 6)
    (1.0, 1.0)
    """
    if len(seconds) < 3 * blocks:
        return None
    hours = [np.mean(part) / 3600 for part in np.array_split(np.asarray(seconds, float), blocks)]
    floors = [np.quantile(part, FLOOR) for part in np.array_split(np.asarray(values, float), blocks)]
    fit = stats.linregress(hours, floors)
    half = float(stats.t.ppf(0.975, blocks - 2) * fit.stderr)
    return Slope(float(fit.slope), float(fit.slope) - half, float(fit.slope) + half)


@dataclass
class Soaked:
    """A run that is soaked.

    Attributes:
        name: of the run.
        driver: at it.
        samples: by process.
        counts: by what is counted, with the seconds of each.
        left: what was left after its end, and what else was wrong.
    """

    name: str
    driver: Driver
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    counts: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def look(self, seconds: float) -> None:
        """Takes a sample of everything."""
        self.driver.look()
        main = self.driver.process.pid
        children = family(main)
        total: Sample | None = None
        for name, pids in {"driver": [main], **named(children)}.items():
            parts = [part for pid in pids if (part := sample(pid, seconds)) is not None]
            if parts:
                whole = sum(parts[1:], parts[0])
                self.samples.setdefault(name, []).append(whole)
                total = whole if total is None else total + whole
        if total is not None:
            self._count("open files", seconds, total.files)
            self._count("threads", seconds, total.threads)
        self._count("processes", seconds, 1 + len(children))
        self._count("object store, pages ever used", seconds, object_store(children) // PAGE)
        steps = list_checkpoints(self.driver.run / "checkpoints")
        if steps:
            folder = self.driver.run / "checkpoints" / name_of(steps[-1])
            size = sum(file.stat().st_size for file in folder.glob("*") if file.exists())
            self._count(SIZE, seconds, size)

    def _count(self, what: str, seconds: float, value: int) -> None:
        self.counts.setdefault(what, []).append((seconds, value))


def soak(
    minutes: float,
    place: Path,
    runs: dict[str, dict[str, Any]] = RUNS,
    every: float = 3.0,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[list[Soaked], list[tuple[float, int]]]:
    """Runs, all at the same time, for so many minutes after each has its first checkpoint.

    Args:
        minutes: of sampling.
        place: an empty directory for the runs.
        runs: configurations by name.
        every: seconds between samples.
        say: told of the state in lines.

    Returns:
        The runs, and the number of segments in /dev/shm with the seconds of each look.

    Raises:
        RuntimeError: a run ended before it was told to.
    """
    soaked = []
    for number, (name, config) in enumerate(runs.items()):
        file = place / f"{number}.yaml"
        file.write_text(yaml.safe_dump(config))
        arguments = ["train", str(file), "--out", str(place / str(number))]
        driver = Driver(arguments, place / str(number), place / f"{number}.txt", {"RAY_TMPDIR": str(place)})
        soaked.append(Soaked(name, driver))
    shared: list[tuple[float, int]] = []
    try:
        for each in soaked:
            folder = each.driver.run / "checkpoints"
            each.driver.wait_until(partial(list_checkpoints, folder), 0.1)
        started, told = time.monotonic(), 0.0
        while (seconds := time.monotonic() - started) < minutes * 60:
            for each in soaked:
                if not each.driver.alive:
                    raise RuntimeError(f"{each.name} ended: {each.driver.said()[-500:]}")
                each.look(seconds)
            shared.append((seconds, len(segments())))
            if seconds - told >= 60:
                told = seconds
                say(f"{seconds / 60:4.0f} min  " + "  ".join(_brief(each) for each in soaked))
            time.sleep(max(0.0, started + len(shared) * every - time.monotonic()))
    finally:
        for each in soaked:
            if each.driver.alive:
                each.driver.terminate()
        for each in soaked:
            status = each.driver.wait(ENDING)
            if status != 128 + signal.SIGTERM:
                each.left.append(f"exit status {status} after SIGTERM")
            each.left += each.driver.left()
    return soaked, shared


def _brief(run: Soaked) -> str:
    return ", ".join(f"{name} {samples[-1].uss / MIB:.0f} MiB" for name, samples in run.samples.items())


def memory_rows(run: Soaked, bound: float = BOUND) -> list[Row]:
    """The memory of each process of a run: at the half, at the end, its slope, and whether that is flat."""
    rows = []
    for name, samples in run.samples.items():
        half = samples[len(samples) // 2 :]
        found = slope([each.seconds for each in half], [each.uss / MIB for each in half])
        rows.append(
            {
                "run": run.name,
                "process": name,
                "samples": len(samples),
                "start": samples[0].uss / MIB,
                "half": _floor(half[: max(1, len(half) // BLOCKS)]),
                "end": _floor(half[-max(1, len(half) // BLOCKS) :]),
                "rss": samples[-1].rss / MIB,
                "slope": None if found is None else found.value,
                "interval": None if found is None else f"{found.low:.2f} to {found.high:.2f}",
                "flat": _verdict(found, bound),
            }
        )
    return rows


def _verdict(found: Slope | None, bound: float) -> bool | None:
    """Whether it is flat; None where that cannot be told."""
    if found is None or (found.high > bound and found.low <= 0):
        return None
    return found.high <= bound


def _floor(samples: Sequence[Sample]) -> float:
    return float(np.quantile([each.uss for each in samples], FLOOR)) / MIB


def count_rows(run: str, counts: dict[str, list[tuple[float, int]]]) -> list[Row]:
    """Counts of a run: their highest values in the third and the last quarter, and whether these are the same."""
    rows = []
    for name, found in counts.items():
        values = [value for _, value in found]
        quarter = max(1, len(values) // 4)
        third, last = max(values[-2 * quarter : -quarter] or values), max(values[-quarter:])
        rows.append(
            {
                "run": run,
                "what": name,
                "start": values[0],
                "third": third,
                "last": last,
                "flat": None if name == SIZE else last <= third * (1 + SLACK) + 1,
            }
        )
    return rows


def sections(soaked: Sequence[Soaked], shared: list[tuple[float, int]], minutes: float) -> list[Section]:
    """The tables of a soak."""
    work = []
    for run in soaked:
        metrics = read_metrics(run.driver.run)
        done = int(metrics[-1]["step"]) if metrics else 0
        work.append({"run": run.name, "iterations": done, "wrong": "; ".join(run.left) or "nothing"})
    counts = [row for run in soaked for row in count_rows(run.name, run.counts)]
    counts += count_rows("all", {"segments in /dev/shm": shared})
    return [
        Section(
            id="memory",
            title=f"Memory of runs over {minutes:g} minutes",
            columns={
                "run": "run",
                "process": "process",
                "start": "MiB at the start",
                "half": "at half the time",
                "end": "at the end",
                "rss": "resident at the end",
                "slope": "slope of the second half, MiB an hour",
                "interval": "95 % interval",
                "flat": "flat",
            },
            rows=[row for run in soaked for row in memory_rows(run)],
            notes=(
                f"Memory that is a process's own (USS). Flat: the interval ends below {BOUND:g} MiB an hour. Empty: "
                f"that cannot be told. The interval is from the lower quartiles of {BLOCKS} blocks of the second half.",
            ),
        ),
        Section(
            id="counts",
            title="What else could leak",
            columns={
                "run": "run",
                "what": "what",
                "start": "at the start",
                "third": "most in the third quarter",
                "last": "most in the last quarter",
                "flat": "flat",
            },
            rows=counts,
            notes=(
                "Open files and threads are of all processes of the run together. The checkpoint's size says whether "
                "the run itself has more to remember: its population, or memories that fill.",
            ),
        ),
        Section(
            id="work",
            title="What the runs did, and what was wrong at their end",
            columns={"run": "run", "iterations": "iterations", "wrong": "left or wrong after SIGTERM"},
            rows=work,
        ),
    ]

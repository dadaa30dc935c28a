"""One run of the fault campaign: what happens to it, how it goes on, and whether it ends like the undisturbed one."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from eqagents.bench._faults_cases import Case
from eqagents.bench._faults_cluster import SETTINGS, Nodes
from eqagents.bench._faults_forks import Forks
from eqagents.bench._faults_kinds import Disk, Kind, Scene
from eqagents.bench._faults_processes import Driver
from eqagents.training.checkpoint import load_checkpoint
from eqagents.training.metrics import read_metrics
from eqagents.training.run import evaluate
from eqagents.training.trees import packed
from eqenvs.errors import CheckpointError

CLOCKS = ("time/", "run/")
TRIES = 4  # of a resume at the end
WORKERS = 2
_LOADING = threading.Lock()  # runs are read and scored in one thread at a time


@dataclass(frozen=True)
class Result:
    """What a run came to, without what clocks say."""

    state: tuple[str, bytes]
    metrics: list[dict[str, Any]]
    score: str

    def differs(self, other: Result) -> list[str]:
        """In what two runs differ."""
        return [name for name in ("state", "metrics", "score") if getattr(self, name) != getattr(other, name)]


def result_of(run: Path) -> Result:
    """Of a run that has ended: the last checkpoint's state, all metrics, and the policy's score."""
    with _LOADING:
        metrics = [
            {name: value for name, value in row.items() if name != "time" and not name.startswith(CLOCKS)}
            for row in read_metrics(run)
        ]
        return Result(packed(load_checkpoint(run / "checkpoints")[1]["state"]), metrics, repr(evaluate(run).to_dict()))


@dataclass(frozen=True)
class Reference:
    """The run that nothing happened to.

    Attributes:
        result: see `Result`.
        span: seconds from its lock to its end.
    """

    result: Result
    span: float


@dataclass(frozen=True)
class Fault:
    """One that happened.

    Attributes:
        kind: its name.
        lost: iterations that had been written down and were done again.
        seconds: from it until the run was known to be dead and clean, or to go on.
    """

    kind: str
    lost: int
    seconds: float


@dataclass
class Trial:
    """What happened to a run.

    Attributes:
        case: of the run.
        faults: in order.
        resumes: times that it was resumed.
        equal: whether it ended as the undisturbed one.
        wrong: everything that should not have been.
        seconds: it took.
    """

    case: str
    faults: list[Fault] = field(default_factory=list)
    resumes: int = 0
    equal: bool = False
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


def reference(case: Case, place: Path, forks: Forks | None = None) -> Reference:
    """The undisturbed run of a case.

    Raises:
        RuntimeError: it failed.
    """
    place.mkdir(parents=True)
    site = _Site(case, place, place / "run", "driver" if case.inline else "workers", forks=forks)
    driver = site.start()
    driver.wait_until(lambda: driver.at_the_run)
    started = time.monotonic()
    driver.wait_until(lambda: not driver.at_the_run, 0.02)
    span = time.monotonic() - started
    if driver.wait() != 0:
        raise RuntimeError(f"the undisturbed run of {case.name!r} failed: {driver.said()[-500:]}")
    return Reference(result_of(site.run), span)


def trial(
    case: Case,
    kinds: list[Kind],
    undisturbed: Reference,
    place: Path,
    rng: np.random.Generator,
    forks: Forks | None = None,
) -> Trial:
    """Faults of some kinds, of which all are on the same place, at one run, and what becomes of it."""
    done, started, on = Trial(case.name), time.monotonic(), kinds[0].on
    place.mkdir(parents=True)
    disk = _disk_of(kinds, place)
    nodes = Nodes({"RAY_TMPDIR": str(place.parent)}) if on == "cluster" else None
    try:
        site = _Site(case, place, (place if disk is None else disk.place) / "run", on, nodes, forks)
        steps = len(undisturbed.result.metrics)
        driver: Driver | None = None
        for kind in kinds:
            if site.ended:
                break
            driver = driver if driver is not None and driver.alive else site.start()
            scene = Scene(driver, rng, steps / len(kinds), undisturbed.span / steps, disk, done.wrong)
            if nodes is not None:
                scene.lose_node = lambda: nodes.lose(int(rng.integers(2)))
            driver = _struck(kind, scene, site, done)
        _to_the_end(site, driver, done)
        done.resumes = site.resumes
        if site.ended:
            differing = result_of(site.run).differs(undisturbed.result)
            done.wrong += [f"{name} differs from the undisturbed run's" for name in differing]
            done.equal = not differing
            done.wrong += [f"left in the run's directory: {file.name}" for file in _temporaries(site.run)]
    finally:
        if nodes is not None:
            nodes.close()
        if disk is not None:
            disk.remove()
    done.seconds = time.monotonic() - started
    if not done.wrong:
        shutil.rmtree(place, ignore_errors=True)
    return done


def _struck(kind: Kind, scene: Scene, site: _Site, done: Trial) -> Driver | None:
    """One fault; returns the driver where it is still at the run."""
    driver, began = scene.driver, time.monotonic()
    happened = kind.strike(scene)
    if driver.alive:
        if happened:
            done.faults.append(Fault(kind.name, 0, time.monotonic() - began))
        return driver
    site.closed(driver, done, by_fault=(happened and not kind.survives) or driver.process.returncode == -signal.SIGKILL)
    if happened:
        lost = 0 if site.ended else _lost(site.run)
        if lost and kind.name.endswith(("Ctrl-C", "SIGTERM")):
            done.wrong.append(f"{kind.name}: no checkpoint of the last iteration")
        done.faults.append(Fault(kind.name, lost, time.monotonic() - began))
    return None


def _to_the_end(site: _Site, driver: Driver | None, done: Trial) -> None:
    for _ in range(TRIES):
        if driver is not None:
            if driver.wait() is None:
                done.wrong.append("the driver does not end")
            site.closed(driver, done, by_fault=False)
        if site.ended:
            return
        driver = site.start()
    done.wrong.append("lost: the run cannot be brought to its end")


def _lost(run: Path) -> int:
    """Iterations that were written down after the checkpoint that a resume will go on from."""
    try:
        rows = read_metrics(run)
        written = int(rows[-1]["step"]) if rows else -1
        return max(0, written - load_checkpoint(run / "checkpoints")[0])
    except CheckpointError:
        return 0  # before the first checkpoint; what is wrong beyond that, a resume says


def _temporaries(run: Path) -> list[Path]:
    return [*run.rglob(".tmp-*"), *run.glob("journal.sqlite-*")]


def _disk_of(kinds: list[Kind], place: Path) -> Disk | None:
    if all(kind.name != "disk full" for kind in kinds):
        return None
    try:
        return Disk(place / "disk")
    except PermissionError:
        return None


class _Site:
    """Where a run is, and how its drivers are started."""

    def __init__(
        self, case: Case, place: Path, run: Path, on: str, nodes: Nodes | None = None, forks: Forks | None = None
    ) -> None:
        self._forks = forks if on == "driver" else None
        self.run, self._said, self._config = run, place / "said.txt", place / "config.yaml"
        self._settings = {"RAY_TMPDIR": str(place.parent)}
        executor: dict[str, Any] = {} if on == "driver" else {"workers": WORKERS}
        if nodes is not None:
            executor["address"] = nodes.address
            self._settings |= SETTINGS
        self._config.write_text(yaml.safe_dump({**case.config, "executor": executor}))
        self.resumes = 0

    @property
    def ended(self) -> bool:
        return (self.run / "ended.json").exists()

    def start(self) -> Driver:
        """A driver that begins the run, or goes on with it."""
        if (self.run / "config.yaml").exists():
            self.resumes += 1
            return Driver(["resume", str(self.run)], self.run, self._said, self._settings, self._forks)
        arguments = ["train", str(self._config), "--out", str(self.run)]
        return Driver(arguments, self.run, self._said, self._settings, self._forks)

    def closed(self, driver: Driver, done: Trial, *, by_fault: bool) -> None:
        """What a driver that is dead left and said."""
        done.wrong += driver.left()
        said, status = driver.said(), driver.process.returncode
        if "Traceback (most recent call last)" in said:
            done.wrong.append(f"traceback: {said.strip().splitlines()[-1][:300]}")
        elif status and not by_fault:
            done.wrong.append(f"exit status {status}: {said.strip()[-300:]}")

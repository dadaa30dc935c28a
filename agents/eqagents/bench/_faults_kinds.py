"""The kinds of fault: what is done to a run under way, and what must be so right after.

A fault is done at a random moment of the time that a run still needs; one that comes after the run's end is none.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eqagents.bench._faults_processes import Driver
from eqagents.training.checkpoint import list_checkpoints

RECOVERED_WITHIN = 240.0  # seconds within which a run on workers goes on after it lost one


@dataclass
class Scene:
    """Where a fault happens.

    Attributes:
        driver: of the run.
        rng: of the trial.
        steps: iterations of the run, over the faults that it is to meet.
        pause: seconds that an iteration of an undisturbed run takes.
        disk: that the run's directory is on, where it has one of its own.
        wrong: what was found to be wrong.
        lose_node: ends a node of the cluster and starts another, where there is a cluster.
    """

    driver: Driver
    rng: np.random.Generator
    steps: float
    pause: float
    disk: Disk | None = None
    wrong: list[str] = field(default_factory=list)
    lose_node: Callable[[], None] | None = None

    @property
    def run(self) -> Path:
        """The run's directory."""
        return self.driver.run

    def moment(self) -> bool:
        """Waits until some moment while the run is trained; False if it ended before.

        By the iterations done, not by the clock: how long they take differs from one run to the next.
        """
        if not self.driver.wait_until(lambda: self.driver.at_the_run):
            return False
        target = _lines(self.run) + int(self.rng.uniform(0, self.steps))
        delay = float(self.rng.uniform(0, self.pause))
        if not self.driver.wait_until(lambda: _lines(self.run) >= target, pause=0.002):
            return False
        self.driver.wait_until(lambda: False, pause=delay / 4 + 1e-4, patience=delay)
        return self.under_way

    @property
    def under_way(self) -> bool:
        """Whether the run has something left to do, and somebody does it."""
        return self.driver.alive and self.driver.at_the_run and not (self.run / "ended.json").exists()


class Disk:
    """A small file system in memory, which can be filled.

    Args:
        place: where it is mounted; made.

    Raises:
        PermissionError: this user may not mount.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        if _mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)):
            place.rmdir()
            raise PermissionError("this user may not mount a file system")

    def leave(self, spare: int) -> None:
        """Leaves so many bytes, and a page more."""
        found = os.statvfs(self.place)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        _mount("-o", f"remount,size={used + spare + 4096}", str(self.place))

    def mend(self) -> None:
        """There is space again."""
        _mount("-o", "remount,size=64m", str(self.place))

    def remove(self) -> None:
        """Unmounts it."""
        subprocess.run(["umount", "-l", str(self.place)], check=False, capture_output=True)


def _mount(*arguments: str) -> int:
    try:
        return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode
    except OSError:
        return 1


def killed(scene: Scene) -> bool:
    """SIGKILL at any moment."""
    happened = scene.moment()
    if happened:
        scene.driver.kill()
    return happened


def killed_in_a_write(scene: Scene) -> bool:
    """SIGKILL while a file or a checkpoint is being written, and has its temporary name."""

    def writing() -> bool:
        return any(name.startswith(".tmp-") for each in (scene.run / "checkpoints", scene.run) for name in _names(each))

    happened = scene.moment() and scene.driver.wait_until(writing, pause=0.0) and scene.under_way
    if happened:
        scene.driver.kill()
    return happened


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def interrupted(scene: Scene) -> bool:
    """Ctrl-C."""
    return _signalled(scene, scene.driver.interrupt, 128 + signal.SIGINT)


def terminated(scene: Scene) -> bool:
    """SIGTERM."""
    return _signalled(scene, scene.driver.terminate, 128 + signal.SIGTERM)


def _signalled(scene: Scene, send: Callable[[], None], expected: int) -> bool:
    """The run ends after its iteration, with a checkpoint of it and the status of the signal."""
    if not scene.moment():
        return False
    send()
    status = scene.driver.wait()
    if status == 0 and (scene.run / "ended.json").exists():
        return False  # it came in the last iteration
    if status != expected:
        scene.wrong.append(f"exit status {status} after the signal, not {expected}")
    return True


def disk_full(scene: Scene) -> bool:
    """The disk fills, or where this user may not mount one, files must not grow any more."""
    if not scene.moment():
        return False
    spare = int(scene.rng.integers(0, 40_000))
    if scene.disk is not None:
        scene.disk.leave(spare)
    else:
        # Of the run's files, the metrics are about the longest; what the driver says must still fit.
        largest = max(file.stat().st_size for file in (*scene.run.glob("*.jsonl"), *scene.run.glob("*/events*")))
        most = max(4096, largest + spare // 4)
        resource.prlimit(scene.driver.process.pid, resource.RLIMIT_FSIZE, (most, most))
    status = scene.driver.wait()
    if scene.disk is not None:
        scene.disk.mend()
    if status == 0:
        return False  # there was enough space to the end
    if status != 2:
        scene.wrong.append(f"exit status {status} where the disk is full, not 2")
    said = scene.driver.said().strip().splitlines()
    if not said or not said[-1].startswith("error: "):
        scene.wrong.append(f"full disk: said {said[-1:]}")
    return True


def worker_killed(scene: Scene) -> bool:
    """SIGKILL of a worker; the run goes on by itself."""
    return _worker(scene, signal.SIGKILL)


def worker_stopped(scene: Scene) -> bool:
    """SIGSTOP of a worker, which then is stuck; the run goes on by itself."""
    return _worker(scene, signal.SIGSTOP)


def node_removed(scene: Scene) -> bool:
    """A node of the cluster dies with its worker, and another one comes."""
    assert scene.lose_node is not None
    if not (_wait_for_workers(scene) and scene.moment()):
        return False
    scene.lose_node()
    return _goes_on(scene)


def _worker(scene: Scene, number: signal.Signals) -> bool:
    if not (_wait_for_workers(scene) and scene.moment()):
        return False
    workers = scene.driver.workers()
    if not workers:
        return False
    try:
        os.kill(int(scene.rng.choice(workers)), number)
    except ProcessLookupError:
        return False
    return _goes_on(scene)


def _wait_for_workers(scene: Scene) -> bool:
    if scene.lose_node is not None:  # they are on nodes of others: look at what comes of them
        return scene.driver.wait_until(lambda: _written(scene.run) > 60)
    return scene.driver.wait_until(scene.driver.workers, pause=0.1)


def _goes_on(scene: Scene) -> bool:
    """Whether another iteration is written after the one under way; a run that ends instead is looked at later."""
    scene.driver.look()
    lines = _lines(scene.run)
    driver = scene.driver
    if not driver.wait_until(lambda: _lines(scene.run) > lines + 1, 0.05, RECOVERED_WITHIN) and driver.alive:
        scene.wrong.append(f"stuck: no iteration in {RECOVERED_WITHIN:.0f} s")
        driver.kill()
    return True


def _written(run: Path) -> int:
    file = run / "metrics.jsonl"
    return file.stat().st_size if file.exists() else 0


def _lines(run: Path) -> int:
    file = run / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def checkpoint_truncated(scene: Scene) -> bool:
    """The newest checkpoint, or the file that names it, lost its end; the run had been killed."""
    return _killed_and(scene, lambda: _damaged(_file_of_newest(scene), scene.rng, flip=False))


def checkpoint_flipped(scene: Scene) -> bool:
    """A bit of the newest checkpoint is another one; the run had been killed."""
    return _killed_and(scene, lambda: _damaged(_file_of_newest(scene), scene.rng, flip=True))


def journal_truncated(scene: Scene) -> bool:
    """A file of the journal lost its end; the run had been killed."""
    return _killed_and(scene, lambda: _damaged(_file_of_journal(scene), scene.rng, flip=False))


def journal_flipped(scene: Scene) -> bool:
    """A bit of the journal is another one; the run had been killed."""
    return _killed_and(scene, lambda: _damaged(_file_of_journal(scene), scene.rng, flip=True))


def metrics_torn(scene: Scene) -> bool:
    """The last line of the metrics is not whole; the run had been killed."""

    def tear() -> bool:
        file = scene.run / "metrics.jsonl"
        data = file.read_bytes() if file.exists() else b""
        last = data.rstrip(b"\n").rpartition(b"\n")[2]
        if len(last) < 2:
            return False
        # A killed process leaves a part of the line after the last whole one.
        with file.open("ab") as opened:
            opened.write(last[: int(scene.rng.integers(1, len(last)))])
        return True

    return _killed_and(scene, tear)


def _killed_and(scene: Scene, damage: Callable[[], bool]) -> bool:
    if not killed(scene):
        return False
    return damage()


def _file_of_newest(scene: Scene) -> Path | None:
    """A file of the newest checkpoint, where there is an earlier one to go back to."""
    directory = scene.run / "checkpoints"
    steps = list_checkpoints(directory)
    if len(steps) < 2:
        return None
    newest = directory / f"step-{steps[-1]:06d}"
    return [newest / "arrays.npz", newest / "tree.json", directory / "LATEST"][int(scene.rng.integers(3))]


def _file_of_journal(scene: Scene) -> Path | None:
    files = [file for file in sorted(scene.run.glob("journal.sqlite*")) if file.stat().st_size]
    return files[int(scene.rng.integers(len(files)))] if files else None


def _damaged(file: Path | None, rng: np.random.Generator, *, flip: bool) -> bool:
    if file is None or not file.exists():
        return False
    data = bytearray(file.read_bytes())
    place = int(rng.integers(len(data)))
    if flip:
        data[place] ^= 1 << int(rng.integers(8))
    file.write_bytes(data if flip else data[:place])
    return True


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        name: in the table.
        strike: does it, and says whether it happened.
        on: where the run is: "driver", "workers" or "cluster".
        survives: whether the driver is to survive it.
    """

    name: str
    strike: Callable[[Scene], bool]
    on: str = "driver"
    survives: bool = False


KINDS: tuple[Kind, ...] = (
    Kind("driver killed", killed),
    Kind("driver killed in a write", killed_in_a_write),
    Kind("Ctrl-C", interrupted),
    Kind("SIGTERM", terminated),
    Kind("disk full", disk_full),
    Kind("newest checkpoint truncated", checkpoint_truncated),
    Kind("newest checkpoint: a bit flipped", checkpoint_flipped),
    Kind("journal truncated", journal_truncated),
    Kind("journal: a bit flipped", journal_flipped),
    Kind("last metrics line torn", metrics_torn),
    Kind("worker killed", worker_killed, "workers", survives=True),
    Kind("worker stopped", worker_stopped, "workers", survives=True),
    Kind("driver with workers killed", killed, "workers"),
    Kind("driver with workers: Ctrl-C", interrupted, "workers"),
    Kind("node removed", node_removed, "cluster", survives=True),
)

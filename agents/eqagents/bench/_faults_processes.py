"""Runs as processes of their own for the fault campaign: starting them, what belongs to them, and what they leave.

Linux only: processes, locks and shared memory are read from /proc and /dev/shm.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import uuid4

from eqagents.bench._faults_forks import Forked, Forks

MARK = "EQENVS_FAULTS_MARK"
WORKER_NAMES = ("ray::Actor", "ray::GangMember")  # what Ray calls the processes of a run's workers
SHARED = Path("/dev/shm")
PATIENCE = 300.0  # seconds that a driver may take for whatever it is doing
GONE_WITHIN = 90.0  # seconds after a driver's death within which its processes must be gone; Ray's own agents take 60


class Driver:
    """`eqenvs train` or `eqenvs resume` in a process of its own.

    Args:
        arguments: of the command.
        run: the run's directory.
        said: the file that its standard error is added to.
        settings: further environment variables.
        forks: what it is forked from; None: an interpreter of its own.
    """

    def __init__(
        self, arguments: list[str], run: Path, said: Path, settings: dict[str, str], forks: Forks | None = None
    ) -> None:
        self.run, self._said = run, said
        self._mark = f"{MARK}={uuid4().hex}"
        name, _, value = self._mark.partition("=")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", **settings, name: value}
        self._before = said.stat().st_size if said.exists() else 0
        self._shared_before = set(os.listdir(SHARED)) if SHARED.is_dir() else set()
        self._seen: set[int] = set()
        self.process: subprocess.Popen[bytes] | Forked
        if forks is not None:
            self.process = forks.start(arguments, said, {**settings, name: value})
            return
        with said.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "eqagents.cli.main", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # a Ctrl-C reaches all of it, and nothing else
            )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    @property
    def at_the_run(self) -> bool:
        """Whether it holds the run's lock; looked up without touching it."""
        try:
            inode = (self.run / ".lock").stat().st_ino
            locks = Path("/proc/locks").read_text().splitlines()
        except OSError:
            return False
        return any(f" {self.process.pid} " in line and f":{inode} " in line for line in locks)

    def wait_until(self, there: Callable[[], object], pause: float = 0.005, patience: float = PATIENCE) -> bool:
        """Waits for something; False where the driver ended before, or it took too long."""
        deadline = time.monotonic() + patience
        while self.alive and time.monotonic() < deadline:
            if there():
                return True
            time.sleep(pause)
        return False

    def wait(self, patience: float = PATIENCE) -> int | None:
        """Its exit status; None where it does not end, and is killed."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self) -> None:
        """SIGKILL to the driver alone."""
        self.look()
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> None:
        """What Ctrl-C in a terminal does: SIGINT to all of its session's foreground."""
        self.look()
        os.killpg(self.process.pid, signal.SIGINT)

    def terminate(self) -> None:
        """SIGTERM to the driver."""
        self.look()
        self.process.terminate()

    def look(self) -> None:
        """Remembers which processes are the driver's."""
        self._seen |= self._belonging()

    def workers(self) -> list[int]:
        """Its Ray workers that were given their work, by process id."""
        return [pid for pid in self._belonging() if _command(pid).startswith(WORKER_NAMES)]

    def said(self) -> str:
        """What it said on standard error."""
        return self._said.read_bytes()[self._before :].decode(errors="replace")

    def left(self, patience: float = GONE_WITHIN) -> list[str]:
        """What is wrong after its death: processes, a lock, shared memory. Those processes are ended."""
        deadline = time.monotonic() + patience
        while (still := self._still()) and time.monotonic() < deadline:
            time.sleep(0.1)
        found = [f"process left: {_command(pid)[:60]}" for pid in sorted(still)]
        for pid in still:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if self.at_the_run:
            found.append("lock left")
        return found + [f"shared memory left: {name}" for name in self._shared_left()]

    def _belonging(self) -> set[int]:
        """Descendants, and whoever has the driver's mark in its environment."""
        parents = {pid: parent for pid in _pids() if (parent := _parent(pid)) is not None}
        family = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        marked = {pid for pid in parents if self._mark.encode() in _read(f"/proc/{pid}/environ")}
        return (family | marked) - {self.process.pid}

    def _still(self) -> set[int]:
        return {pid for pid in self._seen | self._belonging() if _parent(pid) is not None and self._is_its(pid)}

    def _is_its(self, pid: int) -> bool:
        """Whether a process id is still of who was seen with it: Ray's workers write over their environment."""
        return self._mark.encode() in _read(f"/proc/{pid}/environ") or "ray" in _command(pid)

    def _shared_left(self) -> list[str]:
        """Segments that came since the driver's start and that nobody has open: other programs have theirs."""
        if not SHARED.is_dir():
            return []
        new = set(os.listdir(SHARED)) - self._shared_before
        return sorted(new - _in_use(new)) if new else []


def _pids() -> Iterable[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""


def _command(pid: int) -> str:
    return _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def _parent(pid: int) -> int | None:
    """The parent of a process; None where it is gone, or dead and only waits to be noticed."""
    state, _, rest = _read(f"/proc/{pid}/stat").rpartition(b")")[2].strip().partition(b" ")
    return int(rest.split()[0]) if rest and state != b"Z" else None


def _in_use(names: set[str]) -> set[str]:
    """Those of some names in /dev/shm that a process has open or mapped."""
    used: set[str] = set()
    for pid in _pids():
        text = _read(f"/proc/{pid}/maps").decode(errors="replace")
        with contextlib.suppress(OSError):
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    text += os.readlink(descriptor.path) + "\n"
        used |= {name for name in names if f"{SHARED}/{name}" in text}
    return used

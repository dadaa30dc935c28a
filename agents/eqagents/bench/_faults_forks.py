"""Drivers that are forked from a process that has imported everything: a run of a second needs not three to begin.

What such a driver does is what `python -m eqagents.cli.main` does after its imports. For runs without Ray.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

PAUSE = 0.02  # seconds between two looks at who has ended


class Forked:
    """A forked driver, as far as `subprocess.Popen` is used here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._over = threading.Event()

    def over(self, status: int) -> None:
        """It ended."""
        self.returncode = os.waitstatus_to_exitcode(status)
        self._over.set()

    def poll(self) -> int | None:
        """The exit status, once it ended."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status."""
        if not self._over.wait(timeout):
            raise subprocess.TimeoutExpired("forked driver", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, where it has not ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(9)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(15)


class Forks:
    """The process that drivers are forked from; safe to use from threads."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "eqagents.bench._faults_forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self._starting, self._born = threading.Lock(), threading.Semaphore(0)
        self._drivers: dict[int, Forked] = {}
        self._newest: Forked | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def start(self, arguments: list[str], said: Path, settings: dict[str, str]) -> Forked:
        """A driver with these arguments of the command, whose standard error is added to a file."""
        with self._starting:
            assert self._process.stdin is not None
            order = {"arguments": arguments, "said": str(said), "settings": settings}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            self._born.acquire()
            assert self._newest is not None
            return self._newest

    def close(self) -> None:
        """No further ones."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "born" in said:
                self._newest = self._drivers[said["born"]] = Forked(said["born"])
                self._born.release()
            else:
                self._drivers.pop(said["died"]).over(said["status"])


def _serve() -> None:
    """Forks a driver for every line, and tells who was born and who died."""
    from eqagents.cli import app, progress  # noqa: F401
    from eqagents.training import run  # noqa: F401

    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    orders, rest, opened, children = sys.stdin.fileno(), b"", True, 0
    while opened or children:
        if opened and select.select([orders], [], [], PAUSE)[0]:
            data = os.read(orders, 65536)
            opened = bool(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _tell(born=_fork(json.loads(line)))
                children += 1
        elif not opened:
            select.select([], [], [], PAUSE)
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                _tell(died=found[0], status=found[1])
                children -= 1


def _tell(**said: int) -> None:
    sys.stdout.write(json.dumps(said) + "\n")


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if not pid:
        _drive(order)
    return pid


def _drive(order: dict[str, Any]) -> NoReturn:
    status = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.dup2(os.open(order["said"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), 2)
        os.environ.update(order["settings"])
        sys.argv = ["eqenvs", *order["arguments"]]
        from eqagents.cli.app import run

        try:
            run()
            status = 0
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        except BaseException:  # as an interpreter tells of it
            sys.excepthook(*sys.exc_info())
        _finish()
    finally:
        os._exit(status)


def _finish() -> None:
    """What an interpreter does at its end."""
    import atexit

    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stderr.flush()


if __name__ == "__main__":
    _serve()

"""What processes hold, from /proc (Linux): memory, open files, threads, and the shared memory of Ray's object store."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eqagents.bench._faults_processes import WORKER_NAMES

PROC, SHARED = Path("/proc"), Path("/dev/shm")


@dataclass(frozen=True)
class Sample:
    """A process, or several together, at one moment.

    Attributes:
        seconds: since the first sample.
        uss: bytes that are only its own: what its end would free.
        pss: bytes, shared ones divided by those who share them.
        rss: bytes, shared ones in full.
        files: that it has open.
        threads: of it.
    """

    seconds: float
    uss: int
    pss: int
    rss: int
    files: int
    threads: int

    def __add__(self, other: Sample) -> Sample:
        return Sample(
            self.seconds,
            self.uss + other.uss,
            self.pss + other.pss,
            self.rss + other.rss,
            self.files + other.files,
            self.threads + other.threads,
        )


def sample(pid: int, seconds: float) -> Sample | None:
    """A process now; None where it is gone."""
    try:
        memory = _fields((PROC / str(pid) / "smaps_rollup").read_text())
        status = _fields((PROC / str(pid) / "status").read_text())
        files = len(os.listdir(PROC / str(pid) / "fd"))
    except OSError:
        return None
    if "Pss" not in memory:
        return None
    own = memory["Private_Clean"] + memory["Private_Dirty"]
    return Sample(seconds, own * 1024, memory["Pss"] * 1024, memory["Rss"] * 1024, files, status["Threads"])


def _fields(text: str) -> dict[str, int]:
    """The lines `Name: number ...`."""
    return {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+)", text, re.MULTILINE)}


def family(pid: int) -> set[int]:
    """The descendants of a process, by process id."""
    parents = {}
    for name in os.listdir(PROC):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parents[int(name)] = int((PROC / name / "stat").read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def command(pid: int) -> str:
    """What a process calls itself; empty where it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def named(pids: Iterable[int]) -> dict[str, list[int]]:
    """Which of a run's processes are its workers, and which are Ray's own, by program."""
    found: dict[str, list[int]] = {}
    for pid in sorted(pids):
        text = command(pid)
        if text.startswith(WORKER_NAMES):
            found[f"worker {sum(name.startswith('worker') for name in found) + 1}"] = [pid]
        elif text.startswith("ray::"):
            found.setdefault("Ray: spare workers", []).append(pid)
        elif "/ray/" in text:
            first, *others = text.split()
            program = next((part for part in others if part.endswith(".py")), first) if "python" in first else first
            found.setdefault(f"Ray: {Path(program).name}", []).append(pid)
        else:
            found.setdefault("other processes", []).append(pid)
    return found


def segments() -> dict[str, int]:
    """The bytes of each named segment of shared memory."""
    found = {}
    with contextlib.suppress(OSError):
        for entry in os.scandir(SHARED):
            with contextlib.suppress(OSError):
                found[entry.name] = entry.stat().st_blocks * 512
    return found


def object_store(pids: Iterable[int]) -> int:
    """Bytes of shared memory that the object store of these processes has ever used: it gives none back.

    Ray's store is a file without a name, which its processes have open.
    """
    stores: Mapping[tuple[int, int], int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for descriptor in os.scandir(PROC / str(pid) / "fd"):
                with contextlib.suppress(OSError):
                    if "plasma" in os.readlink(descriptor.path):
                        found = os.stat(descriptor.path)
                        stores = {**stores, (found.st_dev, found.st_ino): found.st_blocks * 512}
    return sum(stores.values())

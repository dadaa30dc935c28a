"""`eqenvs doctor`: whether everything runs with what is installed on this machine, and what to do where it does not.

Reads versions, files of the system and the registry, loads torch and one kernel; starts Ray only if asked to.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from packaging.requirements import Requirement
from rich.table import Table

from eqenvs import discovery
from eqenvs.errors import InputError
from eqenvs.spec import Family, GameSpec

GIB = 2**30
DEVELOPING = ("bench", "dev", "docs")  # extras for those who work on the project
MOST_NAMED = 4  # packages that an extra lacks
LEAST_MEMORY, LEAST_SHARED, LEAST_DISK = 2 * GIB, 200 * 2**20, GIB  # below which it is said


class Status(StrEnum):
    """How a finding stands."""

    OK = "ok"
    NOTE = "note"  # some things are slower, or not there
    BAD = "bad"  # something does not run


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: it was.
        found: in a few words.
        status: see `Status`.
        remedy: what to do, where something can be done.
    """

    what: str
    found: str
    status: Status = Status.OK
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


def examine(*, with_ray: bool) -> Iterator[Finding]:
    """Everything, one finding after the other.

    Args:
        with_ray: start Ray with a worker, which takes seconds, and run a task on it.
    """
    yield from _packages()
    yield from _extras()
    yield from _plugins()
    yield _processors()
    yield from _memory()
    yield _kernels()
    yield _gpu()
    if with_ray:
        yield _ray()


def _packages() -> Iterator[Finding]:
    yield Finding("Python", f"{platform.python_implementation()} {platform.python_version()}")
    yield Finding("eqenvs", metadata.version("eqenvs"))
    for needed in _requirements("eqenvs", ""):
        found, remedy = _version(needed.name), f"pip install '{needed.name}{needed.specifier}'"
        if found is None:
            yield Finding(needed.name, "not installed", Status.BAD, remedy)
        elif not needed.specifier.contains(found, prereleases=True):
            yield Finding(needed.name, f"{found}, not {needed.specifier}", Status.BAD, remedy)
        else:
            yield Finding(needed.name, found)


def _extras() -> Iterator[Finding]:
    """What may be installed beside."""
    for extra in metadata.metadata("eqenvs").get_all("Provides-Extra") or []:
        if extra in DEVELOPING:
            continue
        found, missing = [], []
        for needed in _requirements("eqenvs", extra):
            parts = [part.name for own in needed.extras for part in _requirements(needed.name, own)]  # as of ray[rllib]
            absent = [name for name in (needed.name, *parts) if _version(name) is None]
            missing += absent
            if not absent:
                found.append(f"{needed.name} {_version(needed.name)}")
        if missing:
            more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
            found.append(f"without {', '.join(missing[:MOST_NAMED])}{more}")
        remedy = f"pip install 'eqenvs[{extra}]', for what it brings" if missing else ""
        yield Finding(f"extra {extra}", ", ".join(found), remedy=remedy)


def _requirements(name: str, extra: str) -> list[Requirement]:
    """What a distribution asks for, or an extra of it asks for besides."""
    parsed = map(Requirement, metadata.requires(name) or [] if _version(name) else [])
    with_it = [each for each in parsed if each.marker is None or each.marker.evaluate({"extra": extra})]
    if not extra:
        return with_it
    return [each for each in with_it if each.marker is not None and not each.marker.evaluate({"extra": ""})]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _kinds() -> dict[str, tuple[str, str, type]]:
    """What plug-ins may bring, by package: its name, the module's attribute, and the type of that."""
    from eqagents.learners import LearnerSpec
    from eqagents.oracles import OracleSpec
    from eqagents.policies.records import RecordKind
    from eqsolvers.meta import MetaSolverSpec
    from eqsolvers.result import SolverSpec

    return {
        "eqenvs.games": ("game", "SPEC", GameSpec),
        "eqenvs.interop": ("scheme", "spec", FunctionType),
        **{f"eqsolvers.{family.value}": ("solver", "SOLVER", SolverSpec) for family in Family},
        "eqsolvers.meta": ("meta-solver", "META_SOLVER", MetaSolverSpec),
        "eqagents.learners": ("learner", "LEARNER", LearnerSpec),
        "eqagents.oracles": ("oracle", "ORACLE", OracleSpec),
        "eqagents.policies": ("kind of policy", "RECORD", RecordKind),
    }


def _plugins() -> Iterator[Finding]:
    for package, (kind, attribute, expected) in _kinds().items():
        for name, plugin in discovery.plugins(package):
            try:
                discovery.load(package, kind, name, attribute, expected)
            except InputError as error:
                yield Finding(f"{kind} {name}", str(error), Status.BAD, f"mend or uninstall {plugin}")
            else:
                yield Finding(f"{kind} {name}", f"of {plugin}")


def _processors() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{usable} of {os.cpu_count()} for this process"
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        limit, _, period = quota.read_text().partition(" ")
        if limit != "max" and int(limit) < usable * int(period):
            found += f", limited to the time of {int(limit) / int(period):.3g}"
    return Finding("processors", found)


def _memory() -> Iterator[Finding]:
    total, free = _bytes_of_memory()
    if total is not None and free is not None:
        status = Status.NOTE if free < LEAST_MEMORY else Status.OK
        remedy = "smaller games, fewer workers or less play at once" if status is Status.NOTE else ""
        yield Finding("memory", f"{free / GIB:.1f} GiB free of {total / GIB:.1f}", status, remedy)
    shared = Path("/dev/shm")
    if shared.is_dir():
        left = shutil.disk_usage(shared).free
        short = left < LEAST_SHARED
        remedy = "Ray keeps its objects in files, which is slower: enlarge /dev/shm (docker run --shm-size=2g)"
        yield Finding("shared memory", f"{left / GIB:.1f} GiB free", *((Status.NOTE, remedy) if short else ()))
    left = shutil.disk_usage(Path.cwd()).free
    short = left < LEAST_DISK
    remedy = "runs are stopped where checkpoints cannot be written"
    yield Finding("disk here", f"{left / GIB:.1f} GiB free", *((Status.NOTE, remedy) if short else ()))


def _bytes_of_memory() -> tuple[int | None, int | None]:
    """All and free memory of the machine, or of the group of processes that has less."""
    known = Path("/proc/meminfo")
    if not known.is_file():
        return None, None
    lines = dict(line.split(":", 1) for line in known.read_text().splitlines() if ":" in line)
    total, free = (1024 * int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()) != "max":
        total = min(total, int(text))
        free = min(free, max(0, int(text) - int(used.read_text())))
    return total, free


def _kernels() -> Finding:
    """Compiled loops are kept on the disk, beside the code or in the user's cache."""
    started = time.perf_counter()
    try:
        from eqenvs.kernels import drawn_entry

        entry = drawn_entry(np.array([0.25, 1.0]), 0, 2, 0.5)
    except Exception as error:
        return Finding("compiled kernels", f"{type(error).__name__}: {error}", Status.BAD, "reinstall numba")
    taken = time.perf_counter() - started
    if entry != 1:
        return Finding("compiled kernels", f"one gave {entry} for 1", Status.BAD, "reinstall numba")
    kept: Any = drawn_entry  # typed as the plain function
    if not any(Path(kept.stats.cache_path).glob("*.nbi")):
        remedy = "set NUMBA_CACHE_DIR to a folder that can be written to; else every process compiles anew"
        return Finding("compiled kernels", f"work, and are not kept ({taken:.1f} s)", Status.NOTE, remedy)
    return Finding("compiled kernels", f"work, and are kept ({taken:.1f} s)")


def _gpu() -> Finding:
    try:
        import torch
    except ImportError as error:
        return Finding("GPU", f"torch cannot be imported ({error})", Status.BAD, "pip install torch")
    if torch.cuda.is_available():
        each = (torch.cuda.get_device_properties(device) for device in range(torch.cuda.device_count()))
        found = ", ".join(f"{one.name}, {one.total_memory / GIB:.0f} GiB" for one in each)
        return Finding("GPU", f"{found} (CUDA {torch.version.cuda})")
    if torch.version.cuda is None:
        return Finding("GPU", "none is used: torch is built for the processor alone")
    remedy = "nvidia-smi tells whether the driver sees one"
    return Finding("GPU", f"none is seen by torch, built for CUDA {torch.version.cuda}", Status.NOTE, remedy)


def _ray() -> Finding:
    from eqagents.distributed import ExecutorConfig, Task, make_executor, run_ordered

    started = time.perf_counter()
    try:
        with make_executor(ExecutorConfig(workers=1), 0) as executor:
            [worker] = run_ordered(executor, [Task((0,), f"{__name__}:process_number", {})])
    except Exception as error:
        remedy = "the logs of Ray are in /tmp/ray/session_latest/logs"
        return Finding("Ray", f"{type(error).__name__}: {error}", Status.BAD, remedy)
    taken = time.perf_counter() - started
    if worker == os.getpid():
        return Finding("Ray", "the task ran in this process", Status.BAD, "reinstall ray")
    return Finding("Ray", f"a worker answered after {taken:.1f} s")


def process_number(seed: np.random.SeedSequence) -> int:
    """The task that Ray is tried with."""
    return os.getpid()


def doctor_table(findings: Sequence[Finding]) -> Table:
    """For people."""
    table = Table("looked at", "found", "", "what to do")
    for each in findings:
        table.add_row(each.what, each.found, "" if each.status is Status.OK else each.status.value, each.remedy)
    return table

"""Tasks on Ray: stateless worker actors behind one dynamic queue.

A worker that dies is restarted by Ray, and its tasks are sent again: they are pure, so running one twice is harmless.
Results come back as Ray gives them: their arrays are read-only and may lie in shared memory, which they hold while
they live (copy before `torch.from_numpy`). Cost: a round trip is about a millisecond, so a task should take tens.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import sysconfig
import time
import weakref
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import ray
from ray.exceptions import ActorDiedError, ObjectLostError, OutOfMemoryError, RayActorError, RayError

from eqagents.distributed.gang import Gangs, Member
from eqagents.distributed.task import Handle, Task, TaskError, execute, handles, unique
from eqenvs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

logger = logging.getLogger(__name__)

CACHED_OBJECTS = 512  # published objects that a worker keeps; a population has one per policy
REFUSALS, PAUSE = 20, 0.1  # times that a task is sent again to a worker that is restarting, and seconds between
START_WARNING = 60.0  # seconds without any result after which a warning tells that workers may lack resources


@dataclass(frozen=True)
class _Failure:
    """A task's error on its way to the driver."""

    error: InputError | TaskError


class _Actor:
    """Runs tasks in a worker process; its state is a cache and nothing else."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._cache: OrderedDict[str, Any] = OrderedDict()

    def run(self, task: Task, references: dict[str, Any], released: list[str]) -> Any:
        """The task's result, or its error as a value: Ray would wrap a raised one in a class of its own."""
        for name in released:
            self._cache.pop(name, None)
        objects = {}
        for name, reference in references.items():
            if name not in self._cache:
                self._cache[name] = ray.get(reference)
            self._cache.move_to_end(name)
            objects[name] = self._cache[name]
        # The least recently used go first; what this task refers to was used just now and always fits.
        while len(self._cache) > max(CACHED_OBJECTS, len(references)):
            self._cache.popitem(last=False)
        try:
            return execute(task, self._seed, objects)
        except (InputError, TaskError) as error:
            return _Failure(error)


@dataclass(slots=True, eq=False)
class _Worker:
    """The driver's view of one worker."""

    actor: Any = None  # None: to be made when the next task is sent
    abandoned: bool = False  # killed by the driver: what was sent to it is lost by nobody's fault
    released: list[str] = field(default_factory=list)  # ids that its cache may forget


@dataclass(slots=True, eq=False)
class _Entry:
    """A task on its way."""

    task: Task
    references: dict[str, Any]
    worker: _Worker = field(default_factory=_Worker)  # replaced when sent
    losses: int = 0
    refused: int = 0  # times that it met a worker that Ray was restarting


class RayExecutor:
    """Runs tasks on Ray workers.

    Starts Ray on this machine unless it is initialised already or an address is given, and shuts down only what it
    started or connected to. Modules that this process can import, its workers on the same machine can; on a cluster
    at an address, the nodes receive this process's `eqenvs`, `eqsolvers` and `eqagents`, and need the rest installed.
    Make it with `make_executor`: there, a Ray that it starts listens on 127.0.0.1 only.

    Args:
        seed: root of all random streams, >= 0.
        workers: worker processes, >= 1; each reserves one CPU.
        address: Ray cluster to connect to; None: this machine.
        num_gpus_per_worker: GPUs that each worker reserves, >= 0; fractions share one.
        num_gpus_per_learner: GPUs that each process of `together` reserves, >= 0.
        in_flight: tasks sent to a worker before it answers, >= 1; with no retries, one is sent at a time.
        retries: times that a task is sent again after the loss of its worker, >= 0. A task that was lost once has a
            worker for itself from then on, so that none is blamed for what its neighbour does.
        object_store_memory: shared memory of a Ray started here, in bytes; None: fits /dev/shm, at most 2 GiB.

    Raises:
        ValueError: an argument out of range.
        InputError: the cluster has fewer CPUs or GPUs than the workers need, or cannot be reached.
    """

    def __init__(
        self,
        seed: int,
        workers: int,
        address: str | None = None,
        num_gpus_per_worker: float = 0.0,
        num_gpus_per_learner: float = 0.0,
        in_flight: int = 2,
        retries: int = 3,
        object_store_memory: int | None = None,
    ) -> None:
        for name, value, least in (("workers", workers, 1), ("in_flight", in_flight, 1), ("retries", retries, 0)):
            if value < least:
                raise ValueError(f"{name} must be >= {least}, got {value}")
        self._seed = seed
        self._in_flight = in_flight if retries else 1
        self._retries = retries
        self._published: dict[str, Any] = {}
        self._workers = [_Worker() for _ in range(workers)]
        self._closed = False
        self._owns_ray = not ray.is_initialized()
        if self._owns_ray:
            _start_ray(workers, address, object_store_memory)
        environment = {"OMP_NUM_THREADS": "1"}
        if address is None or not self._owns_ray:
            environment["PYTHONPATH"] = _import_path()
        self._actor_class: Any = ray.remote(_Actor).options(
            num_cpus=1,
            num_gpus=num_gpus_per_worker,
            max_restarts=-1,
            max_task_retries=0,
            runtime_env={"env_vars": environment},
        )
        learner: Any = ray.remote(Member).options(
            num_cpus=0, num_gpus=num_gpus_per_learner, runtime_env={"env_vars": environment}
        )
        self._gangs = Gangs(learner, retries)
        try:
            _require("CPU", workers, workers)
            _require("GPU", num_gpus_per_worker * workers, workers)
        except InputError:
            self.close()
            raise

    @property
    def workers(self) -> int:
        """Number of worker processes."""
        return len(self._workers)

    def publish(self, obj: Any) -> Handle:
        """Copies the object to shared memory, once."""
        self._require_open()
        handle = Handle()
        self._published[handle.id] = ray.put(obj)
        weakref.finalize(handle, _forget, self._published, self._workers, handle.id).atexit = False
        return handle

    def release(self, handle: Handle) -> None:
        """See `Executor.release`; tasks that were sent already still get the object."""
        _forget(self._published, self._workers, handle.id)

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[tuple[int, ...], Any]]:
        """See `Executor.run`; arrays in results are read-only. The first tasks are sent at once, to run meanwhile."""
        self._require_open()
        waiting = deque(_Entry(task, self._references(task)) for task in unique(tasks))
        pending: dict[Any, _Entry] = {}
        self._send(waiting, pending)
        return self._drain(waiting, pending)

    def together(self, tasks: Sequence[Task]) -> list[Any]:
        """See `Executor.together`. The processes stay for the next call; they reserve GPUs and no CPU."""
        self._require_open()
        return self._gangs.run(tasks, self._seed, [self._references(task) for task in tasks])

    def close(self) -> None:
        """Kills this executor's workers; stops Ray where this executor started it, leaves a cluster it connected to."""
        if self._closed:
            return
        self._closed = True
        for worker in self._workers:
            _kill(worker)
        self._gangs.kill()
        self._published.clear()
        if self._owns_ray:
            ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        if self._closed:
            raise RuntimeError("this executor is closed")

    def _references(self, task: Task) -> dict[str, Any]:
        # A handle that is not published here is left to `execute`, whose error names the task.
        used = {handle.id for handle in handles(task.arguments)}
        return {name: self._published[name] for name in used if name in self._published}

    def _drain(self, waiting: deque[_Entry], pending: dict[Any, _Entry]) -> Iterator[tuple[tuple[int, ...], Any]]:
        """The results; `pending` are the tasks that were sent, by the reference of their result."""
        try:
            while waiting or pending:
                self._require_open()
                self._send(waiting, pending)
                reference = _first_ready(pending)
                entry = pending.pop(reference)
                try:
                    result = ray.get(reference)
                except (RayActorError, OutOfMemoryError, ObjectLostError) as error:
                    self._count_loss(entry, error)
                    waiting.appendleft(entry)
                    continue
                except RayError as error:  # the result or an argument cannot be moved between processes
                    raise TaskError(entry.task.key, entry.task.function, str(error)) from error
                if isinstance(result, _Failure):
                    raise result.error
                yield entry.task.key, result
        finally:
            self._abandon({entry.worker for entry in pending.values()})

    def _send(self, waiting: deque[_Entry], pending: dict[Any, _Entry]) -> None:
        """Sends tasks to the workers with the fewest of this run, up to the limit."""
        load = Counter(entry.worker for entry in pending.values())
        shared = [w for w in self._workers if not any(e.losses and e.worker is w for e in pending.values())]
        while waiting and shared:
            entry = waiting[0]
            worker = min(shared, key=lambda candidate: load[candidate])
            # The last tasks go to whoever is free, rather than behind a task that may be long.
            limit = 1 if entry.losses or len(waiting) <= len(self._workers) else self._in_flight
            if load[worker] >= limit:
                return
            if worker.actor is None:
                worker.actor = self._actor_class.remote(self._seed)
                worker.released = []
            entry.worker = worker
            released, worker.released = worker.released, []
            pending[worker.actor.run.remote(entry.task, entry.references, released)] = entry
            load[worker] += 1
            if entry.losses:
                shared.remove(worker)
            waiting.popleft()

    def _count_loss(self, entry: _Entry, error: RayError) -> None:
        """Counts a loss against every task that was sent to the worker: nobody knows which of them it was running.

        Raises:
            TaskError: it was one too many.
        """
        if entry.worker.abandoned:
            return
        if isinstance(error, ActorDiedError):  # Ray will not restart it
            self._replace(entry.worker)
        elif "actor is restarting" in str(error) and entry.refused < REFUSALS:
            entry.refused += 1  # it came between the death of another task's worker and the next, and was not begun
            time.sleep(PAUSE)
            return
        entry.losses += 1
        task = entry.task
        if entry.losses > self._retries:
            details = f"its worker was lost {entry.losses} times, the last time with:\n{error}"
            raise TaskError(task.key, task.function, details) from error
        reason = str(error).strip().partition("\n")[0]
        message = "task %s (%s) lost its worker and is sent again, retry %d of %d: %s"
        logger.warning(message, task.key, task.function, entry.losses, self._retries, reason)

    def _abandon(self, workers: set[_Worker]) -> None:
        """Stops workers whose tasks nobody waits for; Ray cannot cancel a call that runs, so the process goes."""
        for worker in workers:
            if not worker.abandoned:
                _kill(worker)
                self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        if worker in self._workers:
            self._workers[self._workers.index(worker)] = _Worker()


def _kill(worker: _Worker) -> None:
    worker.abandoned = True
    if worker.actor is not None and ray.is_initialized():
        with contextlib.suppress(RayError, ValueError):
            ray.kill(worker.actor, no_restart=True)
    worker.actor = None


def _forget(published: dict[str, Any], workers: list[_Worker], name: str) -> None:
    if published.pop(name, None) is not None:
        for worker in workers:
            worker.released.append(name)


def _first_ready(pending: dict[Any, _Entry]) -> Any:
    warned = False
    while True:
        ready, _ = ray.wait(list(pending), num_returns=1, timeout=START_WARNING)
        if ready:
            return ready[0]
        if not warned:
            warned = True
            free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
            logger.warning("no result for %.0f s; free resources of the Ray cluster: %s", START_WARNING, free)


def _start_ray(workers: int, address: str | None, object_store_memory: int | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is not None:
        _connect(address)
        return
    ray.init(
        address="local",
        num_cpus=max(workers, os.cpu_count() or 1),  # more workers than cores is slow but allowed
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=object_store_memory or _object_store_bytes(),
        _node_ip_address="127.0.0.1",
    )


def _connect(address: str) -> None:
    import eqagents
    import eqenvs
    import eqsolvers

    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:  # Ray itself would try for a minute, and then end the process
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10.0).close()
        except OSError as error:
            raise InputError(f"address {address!r}: nothing answers there ({error})") from error
    packages = [str(Path(str(package.__file__)).parent) for package in (eqenvs, eqsolvers, eqagents)]
    try:
        ray.init(
            address=address, log_to_driver=False, logging_level=logging.ERROR, runtime_env={"py_modules": packages}
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        hint = "a cluster that asks for a token needs RAY_AUTH_MODE=token here"
        raise InputError(f"address {address!r}: {reason}; {hint}") from error


def _object_store_bytes() -> int | None:
    """At most 2 GiB, 0.8 of the free /dev/shm and 0.3 of the memory; None, Ray's own choice, without /dev/shm."""
    try:
        shm = os.statvfs("/dev/shm")
    except OSError:
        return None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    fitting = min(2 * 2**30, int(0.8 * shm.f_bavail * shm.f_frsize), int(0.3 * memory))
    return max(fitting, 80_000_000)  # Ray's least; where it does not fit, Ray falls back to files in /tmp


def _import_path() -> str:
    """The driver's sys.path as a PYTHONPATH, less what every process of the same interpreter has."""
    own = {os.path.realpath(path) for path in sysconfig.get_paths().values()}
    entries = [os.path.abspath(entry) for entry in sys.path]
    return os.pathsep.join(
        dict.fromkeys(
            entry
            for entry in entries
            if os.path.exists(entry) and os.path.realpath(entry) not in own and not entry.endswith("lib-dynload")
        )
    )


def _require(resource: str, needed: float, workers: int) -> None:
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    available = resources.get(resource, 0.0)
    if needed > available:
        raise InputError(f"workers={workers} need {needed:g} {resource}s; the Ray cluster has {available:g}")

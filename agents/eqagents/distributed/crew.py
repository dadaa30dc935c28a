"""The workers of a Ray executor: what is sent to them, and what happens where one is lost."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayError

from eqagents.distributed.task import Raised, Task, TaskError, execute
from eqenvs.errors import InputError

logger = logging.getLogger(__name__)

CACHED_OBJECTS = 512  # published objects that a worker keeps; a population has one per policy
REFUSALS, PAUSE = 20, 0.1  # times that a task is sent again to a worker that is restarting, and seconds between
LATE, AT_LEAST = 5.0, 10.0  # times as long as expected, and seconds, after which a call is sent to another worker too
UNKNOWN = 60.0  # the same, in seconds, where nothing is expected yet
PARCEL, MOST = 0.03, 256  # seconds of work that are worth a call, which costs about one thousandth; tasks at most


class Actor:
    """Runs tasks in a worker process; its state is a cache and nothing else."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._cache: OrderedDict[str, Any] = OrderedDict()

    def run(self, tasks: list[Task], references: dict[str, Any], released: list[str]) -> list[tuple[Any, float]]:
        """Each task's result and seconds; its error as a value: Ray would wrap a raised one in a class of its own."""
        for name in released:
            self._cache.pop(name, None)
        objects = {}
        for name, reference in references.items():
            if name not in self._cache:
                self._cache[name] = ray.get(reference)
            self._cache.move_to_end(name)
            objects[name] = self._cache[name]
        # The least recently used go first; what these tasks refer to was used just now and always fits.
        while len(self._cache) > max(CACHED_OBJECTS, len(references)):
            self._cache.popitem(last=False)
        return [self._timed(task, objects) for task in tasks]

    def _timed(self, task: Task, objects: dict[str, Any]) -> tuple[Any, float]:
        started = time.perf_counter()
        try:
            result = execute(task, self._seed, objects)
        except (InputError, TaskError) as error:
            result = Raised(error)
        return result, time.perf_counter() - started


@dataclass(slots=True, eq=False)
class Worker:
    """The driver's view of one worker."""

    actor: Any = None  # None: to be made when the next task is sent
    abandoned: bool = False  # nobody waits for what was sent to it: its loss is nobody's fault
    released: list[str] = field(default_factory=list)  # ids that its cache may forget

    def kill(self) -> None:
        """End its process; Ray cannot cancel a call that runs."""
        if self.actor is not None and ray.is_initialized():
            with contextlib.suppress(RayError, ValueError):
                ray.kill(self.actor, no_restart=True)
        self.actor = None


@dataclass(slots=True, eq=False)
class Entry:
    """A task that is to run, and the references of the objects that it needs."""

    task: Task
    rank: int
    references: dict[str, Any]
    losses: int = 0  # of the worker that it was sent to
    refused: int = 0  # times that it met a worker that Ray was restarting
    single: bool = False  # whether it must not share a parcel


@dataclass(slots=True, eq=False)
class Parcel:
    """Tasks on their way to a worker, in one call."""

    entries: list[Entry]
    worker: Worker
    sent_at: float = field(default_factory=time.monotonic)
    late: bool = False  # whether its tasks were sent to another worker for it
    twin: Parcel | None = None  # the same tasks at another worker
    over: bool = False  # whether nobody waits for its results

    @property
    def alone(self) -> bool:
        """Whether no other parcel may go to its worker: nobody else is to be blamed for what it does."""
        return self.entries[0].losses > 0

    @property
    def waits_alone(self) -> bool:
        """Whether its results are waited for, and no other worker has the same tasks."""
        return not self.over and self.twin is None


class Crew:
    """The workers.

    Args:
        actor_class: `Actor` as a Ray actor class, with its resources.
        seed: of the run.
        size: how many workers.
        in_flight: parcels sent to a worker before it answers.
        retries: times that a task is sent again after the loss of its worker.
    """

    def __init__(self, actor_class: Any, seed: int, size: int, in_flight: int, retries: int) -> None:
        self._actor_class, self._seed, self._retries = actor_class, seed, retries
        self.in_flight = in_flight if retries else 1
        self.workers = [Worker() for _ in range(size)]
        self.closed = False
        self._seconds: dict[str, float] = {}  # that tasks of a function take: the mean, the latest counting most

    def send(self, parcel: Parcel) -> Any:
        """The reference of the results of a parcel; each is the task's result and seconds."""
        worker = parcel.worker
        if worker.actor is None:
            worker.actor = self._actor_class.remote(self._seed)
            worker.released = []
        released, worker.released = worker.released, []
        references = {name: reference for entry in parcel.entries for name, reference in entry.references.items()}
        return worker.actor.run.remote([entry.task for entry in parcel.entries], references, released)

    def took(self, task: Task, seconds: float) -> None:
        """A task took so long."""
        mean = self._seconds.get(task.function, seconds)
        self._seconds[task.function] = 0.8 * mean + 0.2 * seconds

    def worth_a_call(self, task: Task) -> int:
        """How many tasks like this one make a parcel; 1 where none is known."""
        mean = self._seconds.get(task.function, PARCEL)
        return max(1, int(PARCEL / max(mean, PARCEL / MOST)))

    def late_at(self, parcel: Parcel) -> float:
        """When a parcel is late, by the monotonic clock."""
        seconds = [self._seconds.get(entry.task.function, UNKNOWN / LATE) for entry in parcel.entries]
        return parcel.sent_at + max(AT_LEAST, LATE * sum(seconds))

    def lost(self, parcel: Parcel, error: RayError) -> list[TaskError | None]:
        """Counts a loss against every task of a parcel: nobody knows which of them the worker was running.

        Returns:
            For each task the error of one loss too many, or None: it is to be sent again.
        """
        if parcel.worker.abandoned:
            return [None] * len(parcel.entries)
        if isinstance(error, ActorDiedError):  # Ray will not restart it
            self._replace(parcel.worker)
        elif "actor is restarting" in str(error) and all(entry.refused < REFUSALS for entry in parcel.entries):
            for entry in parcel.entries:
                entry.refused += 1  # it came between the death of another's worker and the next, and was not begun
            time.sleep(PAUSE)
            return [None] * len(parcel.entries)
        elif isinstance(error, ActorUnavailableError):  # it may be stuck, and Ray would wait for it
            parcel.worker.kill()
            self._replace(parcel.worker)
        return [self._blamed(entry, error) for entry in parcel.entries]

    def _blamed(self, entry: Entry, error: RayError) -> TaskError | None:
        entry.losses += 1
        task = entry.task
        if entry.losses > self._retries:
            details = f"its worker was lost {entry.losses} times, the last time with:\n{error}"
            return TaskError(task.key, task.function, details)
        reason = str(error).strip().partition("\n")[0]
        message = "task %s (%s) lost its worker and is sent again, retry %d of %d: %s"
        logger.warning(message, task.key, task.function, entry.losses, self._retries, reason)
        return None

    def abandon(self, workers: set[Worker]) -> None:
        """Ends workers whose tasks nobody waits for."""
        for worker in workers:
            if not worker.abandoned:
                worker.abandoned = True
                worker.kill()
                self._replace(worker)

    def forget(self, name: str) -> None:
        """No worker needs a published object any more."""
        for worker in self.workers:
            worker.released.append(name)

    def require_open(self) -> None:
        """Raises RuntimeError after `close`."""
        if self.closed:
            raise RuntimeError("this executor is closed")

    def close(self) -> None:
        """End all workers, for good."""
        self.closed = True
        for worker in self.workers:
            worker.kill()

    def _replace(self, worker: Worker) -> None:
        if worker in self.workers:
            self.workers[self.workers.index(worker)] = Worker()

"""What one caller has under way on Ray workers: tasks that wait, parcels that were sent, results that came."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

import ray
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, RayError

from eqagents.distributed.crew import Crew, Entry, Parcel, Worker
from eqagents.distributed.executor import RankedQueue, Stream
from eqagents.distributed.task import Raised, Task, TaskError, unique

logger = logging.getLogger(__name__)

START_WARNING = 60.0  # seconds without any result after which a warning tells that workers may lack resources


class RayStream(Stream):
    """See the module.

    Args:
        crew: the workers.
        references: of what a task's arguments refer to, by id.
    """

    def __init__(self, crew: Crew, references: Callable[[Task], dict[str, Any]]) -> None:
        self._crew, self._references = crew, references
        self._keys: set[tuple[int, ...]] = set()
        self._waiting: RankedQueue[Entry] = RankedQueue()
        self._pending: dict[Any, Parcel] = {}  # by the reference of the results
        self._done: deque[tuple[tuple[int, ...], Any]] = deque()

    def __del__(self) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._keys)

    def send(self, tasks: Iterable[Task], rank: int = 0) -> None:
        """See `Stream.send`."""
        self._crew.require_open()
        for task in unique(tasks, self._keys):
            self._waiting.add(Entry(task, rank, self._references(task)), rank)
        self._dispatch()

    def receive(self) -> tuple[tuple[int, ...], Any]:
        """See `Stream.receive`."""
        if not self._keys:
            raise LookupError("nothing is under way")
        while not self._done:
            self._crew.require_open()
            reference = self._first_ready()
            if reference is None:
                self._send_late_ones()
                continue
            parcel = self._pending.pop(reference)
            if not parcel.over:
                self._take(parcel, reference)
            self._dispatch()
        key, result = self._done.popleft()
        self._keys.remove(key)
        return key, result

    def _take(self, parcel: Parcel, reference: Any) -> None:
        """What came of a parcel: its tasks are done, or wait again."""
        try:
            results = ray.get(reference)
        except (RayActorError, OutOfMemoryError, ObjectLostError) as error:
            self._lost(parcel, error)
        except RayError as error:  # the results or an argument cannot be moved between processes
            self._unmovable(parcel, error)
        else:
            self._give_up(parcel.twin)
            for entry, (result, seconds) in zip(parcel.entries, results, strict=True):
                self._crew.took(entry.task, seconds)
                self._done.append((entry.task.key, result))

    def _lost(self, parcel: Parcel, error: RayError) -> None:
        """A parcel's worker died: its tasks wait again, but for those that were lost too often, or go on elsewhere."""
        lost = self._crew.lost(parcel, error)
        if parcel.twin is not None and not any(lost):
            parcel.twin.twin = None  # which goes on
            return
        self._give_up(parcel.twin)
        for entry, fatal in reversed(list(zip(parcel.entries, lost, strict=True))):
            if fatal is None:
                self._waiting.put_back(entry, entry.rank)
            else:
                self._done.append((entry.task.key, Raised(fatal)))

    def _unmovable(self, parcel: Parcel, error: RayError) -> None:
        """Something of a parcel is fit for no other process: its tasks are sent one by one, to find whose it is."""
        self._give_up(parcel.twin)
        if len(parcel.entries) == 1:
            task = parcel.entries[0].task
            self._done.append((task.key, Raised(TaskError(task.key, task.function, str(error)))))
            return
        for entry in reversed(parcel.entries):
            entry.single = True
            self._waiting.put_back(entry, entry.rank)

    def _dispatch(self) -> None:
        """Sends parcels to the workers with the fewest of this stream, up to the limit."""
        crew, waiting = self._crew, self._waiting
        load = Counter(parcel.worker for parcel in self._pending.values())
        reserved = {parcel.worker for parcel in self._pending.values() if parcel.alone}
        shared = [worker for worker in crew.workers if worker not in reserved]
        while waiting and shared:
            worker = min(shared, key=lambda candidate: load[candidate])
            # The last tasks go to whoever is free, rather than behind a task that may be long.
            last = waiting.first().losses or len(waiting) <= len(crew.workers)
            if load[worker] >= (1 if last else crew.in_flight):
                return
            parcel = Parcel(self._next(), worker)
            self._pending[crew.send(parcel)] = parcel
            load[worker] += 1
            if parcel.alone:
                shared.remove(worker)

    def _send_late_ones(self) -> None:
        """Sends late parcels to free workers too: whichever is done first counts, and gives the same bits."""
        now = time.monotonic()
        late = [each for each in self._pending.values() if each.waits_alone and self._crew.late_at(each) <= now]
        for worker, parcel in zip(self._free(), late, strict=False):
            task = parcel.entries[0].task
            message = "task %s (%s) is not done after %.0f s, and is sent to another worker too"
            logger.warning(message, task.key, task.function, now - parcel.sent_at)
            parcel.late, parcel.twin = True, Parcel(parcel.entries, worker, twin=parcel)
            self._pending[self._crew.send(parcel.twin)] = parcel.twin

    def _give_up(self, parcel: Parcel | None) -> None:
        """Nobody waits for a parcel any more; where it was the late one its worker is ended, which may be stuck."""
        if parcel is None:
            return
        parcel.over = True
        if parcel.late:
            self._crew.abandon({parcel.worker})

    def _free(self) -> list[Worker]:
        """Workers that have nothing to do for this stream, and nothing waits for them."""
        busy = {parcel.worker for parcel in self._pending.values()}
        return [] if self._waiting else [worker for worker in self._crew.workers if worker not in busy]

    def _first_ready(self) -> Any:
        """The reference of results that are there; None as soon as a parcel is late that a free worker could do."""
        warn_at = time.monotonic() + START_WARNING
        late_at = math.inf
        if self._free():
            alone = [self._crew.late_at(each) for each in self._pending.values() if each.waits_alone]
            late_at = min(alone, default=math.inf)
        while True:
            until = min(late_at, warn_at)
            timeout = None if until == math.inf else max(0.0, until - time.monotonic())
            ready, _ = ray.wait(list(self._pending), num_returns=1, timeout=timeout)
            if ready:
                return ready[0]
            if time.monotonic() >= late_at:
                return None
            warn_at = math.inf
            free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
            logger.warning("no result for %.0f s; free resources of the Ray cluster: %s", START_WARNING, free)

    def _next(self) -> list[Entry]:
        """The tasks of the next parcel: as many short ones as are worth a call, and leave enough for every worker."""
        waiting = self._waiting
        first = waiting.take()
        if first.losses or first.single:
            return [first]
        share = 1 + len(waiting) // (2 * len(self._crew.workers))
        size = min(share, self._crew.worth_a_call(first.task))
        entries = [first]
        while len(entries) < size and waiting:
            following = waiting.first()
            if following.losses or following.single or following.task.function != first.task.function:
                break
            entries.append(waiting.take())
        return entries

    def close(self) -> None:
        """See `Stream.close`; the workers that were busy for it are ended."""
        self._crew.abandon({parcel.worker for parcel in self._pending.values()})
        self._waiting, self._done = RankedQueue(), deque()
        self._pending.clear()
        self._keys.clear()

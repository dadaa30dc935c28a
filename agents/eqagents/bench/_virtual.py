"""Workers that are not there: tasks run in this process, and a clock tells when as many workers would have done them.

Of what waits, the first begins whenever a worker is free: list scheduling, Graham (1969), "Bounds on multiprocessing
timing anomalies", SIAM J. Appl. Math. 17, never twice as long as the best schedule. What the driver does between its
calls is timed as it happens, and sending a task costs it a fixed time. A tape keeps results and seconds of tasks, so
that a run is played back on other numbers of workers without computing anything again.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from eqagents.distributed import Executor, Handle, InlineExecutor, Stream, Task
from eqagents.distributed.executor import RankedQueue


@dataclass
class Tape:
    """What tasks gave and how many seconds they took, by function and key."""

    played: dict[tuple[str, tuple[int, ...]], tuple[Any, float]] = field(default_factory=dict)

    def of(self, task: Task, executor: Executor) -> tuple[Any, float]:
        """A task's result and seconds; it runs where it is not on the tape yet."""
        name = task.function, task.key
        if name not in self.played:
            stream = executor.stream()
            stream.send([task])
            started = time.perf_counter()
            _, result = stream.receive()
            self.played[name] = result, time.perf_counter() - started
        return self.played[name]


class VirtualWorkers(Executor):
    """See the module.

    Args:
        workers: how many there are.
        dispatch: seconds of the driver for sending a task and taking its result.
        tape: of the run.
        seed: of the run.

    Attributes:
        now: the clock, in seconds.
        driver: seconds that the driver worked.
        seconds: of each task that was received, by key.
    """

    def __init__(self, workers: int, dispatch: float, tape: Tape, seed: int = 0) -> None:
        self._inner = InlineExecutor(seed)
        self._tape, self._dispatch = tape, dispatch
        self._free = [0.0] * workers  # since when each idle worker is; a heap
        self.now = self.driver = 0.0
        self.seconds: dict[tuple[int, ...], float] = {}
        self._since = time.perf_counter()

    def restart(self) -> None:
        """Count from here on; workers go on with what they do."""
        with self.clock():
            self.driver, self.seconds = 0.0, {}

    @contextmanager
    def clock(self) -> Iterator[None]:
        """What is inside takes no time; the driver's work before it does."""
        worked = time.perf_counter() - self._since
        self.now += worked
        self.driver += worked
        yield
        self._since = time.perf_counter()

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._free)

    def publish(self, obj: Any) -> Handle:
        """See `Executor.publish`."""
        return self._inner.publish(obj)

    def release(self, handle: Handle) -> None:
        """See `Executor.release`."""
        self._inner.release(handle)

    def stream(self) -> Stream:
        """See `Executor.stream`; one at a time."""
        return _VirtualStream(self)

    def together(self, tasks: Sequence[Task]) -> list[Any]:
        """See `Executor.together`; one task only."""
        return self._inner.together(tasks)

    def close(self) -> None:
        """See `Executor.close`."""
        self._inner.close()

    def sent(self, count: int) -> None:
        """The driver has sent so many tasks."""
        self.now += self._dispatch * count
        self.driver += self._dispatch * count

    def begin(self, task: Task, earliest: float) -> tuple[float, Any] | None:
        """When a task ends that begins no earlier than that, and its result; None where no worker is free."""
        if not self._free:
            return None
        result, seconds = self._tape.of(task, self._inner)
        return max(earliest, heapq.heappop(self._free)) + seconds, result

    def ended(self, at: float, task: Task) -> None:
        """A worker is free again."""
        heapq.heappush(self._free, at)
        self.seconds[task.key] = self._tape.of(task, self._inner)[1]


class _VirtualStream(Stream):
    def __init__(self, workers: VirtualWorkers) -> None:
        self._workers = workers
        self._waiting: RankedQueue[Task] = RankedQueue()
        self._running: list[tuple[float, int, Task, Any]] = []  # by the time of their end
        self._done: deque[tuple[tuple[int, ...], Any]] = deque()
        self._begun = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running) + len(self._done)

    def send(self, tasks: Iterable[Task], rank: int = 0) -> None:
        with self._workers.clock():
            listed = list(tasks)
            self._workers.sent(len(listed))
            self._until(self._workers.now)
            for task in listed:
                self._waiting.add(task, rank)
            self._begin(self._workers.now)

    def receive(self) -> tuple[tuple[int, ...], Any]:
        with self._workers.clock():
            self._until(self._workers.now)
            if not self._done:
                if not self._running:
                    raise LookupError("nothing is under way")
                self._workers.now = self._running[0][0]
                self._until(self._workers.now)
            return self._done.popleft()

    def _until(self, now: float) -> None:
        """All that ends by then; whoever is free goes on with what waits."""
        while self._running and self._running[0][0] <= now:
            end, _, task, result = heapq.heappop(self._running)
            self._workers.ended(end, task)
            self._done.append((task.key, result))
            self._begin(end)

    def _begin(self, now: float) -> None:
        while self._waiting and (begun := self._workers.begin(self._waiting.first(), now)) is not None:
            end, result = begun
            self._begun += 1
            heapq.heappush(self._running, (end, self._begun, self._waiting.take(), result))

    def close(self) -> None:
        self._waiting, self._running = RankedQueue(), []
        self._done.clear()

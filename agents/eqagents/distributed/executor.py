"""The executor protocol, and the executor that runs everything in this process."""

from __future__ import annotations

import weakref
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from eqagents.distributed.task import Handle, Raised, Task, TaskError, execute, unique
from eqenvs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

EntryT = TypeVar("EntryT")


class Stream(Protocol):
    """Tasks that are sent as they become known, and their results as they come.

    Leaving it, by `close` or by letting it go, abandons what was sent and not received.
    """

    def __len__(self) -> int:
        """Tasks that were sent and whose results were not received."""

    def send(self, tasks: Iterable[Task], rank: int = 0) -> None:
        """Sends tasks; those of a lower rank run first, and in their order within a rank.

        Raises:
            ValueError: at once, where two tasks that are under way share a key; none of these is sent then.
        """

    def receive(self) -> tuple[tuple[int, ...], Any]:
        """The key and the result of a task that is done, in the order of completion; `Raised` where it failed.

        Raises:
            LookupError: nothing is under way.
        """

    def close(self) -> None:
        """Abandons what is under way; closing twice does nothing."""


class Executor(Protocol):
    """Runs tasks. Results may come as read-only arrays and may share memory with published objects: do not write.

    A published object lives as long as its handle, or until `release`.
    """

    @property
    def workers(self) -> int:
        """Number of worker processes; 0 where tasks run in this process. No result may depend on it."""

    def publish(self, obj: Any) -> Handle:
        """Makes an object available to tasks, once for all workers; it must not be written to afterwards."""

    def release(self, handle: Handle) -> None:
        """Frees the object before its handle goes; releasing twice does nothing."""

    def stream(self) -> Stream:
        """A new stream; there may be several at a time."""

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[tuple[int, ...], Any]]:
        """Sends tasks now and yields (key, result) in the order of completion; leaving early abandons the others.

        Raises:
            ValueError: at once, where two tasks share a key.
            TaskError: a task failed; the others are abandoned.
        """
        stream = self.stream()
        stream.send(tasks)
        return _received(stream)

    def together(self, tasks: Sequence[Task]) -> list[Any]:
        """Runs tasks at the same time, each in a process of its own, joined by torch.distributed in their order.

        Raises:
            InputError: there are several and no workers, or their processes were lost too often.
            TaskError: a task failed.
        """

    def close(self) -> None:
        """Frees workers and published objects; closing twice does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _received(stream: Stream) -> Iterator[tuple[tuple[int, ...], Any]]:
    """All results of a stream."""
    try:
        while len(stream):
            key, result = stream.receive()
            if isinstance(result, Raised):
                raise result.error
            yield key, result
    finally:
        stream.close()


def run_ordered(
    executor: Executor, tasks: Iterable[Task], on_result: Callable[[int, int], None] | None = None
) -> list[Any]:
    """Runs all tasks and returns their results in the order of the tasks, whatever the order of completion.

    Args:
        executor: where to run.
        tasks: with distinct keys.
        on_result: called with (done, total) after each result, for progress bars.

    Raises:
        ValueError: two tasks share a key.
        TaskError: a task failed.
    """
    listed = list(tasks)
    results: dict[tuple[int, ...], Any] = {}
    for key, result in executor.run(listed):
        results[key] = result
        if on_result is not None:
            on_result(len(results), len(listed))
    return [results[task.key] for task in listed]


class RankedQueue(Generic[EntryT]):
    """Tasks that are to run: the first of the lowest rank is next.

    >>> waiting = RankedQueue()
    >>> for entry, rank in (("later", 2), ("first", 1), ("second", 1)):
    ...     waiting.add(entry, rank)
    >>> [waiting.take() for _ in range(len(waiting))]
    ['first', 'second', 'later']
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, EntryT]] = []
        self._added = self._returned = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, entry: EntryT, rank: int) -> None:
        """One more, the last of its rank."""
        heappush(self._heap, (rank, self._added, entry))
        self._added += 1

    def put_back(self, entry: EntryT, rank: int) -> None:
        """One that was taken, before all others of its rank."""
        self._returned -= 1
        heappush(self._heap, (rank, self._returned, entry))

    def first(self) -> EntryT:
        """The next one; it stays."""
        return self._heap[0][2]

    def take(self) -> EntryT:
        """The next one."""
        return heappop(self._heap)[2]


class _InlineStream(Stream):
    def __init__(self, seed: int, objects: dict[str, Any]) -> None:
        self._seed, self._objects = seed, objects
        self._waiting: RankedQueue[Task] = RankedQueue()
        self._keys: set[tuple[int, ...]] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, tasks: Iterable[Task], rank: int = 0) -> None:
        for task in unique(tasks, self._keys):
            self._waiting.add(task, rank)

    def receive(self) -> tuple[tuple[int, ...], Any]:
        if not self._waiting:
            raise LookupError("nothing is under way")
        task = self._waiting.take()
        self._keys.remove(task.key)
        try:
            return task.key, execute(task, self._seed, self._objects)
        except (InputError, TaskError) as error:
            return task.key, Raised(error)

    def close(self) -> None:
        self._waiting = RankedQueue()
        self._keys.clear()


class InlineExecutor(Executor):
    """Runs tasks one by one in this process, when their results are asked for.

    Args:
        seed: root of all random streams, >= 0.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._objects: dict[str, Any] = {}

    @property
    def workers(self) -> int:
        """0: tasks run in this process."""
        return 0

    def publish(self, obj: Any) -> Handle:
        """Keeps the object itself, without a copy."""
        handle = Handle()
        self._objects[handle.id] = obj
        weakref.finalize(handle, self._objects.pop, handle.id, None).atexit = False
        return handle

    def release(self, handle: Handle) -> None:
        """See `Executor.release`."""
        self._objects.pop(handle.id, None)

    def stream(self) -> Stream:
        """See `Executor.stream`; a task runs when a result is asked for."""
        return _InlineStream(self._seed, self._objects)

    def together(self, tasks: Sequence[Task]) -> list[Any]:
        """See `Executor.together`; one task only."""
        if len(tasks) != 1:
            raise InputError(f"{len(tasks)} processes at the same time need Ray: set executor.workers to 1 or more")
        return [execute(tasks[0], self._seed, self._objects)]

    def close(self) -> None:
        """Drops what was published."""
        self._objects.clear()

"""The executor protocol, and the executor that runs everything in this process."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Protocol, Self

from eqagents.distributed.task import Handle, Task, execute, unique
from eqenvs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType


class Executor(Protocol):
    """Runs tasks. Results may come as read-only arrays and may share memory with published objects: do not write.

    A published object lives as long as its handle, or until `release`. Leaving a `run` early abandons its tasks.
    """

    @property
    def workers(self) -> int:
        """Number of worker processes; 0 where tasks run in this process. No result may depend on it."""

    def publish(self, obj: Any) -> Handle:
        """Makes an object available to tasks, once for all workers; it must not be written to afterwards."""

    def release(self, handle: Handle) -> None:
        """Frees the object before its handle goes; releasing twice does nothing."""

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[tuple[int, ...], Any]]:
        """Yields (key, result) in the order of completion.

        Raises:
            ValueError: at once, where two tasks share a key.
            TaskError: a task failed; the others are abandoned.
        """

    def together(self, tasks: Sequence[Task]) -> list[Any]:
        """Runs tasks at the same time, each in a process of its own, joined by torch.distributed in their order.

        Raises:
            InputError: there are several and no workers, or their processes were lost too often.
            TaskError: a task failed.
        """

    def close(self) -> None:
        """Frees workers and published objects; closing twice does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


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


class InlineExecutor:
    """Runs tasks one by one in this process, in their order, when their results are asked for.

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

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[tuple[int, ...], Any]]:
        """See `Executor.run`."""
        return ((task.key, execute(task, self._seed, self._objects)) for task in unique(tasks))

    def together(self, tasks: Sequence[Task]) -> list[Any]:
        """See `Executor.together`; one task only."""
        if len(tasks) != 1:
            raise InputError(f"{len(tasks)} processes at the same time need Ray: set executor.workers to 1 or more")
        return [execute(tasks[0], self._seed, self._objects)]

    def close(self) -> None:
        """Drops what was published."""
        self._objects.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

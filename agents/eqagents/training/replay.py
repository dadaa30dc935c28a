"""An executor in this process that waits for one task: for running again what a run failed at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eqagents.distributed import Failed, InlineExecutor, Raised, Stream, Task, TaskError


class Seen(BaseException):
    """The task was asked for, and did not fail.

    Attributes:
        task: it.
        result: what it gave.
    """

    def __init__(self, task: Task, result: Any) -> None:
        super().__init__(task, result)
        self.task, self.result = task, result


class Watch(InlineExecutor):
    """Runs tasks as `InlineExecutor` does, but the one of a function and key before all others: that ends everything.

    Args:
        seed: root of all random streams, >= 0.
        function: of the task.
        key: of the task.
    """

    def __init__(self, seed: int, function: str, key: tuple[int, ...]) -> None:
        super().__init__(seed)
        self._function, self._key = function, key

    def stream(self) -> Stream:
        """See `Executor.stream`; sending the task raises `Seen`, or what it fails with."""
        return _WatchingStream(super().stream(), self._function, self._key)


class _WatchingStream(Stream):
    def __init__(self, inner: Stream, function: str, key: tuple[int, ...]) -> None:
        self._inner, self._function, self._key = inner, function, key

    def __len__(self) -> int:
        return len(self._inner)

    def send(self, tasks: Iterable[Task], rank: int = 0) -> None:
        listed = list(tasks)
        for task in listed:
            if (task.function, task.key) == (self._function, self._key):
                self._inner.close()
                self._inner.send([task])
                _, result = self._inner.receive()
                if isinstance(result, Raised):
                    raise result.error
                if isinstance(result, Failed):  # the run could do without it, but for others that failed like it
                    raise TaskError(task.key, task.function, result.details or result.reason)
                raise Seen(task, result)
        self._inner.send(listed, rank)

    def receive(self) -> tuple[tuple[int, ...], Any]:
        return self._inner.receive()

    def close(self) -> None:
        self._inner.close()

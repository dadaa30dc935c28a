"""Work that waits for tasks, and for other work, without holding anything up: dataflow over one stream of tasks.

A piece of work is a generator. It yields tasks and is sent their results, in order; or it yields jobs, pieces of work
that were begun, and is sent what they returned. Many are under way at a time; each goes on as soon as what it waits for
is there. What a piece of work returns follows from what it is given, so the order in which results come changes
nothing.

>>> from eqagents.distributed import InlineExecutor, Task
>>> def total(first, count):
...     echo = "eqagents.distributed.probe:echo"
...     echoes = yield [Task((k,), echo, {"value": k}) for k in range(first, first + count)]
...     return sum(echoes)
>>> def both(flow):
...     low, high = yield [flow.start(total(0, 3)), flow.start(total(3, 3))]
...     return low, high
>>> flow = Flow(InlineExecutor(0))
>>> flow.finish(flow.start(both(flow)))
(3, 12)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from eqagents.distributed.executor import Executor, Stream
from eqagents.distributed.task import Raised, Task

T = TypeVar("T")


class Job(Generic[T]):
    """A piece of work that was begun; made by `Flow.start`, or by `Job.done` of what is known already."""

    def __init__(self, work: Work[T] | None, rank: int = 0) -> None:
        self._work, self._rank = work, rank
        self._answers: list[Any] | None = None  # to what it waits for; None before it has begun
        self._missing = 0  # of these
        self._waiting: list[tuple[Job[Any], int]] = []  # who waits for it, and which of their answers it is
        self._returned: Any = None  # or `Raised`

    @classmethod
    def done(cls, result: T) -> Job[T]:
        """A job that has nothing left to do."""
        job = cls(None)
        job._returned = result
        return job

    @property
    def finished(self) -> bool:
        """Whether it has returned or failed."""
        return self._work is None

    def result(self) -> T:
        """What it returned; raises what it failed with.

        Raises:
            RuntimeError: if it is not finished.
        """
        if not self.finished:
            raise RuntimeError("the job is not finished")
        if isinstance(self._returned, Raised):
            raise self._returned.error
        found: T = self._returned
        return found


Work: TypeAlias = Generator[Sequence[Task | Job[Any]], list[Any], T]


def asked(wanted: Sequence[Task | Job[Any]]) -> Work[list[Any]]:
    """The results of tasks, or what jobs returned, in their order; `yield from` it."""
    results = yield wanted
    return results


def outcome(job: Job[T]) -> Work[T]:
    """What a job returned; `yield from` it."""
    if not job.finished:
        yield [job]
    return job.result()


class Flow:
    """Pieces of work over one stream of an executor.

    Args:
        executor: of the tasks.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self._stream: Stream | None = None
        self._tasks: dict[tuple[int, ...], tuple[Job[Any], int]] = {}  # who waits for a task, and for which answer
        self._ready: deque[Job[Any]] = deque()

    def start(self, work: Work[T], rank: int = 0) -> Job[T]:
        """Begins a piece of work: it goes as far as it can without an answer, and its tasks are sent.

        Args:
            work: the generator.
            rank: of its tasks; see `Stream.send`.
        """
        job = Job(work, rank)
        self._advance(job)
        return job

    def finish(self, job: Job[T]) -> T:
        """What a job returns; other jobs go on meanwhile.

        Raises:
            InputError, TaskError: what a task failed with that the job, or a job that it waits for, asked for.
            RuntimeError: the job waits for itself.
        """
        while not job.finished:
            if self._ready:
                self._advance(self._ready.popleft())
            elif self._stream is not None and len(self._stream):
                key, result = self._stream.receive()
                self._answer(*self._tasks.pop(key), result)
            else:
                raise RuntimeError("the job waits for work that waits for it")
        return job.result()

    def run(self, work: Work[T]) -> T:
        """What a piece of work returns."""
        return self.finish(self.start(work))

    def _answer(self, job: Job[Any], place: int, answer: Any) -> None:
        assert job._answers is not None
        job._answers[place] = answer
        job._missing -= 1
        if not job._missing:
            self._ready.append(job)

    def _advance(self, job: Job[Any]) -> None:
        """Goes on with a job whose answers are all there, until it waits again or ends."""
        assert job._work is not None
        while not job._missing:
            failures = [each.error for each in job._answers or () if isinstance(each, Raised)]
            try:
                if failures:
                    wanted = job._work.throw(failures[0])
                elif job._answers is None:
                    wanted = next(job._work)
                else:
                    wanted = job._work.send(job._answers)
            except StopIteration as stop:
                return self._end(job, stop.value)
            except Exception as error:  # whoever waits for it is told
                return self._end(job, Raised(error))
            self._ask(job, wanted)
        return None

    def _ask(self, job: Job[Any], wanted: Sequence[Any]) -> None:
        job._answers = [each._returned if isinstance(each, Job) else None for each in wanted]
        tasks = []
        for place, each in enumerate(wanted):
            if isinstance(each, Task):
                self._tasks[each.key] = job, place
                tasks.append(each)
            elif not each.finished:
                each._waiting.append((job, place))
                job._missing += 1
        if tasks:
            job._missing += len(tasks)
            if self._stream is None:
                self._stream = self.executor.stream()
            self._stream.send(tasks, job._rank)

    def _end(self, job: Job[Any], returned: Any) -> None:
        job._work, job._returned = None, returned
        for other, place in job._waiting:
            self._answer(other, place, returned)
        job._waiting.clear()

"""Tasks: pure work named by a key, and the one way in which every executor runs them.

A task function has the signature `f(seed: numpy.random.SeedSequence, **arguments) -> result`. Its random stream is
`SeedSequence(root_seed, spawn_key=key)`: it follows from what the task is, never from who runs it or when, so results
are bit-identical whatever the number of workers. What that asks of a task function:

- all its randomness comes from `seed`, and its result depends on nothing but seed, arguments and code: it may run
  more than once when a worker is lost;
- it writes to none of its arguments, which are shared with other tasks and read-only on a worker;
- if it needs torch, its module imports torch at the top: the thread count is set before the function starts.

Torch runs under one thread everywhere. The threads of numpy's BLAS cannot be changed once numpy is imported: workers
start with OMP_NUM_THREADS=1, and the driver's process should too.
"""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import index, is_
from typing import Any
from uuid import uuid4

import numpy as np

from eqenvs.errors import InputError

logger = logging.getLogger(__name__)
PLAIN = frozenset({type(None), bool, int, float, str, bytes, np.ndarray})  # types that hold no handle


class Handle:
    """A reference to a published object; in a task's arguments it stands for that object."""

    __slots__ = ("__weakref__", "id")

    def __init__(self) -> None:
        self.id = uuid4().hex

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"Handle({self.id})"


@dataclass(frozen=True)
class Task:
    """One call of a task function.

    Args:
        key: what the task is, e.g. (iteration, index): gives its random stream, its identity and its place in the
            order of results. One or more integers in [0, 2**32).
        function: "package.module:name".
        arguments: keyword arguments. A `Handle` as a value, or inside lists, tuples and dict values, is replaced by
            its object before the call.
        durable: whether a run keeps the result until its next checkpoint, so that it is not computed again after a
            kill; it must be a tree of plain values and arrays then.

    Raises:
        ValueError: the key or the function's name breaks these rules.
    """

    key: tuple[int, ...]
    function: str
    arguments: Mapping[str, Any]
    durable: bool = False

    def __post_init__(self) -> None:
        key = tuple(index(part) for part in self.key)
        # A part of 2**32 or more would take two words of SeedSequence's entropy: (2**32,) and (0, 1) would collide.
        if not key or not all(0 <= part < 2**32 for part in key):
            raise ValueError(f"task key {self.key!r}: one or more integers in [0, 2**32)")
        module, _, name = self.function.partition(":")
        if not module or not name.isidentifier():
            raise ValueError(f"task function {self.function!r}: must be written 'package.module:name'")
        object.__setattr__(self, "key", key)


@dataclass(frozen=True)
class Failed:
    """What a task gives in place of a result that it could not find, where the run can do without; it is never kept.

    Attributes:
        reason: in one line.
        details: the traceback, where the failure is a defect and not the user's to mend.
    """

    reason: str
    details: str | None = None


class TaskError(RuntimeError):
    """A task failed: its function raised, or its worker was lost more often than the retries allow.

    Attributes:
        key: the task's key.
        function: the task's function.
        details: the original traceback as text, or how the worker was lost.
    """

    def __init__(self, key: tuple[int, ...], function: str, details: str) -> None:
        super().__init__(key, function, details)  # the arguments that pickling rebuilds the error from
        self.key = key
        self.function = function
        self.details = details

    @property
    def reason(self) -> str:
        """One line of the details: the exception, or that the worker was lost."""
        lines = self.details.strip().splitlines() or [""]
        return lines[-1] if lines[0].startswith("Traceback") else lines[0].removesuffix(", the last time with:")

    def __str__(self) -> str:
        return f"task {self.key} ({self.function}) failed:\n{self.details}"


@dataclass(frozen=True)
class Raised:
    """What comes in place of the result of a task, or of a job, that failed.

    Attributes:
        error: what it failed with; of a task, InputError or TaskError.
    """

    error: Exception


def unique(tasks: Iterable[Task], under_way: set[tuple[int, ...]]) -> list[Task]:
    """The tasks as a list; their keys join those that are under way.

    Raises:
        ValueError: two tasks share a key, and so a random stream; no key joins then.
    """
    listed = list(tasks)
    keys = {task.key for task in listed}
    if len(keys) < len(listed) or not keys.isdisjoint(under_way):
        seen = set(under_way)
        for task in listed:
            if task.key in seen:
                raise ValueError(f"duplicate task key {task.key}: keys must differ within a run")
            seen.add(task.key)
    under_way |= keys
    return listed


def handles(value: Any) -> Iterator[Handle]:
    """The handles in a task's argument, in the places where `execute` looks for them."""
    if type(value) in PLAIN:
        return
    if isinstance(value, Handle):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from handles(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from handles(item)


def _resolve(value: Any, objects: Mapping[str, Any]) -> Any:
    """`value` with its handles replaced by objects; containers without a handle come back as they are."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is Handle:
        if value.id not in objects:
            raise ValueError(f"{value!r} was not published by this executor, or has been released")
        return objects[value.id]
    if isinstance(value, list | tuple):
        items = [_resolve(item, objects) for item in value]
        if all(map(is_, items, value)):
            return value
        if kind is list:
            return items
        return kind(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, Mapping):
        found = {name: _resolve(item, objects) for name, item in value.items()}
        return value if all(map(is_, found.values(), value.values())) else found
    return value


@contextmanager
def one_torch_thread(work: object) -> Iterator[None]:
    """One torch thread inside, the previous count afterwards; torch is left alone where nothing has imported it.

    Args:
        work: what to call it in a warning.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        loaded = sys.modules.get("torch")
        if loaded is not None and loaded.get_num_threads() > 1:
            logger.warning("%s imported torch while it ran; import it in its module, before threads are set", work)
        return
    previous = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(previous)


@functools.cache
def _function(path: str) -> Callable[..., Any]:
    """The function at "package.module:name"."""
    module, _, name = path.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def execute(task: Task, root_seed: int, objects: Mapping[str, Any]) -> Any:
    """Runs the task in this process, as every executor does.

    Args:
        task: what to run.
        root_seed: the run's seed, >= 0.
        objects: published objects by the id of their handle.

    Returns:
        What the function returns.

    Raises:
        InputError: the function raised it.
        TaskError: importing or calling the function raised anything else.
    """
    try:
        function = _function(task.function)
        seed = np.random.SeedSequence(root_seed, spawn_key=task.key)
        arguments = {key: _resolve(value, objects) for key, value in task.arguments.items()}
        with one_torch_thread(task):
            return function(seed, **arguments)
    except InputError:
        raise  # the user's to mend: one line, not a traceback
    except (Exception, SystemExit) as error:
        raise TaskError(task.key, task.function, traceback.format_exc()) from error

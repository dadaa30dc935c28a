"""Results of tasks, kept as they come: what a killed run had finished since its last checkpoint is not computed again.

A task's result follows from its key, its function and the run's state and seed. So the results since a checkpoint hold
for whoever goes on from that checkpoint, and are dropped at the next one. Only tasks that say so are kept
(`Task.durable`): those that take long, whose results are plain trees.

The file is an SQLite database, which is whole after a process was killed at any moment; where the machine itself goes
down the last results may be lost, never a checkpoint.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eqagents.distributed import Executor, Failed, Handle, Task
from eqagents.training.trees import packed, unpacked
from eqenvs.errors import CheckpointError

logger = logging.getLogger(__name__)
FORMAT_VERSION = 1


class Journal:
    """The results that came after one checkpoint.

    Args:
        file: of the run; made if missing.
        step: of the checkpoint; results after another one are dropped.

    Raises:
        CheckpointError: if the file is no journal.
    """

    def __init__(self, file: Path, step: int) -> None:
        self._file = file
        try:
            self._connection = sqlite3.connect(file, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("CREATE TABLE IF NOT EXISTS after (version INTEGER, step INTEGER)")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS results (task TEXT PRIMARY KEY, structure TEXT, arrays BLOB)"
            )
            found = self._connection.execute("SELECT version, step FROM after").fetchall()
        except sqlite3.DatabaseError as error:
            raise CheckpointError(f"{file}: is no journal of a run ({error}); remove it to go on without") from error
        if found == [(FORMAT_VERSION, step)]:
            kept = len(self)
            if kept:
                logger.info("%d results since checkpoint %d are kept", kept, step)
        else:
            self.begin(step)

    def __len__(self) -> int:
        """How many results there are."""
        ((count,),) = self._connection.execute("SELECT COUNT(*) FROM results")
        return int(count)

    def begin(self, step: int) -> None:
        """Drop everything: there is a new checkpoint."""
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.execute("DELETE FROM results")
            self._connection.execute("DELETE FROM after")
            self._connection.execute("INSERT INTO after VALUES (?, ?)", (FORMAT_VERSION, step))

    def add(self, task: Task, result: Any) -> None:
        """Keep a result."""
        self._connection.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", (_name(task), *packed(result)))

    def find(self, task: Task) -> tuple[Any] | None:
        """The result of a task, in a tuple; None where there is none.

        Raises:
            CheckpointError: if it cannot be read.
        """
        rows = self._connection.execute("SELECT structure, arrays FROM results WHERE task = ?", (_name(task),))
        row = rows.fetchone()
        if row is None:
            return None
        try:
            return (unpacked(*row),)
        except (ValueError, TypeError, LookupError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"{self._file}: corrupt ({type(error).__name__}); remove it to go on without"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _name(task: Task) -> str:
    return json.dumps([task.function, *task.key])


class JournalledExecutor:
    """An executor whose durable tasks are looked up first, and written down as they are done.

    Args:
        executor: what runs tasks.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._journal: Journal | None = None
        self._asked: set[str] = set()  # durable tasks of this process since the last checkpoint

    def write_to(self, journal: Journal | None) -> None:
        """Keep results from now on; None: nowhere."""
        self._journal = journal

    def checkpointed(self, step: int) -> None:
        """There is a new checkpoint: what was kept is in it."""
        self._asked.clear()
        if self._journal is not None:
            self._journal.begin(step)

    @property
    def workers(self) -> int:
        """See `Executor`."""
        return self._executor.workers

    def publish(self, obj: Any) -> Handle:
        """See `Executor`."""
        return self._executor.publish(obj)

    def release(self, handle: Handle) -> None:
        """See `Executor`."""
        self._executor.release(handle)

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[tuple[int, ...], Any]]:
        """See `Executor`; results that are kept come first.

        Raises:
            ValueError: at once, where a durable task has the key of another one since the last checkpoint.
        """
        journal = self._journal
        if journal is None:
            return self._executor.run(tasks)
        listed = list(tasks)
        for task in listed:
            if task.durable and _name(task) in self._asked:
                raise ValueError(f"durable task {_name(task)} came before since the last checkpoint")
            if task.durable:
                self._asked.add(_name(task))
        return self._recorded(listed, journal)

    def _recorded(self, tasks: list[Task], journal: Journal) -> Iterator[tuple[tuple[int, ...], Any]]:
        left, by_key = [], {}
        for task in tasks:
            found = journal.find(task) if task.durable else None
            if found is None:
                left.append(task)
                by_key[task.key] = task
            else:
                yield task.key, found[0]
        for key, result in self._executor.run(left):
            if by_key[key].durable and not isinstance(result, Failed):
                journal.add(by_key[key], result)
            yield key, result

    def together(self, tasks: Sequence[Task]) -> list[Any]:
        """See `Executor`; nothing of it is kept."""
        return self._executor.together(tasks)

    def close(self) -> None:
        """See `Executor`."""
        if self._journal is not None:
            self._journal.close()
        self._executor.close()

    def __enter__(self) -> Self:
        self._executor.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()
        self._executor.__exit__(kind, error, trace)

"""Results of tasks, kept as they come: what a killed run had finished since its last checkpoint is not computed again.

A task's result follows from its key, its function and the run's state and seed. So the results since a checkpoint hold
for whoever goes on from that checkpoint, and are dropped at the next one, where they are not of tasks that were sent
ahead for later iterations (by their rank). Only tasks that say so are kept
(`Task.durable`): those that take long, whose results are plain trees.

The file is an SQLite database, which is whole after a process was killed at any moment; where the machine itself goes
down the last results may be lost, never a checkpoint.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import sqlite3
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eqagents.distributed import Executor, Failed, Handle, Raised, Stream, Task
from eqagents.training.trees import packed, unpacked
from eqenvs.errors import CheckpointError

logger = logging.getLogger(__name__)
FORMAT_VERSION = 3


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
        with _explained(file):
            self._connection = sqlite3.connect(file, isolation_level=None)
            kinds = self._connection.execute("SELECT type FROM sqlite_schema WHERE type IN ('view', 'trigger')")
            if kinds.fetchone() is not None:  # they are programs
                raise sqlite3.DatabaseError("it has views or triggers")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("CREATE TABLE IF NOT EXISTS after (version INTEGER, step INTEGER)")
            found = self._connection.execute("SELECT version, step FROM after").fetchall()
            if found != [(FORMAT_VERSION, step)]:
                self._connection.execute("DROP TABLE IF EXISTS results")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS results "
                "(task TEXT PRIMARY KEY, rank INTEGER, structure TEXT, arrays BLOB, sha256 TEXT)"
            )
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
        """There is a new checkpoint: drop what is in it, all but the results of tasks of later ranks."""
        with _explained(self._file), self._connection:
            self._connection.execute("BEGIN")
            self._connection.execute("DELETE FROM results WHERE rank <= ?", (step,))
            self._connection.execute("DELETE FROM after")
            self._connection.execute("INSERT INTO after VALUES (?, ?)", (FORMAT_VERSION, step))

    def add(self, task: Task, result: Any, rank: int = 0) -> None:
        """Keep a result.

        Args:
            task: it.
            result: of it.
            rank: as it was sent with: 0, or the iteration that it is for where work is done ahead.

        Raises:
            CheckpointError: if the file cannot be written to, as where the disk is full.
        """
        structure, arrays = packed(result)
        row = (_name(task), rank, structure, arrays, _sha256(structure, arrays))
        with _explained(self._file):
            self._connection.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)", row)

    def find(self, task: Task) -> tuple[Any] | None:
        """The result of a task, in a tuple; None where there is none, or it is damaged, which is warned of."""
        with _explained(self._file):
            rows = self._connection.execute(
                "SELECT structure, arrays, sha256 FROM results WHERE task = ?", (_name(task),)
            )
            row = rows.fetchone()
        if row is None:
            return None
        try:
            structure, arrays, stated = row
            if _sha256(structure, arrays) != stated:
                raise ValueError("it does not have its sha256")
            return (unpacked(structure, arrays),)
        except (ValueError, TypeError, LookupError, AttributeError, zipfile.BadZipFile) as error:
            message = "%s: the result of task %s is damaged (%s), and computed again"
            logger.warning(message, self._file, task.key, str(error).partition("\n")[0])
            return None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def kept(file: Path) -> int:
    """How many results a journal holds, which another process may be writing; 0 where there is none."""
    if not file.exists():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            ((count,),) = connection.execute("SELECT COUNT(*) FROM results").fetchall()
            return int(count)
    except sqlite3.DatabaseError:  # it is being made
        return 0


def _sha256(structure: str, arrays: bytes) -> str:
    """SQLite itself does not notice a bit that changed."""
    return hashlib.sha256(structure.encode() + b"\0" + arrays).hexdigest()


@contextlib.contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Raises CheckpointError, of one line, for what SQLite says."""
    try:
        yield
    except sqlite3.OperationalError as error:  # the disk is full, or may not be written to
        reason = f"cannot be written to ({error}); the run can be resumed when this is mended"
        raise CheckpointError(f"{file}: {reason}") from error
    except sqlite3.DatabaseError as error:
        raise CheckpointError(f"{file}: is no journal of a run ({error}); remove it to go on without") from error


def _name(task: Task) -> str:
    return json.dumps([task.function, *task.key])


@dataclass
class _Recording:
    """Where results are kept, from when on they are, and what was asked for.

    Attributes:
        journal: of the run; None: nowhere.
        asked: durable tasks of this process since the last checkpoint, by name.
    """

    journal: Journal | None = None
    asked: set[str] = field(default_factory=set)


class _JournalledStream(Stream):
    """A stream whose durable results that are kept come first.

    Args:
        inner: of what runs tasks.
        recording: of the executor, for all its streams.
    """

    def __init__(self, inner: Stream, recording: _Recording) -> None:
        self._inner, self._recording = inner, recording
        self._found: deque[tuple[tuple[int, ...], Any]] = deque()
        self._durable: dict[tuple[int, ...], tuple[Task, int]] = {}  # of those under way, with their rank

    def __len__(self) -> int:
        return len(self._found) + len(self._inner)

    def send(self, tasks: Iterable[Task], rank: int = 0) -> None:
        """See `Stream.send`.

        Raises:
            ValueError: also where a durable task has the key of another one since the last checkpoint.
        """
        journal = self._recording.journal
        if journal is None:
            self._inner.send(tasks, rank)
            return
        listed = list(tasks)
        names = {_name(task) for task in listed if task.durable}
        again = self._recording.asked & names
        if again:
            raise ValueError(f"durable task {min(again)} came before since the last checkpoint")
        known = {task.key: found for task in listed if task.durable and (found := journal.find(task)) is not None}
        self._inner.send([task for task in listed if task.key not in known], rank)
        self._recording.asked |= names
        self._found.extend((key, result) for key, (result,) in known.items())
        self._durable |= {task.key: (task, rank) for task in listed if task.durable and task.key not in known}

    def receive(self) -> tuple[tuple[int, ...], Any]:
        """See `Stream.receive`."""
        if self._found:
            return self._found.popleft()
        key, result = self._inner.receive()
        task, rank = self._durable.pop(key, (None, 0))
        if task is not None and self._recording.journal is not None and not isinstance(result, Failed | Raised):
            self._recording.journal.add(task, result, rank)
        return key, result

    def close(self) -> None:
        """See `Stream.close`."""
        self._inner.close()
        self._found.clear()
        self._durable.clear()


class JournalledExecutor(Executor):
    """An executor whose durable tasks are looked up first, and written down as they are done.

    Args:
        executor: what runs tasks.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._recording = _Recording()

    def write_to(self, journal: Journal | None) -> None:
        """Keep results from now on; None: nowhere."""
        self._recording.journal = journal

    def checkpointed(self, step: int) -> None:
        """There is a new checkpoint: what was kept is in it, but for what was done ahead."""
        self._recording.asked.clear()
        if self._recording.journal is not None:
            self._recording.journal.begin(step)

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

    def stream(self) -> Stream:
        """See `Executor`."""
        return _JournalledStream(self._executor.stream(), self._recording)

    def together(self, tasks: Sequence[Task]) -> list[Any]:
        """See `Executor`; nothing of it is kept."""
        return self._executor.together(tasks)

    def close(self) -> None:
        """See `Executor`."""
        self._close_journal()
        self._executor.close()

    def __enter__(self) -> Self:
        self._executor.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_journal()
        self._executor.__exit__(kind, error, trace)

    def _close_journal(self) -> None:
        if self._recording.journal is not None:
            self._recording.journal.close()
            self._recording.journal = None

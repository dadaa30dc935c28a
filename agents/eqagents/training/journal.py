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
import os
import sqlite3
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from eqagents.distributed import Executor, Failed, Handle, Raised, Stream, Task
from eqagents.training.trees import packed, unpacked
from eqenvs.errors import CheckpointError

logger = logging.getLogger(__name__)
FORMAT_VERSION = 3
TABLES = {  # as SQLite keeps the statements
    "after": "CREATE TABLE after (version INTEGER, step INTEGER)",
    "results": "CREATE TABLE results (task TEXT PRIMARY KEY, rank INTEGER, structure TEXT, arrays BLOB, sha256 TEXT)",
}
SUFFIXES = ("-wal", "-shm", "-journal", "")  # of the files that a database may have
# What SQLite says of a file that cannot be read, and what is not the file's fault.
UNREADABLE = (
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_DATA,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
)
ELSEWHERE = (
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_AUTH,
)
_T = TypeVar("_T")


class Journal:
    """The results that came after one checkpoint.

    A file that turns out to be damaged is set aside, with a warning, and a fresh one taken: what it held is computed
    again.

    Args:
        file: of the run; made if missing.
        step: of the checkpoint; results after another one are dropped.

    Raises:
        CheckpointError: if the file cannot be written to, as where the disk is full.
    """

    def __init__(self, file: Path, step: int) -> None:
        self._file, self._step = file, step
        try:
            self._connection = _opened(file, step)
        except sqlite3.DatabaseError as error:
            self._connection = self._renewed(error)
        if count := len(self):
            logger.info("%d results since checkpoint %d are kept", count, step)

    def __len__(self) -> int:
        """How many results there are."""
        ((count,),) = self._all("SELECT COUNT(*) FROM results")
        return int(count)

    def begin(self, step: int) -> None:
        """There is a new checkpoint: drop what is in it, all but the results of tasks of later ranks."""
        self._step = step
        self._do(lambda connection: _begun(connection, "DELETE FROM results WHERE rank <= ?", (step,), step))

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
        try:
            self._all("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)", row)
        except (OverflowError, sqlite3.DataError) as error:  # a gigabyte, or two
            logger.warning("%s: the result of task %s is not kept (%s)", self._file, task.key, error)

    def find(self, task: Task) -> tuple[Any] | None:
        """The result of a task, in a tuple; None where there is none, or it is damaged, which is warned of."""
        rows = self._all("SELECT structure, arrays, sha256 FROM results WHERE task = ?", (_name(task),))
        if not rows:
            return None
        try:
            structure, arrays, stated = rows[0]
            if _sha256(structure, arrays) != stated:
                raise ValueError("it does not have its sha256")
            return (unpacked(structure, arrays),)
        except (ValueError, TypeError, LookupError, AttributeError, zipfile.BadZipFile) as error:
            message = "%s: the result of task %s is damaged (%s), and computed again"
            logger.warning(message, self._file, task.key, _reason(error))
            return None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _all(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        return self._do(lambda connection: connection.execute(statement, values).fetchall())

    def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Does something with the file, and again with a fresh one where it turns out to be damaged."""
        try:
            return work(self._connection)
        except (sqlite3.ProgrammingError, sqlite3.DataError):  # not the file's fault
            raise
        except sqlite3.DatabaseError as error:
            with contextlib.suppress(sqlite3.DatabaseError):
                self._connection.close()
            self._connection = self._renewed(error)
        try:
            return work(self._connection)
        except (sqlite3.ProgrammingError, sqlite3.DataError):
            raise
        except sqlite3.DatabaseError as error:
            raise _unwritable(self._file, error) from error

    def _renewed(self, error: sqlite3.DatabaseError) -> sqlite3.Connection:
        """A connection to a fresh journal, in place of the one that is damaged."""
        if not _is_damage(error, self._file):
            raise _unwritable(self._file, error) from error
        try:
            aside = _set_aside(self._file)
            message = "%s: is damaged (%s), and now %s; what was computed since checkpoint %d is computed again"
            logger.warning(message, self._file, _reason(error), aside.name, self._step)
            return _opened(self._file, self._step)
        except (OSError, sqlite3.DatabaseError) as again:
            raise _unwritable(self._file, again) from again


def kept(file: Path) -> int:
    """How many results a journal holds, which another process may be writing; 0 where there is none."""
    if not file.is_file():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            if not _schema(connection).items() <= TABLES.items():
                return 0
            ((count,),) = connection.execute("SELECT COUNT(*) FROM results").fetchall()
            return int(count)
    except sqlite3.DatabaseError:  # it is being made
        return 0


def _opened(file: Path, step: int) -> sqlite3.Connection:
    """A connection to the results since a checkpoint.

    Raises:
        sqlite3.DatabaseError: the file is damaged, or cannot be written to.
    """
    for suffix in SUFFIXES:
        part = Path(f"{file}{suffix}")
        if os.path.lexists(part) and not part.is_file():  # a pipe would be waited for
            raise sqlite3.DatabaseError(f"{part.name} is not a regular file")
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        # Before anything else is asked: views and triggers are programs, and other tables somebody else's.
        if not _schema(connection).items() <= TABLES.items():
            raise sqlite3.DatabaseError("it has other tables, views or triggers than a journal")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        for table in TABLES.values():
            connection.execute(table.replace("TABLE", "TABLE IF NOT EXISTS", 1))
        if connection.execute("SELECT version, step FROM after").fetchall() != [(FORMAT_VERSION, step)]:
            _begun(connection, "DELETE FROM results", (), step)
    except BaseException:
        with contextlib.suppress(sqlite3.DatabaseError):
            connection.close()
        raise
    return connection


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    """The statements that made what is in a database, by name."""
    return dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))


def _begun(connection: sqlite3.Connection, dropping: str, values: tuple[int, ...], step: int) -> None:
    """Drops results, and says after which checkpoint the others are."""
    with connection:
        connection.execute("BEGIN")
        connection.execute(dropping, values)
        connection.execute("DELETE FROM after")
        connection.execute("INSERT INTO after VALUES (?, ?)", (FORMAT_VERSION, step))


def _set_aside(file: Path) -> Path:
    """Renames a journal, and returns its new name.

    Raises:
        OSError: it cannot be renamed.
    """
    aside, number = file.with_name(f"{file.name}.damaged"), 1
    while os.path.lexists(aside):
        number += 1
        aside = file.with_name(f"{file.name}.damaged.{number}")
    for suffix in SUFFIXES:  # the file itself last: a death in the middle leaves one that is still damaged
        with contextlib.suppress(FileNotFoundError):
            Path(f"{file}{suffix}").rename(f"{aside}{suffix}")
    return aside


def _is_damage(error: sqlite3.DatabaseError, file: Path) -> bool:
    """Whether an error is the file's fault; otherwise the disk is full, or may not be written to."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # Python's own errors have none
    if code & 0xFF == sqlite3.SQLITE_READONLY:
        # So it is called, too, where the file's header has a wrong version, or the file was removed.
        return os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))
    return code in UNREADABLE or code & 0xFF not in ELSEWHERE


def _unwritable(file: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{file}: cannot be written to ({_reason(error)}); the run can be resumed when this is mended"
    )


def _reason(error: Exception) -> str:
    """One line: SQLite cites what it found in the file."""
    return str(error).partition("\n")[0]


def _sha256(structure: str, arrays: bytes) -> str:
    """SQLite itself does not notice a bit that changed."""
    return hashlib.sha256(structure.encode() + b"\0" + arrays).hexdigest()


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
        if self._recording.journal is not None:
            self._recording.journal.close()
            self._recording.journal = None
        self._executor.close()

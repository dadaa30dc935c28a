"""Results that are kept between checkpoints: a killed run does not compute them again, and ends the same."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from eqagents.distributed import Failed, InlineExecutor, Task, run_ordered
from eqagents.training.checkpoint import list_checkpoints, load_checkpoint
from eqagents.training.config import parse_config
from eqagents.training.journal import Journal, JournalledExecutor, kept
from eqagents.training.run import resume, train
from eqagents.training.trees import packed
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CALLS: list[int] = []


def squared(seed: np.random.SeedSequence, *, number: int) -> dict[str, Any]:
    """Task: a number's square, and a draw."""
    CALLS.append(number)
    return {"square": number**2, "draw": np.random.default_rng(seed).random(3), "pair": (1.5, None)}


def tasks(count: int, *, durable: bool = True) -> list[Task]:
    return [Task((2, k), f"{__name__}:squared", {"number": k}, durable=durable) for k in range(count)]


def executor_at(file: Path, step: int) -> JournalledExecutor:
    executor = JournalledExecutor(InlineExecutor(7))
    executor.write_to(Journal(file, step))
    return executor


def test_results_since_the_checkpoint_are_not_computed_again(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    CALLS.clear()
    with executor_at(file, 4) as executor:
        first = run_ordered(executor, tasks(3))
    assert CALLS == [0, 1, 2]
    with executor_at(file, 4) as executor:
        again = run_ordered(executor, tasks(5))
        assert CALLS == [0, 1, 2, 3, 4]
        executor.checkpointed(5)
        run_ordered(executor, tasks(2))
        assert CALLS == [0, 1, 2, 3, 4, 0, 1]
    for one, other in zip(first, again[:3], strict=True):
        assert one["draw"].tobytes() == other["draw"].tobytes()
        assert (one["square"], one["pair"]) == (other["square"], other["pair"])
    with executor_at(file, 4) as executor:  # gone back to an earlier checkpoint
        run_ordered(executor, tasks(2))
    assert CALLS[-2:] == [0, 1]
    assert len(CALLS) == 9


def failing_once(seed: np.random.SeedSequence, *, number: int) -> dict[str, Any] | Failed:
    """Task: it fails the first time that it is tried."""
    CALLS.append(number)
    return Failed("not yet") if CALLS.count(number) == 1 else {"number": number}


def test_failures_are_not_kept(tmp_path: Path) -> None:
    file, task = tmp_path / "journal.sqlite", Task((1,), f"{__name__}:failing_once", {"number": 7}, durable=True)
    CALLS.clear()
    with executor_at(file, 0) as executor:
        assert run_ordered(executor, [task]) == [Failed("not yet")]
    with executor_at(file, 0) as executor:
        assert run_ordered(executor, [task]) == [{"number": 7}]
    with executor_at(file, 0) as executor:
        assert run_ordered(executor, [task]) == [{"number": 7}]
    assert CALLS == [7, 7]


def test_tasks_that_are_not_durable_are_run(tmp_path: Path) -> None:
    CALLS.clear()
    with executor_at(tmp_path / "journal.sqlite", 0) as executor:
        run_ordered(executor, tasks(2, durable=False))
        run_ordered(executor, tasks(2, durable=False))
    assert CALLS == [0, 1, 0, 1]


def test_a_durable_key_stands_for_one_task(tmp_path: Path) -> None:
    """Another task of the same key would be told the first one's result."""
    with executor_at(tmp_path / "journal.sqlite", 0) as executor:
        run_ordered(executor, tasks(2))
        with pytest.raises(ValueError, match="came before since the last checkpoint"):
            run_ordered(executor, tasks(1))
        executor.checkpointed(1)
        run_ordered(executor, tasks(1))


def test_what_was_done_ahead_outlives_a_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    CALLS.clear()
    with executor_at(file, 1) as executor:
        stream = executor.stream()
        for number, rank in ((0, 0), (1, 1), (2, 2), (3, 3)):
            stream.send(tasks(number + 1)[number:], rank)
        for _ in range(4):
            stream.receive()
        executor.checkpointed(2)
    with executor_at(file, 2) as executor:
        run_ordered(executor, tasks(4))
    assert CALLS == [0, 1, 2, 3, 0, 1, 2]
    with executor_at(file, 1) as executor:  # of another checkpoint nothing is known
        run_ordered(executor, tasks(4))
    assert CALLS[7:] == [0, 1, 2, 3]


@pytest.mark.parametrize("change", ["arrays = x'00'", "structure = '{'", "arrays = NULL", "structure = 'null'"])
def test_a_damaged_result_is_computed_again(change: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """SQLite does not notice what became of a value."""
    file = tmp_path / "journal.sqlite"
    with executor_at(file, 0) as executor:
        (whole,) = run_ordered(executor, tasks(1))
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE results SET {change}")
    connection.close()
    CALLS.clear()
    with executor_at(file, 0) as executor:
        (again,) = run_ordered(executor, tasks(1))
    assert CALLS == [0]
    assert again["draw"].tobytes() == whole["draw"].tobytes()
    assert "the result of task (2, 0) is damaged" in caplog.text
    with executor_at(file, 0) as executor:  # it was written down anew
        run_ordered(executor, tasks(1))
    assert CALLS == [0]


def ran(file: Path, step: int = 0, count: int = 2) -> list[Any]:
    with executor_at(file, step) as executor:
        return run_ordered(executor, tasks(count))


def statement(text: str) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.executescript(text)

    return spoil


def a_directory(file: Path) -> None:
    file.unlink()
    (file / "in it").mkdir(parents=True)


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


SPOILS: dict[str, Callable[[Path], None]] = {
    "no database": lambda file: file.write_bytes(b"no database" * 100) and None,
    "its end lost": lambda file: os.truncate(file, file.stat().st_size // 2),
    "a view": statement("DROP TABLE results; CREATE VIEW results AS SELECT 1 AS task"),
    "a view without end": statement(
        "DROP TABLE after; CREATE VIEW after AS "
        "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c) SELECT x AS version, x AS step FROM c"
    ),
    "a trigger": statement("CREATE TRIGGER t BEFORE DELETE ON results BEGIN SELECT RAISE(ABORT, 'no'); END"),
    "other columns": statement("DROP TABLE results; CREATE TABLE results (task INTEGER)"),
    "another column": statement("ALTER TABLE after ADD COLUMN more"),
    "another table": statement("CREATE TABLE mine (a)"),
    "malformed": statement(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE results (' WHERE name = 'results'"
    ),
    "a directory": a_directory,
    "a pipe": a_pipe,
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_damaged_journal_is_set_aside(
    spoil: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "journal.sqlite"
    for name in ("journal.sqlite.damaged", "journal.sqlite.damaged.2"):
        whole = ran(file)
        caplog.clear()
        spoil(file)
        assert kept(file) in (0, 2)
        CALLS.clear()
        again = ran(file)
        assert CALLS == [0, 1]
        (record,) = caplog.records
        told = record.getMessage()
        assert told.startswith(f"{file}: is damaged (")
        assert told.endswith(f"), and now {name}; what was computed since checkpoint 0 is computed again")
        assert "\n" not in told
        assert os.path.lexists(tmp_path / name)
        assert [one["draw"].tobytes() for one in again] == [other["draw"].tobytes() for other in whole]
        assert kept(file) == 2  # the fresh one serves
        CALLS.clear()
        ran(file)
        assert CALLS == []


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_any_byte_of_a_killed_runs_journal_may_be_wrong(suffix: str, tmp_path: Path) -> None:
    """The result is the same, wherever the damage is; at most it is computed again."""
    place, copies = tmp_path / "run", tmp_path / "copies"
    place.mkdir()
    with executor_at(place / "journal.sqlite", 0) as executor:
        whole = run_ordered(executor, tasks(2))
        parts = {part.name: part.read_bytes() for part in place.iterdir()}  # as a killed process leaves them
    assert set(parts) == {"journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"}
    data = parts[f"journal.sqlite{suffix}"]
    rng = np.random.default_rng(0)
    header = range(min(len(data), 100))
    for count, position in enumerate([*header, *map(int, rng.integers(len(data), size=100))]):
        copy = copies / str(count)
        copy.mkdir(parents=True)
        for name, content in parts.items():
            (copy / name).write_bytes(content)
        spoiled = bytearray(data)
        spoiled[position] ^= int(rng.integers(1, 256))
        (copy / f"journal.sqlite{suffix}").write_bytes(spoiled if count % 4 else data[:position])
        found = ran(copy / "journal.sqlite")
        assert [one["draw"].tobytes() for one in found] == [other["draw"].tobytes() for other in whole], position


@pytest.mark.parametrize("moment", ["find", "add", "checkpoint"])
def test_damage_in_the_middle_of_a_run_does_not_end_it(
    moment: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "journal.sqlite"
    with executor_at(file, 0) as executor:
        stream = executor.stream()
        stream.send(tasks(2))
        stream.receive()
        if moment == "add":
            statement("DROP TABLE results")(file)
            stream.receive()
        elif moment == "find":
            statement("ALTER TABLE results RENAME COLUMN task TO other")(file)
            stream.send(tasks(3)[2:])
        else:
            stream.receive()
            statement("DROP TABLE after")(file)
            executor.checkpointed(1)
        (record,) = caplog.records
        assert "now journal.sqlite.damaged; what was computed since" in record.getMessage()
        while len(stream):
            stream.receive()
    assert kept(file) == {"find": 2, "add": 1, "checkpoint": 0}[moment]
    CALLS.clear()
    ran(file, step=1 if moment == "checkpoint" else 0, count=3)
    assert {"find": [0], "add": [0, 2], "checkpoint": [0, 1, 2]}[moment] == CALLS


def test_a_header_that_forbids_writing_is_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "journal.sqlite"
    ran(file)
    data = bytearray(file.read_bytes())
    data[18] = 7  # a write version that no SQLite knows
    file.write_bytes(data)
    CALLS.clear()
    ran(file, count=3)
    assert CALLS == [2]
    assert "is damaged (attempt to write a readonly database)" in caplog.text


def test_a_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    with executor_at(file, 0) as executor:
        for part in tmp_path.glob("journal.sqlite*"):
            part.unlink()
        run_ordered(executor, tasks(2))
    assert kept(file) in (0, 2)
    assert len(ran(file)) == 2


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files that must not grow, as where the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refused(call: Callable[[], Any], directory: Path) -> None:
    """It ends in one line, and nothing is set aside."""
    with pytest.raises(CheckpointError, match=r"cannot be written to .* resumed when this is mended") as caught:
        call()
    assert "\n" not in str(caught.value)
    assert not list(directory.glob("*damaged*"))


def test_what_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    refused(lambda: Journal(tmp_path / "none" / "journal.sqlite", 0), tmp_path)


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_at_the_start_is_one_line(tmp_path: Path) -> None:
    refused(lambda: Journal(tmp_path / "journal.sqlite", 0), tmp_path)


def test_a_full_disk_is_one_line_and_nothing_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    journal = Journal(file, 0)
    journal.add(tasks(1)[0], 1)
    journal._connection.execute("PRAGMA max_page_count = 5")
    refused(lambda: journal.add(tasks(2)[1], np.zeros(10_000)), tmp_path)
    journal.close()
    assert Journal(file, 0).find(tasks(1)[0]) == (1,)


def test_a_result_too_large_is_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "journal.sqlite"
    with executor_at(file, 0) as executor:
        executor._recording.journal._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 300)  # type: ignore[union-attr]
        run_ordered(executor, tasks(1))
    assert "the result of task (2, 0) is not kept (string or blob too big)" in caplog.text
    assert kept(file) == 0


CONFIG = {
    "game": {"id": "kuhn_poker"},
    "learner": {
        "id": "psro",
        "oracle": {"id": "exact"},
        "payoffs": {"method": "simulated", "episodes": 10_000, "half_width": 0.0142},
    },
    "iterations": 4,
    "seed": 3,
    "checkpoint": {"every": 4},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any]]:
    """The last checkpoint of a run that nothing happened to, in this process."""
    run = train(parse_config(CONFIG), tmp_path_factory.mktemp("whole") / "run")
    return load_checkpoint(run.path / "checkpoints")


def rows(file: Path) -> int:
    if not file.exists():
        return 0
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT COUNT(*) FROM results").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0
    finally:
        connection.close()


def killed(config: dict[str, Any], directory: Path) -> Path:
    """A run whose process was killed when its journal had twenty rows."""
    file, run = directory / "config.yaml", directory / "killed"
    file.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "eqagents.cli.main", "train", str(file), "--out", str(run)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 200
        while rows(run / "journal.sqlite") < 20 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    return run


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.ray)])
@pytest.mark.slow
def test_run_killed_while_payoffs_are_filled_ends_as_if_nothing_had_happened(
    whole: tuple[int, dict[str, Any]],
    workers: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if workers:
        request.getfixturevalue("ray_cluster")
    run = killed({**CONFIG, "executor": {"workers": workers}}, tmp_path)
    journal = run / "journal.sqlite"
    assert rows(journal) >= 20
    assert list_checkpoints(run / "checkpoints") == [0]  # in the middle of the iterations, and of a fill
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        done = {task for (task,) in connection.execute("SELECT task FROM results")}
    added: list[str] = []
    add = Journal.add

    def recorded(self: Journal, task: Task, result: Any, rank: int = 0) -> None:
        added.append(json.dumps([task.function, *task.key]))
        add(self, task, result, rank)

    monkeypatch.setattr(Journal, "add", recorded)
    resume(run)
    assert added
    assert not done & set(added)  # nothing was computed again
    step, tree = load_checkpoint(run / "checkpoints")
    assert step == whole[0] == 4
    assert packed(tree["state"]) == packed(whole[1]["state"])
    assert rows(journal) == 0

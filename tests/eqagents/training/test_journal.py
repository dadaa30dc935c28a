"""Results that are kept between checkpoints: a killed run does not compute them again, and ends the same."""

from __future__ import annotations

import contextlib
import json
import os
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
from eqagents.training.journal import Journal, JournalledExecutor
from eqagents.training.run import resume, train
from eqagents.training.trees import packed
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
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


def test_what_is_no_journal_is_named(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    file.write_bytes(b"no database" * 100)
    with pytest.raises(CheckpointError, match=r"journal\.sqlite: is no journal of a run"):
        Journal(file, 0)
    file.unlink()
    with executor_at(file, 0) as executor:
        run_ordered(executor, tasks(1))


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

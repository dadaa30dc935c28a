"""Results that are kept between checkpoints: a killed run does not compute them again, and ends the same."""

from __future__ import annotations

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
from eqagents.training.journal import Journal, JournalledExecutor
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


def test_what_is_no_journal_is_named(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    file.write_bytes(b"no database" * 100)
    with pytest.raises(CheckpointError, match=r"journal\.sqlite: is no journal of a run"):
        Journal(file, 0)
    file.unlink()
    with executor_at(file, 0) as executor:
        run_ordered(executor, tasks(1))
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE results SET arrays = x'00'")
    connection.close()
    with executor_at(file, 0) as executor, pytest.raises(CheckpointError, match=r"journal\.sqlite: corrupt"):
        run_ordered(executor, tasks(1))


CONFIG = {
    "game": {"id": "kuhn_poker"},
    "learner": {
        "id": "psro",
        "oracle": {"id": "exact"},
        "payoffs": {"method": "simulated", "episodes": 20_000, "half_width": 0.011},
    },
    "iterations": 4,
    "seed": 3,
    "checkpoint": {"every": 4},
}


def started(arguments: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "eqagents.cli.main", *arguments]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)


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


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.ray)])
def test_run_killed_while_payoffs_are_filled_ends_as_if_nothing_had_happened(tmp_path: Path, workers: int) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({**CONFIG, "executor": {"workers": workers}}))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert started(["train", str(file), "--out", str(whole)]).wait(300) == 0
    process = started(["train", str(file), "--out", str(killed)])
    journal, deadline = killed / "journal.sqlite", time.monotonic() + 200
    while rows(journal) < 20 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    kept = rows(journal)
    assert kept >= 20
    assert list_checkpoints(killed / "checkpoints") == [0]  # in the middle of the iterations, and of a fill
    connection = sqlite3.connect(journal)
    connection.execute("CREATE TABLE seen AS SELECT task FROM results")
    connection.execute(
        "CREATE TRIGGER again BEFORE INSERT ON results WHEN NEW.task IN (SELECT task FROM seen) "
        "BEGIN SELECT RAISE(ABORT, 'computed again'); END"
    )
    connection.commit()
    connection.close()
    assert started(["resume", str(killed)]).wait(300) == 0
    step, tree = load_checkpoint(killed / "checkpoints")
    expected_step, expected = load_checkpoint(whole / "checkpoints")
    assert step == expected_step == 4
    assert packed(tree["state"]) == packed(expected["state"])
    assert rows(journal) == 0

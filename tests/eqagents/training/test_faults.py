"""What a run survives: being told to stop, tasks that fail, a disk that is full."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from eqagents.distributed import TaskError
from eqagents.learners.psro import _payoffs
from eqagents.oracles import exact
from eqagents.training import checkpoint
from eqagents.training.checkpoint import list_checkpoints, load_checkpoint
from eqagents.training.config import RunConfig, parse_config
from eqagents.training.metrics import read_metrics
from eqagents.training.run import replay, resume, train
from eqagents.training.trees import packed
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA: dict[str, Any] = {
    "game": {"id": "kuhn_poker"},
    "learner": {"id": "psro", "oracle": {"id": "exact"}, "payoffs": {"method": "simulated", "episodes": 64}},
    "iterations": 5,
    "seed": 2,
    "checkpoint": {"every": 4},
}


def config(**fields: Any) -> RunConfig:
    return parse_config({**DATA, **fields})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing happened to."""
    return train(config(), tmp_path_factory.mktemp("whole") / "run").path


def same(one: Path, other: Path) -> bool:
    """Whether runs ended in the same state, to the bit, with the same metrics but for what clocks say."""
    states = [packed(load_checkpoint(run / "checkpoints")[1]["state"]) for run in (one, other)]
    metrics = [
        [{k: v for k, v in row.items() if not k.startswith(("time", "run/"))} for row in read_metrics(run)]
        for run in (one, other)
    ]
    return states[0] == states[1] and metrics[0] == metrics[1]


# ------------------------------------------------------------------------------------------------------------ stopping


@pytest.mark.parametrize("after", [1, 3, 5])
def test_run_that_is_asked_to_stop_leaves_a_checkpoint_and_goes_on(after: int, whole: Path, tmp_path: Path) -> None:
    iterations = iter(range(1, 100))
    run = train(config(), tmp_path / "run", stop_asked=lambda: next(iterations) == after).path
    assert list_checkpoints(run / "checkpoints")[-1] == after
    assert (run / "ended.json").exists() == (after == 5)
    resume(run)
    assert same(run, whole)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.slow
def test_signal_ends_the_command_after_its_iteration(number: int, status: int, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({**DATA, "iterations": 100_000, "checkpoint": {"every": 100_000}}))
    command = [sys.executable, "-m", "eqagents.cli.main", "train", str(file), "--out", str(tmp_path / "run")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True)
    metrics, deadline = tmp_path / "run" / "metrics.jsonl", time.monotonic() + 120
    while not (metrics.exists() and metrics.read_bytes().count(b"\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert "stopping after this iteration" in said
    assert f"`eqenvs resume {tmp_path / 'run'}` goes on from the last checkpoint" in said
    done = read_metrics(tmp_path / "run")[-1]["step"]
    assert list_checkpoints(tmp_path / "run" / "checkpoints") == [0, done]


# --------------------------------------------------------------------------------------------------------------- tasks


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A cell of iteration 3 that cannot be played, until the fixture is called."""
    play = _payoffs.simulated_cell
    mended: list[bool] = []

    def failing(seed: Any, **arguments: Any) -> Any:
        if seed.spawn_key[0] == 3 and not mended:
            raise ZeroDivisionError("no such cell")
        return play(seed, **arguments)

    from eqagents.distributed import task

    task._function.cache_clear()
    monkeypatch.setattr(_payoffs, "simulated_cell", failing)
    yield lambda: mended.append(True)
    monkeypatch.undo()
    task._function.cache_clear()


def test_task_that_failed_is_run_again_by_itself(broken: Any, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(TaskError, match="no such cell") as first:
        train(config(), path)
    stored = json.loads((path / "failed.json").read_text())
    assert (stored["function"], tuple(stored["key"])) == (first.value.function, first.value.key)
    assert "no such cell" in stored["details"]
    with pytest.raises(TaskError, match="no such cell") as again:
        replay(path)
    assert again.value.key == first.value.key
    assert isinstance(again.value.__cause__, ZeroDivisionError)
    broken()
    task, (sums, squares) = replay(path)
    assert task.key == first.value.key
    assert sums.shape == squares.shape == (2,)
    resume(path)
    assert same(path, whole)
    with pytest.raises(CheckpointError, match="no task has failed in this run"):
        replay(path)


def test_the_command_says_in_one_line_which_task_failed(
    broken: Any, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    run, file = tmp_path / "run", tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(DATA))
    status, _, said = call("train", file, "--out", run)
    assert status == 1
    *_, before, last = said.splitlines()
    assert before == f"{run}/failed.json has the traceback; `eqenvs replay {run}` runs it again in one process"
    assert re.fullmatch(
        r"error: task \(3, .*\) \(eqagents\.\S+:simulated_cell\) failed: ZeroDivisionError: no such cell", last
    )
    assert "Traceback" not in said
    status, _, said = call("replay", run)
    assert status == 1
    assert said.startswith("Traceback")
    assert said.splitlines()[-1] == last
    broken()
    status, printed, _ = call("replay", run)
    assert status == 0
    assert "does not fail here" in printed


def test_oracle_that_is_broken_is_run_again_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its task gives a failure in place of a response, for which the run could do without it."""

    def failing(settings: Any, situation: Any) -> Any:
        raise ZeroDivisionError("no such step")

    monkeypatch.setattr(exact, "ORACLE", replace(exact.ORACLE, respond=failing))
    for attempt in (lambda: train(config(), tmp_path / "run"), lambda: replay(tmp_path / "run")):
        with pytest.raises(TaskError, match=r"Traceback[\s\S]*no such step") as caught:
            attempt()
        assert caught.value.key == (0, 0, 0, 0)


def test_failures_that_are_not_the_runs_are_named(whole: Path, tmp_path: Path) -> None:
    run = train(config(iterations=1), tmp_path / "run").path
    for content, message in (
        ({"function": "a:b", "key": [1, 2]}, r"no longer asks for task \(1, 2\) \(a:b\)"),
        ({"function": "a:b"}, "names no task"),
        ({"function": "a:b", "key": ["x"]}, r"failed\.json: 'key'"),
    ):
        (run / "failed.json").write_text(json.dumps(content))
        with pytest.raises(CheckpointError, match=message) as caught:
            replay(run)
        assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------------------------------------- disk


def test_full_disk_is_one_line_and_costs_no_checkpoint(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def full(path: Path, data: bytes) -> None:
        written.append(path)
        if len(written) > 2:  # the second checkpoint
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, data)

    write = checkpoint.write_durably
    monkeypatch.setattr(checkpoint, "write_durably", full)
    path = tmp_path / "run"
    stands = r"cannot be written to \(.*No space left.*; it stands at checkpoint 0, and can be resumed"
    with pytest.raises(CheckpointError, match=stands) as told:
        train(config(), path)
    assert "\n" not in str(told.value)
    monkeypatch.undo()
    assert load_checkpoint(path / "checkpoints")[0] == 0
    resume(path)
    assert same(path, whole)

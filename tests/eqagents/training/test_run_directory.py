from __future__ import annotations

import errno
import fcntl
import getpass
import json
import os
import platform
import threading
from typing import TYPE_CHECKING, Any

import pytest

from eqagents.training import files
from eqagents.training.run_directory import RunDirectory, environment
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = {"game": {"id": "leduc_poker", "parameters": {"num_players": 2}}, "seed": 3, "tags": ["a", "ü"], "out": None}


def one_line(error: pytest.ExceptionInfo[CheckpointError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_created_run_opens_with_its_config(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "runs" / "first", CONFIG)
    run = RunDirectory.open(tmp_path / "runs" / "first")
    assert run.config() == CONFIG
    assert list(run.config()) == list(CONFIG)
    names = [run.metrics_file, run.checkpoints, run.tensorboard, run.report_file, run.score_file]
    assert [path.relative_to(run.path).as_posix() for path in names] == [
        "metrics.jsonl",
        "checkpoints",
        "tensorboard",
        "report.html",
        "score.json",
    ]


def test_environment_has_versions_and_names_neither_host_nor_user(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    facts = json.loads(run.environment_file.read_text())
    assert len(facts.pop("run")) == 32
    assert facts == environment()
    assert facts["versions"]["numpy"]
    assert facts["versions"]["torch"]
    assert facts["cpus"] == os.cpu_count()
    values = {str(value) for value in facts.values()}
    assert not values & {platform.node(), getpass.getuser()}


def test_existing_run_is_not_overwritten(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    with pytest.raises(CheckpointError) as error:
        RunDirectory.create(run.path, {"other": 1})
    assert (
        one_line(error) == f"{run.path} holds a run; resume it with `eqenvs resume {run.path}`, or choose another --out"
    )
    assert run.config() == CONFIG


def test_directory_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CheckpointError, match="is not empty and holds no run") as error:
        RunDirectory.create(tmp_path, CONFIG)
    one_line(error)
    with pytest.raises(CheckpointError, match="is not a directory"):
        RunDirectory.create(tmp_path / "notes.txt", CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_empty_directory_is_taken(tmp_path: Path) -> None:
    assert RunDirectory.create(tmp_path, CONFIG).config() == CONFIG


@pytest.mark.parametrize("survived", range(4))
def test_death_in_create_leaves_a_directory_that_can_be_taken(
    survived: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, left = os.fsync, survived

    def dies(descriptor: int) -> None:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        original(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dies)
        with pytest.raises(KeyboardInterrupt):
            RunDirectory.create(tmp_path / "run", CONFIG)
    if (tmp_path / "run" / "config.yaml").exists():
        assert RunDirectory.open(tmp_path / "run").config() == CONFIG
    else:
        assert RunDirectory.create(tmp_path / "run", CONFIG).config() == CONFIG


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("function", ["mkdir", "fsync", "open"])
def test_what_cannot_be_written_is_one_line_and_can_be_tried_again(
    code: int, function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, path = getattr(os, function), tmp_path / "runs" / "run"

    for survived in range(10):
        left = survived

        def fails(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                raise OSError(code, os.strerror(code))
            left -= 1
            return original(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, function, fails)
            refusal: CheckpointError | None = None
            try:
                RunDirectory.create(path, CONFIG)
            except CheckpointError as error:
                refusal = error
        if refusal is None:
            break
        assert str(refusal).startswith(f"{path} cannot be written to ([Errno {code}]")
        assert "\n" not in str(refusal)
        if (path / "config.yaml").exists():  # it was only not made durable
            assert RunDirectory.open(path).config() == CONFIG
            return
        assert not list(tmp_path.rglob(".tmp-*"))
    assert survived > 0
    assert RunDirectory.open(path).config() == CONFIG


def test_paths_that_cannot_be_looked_at_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    for refused in (RunDirectory.require_free, RunDirectory.open, lambda path: RunDirectory.create(path, CONFIG)):
        with pytest.raises(CheckpointError, match="File name too long") as error:
            refused(path)
        one_line(error)


def test_run_that_another_process_made_in_the_meantime_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, mkdir = tmp_path / "run", type(tmp_path).mkdir
    other: list[RunDirectory] = []

    def slow(self: Path, *arguments: Any, **options: Any) -> None:
        if not other:
            other.append(RunDirectory(path))  # so that only the outer call makes one
            RunDirectory.create(path, {"other": 1})
        mkdir(self, *arguments, **options)

    monkeypatch.setattr(type(tmp_path), "mkdir", slow)
    with pytest.raises(CheckpointError, match="holds a run"):
        RunDirectory.create(path, CONFIG)
    assert RunDirectory.open(path).config() == {"other": 1}


def test_lock_is_one_processs_and_seen_without_being_held_up(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    assert not run.is_locked()
    with run.locked():
        assert run.is_locked()
        with pytest.raises(CheckpointError, match="another process is training this run"), run.locked():
            pass
        assert run.is_locked()
    assert not run.is_locked()


def test_looking_at_a_run_does_not_keep_others_from_it(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    with (run.path / ".lock").open() as looking:  # as `is_locked` does
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not run.is_locked()
        release = threading.Timer(0.05, fcntl.flock, (looking, fcntl.LOCK_UN))
        release.start()
        with run.locked():
            assert run.is_locked()
        release.join()


def test_lock_that_cannot_be_had_for_another_reason_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory.create(tmp_path / "run", CONFIG)

    def unsupported(file: Any, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(CheckpointError, match="No locks available"), run.locked():
        pass


def test_no_run_is_one_line_with_the_nearest_run_beside_it(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "leduc_1", CONFIG)
    RunDirectory.create(tmp_path / "kuhn_1", CONFIG)
    (tmp_path / "leduc_11").mkdir()
    for name, reason in (("leduc_2", "no such directory"), ("leduc_11", "has no config.yaml")):
        with pytest.raises(CheckpointError, match=reason) as error:
            RunDirectory.open(tmp_path / name)
        assert one_line(error).endswith(f"did you mean {tmp_path / 'leduc_1'}?")
    with pytest.raises(CheckpointError) as error:
        RunDirectory.open(tmp_path / "none" / "x")
    assert "did you mean" not in one_line(error)


@pytest.mark.parametrize("text", ["[1, 2", "- 1", "!!python/object/apply:os.getpid []", "\x00"])
def test_damaged_config_is_one_line(text: str, tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    run.config_file.write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.yaml") as error:
        run.config()
    one_line(error)


@pytest.mark.parametrize("obj", [{"a": float("nan")}, {"a": object()}])
def test_failed_write_leaves_the_old_file_alone(obj: Any, tmp_path: Path) -> None:
    file = tmp_path / "score.json"
    files.write_json(file, {"a": 1})
    with pytest.raises((TypeError, ValueError)):
        files.write_json(file, obj)
    assert json.loads(file.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [file]

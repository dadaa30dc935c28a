"""Copies of checkpoints elsewhere: whole ones only, without holding up the run, and a run that goes on from them."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from eqagents.training import remote
from eqagents.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from eqagents.training.config import CheckpointConfig, parse_config
from eqagents.training.metrics import read_metrics
from eqagents.training.remote import copying, fetch, require_place
from eqagents.training.remote_folder import shown
from eqagents.training.run import resume, train
from eqagents.training.run_directory import RunDirectory
from eqagents.training.trees import packed
from eqenvs.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

fs = pytest.importorskip("pyarrow.fs", reason="the extra `cloud` is not installed")

CONFIG = {"game": {"id": "kuhn_poker"}, "seed": 3, "checkpoint": {"every": 2, "keep": 3, "copy_to": "s3://u:secret@b"}}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.01, 0.0))


def tree(step: int) -> dict[str, Any]:
    return {"step": step, "table": np.full((2, 3), step / 7)}


def settings(place: object, keep: int = 3) -> CheckpointConfig:
    return CheckpointConfig(keep=keep, copy_to=str(place))


def made(path: Path) -> RunDirectory:
    return RunDirectory.create(path, CONFIG)


def save(run: RunDirectory, step: int, keep: int = 3) -> int:
    save_checkpoint(run.checkpoints, step, tree(step), keep=keep)
    with run.metrics_file.open("a") as file:
        file.write(json.dumps({"step": step, "time": 1.0}) + "\n")
    return step


def copied(run: RunDirectory, place: object, *steps: int, keep: int = 3) -> None:
    with copying(run, settings(place, keep)) as copy:
        for step in steps:
            copy(save(run, step, keep))


def files(path: Path) -> dict[str, bytes]:
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_copies_are_the_files_and_the_newest_is_named(tmp_path: Path) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    for step in (2, 4, 6):
        copied(run, f"file://{place}", step)
    found = files(place / str(run.id()))
    local = files(run.checkpoints)
    assert {name: found[name] for name in local} == local
    more = ("config.yaml", "environment.json", "metrics.jsonl")
    assert set(found) - set(local) == {f"step-00000{step}/{name}" for step in (2, 4, 6) for name in more}
    assert found["LATEST"] == b"step-000006\n"
    assert found["step-000006/metrics.jsonl"] == run.metrics_file.read_bytes()
    assert found["step-000006/environment.json"] == run.environment_file.read_bytes()
    assert not any(b"secret" in content for content in found.values())


def test_retention_there_is_as_here(tmp_path: Path) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    for step in (2, 4, 6, 8, 4):  # the last one: resumed before later ones
        copied(run, place, step, keep=2)
    assert list_checkpoints(run.checkpoints) == [4]
    assert list_checkpoints(place / str(run.id())) == [4]


def test_fetched_run_is_the_run(tmp_path: Path) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    copied(run, place, 2)
    copied(run, place, 4)
    for count, uri in enumerate((f"file://{place}", f"file://{place}/{run.id()}", f"{place}/{run.id()}/")):
        other = fetch(uri, tmp_path / "new" / str(count))
        assert other.id() == run.id()
        assert files(other.checkpoints / "step-000004") == files(run.checkpoints / "step-000004")
        assert load_checkpoint(other.checkpoints)[0] == 4
        assert other.metrics() == run.metrics()
        back = other.config()["checkpoint"].pop("copy_to")
        assert back == (f"file://{place}" if "file:" in uri else str(place))
        assert sorted(path.name for path in other.path.iterdir()) == [
            "checkpoints",
            "config.yaml",
            "environment.json",
            "metrics.jsonl",
        ]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["0", "1", "2"]
    assert list_checkpoints(fetch(str(place), tmp_path / "second", 2).checkpoints) == [2]
    with pytest.raises(CheckpointError, match="no checkpoint 3; there are: 2, 4"):
        fetch(str(place), tmp_path / "third", 3)
    assert not (tmp_path / "third").exists()


def lost(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [lost, cut])
@pytest.mark.parametrize("name", ["tree.json", "arrays.npz"])
def test_damaged_copy_is_told_and_the_one_before_used(
    damage: Callable[[Path], None], name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    copied(run, place, 2)
    copied(run, place, 4)
    damage(place / str(run.id()) / "step-000004" / name)
    assert load_checkpoint(fetch(str(place), tmp_path / "new").checkpoints)[0] == 2
    assert caplog.messages == [f"{place}/{run.id()}/step-000004: is damaged, or was not copied to its end"]
    damage(place / str(run.id()) / "step-000002" / name)
    with pytest.raises(CheckpointError, match=r"no checkpoint that loads$"):
        fetch(str(place), tmp_path / "another")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "place", "run"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("step-000004/config.yaml", b"[1, 2", "config.yaml: not valid YAML"),
        ("step-000004/config.yaml", b"- 1", "config.yaml: is no configuration of a run"),
        ("step-000004/config.yaml", b"checkpoint: 3", "config.yaml: is no configuration of a run"),
        ("step-000004/config.yaml", b"\xff", "config.yaml: not valid YAML"),
        ("step-000004/config.yaml", b"a" * 2_000_000, "config.yaml: more than 1,048,576 bytes"),
        ("LATEST", b"../../etc", None),
        ("LATEST", b"\xff", None),
        ("LATEST", b"", None),
        ("step-000004/environment.json", b"{", None),
        ("step-000004/environment.json", b'{"run": "../../x"}', None),
        ("step-000004/metrics.jsonl", b"x\n", None),
    ],
)
def test_other_files_may_be_damaged(name: str, content: bytes, message: str | None, tmp_path: Path) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    copied(run, place, 4)
    (place / str(run.id()) / name).write_bytes(content)
    if message is None:
        other = fetch(str(place), tmp_path / "new")
        assert load_checkpoint(other.checkpoints)[0] == 4
        assert other.id() == run.id()
        assert other.metrics() == ([] if "metrics" in name else run.metrics())
    else:
        with pytest.raises(CheckpointError) as error:
            fetch(str(place), tmp_path / "new")
        assert message in str(error.value)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "new").exists()


def test_copy_cut_short_anywhere_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the store keeps the half of the file that it was given."""
    write, remove = remote.Folder.write, remote.Folder.remove
    for survived in range(20):
        run, place = made(tmp_path / str(survived)), tmp_path / f"place-{survived}"
        copied(run, place, 2)
        copied(run, place, 4)
        left = survived

        def dies(call: Callable[[], None], half: Callable[[], None]) -> None:
            nonlocal left
            if left <= 0:
                half()
                raise OSError("no such host")
            left -= 1
            call()

        def writing(self: remote.Folder, name: str, file: IO[bytes]) -> None:
            def half() -> None:
                with self.filesystem.open_output_stream(f"{self.path}/{name}") as stream:
                    stream.write(file.read()[:3])

            dies(lambda: write(self, name, file), half)

        with monkeypatch.context() as patch:
            patch.setattr(remote.Folder, "write", writing)
            patch.setattr(remote.Folder, "remove", lambda self: dies(lambda: remove(self), lambda: None))
            copied(run, place, 6, keep=2)
        if left > 0:
            break
        step, found = load_checkpoint(fetch(str(place), tmp_path / "new" / str(survived)).checkpoints)
        assert step in (4, 6)
        assert packed(found) == packed(tree(step))
        copied(run, place, 8, keep=2)  # the next try mends it
        assert load_checkpoint(fetch(str(place), tmp_path / "after" / str(survived)).checkpoints)[0] == 8
        kept = list_checkpoints(place / str(run.id()))
        assert kept == ([6, 8] if step == 6 else [4, 8])
        assert all(load_checkpoint(place / str(run.id()), each) for each in kept)
    assert survived > 5
    assert left > 0


def test_place_that_fails_is_warned_of_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    place.write_text("a file")
    with copying(run, settings(place)) as copy:
        for step in (2, 4):
            copy(save(run, step))
            deadline = time.monotonic() + 20
            while not caplog.messages and time.monotonic() < deadline:
                time.sleep(0.01)
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith(f"{place}: checkpoint 2 cannot be copied (")
        place.unlink()
        copy(save(run, 6))
    assert load_checkpoint(fetch(str(place), tmp_path / "new").checkpoints)[0] == 6
    assert len(caplog.messages) == 1


def test_last_copy_that_fails_is_tried_again_and_does_not_end_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    place.write_text("a file")
    copied(run, place, 2)
    assert [message.partition(" (")[0] for message in caplog.messages] == [
        f"{place}: checkpoint 2 cannot be copied",
        f"{place}: checkpoint 2, the run's last, is not copied; resuming the run tries it again",
    ]
    place.unlink()
    with copying(run, settings(place)) as copy:  # as a resumed run does, of the checkpoint that it goes on from
        copy(2)
    assert load_checkpoint(fetch(str(place), tmp_path / "new").checkpoints)[0] == 2


def test_run_does_not_wait_and_the_newest_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    at_work, go = threading.Event(), threading.Event()
    write = remote.Folder.write

    def slow(self: remote.Folder, name: str, file: IO[bytes]) -> None:
        at_work.set()
        assert go.wait(20)
        write(self, name, file)

    monkeypatch.setattr(remote.Folder, "write", slow)
    with copying(run, settings(place)) as copy:
        copy(save(run, 1, keep=1))
        assert at_work.wait(20)
        for step in (2, 3, 4):
            copy(save(run, step, keep=1))  # the files of 1 have no name any more
        assert list_checkpoints(run.checkpoints) == [4]
        go.set()
    assert list_checkpoints(place / str(run.id())) == [1, 4]
    for step in (1, 4):
        assert packed(load_checkpoint(place / str(run.id()), step)[1]) == packed(tree(step))


def test_checkpoint_that_is_there_is_not_copied_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    copied(run, place, 2)
    with monkeypatch.context() as patch, copying(run, settings(place)) as copy:
        patch.setattr(remote.Folder, "remove", lambda self: pytest.fail("removed"))
        before = (place / str(run.id()) / "step-000002" / "arrays.npz").stat().st_mtime_ns
        copy(2)
    assert (place / str(run.id()) / "step-000002" / "arrays.npz").stat().st_mtime_ns == before


def test_second_interrupt_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, go = made(tmp_path / "run"), threading.Event()
    monkeypatch.setattr(remote.Folder, "write", lambda self, name, file: go.wait(20) and None)
    started = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt), copying(run, settings(tmp_path / "place")) as copy:
        copy(save(run, 1))
        raise KeyboardInterrupt
    assert time.monotonic() - started < 10
    go.set()


def test_run_that_fails_has_its_last_checkpoint_copied(tmp_path: Path) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    with contextlib.suppress(ZeroDivisionError), copying(run, settings(place)) as copy:
        copy(save(run, 1))
        raise ZeroDivisionError
    assert list_checkpoints(place / str(run.id())) == [1]


@pytest.mark.parametrize("kind", ["mock", "subtree", "fsspec"])
def test_any_file_system_will_do(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "fsspec":
        pytest.importorskip("fsspec")
        uri = "fsspec+memory://eqenvs-test/runs"
    else:
        (tmp_path / "below").mkdir()
        shared = (
            fs._MockFileSystem()
            if kind == "mock"
            else fs.SubTreeFileSystem(str(tmp_path / "below"), fs.LocalFileSystem())
        )
        uri = "mock:///runs"
        monkeypatch.setattr(remote.Folder, "at", classmethod(lambda cls, uri: cls(shared, "runs", uri)))
    run = made(tmp_path / "run")
    copied(run, uri, 1)
    copied(run, uri, 2, keep=1)
    copied(run, uri, 3, keep=2)
    assert load_checkpoint(fetch(uri, tmp_path / "new").checkpoints)[0] == 3
    assert load_checkpoint(fetch(uri, tmp_path / "two", 2).checkpoints)[0] == 2
    with pytest.raises(CheckpointError, match="no checkpoint 1"):
        fetch(uri, tmp_path / "one", 1)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("ftp://host/runs", "Unrecognized filesystem type"),
        ("runs/copies", "URI has empty scheme"),
        ("s3://a b", "Cannot parse URI"),
        ("s3://user:secret@bucket/runs?region=us-east-1&foo=1", "Unexpected query parameter"),
        ("file://host/runs", "Unsupported hostname"),
        ("file:///", "names no folder"),
    ],
)
def test_malformed_place_is_one_line_at_the_start(uri: str, reason: str, tmp_path: Path) -> None:
    for refused in (lambda: require_place(uri), lambda: fetch(uri, tmp_path / "new")):
        with pytest.raises(InputError, match=reason) as error:
            refused()
        assert "it must be an absolute path, or a URI like" in str(error.value)
        assert "\n" not in str(error.value)
        assert "secret" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.fs", None)
    with pytest.raises(InputError, match=r"needs pyarrow; install it with: pip install 'eqenvs\[cloud\]'"):
        require_place("s3://bucket/runs")
    require_place(None)


def test_place_out_of_reach_is_only_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreachable(uri: str) -> None:
        raise OSError("When resolving region for bucket 'b': network\nmore")

    monkeypatch.setattr(remote.Folder, "at", unreachable)
    require_place("s3://u:secret@b/runs?region=x")
    (message,) = caplog.messages
    assert message.startswith("s3://u@b/runs: cannot be reached (When resolving region for bucket 'b': network);")


def test_password_is_not_shown() -> None:
    assert shown("s3://key:secret@bucket/a/b?endpoint_override=x") == "s3://key@bucket/a/b"
    assert shown("/a/b") == "/a/b"


def test_which_run_is_asked_where_there_are_several(tmp_path: Path) -> None:
    runs, place = [made(tmp_path / name) for name in "ab"], tmp_path / "place"
    for run in runs:
        copied(run, place, 1)
    with pytest.raises(CheckpointError, match="holds 2 runs; add the id of one: ") as error:
        fetch(str(place), tmp_path / "new")
    assert all(str(run.id()) in str(error.value) for run in runs)
    assert fetch(f"{place}/{runs[1].id()}", tmp_path / "new").id() == runs[1].id()
    with pytest.raises(CheckpointError, match="holds no copies of a run"):
        fetch(str(tmp_path / "none"), tmp_path / "newer")
    with pytest.raises(CheckpointError, match="holds a run; resume it with"):
        fetch(f"{place}/{runs[0].id()}", tmp_path / "new")


def test_id_that_is_none_is_not_made_a_path(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    run.environment_file.write_text(json.dumps({"run": "../../elsewhere"}))
    with pytest.raises(CheckpointError, match="has no id of the run"), copying(run, settings(tmp_path / "place")):
        pass


def test_what_a_killed_fetch_left_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, place, new = made(tmp_path / "run"), tmp_path / "place", tmp_path / "new"
    copied(run, place, 1)
    (tmp_path / ".tmp-fetch-new" / "checkpoints" / "step-000001").mkdir(parents=True)
    new.mkdir()
    (new / ".lock").touch()
    assert load_checkpoint(fetch(str(place), new).checkpoints)[0] == 1
    assert not list(tmp_path.glob(".tmp-*"))
    full = tmp_path / "full"
    monkeypatch.setattr(remote, "write_durably", lambda path, data: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(CheckpointError, match=r"cannot be fetched to .*full \(.*No space left"):
        fetch(str(place), full)
    assert not full.exists()
    assert not list(tmp_path.glob(".tmp-*"))


def test_configuration_of_the_copy_is_plain_yaml(tmp_path: Path) -> None:
    run, place = made(tmp_path / "run"), tmp_path / "place"
    copied(run, place, 1)
    text = (place / str(run.id()) / "step-000001" / "config.yaml").read_text()
    assert yaml.safe_load(text) == {**CONFIG, "checkpoint": {"every": 2, "keep": 3, "copy_to": None}}


DATA: dict[str, Any] = {
    "game": {"id": "kuhn_poker"},
    "learner": {"id": "psro", "oracle": {"id": "exact"}, "payoffs": {"method": "simulated", "episodes": 64}},
    "iterations": 6,
    "seed": 2,
    "checkpoint": {"every": 2},
}


def outcome(run: Path) -> tuple[Any, ...]:
    """The last state, and all metrics but for what clocks say."""
    metrics = [
        {name: value for name, value in row.items() if not name.startswith(("time", "run/"))}
        for row in read_metrics(run)
    ]
    return packed(load_checkpoint(run / "checkpoints")[1]["state"]), metrics


@pytest.mark.parametrize("after", [3, 4])
def test_run_goes_on_elsewhere_to_the_same_bits(
    after: int, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    whole = train(parse_config(DATA), tmp_path / "whole").path
    uri = f"file://{tmp_path}/place"
    data = {**DATA, "checkpoint": {"every": 2, "copy_to": uri}}
    iterations = iter(range(1, 100))
    train(parse_config(data), tmp_path / "run", stop_asked=lambda: next(iterations) == after)
    shutil.rmtree(tmp_path / "run")  # the machine is gone
    status, said, errors = call("resume", uri, "--out", tmp_path / "new", "--json")
    assert (status, json.loads(said)["iteration"]) == (0, 6), errors
    assert outcome(tmp_path / "new") == outcome(whole)
    (copies,) = (tmp_path / "place").iterdir()
    assert load_checkpoint(copies)[0] == 6  # it went on copying
    assert call("resume", f"{uri}/{copies.name}", "--out", tmp_path / "third", "--step", 4)[0] == 0
    assert outcome(tmp_path / "third") == outcome(whole)


def test_ended_run_whose_last_copy_failed_is_mended_by_a_resume(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "place"
    place.write_text("a file")
    run = train(parse_config({**DATA, "checkpoint": {"copy_to": str(place)}}), tmp_path / "run")
    assert run.ended() is not None
    assert "is not copied; resuming the run tries it again" in caplog.text
    place.unlink()
    resume(run.path)
    assert load_checkpoint(fetch(str(place), tmp_path / "new").checkpoints)[0] == 6


def test_what_cannot_be_is_one_line_of_the_command(tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    file, new = tmp_path / "config.yaml", tmp_path / "new"
    file.write_text(yaml.safe_dump(DATA))
    for arguments, reason in (
        (["train", file, "--out", new, "--set", "checkpoint.copy_to=ftp://host/x"], "is no place for checkpoints"),
        (["resume", f"file://{tmp_path}/none", "--out", new], "holds no copies of a run"),
        (["resume", f"file://{tmp_path}/none"], "needs --out DIR"),
        (["resume", tmp_path / "none", "--out", new], "holds no copies of a run"),
        (["train", file, "--out", new, "--set", "checkpoint.copy_to=s3://[x/y"], "is no place for checkpoints"),
    ):
        status, said, errors = call(*arguments)
        assert (status, said) == (2, "")
        assert errors.startswith("error: ")
        assert reason in errors
        assert errors.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml"]

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eqagents.training.checkpoint import Cadence, list_checkpoints, load_checkpoint, outlived, save_checkpoint
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(endianness="?"),
    hnp.datetime64_dtypes(),
    hnp.byte_string_dtypes(min_len=1),
    hnp.unicode_string_dtypes(min_len=1),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | ARRAYS | hnp.from_dtype(np.dtype("f4")),
    lambda child: (
        st.lists(child, max_size=3)
        | st.lists(child, max_size=3).map(tuple)
        | st.dictionaries(st.text(), child, max_size=3)
    ),
    max_leaves=8,
)


def assert_same(actual: Any, expected: Any) -> None:
    """The same types, dtypes, shapes and bits."""
    assert type(actual) is type(expected)
    if isinstance(expected, np.ndarray | np.generic):
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        assert actual.tobytes() == expected.tobytes()
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_same(actual[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, float):
        assert np.float64(actual).tobytes() == np.float64(expected).tobytes()
    else:
        assert actual == expected


def corrupt(file: Path, position: int, mask: int = 0xFF) -> None:
    data = bytearray(file.read_bytes())
    data[position] ^= mask
    file.write_bytes(bytes(data))


def save_three(directory: Path) -> None:
    for step in (1, 2, 3):
        save_checkpoint(directory, step, {"step": step, "table": np.full((2, 3), step / 7)})


@settings(max_examples=60, deadline=None)
@given(tree=TREES)
def test_any_tree_comes_back_with_the_same_types_and_bits(tree: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("run")
    save_checkpoint(directory, 0, tree)
    step, loaded = load_checkpoint(directory)
    assert step == 0
    assert_same(loaded, tree)


def test_hard_cases_come_back_with_the_same_types_and_bits(tmp_path: Path) -> None:
    record = np.dtype([("key", "<u8"), ("value", "<f4", (2, 3)), ("inner", [("a", "i1"), ("b", ">f8")])])
    payload_nan = np.array([0x7FF8DEADBEEF0001, 0xFFF0000000000001], dtype=np.uint64).view(np.float64)
    tree = {
        "big": 2**64 + 1,
        "floats": (float("nan"), float("inf"), -float("inf"), -0.0, 5e-324, float(payload_nan[0])),
        "bits": payload_nan,
        "empty": [(), [], {}, "", np.zeros((0, 3), np.float32), np.zeros(())],
        "scalars": [np.float32(0.1), np.int8(-3), np.bool_(True), np.complex64(1j), np.datetime64("2020-01-01", "D")],
        "record": np.zeros(2, record),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "": {"array": [1], "dict": 0, "\ud800": None},
    }
    save_checkpoint(tmp_path, 10**7, tree)
    step, loaded = load_checkpoint(tmp_path)
    assert step == 10**7
    assert_same(loaded, tree)
    loaded["bits"][0] = 0.0  # arrays are fresh and writable


@pytest.mark.parametrize(
    "tree",
    [
        {"a": [0, object()]},
        {"a": [0, np.array([None])]},
        {"a": [0, np.ma.array([1], mask=[True])]},
        {"a": [0, np.array(["x"], dtype=np.dtypes.StringDType())]},
        {"a": [0, {1: 2}]},
        {"a": [0, {1, 2}]},
    ],
)
def test_what_cannot_be_held_is_refused_with_its_place(tree: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"tree\['a'\]\[1\]"):
        save_checkpoint(tmp_path, 0, tree)
    assert list_checkpoints(tmp_path) == []


def test_oldest_are_pruned_and_any_kept_step_loads(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20):
        save_checkpoint(tmp_path, step, step, keep=2)
    assert list_checkpoints(tmp_path) == [15, 20]
    assert load_checkpoint(tmp_path, 15) == (15, 15)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["LATEST", "step-000015", "step-000020"]


def test_run_resumed_before_later_checkpoints_replaces_them(tmp_path: Path) -> None:
    save_three(tmp_path)
    save_checkpoint(tmp_path, 2, "again", keep=1)
    assert list_checkpoints(tmp_path) == [2]
    assert load_checkpoint(tmp_path) == (2, "again")


@pytest.mark.parametrize("mask", [0x01, 0xFF])
@pytest.mark.parametrize("file", ["arrays.npz", "tree.json"])
def test_flipped_byte_is_found_wherever_it_is(file: str, mask: int, tmp_path: Path) -> None:
    save_three(tmp_path)
    target = tmp_path / "step-000003" / file
    intact = target.read_bytes()
    for position in range(len(intact)):
        corrupt(target, position, mask)
        with pytest.raises(CheckpointError, match=r"step-000003.*nearest .* step 2 \(--step 2\)$") as caught:
            load_checkpoint(tmp_path, 3)
        assert "\n" not in str(caught.value)
        target.write_bytes(intact)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("step-000003/arrays.npz", b"PK", "arrays.npz: does not have the sha256"),
        ("step-000003/arrays.npz", None, "arrays.npz: missing"),
        ("step-000003/tree.json", b"{", "tree.json: corrupt"),
        ("step-000003/tree.json", b"[]", "tree.json: corrupt"),
        ("step-000003/tree.json", None, "tree.json: missing"),
        ("LATEST", b"step-000009\n", "LATEST: names step-000009, which is missing"),
        ("LATEST", b"../../etc\n", "LATEST: names no checkpoint"),
        ("LATEST", b"\xff\xfe", "LATEST: corrupt"),
    ],
)
def test_damage_is_told_and_the_last_good_one_is_used(
    name: str, content: bytes | None, message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_three(tmp_path)
    corrupt(tmp_path / "step-000001" / "arrays.npz", 40)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    good = 3 if name == "LATEST" else 2
    assert load_checkpoint(tmp_path)[0] == good
    (record,) = caplog.records
    told = record.getMessage()
    assert record.levelname == "WARNING"
    assert message in told
    assert told.endswith(f"checkpoint {good}, the last that loads, is used instead")
    assert "\n" not in told
    if name != "LATEST":  # whoever asks for it by name is not given another one
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(tmp_path, 3)
        assert str(caught.value).endswith("the nearest checkpoint that loads is step 2 (--step 2)")


def test_other_format_version_is_refused(tmp_path: Path) -> None:
    manifest = save_checkpoint(tmp_path, 4, None) / "tree.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 99}))
    with pytest.raises(CheckpointError, match=r"format version 99, not 1.*no other checkpoint loads"):
        load_checkpoint(tmp_path)


def test_no_checkpoint_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="missing; no other checkpoint loads"):
        load_checkpoint(tmp_path / "none")
    save_three(tmp_path)
    with pytest.raises(CheckpointError, match=r"step-000007.*missing; the nearest checkpoint that loads is step 3"):
        load_checkpoint(tmp_path, 7)


def test_pickled_array_is_never_loaded(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, 1, np.arange(3))
    buffer = io.BytesIO()
    np.savez(buffer, a0=np.array([{"code": 1}], dtype=object))
    (path / "arrays.npz").write_bytes(buffer.getvalue())
    manifest = json.loads((path / "tree.json").read_text())
    manifest["sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
    (path / "tree.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="Python objects"):
        load_checkpoint(tmp_path)


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("function", ["rename", "replace", "fsync"])
@pytest.mark.parametrize("step", [3, 4], ids=["same step", "next step"])
def test_death_at_any_moment_of_a_save_leaves_a_checkpoint_that_loads(
    function: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = getattr(os, function)
    left = 0  # calls of the function before death

    def dies(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        if left == 0:
            raise KilledError
        left -= 1
        return original(*arguments, **options)

    for survived in range(20):
        directory = tmp_path / str(survived)
        save_three(directory)
        left = survived
        with monkeypatch.context() as patch, contextlib.suppress(KilledError):
            patch.setattr(os, function, dies)
            save_checkpoint(directory, step, {"step": step, "new": True})
        loaded_step, tree = load_checkpoint(directory)
        assert loaded_step in ((2, 3) if step == 3 else (3, 4))
        assert tree["step"] == loaded_step
        save_checkpoint(directory, 5, {"step": 5})
        assert load_checkpoint(directory) == (5, {"step": 5})
        assert not list(directory.glob(".tmp-*"))
        if left:
            break
    assert survived > 1
    assert left  # the last save was not interrupted


def test_cadence_is_every_so_many_iterations_or_by_what_checkpoints_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    cadence = Cadence(3)
    assert [step for step in range(8) if cadence.due(step)] == [0, 3, 6]
    cadence, stored = Cadence(None), []
    for step in range(1000):  # iterations of .11 s; storing takes 20 ms, from the 500th on 60 ms
        if cadence.due(step):
            with cadence.storing():
                now += 0.06 if step >= 500 else 0.02
            stored.append(step)
        now += 0.11
    assert stored[0] == 0
    assert {second - first for first, second in pairwise(stored)} == {10, 28}
    assert stored[-1] > 940


def test_failed_save_is_no_checkpoint_for_the_cadence() -> None:
    cadence = Cadence(None)
    with contextlib.suppress(OSError), cadence.storing():
        raise OSError
    assert cadence.due(1)


def test_outlived_keeps_the_last_before_a_step() -> None:
    assert outlived([1, 2, 3], 3, 3) == []
    assert outlived([9, 3, 1, 2], 3, 1) == [9, 1, 2]

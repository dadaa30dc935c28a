"""Spoiled inputs: the campaign finds nothing, and finds what it is meant to; readers of untrusted files one by one."""

from __future__ import annotations

import io
import os
import pickle
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from eqagents.bench._fuzz_campaign import campaign
from eqagents.bench._fuzz_mutations import YAML_TEXTS, laughs, merges
from eqagents.bench._fuzz_watch import fault_of
from eqagents.configuration import with_overrides
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqagents.training.trees import joined, split
from eqagents.yaml_text import parse_yaml
from eqenvs.errors import CheckpointError, InputError
from eqenvs.graphs import read_edges
from eqenvs.npz import read_npz

OUTSIDE = Path(tempfile.gettempdir()) / "outside-of-the-case"
KINDS = (
    "config values",
    "config file",
    "--set override",
    "policy file",
    "checkpoint",
    "checkpoint, right checksums",
    "run of such a checkpoint",
    "journal",
    "metrics, score, end, failure, environment",
    "edge list",
    "path of a graph",
    "Gambit file",
    "table of payoffs",
    "game parameter",
    "data set",
)


@pytest.mark.slow
def test_spoiled_inputs_are_valid_or_refused_in_one_line() -> None:
    found = campaign(20 * len(KINDS), 7, kinds=KINDS)
    assert [finding for each in found.values() for finding in each.findings] == []
    assert {kind: each.valid + each.refused for kind, each in found.items()} == dict.fromkeys(KINDS, 20)
    # A spoiled journal is set aside, or its results are computed again.
    assert all(each.refused for kind, each in found.items() if kind != "journal")


def refuse(message: str) -> None:
    raise InputError(message)


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        (lambda: {}["missing"], "KeyError"),
        (lambda: refuse("something is wrong"), "names neither"),
        (lambda: refuse(""), "lines"),
        (lambda: bytearray(2**31), "over 1024 MiB"),
        (lambda: pickle.loads(b"cos\nsystem\n(S'true'\ntR."), "system"),
        (lambda: OUTSIDE.open("w").close(), OUTSIDE.name),
    ],
)
def test_the_campaign_sees_what_is_not_clean(case: object, fault: str, tmp_path: Path) -> None:
    assert callable(case)
    outcome, found = fault_of(case, ("config",), tmp_path)
    OUTSIDE.unlink(missing_ok=True)
    assert outcome == "fault"
    assert found is not None
    assert fault in found


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    assert str(InputError("no key a\nb \x1b[2J \u2028 \ud800")) == r"no key a\nb \x1b[2J \u2028 \ud800"
    assert len(str(InputError("x" * 10**6))) < 5000


@pytest.mark.parametrize("text", [*YAML_TEXTS, laughs(), merges()])
def test_yaml_of_any_kind_gives_values_or_one_line(text: str, tmp_path: Path) -> None:
    outcome, fault = fault_of(lambda: parse_yaml(text), ("",), tmp_path)
    assert outcome != "fault", fault


def test_yaml_that_stands_for_too_much_is_refused_before_it_is_built() -> None:
    for text in (laughs(), merges(), "&a [*a]", "a: &a {b: *a}"):
        with pytest.raises(InputError, match=r"stands for|contains itself"):
            parse_yaml(text)
    with pytest.raises(InputError, match="levels"):
        parse_yaml("a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60)))
    with pytest.raises(InputError, match="bits"):
        with_overrides({}, ["seed=0x" + "f" * 5000])
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}") == {"a": {"x": 1}, "b": {"x": 1, "y": 2}}


def archive(name: str, data: bytes, method: int = zipfile.ZIP_STORED) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.writestr(name, data)
    return buffer


def header(shape: str, descr: str = "|u1") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_npz_that_claims_more_than_it_is_allocates_nothing() -> None:
    for shape in ("(1000000000000,)", "(-1,)"):
        with pytest.raises(ValueError, match="declares"):
            read_npz(archive("a0.npy", header(shape)), 10**6)
    with pytest.raises(ValueError, match="npz file"):
        read_npz(archive("a0.npy", header("(" * 500)), 10**6)
    bomb = archive("a0.npy", header("(10000000,)") + bytes(10_000_000), zipfile.ZIP_DEFLATED)
    assert len(bomb.getvalue()) < 20_000
    with pytest.raises(ValueError, match="at most"):
        joined({"array": ["a0", "|u1", [10_000_000]]}, bomb.getvalue())
    with pytest.raises(ValueError, match="Python objects"):
        read_npz(archive("a0.npy", header("(1,)", "|O") + pickle.dumps(os.getcwd)), 10**6)


def test_npz_reads_what_numpy_writes() -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(np.arange(6).reshape(2, 3)), "s": np.array(3)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    found = read_npz(buffer, 10_000)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_a_tree_that_takes_an_array_twice_is_refused() -> None:
    structure, data = split([np.arange(3)])
    with pytest.raises(ValueError, match="KeyError"):
        joined({"list": structure["list"] * 2}, data)
    with pytest.raises(ValueError, match="error"):
        joined({"float": "00"}, data)


@pytest.mark.parametrize("name", ["pipe", "\x00", "\ud800", ".", "/dev/zero"])
def test_an_edge_list_is_a_regular_file(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="cannot be read"):
        read_edges(str(tmp_path / name) if name == "pipe" else name)


def test_a_checkpoint_is_of_regular_files(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, 1, {"a": 1})
    for name in ("arrays.npz", "tree.json"):
        (path / name).unlink()
        (path / name).symlink_to("/dev/zero")
        with pytest.raises(CheckpointError, match="not a regular file"):
            load_checkpoint(tmp_path, 1)

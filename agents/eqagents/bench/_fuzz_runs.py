"""Cases for what a run keeps: checkpoints, its journal, metrics and the small files beside them."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import sqlite3
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from eqagents.bench._fuzz_inputs import Case
from eqagents.bench._fuzz_mutations import hostile, nested, spoiled_bytes, spoiled_tree
from eqagents.distributed import Task
from eqagents.report.data import load_report_data
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqagents.training.config import parse_config
from eqagents.training.journal import Journal, kept
from eqagents.training.run import load_trained, train
from eqagents.training.run_directory import RunDirectory
from eqagents.training.status import status_of

TREE: dict[str, Any] = {
    "weights": np.arange(6.0).reshape(2, 3),
    "mask": np.array([True, False]),
    "record": np.zeros(2, dtype=[("a", "<i4"), ("b", "<f8", (2,))]),
    "step": 3,
    "loss": float("nan"),
    "pair": (1, [2, np.float32(1.5)]),
    "empty": {},
    "name": "x",
}


class _Payload:
    """What runs a command where it is unpickled."""

    def __reduce__(self) -> Any:
        import os

        return os.system, ("echo fuzzed > canary",)


def _header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (63 - (len(text) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def _members(rng: np.random.Generator) -> bytes:
    """What an `.npy` may claim to be."""
    pickled = pickle.dumps(_Payload())
    choices = (
        _header("(1000000000000,)"), _header("(-1,)"), _header("(2**70,)"), _header(f"({10**30},)"), _header("()"),
        _header("(10**9, 10**9)"), _header("(1,)", "'|O'") + pickled, _header("(0, 99999999999999)"), pickled,
        _header("(1,)", "[('a', '|O')]") + pickled, _header("(3,)", "'V0'"), _header("('a',)"), _header("[1]"),
        _header("__import__('os').system('echo fuzzed > canary')"), b"\x93NUMPY\x09\x00", b"", b"\x93NUMPY\x03\x00",
        _header("(" * 500), _header("(100000000,)", "'|u1'") + bytes(100_000_000),
    )  # fmt: skip
    return choices[int(rng.integers(len(choices)))]


def spoiled_npz(data: bytes, rng: np.random.Generator) -> bytes:
    """The same archive with a member that is not what it was: a bomb, a pickle, a wrong header, another name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    kind, names = int(rng.integers(6)), list(members)
    chosen = names[int(rng.integers(len(names)))]
    if kind <= 1:
        members[chosen] = _members(rng)
    elif kind == 2:
        members[chosen] = spoiled_bytes(members[chosen], rng)
    elif kind == 3:
        others = ("../../escaped.npy", "/escaped.npy", "a\x00.npy", "a", "x" * 5000, "a\nb.npy")
        members[others[int(rng.integers(len(others)))]] = members.pop(chosen)
    elif kind == 4:
        return pickle.dumps(_Payload()) if rng.random() < 0.5 else _members(rng)
    else:
        del members[chosen]
    buffer = io.BytesIO()
    ways = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    with (
        warnings.catch_warnings(),
        zipfile.ZipFile(buffer, "w", ways[int(rng.integers(3))], compresslevel=1) as archive,
    ):
        for name, member in members.items():
            archive.writestr(name, member)
    return buffer.getvalue()


class RunCases:
    """Files of a small run that was trained once; every case spoils a copy."""

    def __init__(self, directory: Path) -> None:
        self._run = directory / "run"
        learner = {"id": "psro", "oracle": {"id": "exact"}}
        config = {"game": {"id": "kuhn_poker"}, "learner": learner, "iterations": 2}
        train(parse_config(config), self._run)
        shutil.rmtree(self._run / "tensorboard")
        score = {"values": [0.0, 0.0], "gains": [0.1, 0.1], "nash_conv": 0.2, "kind": "exact", "welfare": 0.0,
                 "exploitability": 0.1, "detail": {"measures": {"cce_gap": 0.1}}, "evaluated_step": 2}  # fmt: skip
        (self._run / "score.json").write_text(json.dumps(score))
        (self._run / "failed.json").write_text(json.dumps({"function": "a:b", "key": [1, 2], "details": "x"}))
        save_checkpoint(directory / "tree", 1, TREE)
        self._tree = directory / "tree"
        self._journal = directory / "journal.sqlite"
        journal = Journal(self._journal, 2)
        self._tasks = [Task((number, 1), "os:getcwd", {}, durable=True) for number in range(3)]
        for task in self._tasks:
            journal.add(task, TREE)
        journal.close()

    def checkpoint(self, directory: Path, rng: np.random.Generator) -> Case:
        """A file of a checkpoint, its checksums as they were."""
        copy = Path(shutil.copytree(self._tree, directory / "checkpoints"))
        files = ("LATEST", "step-000001/tree.json", "step-000001/arrays.npz")
        file = copy / files[int(rng.integers(3))]
        names = (b"step-000099", b"../../step-000001", b"/etc/passwd", b"step-" + b"1" * 5000, b"",
                 b"step-000001\nstep-000002",                  "step-\u0663\u0663\u0663\u0663\u0663\u0663".encode(),
                 b"\xff\xfe", b"step-000001/../../x")  # fmt: skip
        kind = int(rng.integers(8))
        if kind == 0:
            (copy / "LATEST").write_bytes(names[int(rng.integers(len(names)))])
        elif kind == 1:
            file.unlink()
        elif kind == 2:
            file.unlink()
            targets = ("/dev/null", str(file), "../../../../etc/passwd", ".", "/dev/zero")
            file.symlink_to(targets[int(rng.integers(len(targets)))])
        elif kind == 3:
            file.unlink()
            file.mkdir()
        else:
            file.write_bytes(spoiled_bytes(file.read_bytes(), rng))
        step = (None, 1, 7)[int(rng.integers(3))]
        return Case(lambda: load_checkpoint(copy, step), ("LATEST", "step-"), f"{kind} {file.name}")

    def sealed(self, directory: Path, rng: np.random.Generator) -> Case:
        """A spoiled checkpoint whose checksums are right."""
        copy = Path(shutil.copytree(self._tree, directory / "checkpoints"))
        about = _reseal(copy / "step-000001", rng)
        return Case(lambda: load_checkpoint(copy), ("step-000001",), about)

    def trained(self, directory: Path, rng: np.random.Generator) -> Case:
        """A run whose checkpoint has right checksums and a state that no learner wrote."""
        copy = Path(shutil.copytree(self._run, directory / "run"))
        about = _reseal(copy / "checkpoints" / "step-000002", rng)
        return Case(lambda: load_trained(copy, step=2), ("step-", "checkpoint"), about)

    def journal(self, directory: Path, rng: np.random.Generator) -> Case:
        """A journal, as bytes or by its tables."""
        file = directory / "journal.sqlite"
        shutil.copy(self._journal, file)
        kind = int(rng.integers(3))
        if kind == 0:
            file.write_bytes(spoiled_bytes(file.read_bytes(), rng))
        else:
            statements = (
                "DROP TABLE results", "DROP TABLE after", "DELETE FROM after", "UPDATE after SET step = 'x'",
                "DROP TABLE results; CREATE TABLE results (task INTEGER)",
                "DROP TABLE results; CREATE VIEW results AS SELECT 1 AS task, 2 AS structure, 3 AS arrays",
                "UPDATE results SET structure = NULL", "UPDATE results SET arrays = NULL",
                "UPDATE results SET arrays = 7",
                "UPDATE results SET structure = 7", "UPDATE results SET arrays = zeroblob(1000000)",
                "UPDATE results SET structure = arrays", "INSERT INTO after VALUES (2, 2)",
                "DROP TABLE after; CREATE VIEW after AS WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL "
                "SELECT x + 1 FROM c) SELECT x AS version, x AS step FROM c",
                "UPDATE results SET arrays = randomblob(5000)", "CREATE TRIGGER t BEFORE DELETE ON results BEGIN "
                "SELECT RAISE(ABORT, 'no'); END",
            )  # fmt: skip
            connection = sqlite3.connect(file)
            if kind == 1:
                connection.executescript(statements[int(rng.integers(len(statements)))])
            else:
                ((structure, arrays),) = connection.execute("SELECT structure, arrays FROM results LIMIT 1").fetchall()
                if rng.random() < 0.5:
                    structure = json.dumps(spoiled_tree(json.loads(structure), rng))
                else:
                    arrays = spoiled_npz(arrays, rng)
                connection.execute("UPDATE results SET structure = ?, arrays = ?", (structure, arrays))
            connection.commit()
            connection.close()

        def read() -> None:
            kept(file)
            journal = Journal(file, 2)
            try:
                journal.find(self._tasks[1])
                journal.begin(3)
                journal.add(self._tasks[0], 1)
            finally:
                journal.close()

        return Case(read, ("journal.sqlite",), f"kind {kind}")

    def files(self, directory: Path, rng: np.random.Generator) -> Case:
        """The other files of a run: everything that reads them."""
        copy = Path(shutil.copytree(self._run, directory / "run"))
        names = (
            "metrics.jsonl",
            "score.json",
            "ended.json",
            "failed.json",
            "environment.json",
            "config.yaml",
            "meta_game.json",
        )
        name = names[int(rng.integers(len(names)))]
        file = copy / name
        data = file.read_bytes() if file.exists() else b"{}"
        if rng.random() < 0.6 and name != "config.yaml":
            lines = data.split(b"\n") if name == "metrics.jsonl" else [data]
            at = int(rng.integers(max(1, len(lines) - 1)))
            lines[at] = json.dumps(spoiled_tree(json.loads(lines[at]), rng)).encode()
            data = b"\n".join(lines)
        elif name == "config.yaml" and rng.random() < 0.4:
            from eqagents.bench._fuzz_mutations import YAML_TEXTS, laughs

            hostiles = (*YAML_TEXTS, laughs())
            data += b"x: " + hostiles[int(rng.integers(len(hostiles)))].encode("utf-8", "surrogatepass")
        else:
            data = spoiled_bytes(data, rng)
        file.write_bytes(data)
        run = RunDirectory.open(copy)
        readers: dict[str, tuple[Callable[[], Any], ...]] = {
            "metrics.jsonl": (run.metrics, lambda: load_report_data(copy), lambda: status_of(copy)),
            "score.json": (run.score, lambda: load_report_data(copy)),
            "ended.json": (run.ended, lambda: load_report_data(copy), lambda: status_of(copy)),
            "failed.json": (run.failure, lambda: status_of(copy)),
            "environment.json": (run.environment, run.id),
            "config.yaml": (run.config, lambda: load_report_data(copy), lambda: status_of(copy)),
            "meta_game.json": (lambda: load_report_data(copy), lambda: run.artefact("meta_game")),
        }
        reader = readers[name][int(rng.integers(len(readers[name])))]
        return Case(reader, (name,), f"{name} {data[:200]!r}")


def _reseal(step: Path, rng: np.random.Generator) -> str:
    """Spoil a checkpoint, and state the checksums of what it has become."""
    manifest, arrays = json.loads((step / "tree.json").read_text()), (step / "arrays.npz").read_bytes()
    kind = int(rng.integers(3))
    if kind == 0:
        manifest["tree"] = spoiled_tree(manifest["tree"], rng)
    elif kind == 1:
        arrays = spoiled_npz(arrays, rng)
    else:
        trees = (
            nested(400), {"dict": {"a": nested(300)}}, {"float": "00"}, {"float": "zz"}, {"float": 3}, {"list": 7},
            {"array": ["a0", "|O", [1]]}, {"array": ["a0", "<f8", [10**12]]}, {"array": ["a0", "<f8", [10**40]]},
            {"array": ["a0", "<f8", [-1]]}, {"array": ["../a0", "<f8", [1]]}, {"array": ["a0", [["x", "|O"]], [1]]},
            {"list": [{"array": ["a0", "<f8", [2, 3]]}] * 20_000}, {"scalar": ["a0", "V0", []]}, {"dict": [1]},
            {"array": ["a0", {"a": 1}, [1]]}, {"array": ["a0", "<f8", "12"]}, {"array": ["a0", "<f8"]}, hostile(rng),
        )  # fmt: skip
        manifest["tree"] = trees[int(rng.integers(len(trees)))]
    text = json.dumps(manifest["tree"])
    manifest["tree_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    manifest["sha256"] = hashlib.sha256(arrays).hexdigest()
    (step / "tree.json").write_text(json.dumps(manifest))
    (step / "arrays.npz").write_bytes(arrays)
    return f"kind {kind} {text[:200]}"

"""Checkpoints: trees of plain values and arrays in versioned, verified directories. Nothing is ever pickled.

A checkpoint `step-000012/` holds `arrays.npz` and `tree.json`: format version, step, structure, and the sha256 of the
arrays and of the structure. It is written under `.tmp-*`, synced and renamed, and then `LATEST` is replaced, so a
process killed at any moment leaves the previous checkpoint loadable.

In `tree.json` None, bool, int, str and finite floats stand for themselves (JSON keeps integers of any size, and
Python writes the shortest decimal that reads back to the same float); everything else is an object with one key:
`dict`, `list` and `tuple` hold their items, `float` the hexadecimal bits of a NaN or infinity, `array` and `scalar`
the name of an array. Arrays are stored as raw bytes with dtype and shape beside them, which keeps every dtype, memory
order aside; a loaded array is a fresh, writable, C-contiguous one.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import re
import shutil
import struct
import zipfile
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.lib import format as npy_format

from eqagents.training.files import (
    remove_temporaries,
    sync_directory,
    temporary_beside,
    write_durably,
    write_text,
)
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT_VERSION = 1
LATEST = "LATEST"
_T = TypeVar("_T")
_STEP = re.compile(r"step-(\d{6,})")


def save_checkpoint(directory: Path, step: int, tree: Any, *, keep: int = 3) -> Path:
    """Writes the checkpoint of a step, then removes the oldest beyond `keep`.

    Args:
        directory: of all checkpoints of the run; made if missing. One process writes to it at a time.
        step: >= 0. A checkpoint of the same step is replaced; later ones, of a run that was resumed before them, go.
        tree: nested dict (str keys), list, tuple, None, bool, int, float, str, numpy arrays and numpy scalars of any
            dtype without Python objects.
        keep: number of checkpoints to keep, >= 1.

    Returns:
        The checkpoint's directory.

    Raises:
        TypeError: the tree holds something else; the message says where.
        ValueError: `step` or `keep` out of range.
    """
    if step < 0 or keep < 1:
        raise ValueError(f"step must be >= 0 and keep >= 1, got step={step}, keep={keep}")
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    structure = _encode(tree, "tree", arrays)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: _raw(array) for name, array in arrays.items()})
    data = buffer.getvalue()
    manifest = {
        "version": FORMAT_VERSION,
        "step": step,
        "sha256": hashlib.sha256(data).hexdigest(),
        "tree_sha256": _tree_sha256(structure),
        "tree": structure,
    }

    directory.mkdir(parents=True, exist_ok=True)
    remove_temporaries(directory)
    target = directory / _name(step)
    temporary = temporary_beside(target)
    temporary.mkdir()
    write_durably(temporary / "arrays.npz", data)
    write_durably(temporary / "tree.json", json.dumps(manifest, allow_nan=False).encode())
    sync_directory(temporary)
    if target.exists():
        # A directory cannot be replaced in one move: until the second, LATEST names the checkpoint before it.
        earlier = [other for other in list_checkpoints(directory) if other < step]
        if earlier:
            write_text(directory / LATEST, _name(earlier[-1]) + "\n")
        target.rename(temporary_beside(target))
    temporary.rename(target)
    sync_directory(directory)
    write_text(directory / LATEST, target.name + "\n")

    steps = list_checkpoints(directory)
    kept = [other for other in steps if other <= step][-keep:]
    for other in steps:
        if other not in kept:
            shutil.rmtree(directory / _name(other), ignore_errors=True)
    remove_temporaries(directory)
    return target


def load_checkpoint(directory: Path, step: int | None = None) -> tuple[int, Any]:
    """Reads a checkpoint back, exactly as it was saved.

    Args:
        directory: of all checkpoints of the run.
        step: which one; None: the one that `LATEST` names, or the last where a first save ended before writing it.

    Returns:
        The step and the tree.

    Raises:
        CheckpointError: missing or corrupt; one line with the file and the nearest checkpoint that does load.
    """
    wanted = step
    try:
        if wanted is None:
            wanted = _latest(directory)
        return _load(directory / _name(wanted))
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {_alternative(directory, wanted)}") from error.__cause__


def list_checkpoints(directory: Path) -> list[int]:
    """The steps that have a checkpoint, ascending; whether each one loads is not looked at."""
    if not directory.is_dir():
        return []
    names = (_STEP.fullmatch(path.name) for path in directory.iterdir() if path.is_dir())
    return sorted(int(match[1]) for match in names if match)


def _encode(value: Any, where: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """The JSON form of a subtree; its arrays are added to `arrays`."""
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.hasobject:
            raise TypeError(f"{where}: a checkpoint cannot hold arrays of Python objects")
        if type(value) is not np.ndarray and isinstance(value, np.ndarray):
            raise TypeError(f"{where}: a checkpoint cannot hold {type(value).__name__}; convert it to a plain array")
        name = f"a{len(arrays)}"
        arrays[name] = np.asarray(value)
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: [name, npy_format.dtype_to_descr(value.dtype), list(value.shape)]}
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": struct.pack(">d", value).hex()}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_encode(item, f"{where}[{i}]", arrays) for i, item in enumerate(value)]}
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                raise TypeError(f"{where}: keys must be str, got {key!r}")
        return {"dict": {key: _encode(item, f"{where}[{key!r}]", arrays) for key, item in value.items()}}
    raise TypeError(f"{where}: a checkpoint cannot hold {type(value).__name__}")


def _decode(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dict":
        return {key: _decode(item, arrays) for key, item in content.items()}
    if kind == "list":
        return [_decode(item, arrays) for item in content]
    if kind == "tuple":
        return tuple(_decode(item, arrays) for item in content)
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(content))[0]
    name, descriptor, shape = content
    array = np.ndarray(
        tuple(shape), npy_format.descr_to_dtype(_tuples(descriptor)), buffer=bytearray(arrays[name].tobytes())
    )
    if kind == "array":
        return array
    if kind == "scalar":
        return array[()]
    raise ValueError(f"unknown kind {kind!r}")


def _raw(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(array.tobytes(), dtype=np.uint8)


def _tree_sha256(structure: Any) -> str:
    return hashlib.sha256(json.dumps(structure, allow_nan=False).encode()).hexdigest()


def _name(step: int) -> str:
    return f"step-{step:06d}"


def _tuples(descriptor: Any) -> Any:
    """A structured dtype's fields as the tuples that numpy asks for; JSON made lists of them."""
    if not isinstance(descriptor, list):
        return descriptor
    return [tuple(_field(part) for part in entry) for entry in descriptor]


def _field(part: Any) -> Any:
    if isinstance(part, list):
        return _tuples(part) if part and isinstance(part[0], list) else tuple(part)
    return part


def _load(path: Path) -> tuple[int, Any]:
    """One checkpoint, verified.

    Raises:
        CheckpointError: of one line, naming the file at fault.
    """
    manifest_file, arrays_file = path / "tree.json", path / "arrays.npz"
    manifest = _read(manifest_file, lambda: _manifest(manifest_file))
    data = _read(arrays_file, arrays_file.read_bytes)
    if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise CheckpointError(f"{arrays_file}: does not have the sha256 that tree.json states")
    arrays = _read(arrays_file, lambda: dict(np.load(io.BytesIO(data), allow_pickle=False)))
    return manifest["step"], _read(manifest_file, lambda: _decode(manifest["tree"], arrays))


def _manifest(file: Path) -> dict[str, Any]:
    manifest = json.loads(file.read_bytes())
    if not isinstance(manifest, dict) or manifest.keys() != {"version", "step", "sha256", "tree_sha256", "tree"}:
        raise ValueError("not a checkpoint's tree")
    if manifest["version"] != FORMAT_VERSION:
        raise ValueError(f"format version {manifest['version']!r}, not {FORMAT_VERSION}")
    if file.parent.name != _name(manifest["step"]):
        raise ValueError(f"states step {manifest['step']}")
    if _tree_sha256(manifest["tree"]) != manifest["tree_sha256"]:
        raise ValueError("tree does not have its sha256")
    return manifest


def _read(path: Path, reader: Callable[[], _T]) -> _T:
    try:
        return reader()
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: missing") from error
    except (OSError, ValueError, TypeError, LookupError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: corrupt ({type(error).__name__}: {reason})") from error


def _latest(directory: Path) -> int:
    """The step in `LATEST`, whose checkpoint exists."""
    file = directory / LATEST
    steps = list_checkpoints(directory)
    if steps and not file.exists():
        return steps[-1]
    match = _STEP.fullmatch(_read(file, lambda: file.read_text(encoding="utf-8")).strip())
    if not match:
        raise CheckpointError(f"{file}: names no checkpoint")
    if int(match[1]) not in steps:
        raise CheckpointError(f"{file}: names {match[0]}, which is missing")
    return int(match[1])


def _alternative(directory: Path, wanted: int | None) -> str:
    """The nearest checkpoint that loads, in words; the last where nothing says what is near."""
    steps = [step for step in list_checkpoints(directory) if step != wanted]
    for step in sorted(steps, key=lambda step: -step if wanted is None else abs(step - wanted)):
        with contextlib.suppress(CheckpointError):
            _load(directory / _name(step))
            return f"the nearest checkpoint that loads is step {step} (--step {step})"
    return "no other checkpoint loads"

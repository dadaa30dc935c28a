"""Checkpoints: trees of plain values and arrays in versioned, verified directories. Nothing is ever pickled.

A checkpoint `step-000012/` holds `arrays.npz` and `tree.json`: format version, step, structure, and the sha256 of the
arrays and of the structure. It is written under `.tmp-*`, synced and renamed, and then `LATEST` is replaced, so a
process killed at any moment leaves the previous checkpoint loadable.

How trees are written is said in `trees`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import shutil
import time
from typing import TYPE_CHECKING, Any, TypeVar

from eqagents.training.files import (
    read_regular,
    remove_temporaries,
    sync_directory,
    temporary_beside,
    write_durably,
    write_text,
)
from eqagents.training.trees import joined, split
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)
FORMAT_VERSION = 1
LATEST, ARRAYS, TREE = "LATEST", "arrays.npz", "tree.json"
SHARE = 0.02  # of a run's time that checkpoints may take where nothing else is said
_T = TypeVar("_T")
_STEP = re.compile(r"step-([0-9]{6,18})")


def save_checkpoint(directory: Path, step: int, tree: Any, *, keep: int = 3) -> Path:
    """Writes the checkpoint of a step, then removes the oldest beyond `keep`.

    Args:
        directory: of all checkpoints of the run; made if missing. One process writes to it at a time.
        step: >= 0. A checkpoint of the same step is replaced; later ones, of a run that was resumed before them, go.
        tree: of what `trees.split` takes.
        keep: number of checkpoints to keep, >= 1.

    Returns:
        The checkpoint's directory.

    Raises:
        TypeError: the tree holds something else; the message says where.
        ValueError: `step` or `keep` out of range.
        OSError: the files cannot be written, as where the disk is full; the checkpoints before are as they were.
    """
    if step < 0 or keep < 1:
        raise ValueError(f"step must be >= 0 and keep >= 1, got step={step}, keep={keep}")
    structure, data = split(tree)
    manifest = {
        "version": FORMAT_VERSION,
        "step": step,
        "sha256": hashlib.sha256(data).hexdigest(),
        "tree_sha256": _tree_sha256(structure),
        "tree": structure,
    }

    directory.mkdir(parents=True, exist_ok=True)
    remove_temporaries(directory)
    target = directory / name_of(step)
    temporary = temporary_beside(target)
    temporary.mkdir()
    write_durably(temporary / ARRAYS, data)
    write_durably(temporary / TREE, json.dumps(manifest, allow_nan=False).encode())
    sync_directory(temporary)
    if target.exists():
        # A directory cannot be replaced in one move: until the second, LATEST names the checkpoint before it.
        earlier = [other for other in list_checkpoints(directory) if other < step]
        if earlier:
            write_text(directory / LATEST, name_of(earlier[-1]) + "\n")
        target.rename(temporary_beside(target))
    temporary.rename(target)
    sync_directory(directory)
    write_text(directory / LATEST, target.name + "\n")

    for other in outlived(list_checkpoints(directory), step, keep):
        shutil.rmtree(directory / name_of(other), ignore_errors=True)
    remove_temporaries(directory)
    return target


def load_checkpoint(directory: Path, step: int | None = None) -> tuple[int, Any]:
    """Reads a checkpoint back, exactly as it was saved.

    Args:
        directory: of all checkpoints of the run.
        step: which one; None: the one that `LATEST` names, or the last where a first save ended before writing it.
            Where that one is damaged, the last that loads, with a warning.

    Returns:
        The step and the tree.

    Raises:
        CheckpointError: missing or corrupt; one line with the file and the nearest checkpoint that does load.
    """
    if step is None:
        return _load_latest(directory)
    try:
        return _load(directory / name_of(step))
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {_alternative(directory, step)}") from error.__cause__


def _load_latest(directory: Path) -> tuple[int, Any]:
    latest = None
    try:
        latest = _latest(directory)
        return _load(directory / name_of(latest))
    except CheckpointError as error:
        for step in reversed([step for step in list_checkpoints(directory) if step != latest]):
            with contextlib.suppress(CheckpointError):
                found = _load(directory / name_of(step))
                logger.warning("%s; checkpoint %d, the last that loads, is used instead", error, step)
                return found
        raise CheckpointError(f"{error}; no other checkpoint loads") from error.__cause__


def list_checkpoints(directory: Path) -> list[int]:
    """The steps that have a checkpoint, ascending; whether each one loads is not looked at."""
    if not directory.is_dir():
        return []
    steps = (step_of(path.name) for path in directory.iterdir() if path.is_dir())
    return sorted(step for step in steps if step is not None)


def name_of(step: int) -> str:
    """The directory of a step's checkpoint."""
    return f"step-{step:06d}"


def step_of(name: str) -> int | None:
    """The step whose checkpoint has this name; None where none has."""
    match = _STEP.fullmatch(name)
    return int(match[1]) if match else None


def outlived(steps: Iterable[int], step: int, keep: int) -> list[int]:
    """The checkpoints to remove when that of `step` is written, the last of `keep`: older ones, and all later ones.

    >>> outlived([1, 2, 3, 4, 9], step=4, keep=2)
    [1, 2, 9]
    """
    kept = sorted(other for other in steps if other <= step)[-keep:]
    return [other for other in steps if other not in kept]


class Cadence:
    """When a run's state is stored: every so many iterations, or as often as costs little.

    Args:
        every: iterations between checkpoints; None: where one took t seconds, the next comes t / SHARE later.
    """

    def __init__(self, every: int | None) -> None:
        self._every = every
        self._since = time.perf_counter()
        self.cost = 0.0  # seconds that the last one took

    def due(self, iteration: int) -> bool:
        """Whether to store the state after an iteration."""
        if self._every is not None:
            return iteration % self._every == 0
        return time.perf_counter() - self._since >= self.cost / SHARE

    @contextlib.contextmanager
    def storing(self) -> Iterator[None]:
        """While the state is stored."""
        started = time.perf_counter()
        yield
        self._since = time.perf_counter()
        self.cost = self._since - started


def _tree_sha256(structure: Any) -> str:
    return hashlib.sha256(json.dumps(structure, allow_nan=False).encode()).hexdigest()


def _load(path: Path) -> tuple[int, Any]:
    """One checkpoint, verified.

    Raises:
        CheckpointError: of one line, naming the file at fault.
    """
    manifest_file, arrays_file = path / TREE, path / ARRAYS
    manifest = _read(manifest_file, lambda: _manifest(manifest_file))
    data = _read(arrays_file, lambda: read_regular(arrays_file))
    if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise CheckpointError(f"{arrays_file}: does not have the sha256 that tree.json states")
    return manifest["step"], _read(manifest_file, lambda: joined(manifest["tree"], data))


def _manifest(file: Path) -> dict[str, Any]:
    manifest = json.loads(read_regular(file))
    if not isinstance(manifest, dict) or manifest.keys() != {"version", "step", "sha256", "tree_sha256", "tree"}:
        raise ValueError("not a checkpoint's tree")
    if manifest["version"] != FORMAT_VERSION:
        raise ValueError(f"format version {manifest['version']!r}, not {FORMAT_VERSION}")
    if file.parent.name != name_of(manifest["step"]):
        raise ValueError(f"states step {manifest['step']}")
    if _tree_sha256(manifest["tree"]) != manifest["tree_sha256"]:
        raise ValueError("tree does not have its sha256")
    return manifest


def _read(path: Path, reader: Callable[[], _T]) -> _T:
    try:
        return reader()
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: missing") from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: corrupt ({type(error).__name__}: {reason})") from error


def _latest(directory: Path) -> int:
    """The step in `LATEST`, whose checkpoint exists."""
    file = directory / LATEST
    steps = list_checkpoints(directory)
    if steps and not file.exists():
        return steps[-1]
    name = _read(file, lambda: read_regular(file).decode()).strip()
    step = step_of(name)
    if step is None:
        raise CheckpointError(f"{file}: names no checkpoint")
    if step not in steps:
        raise CheckpointError(f"{file}: names {name}, which is missing")
    return step


def _alternative(directory: Path, wanted: int) -> str:
    """The nearest checkpoint that loads, in words."""
    steps = [step for step in list_checkpoints(directory) if step != wanted]
    for step in sorted(steps, key=lambda step: abs(step - wanted)):
        with contextlib.suppress(CheckpointError):
            _load(directory / name_of(step))
            return f"the nearest checkpoint that loads is step {step} (--step {step})"
    return "no other checkpoint loads"

"""Files that are either the old version or the new one, whatever the moment at which the process dies."""

from __future__ import annotations

import errno
import json
import os
import shutil
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from pathlib import Path


def temporary_beside(path: Path) -> Path:
    """A fresh name `.tmp-*` in the same directory, from where a rename is atomic."""
    return path.with_name(f".tmp-{uuid4().hex}")


def remove_temporaries(directory: Path) -> None:
    """Removes what writers that died left behind; nobody else may be writing to the directory."""
    for stale in directory.glob(".tmp-*"):
        if stale.is_dir():
            shutil.rmtree(stale, ignore_errors=True)
        else:
            stale.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Makes renames inside the directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_regular(path: Path) -> bytes:
    """The contents of a file; of none that would be waited for, or has no end, such as a link to a device.

    Raises:
        OSError: it cannot be read, or is a pipe or a device.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.read_bytes()


def write_durably(path: Path, data: bytes) -> None:
    """Writes and fsyncs a file in place; for files in a directory that is itself renamed later."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces or makes the file `path`; a death in the middle leaves at most a hidden `.tmp-*` beside it."""
    temporary = temporary_beside(path)
    try:
        write_durably(temporary, data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_text(path: Path, text: str) -> None:
    """Atomic write of UTF-8 text."""
    write_atomically(path, text.encode())


def write_json(path: Path, obj: Any) -> None:
    """Atomic write of indented JSON.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot hold.
        TypeError: `obj` holds something that JSON cannot hold.
    """
    write_text(path, json.dumps(obj, indent=2, allow_nan=False) + "\n")

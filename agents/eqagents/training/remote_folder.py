"""A folder in any file system that pyarrow knows: of this machine, or in a store of objects."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

from eqagents.training.checkpoint import LATEST, step_of
from eqenvs.errors import CheckpointError, InputError

CHUNK = 4 << 20  # bytes copied at a time
LONGEST = 1 << 20  # bytes of a small file
RULE = "it must be an absolute path, or a URI like file:///backups, s3://bucket/runs, gs:, abfs: or hdfs:"


@dataclass(frozen=True)
class Folder:
    """A folder of a file system; what cannot be done is an OSError.

    Attributes:
        filesystem: of pyarrow.
        path: in it.
        shown: in messages.
    """

    filesystem: Any
    path: str
    shown: str

    @classmethod
    def at(cls, uri: str) -> Folder:
        """The folder that a URI names.

        Raises:
            InputError: see `require_place`.
            OSError: it cannot be reached.
        """
        try:
            fs = importlib.import_module("pyarrow.fs")
        except ImportError:
            raise InputError(f"{shown(uri)}: needs pyarrow; install it with: pip install 'eqenvs[cloud]'") from None
        try:
            filesystem, path = fs.FileSystem.from_uri(uri)
        except (ValueError, NotImplementedError, ImportError) as error:
            reason = reason_of(error).replace(uri, shown(uri))
            raise InputError(f"{shown(uri)}: is no place for checkpoints ({reason}); {RULE}") from None
        if not path.strip("/"):
            raise InputError(f"{shown(uri)}: names no folder; {RULE}")
        return cls(filesystem, path.rstrip("/"), shown(uri))

    def __truediv__(self, name: str) -> Folder:
        return Folder(self.filesystem, f"{self.path}/{name}", f"{self.shown.rstrip('/')}/{name}")

    def names(self) -> list[str]:
        """Of the folders in it; none where there is no such folder."""
        selector = importlib.import_module("pyarrow.fs").FileSelector(self.path, allow_not_found=True)
        return sorted(info.base_name for info in self.filesystem.get_file_info(selector) if not info.is_file)

    def steps(self) -> list[int]:
        """Of the checkpoints in it, ascending; whether they are whole is not looked at."""
        return sorted(step for name in self.names() if (step := step_of(name)) is not None)

    def latest(self) -> int | None:
        """The step in `LATEST`, where there is one."""
        return step_of(self.read(LATEST).decode(errors="replace").strip())

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(self.filesystem.get_file_info(f"{self.path}/{name}").is_file)

    def write(self, name: str, file: IO[bytes]) -> None:
        """Make or replace a file, from the beginning of another."""
        file.seek(0)
        with self.filesystem.open_output_stream(f"{self.path}/{name}") as stream:
            while chunk := file.read(CHUNK):
                stream.write(chunk)

    def read(self, name: str) -> bytes:
        """The contents of a small file, empty where there is none.

        Raises:
            CheckpointError: it is too large.
        """
        if not self.has(name):
            return b""
        with self.filesystem.open_input_stream(f"{self.path}/{name}") as stream:
            data = bytes(stream.read(LONGEST + 1))
        if len(data) > LONGEST:
            raise CheckpointError(f"{self.shown}/{name}: more than {LONGEST:,} bytes")
        return data

    def holds(self, name: str, file: IO[bytes]) -> bool:
        """Whether there is such a file with the same contents."""
        if not self.has(name):
            return False
        file.seek(0)
        with self.filesystem.open_input_stream(f"{self.path}/{name}") as stream:
            while (chunk := file.read(CHUNK)) == bytes(stream.read(CHUNK)):
                if not chunk:
                    return True
        return False

    def fetch(self, name: str, to: Path) -> None:
        """Copy a file from it, where there is one."""
        if self.has(name):
            with self.filesystem.open_input_stream(f"{self.path}/{name}") as stream, to.open("wb") as file:
                while chunk := stream.read(CHUNK):
                    file.write(chunk)

    def make(self) -> None:
        """Make the folder, where it is missing."""
        self.filesystem.create_dir(self.path, recursive=True)

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        self.filesystem.delete_dir(self.path)


def shown(uri: str) -> str:
    """A URI without the password and the parameters that it may hold."""
    try:
        parts = urlsplit(uri)
    except ValueError:  # brackets that are no address
        return uri.partition("://")[0] + "://..."
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", parts.path, "", ""))


def reason_of(error: BaseException) -> str:
    """One line: libraries of stores say more."""
    return str(error).partition("\n")[0] or type(error).__name__

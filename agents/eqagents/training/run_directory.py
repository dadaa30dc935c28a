"""The directory of a run: its configuration, the facts of its environment, metrics, checkpoints, score and report.

`RunDirectory` names the files and is the one that reads them; `eqagents.training.stored` says what must be in them.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import platform
import shlex
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import yaml

import eqenvs
from eqagents.training.files import write_json, write_text
from eqagents.training.metrics import METRICS_FILE, TENSORBOARD, read_metrics
from eqagents.training.stored import (
    StoredEnd,
    StoredFailure,
    StoredScore,
    read_bytes,
    read_end,
    read_failure,
    read_object,
    read_score,
)
from eqagents.yaml_text import parse_yaml
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONFIG_FILE = "config.yaml"
ENVIRONMENT_FILE = "environment.json"
LOCK_FILE = ".lock"
LOCK_TRIES = 10  # and the seconds between them: whoever looks at the run holds it for microseconds
LOCK_PAUSE = 0.02
_DISTRIBUTIONS = (
    "eqenvs",
    "gymnasium",
    "numba",
    "numpy",
    "pettingzoo",
    "pydantic",
    "ray",
    "scipy",
    "tensorboard",
    "torch",
)


class RunDirectory:
    """Names and files of a run; use `create` for a new run and `open` for one that exists.

    Args:
        path: the directory; a run is recognised by its `config.yaml`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any]) -> Self:
        """Makes the directory of a new run, with `environment.json` and `config.yaml`.

        Args:
            path: missing, or an empty directory.
            config: values that YAML and JSON hold.

        Raises:
            CheckpointError: the path holds a run, is a directory with something else in it, or is no directory; or it
                cannot be written to, as where the disk is full. It can be made there when this is mended.
        """
        cls.require_free(path)
        text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
        run = cls(path)
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            with run.locked():
                cls.require_free(path)  # nobody made a run here since
                write_json(run.environment_file, {"run": uuid4().hex, **environment()})
                write_text(run.config_file, text)  # last: it is what makes the directory a run
        return run

    @staticmethod
    def require_free(path: Path) -> None:
        """Checks that a new run can be made at `path`.

        Raises:
            CheckpointError: the path holds a run, is a directory with something else in it, or is no directory.
        """
        with _looking(path):
            if _is_run(path):
                command = f"eqenvs resume {shlex.quote(str(path))}"
                raise CheckpointError(f"{path} holds a run; resume it with `{command}`, or choose another --out")
            above = next(parent for parent in path.absolute().parents if parent.exists())
            if not above.is_dir():
                raise CheckpointError(f"{path} cannot be made: {above} is not a directory; choose another --out")
            if path.exists() and not path.is_dir():
                raise CheckpointError(f"{path} is not a directory; choose another --out")
            if path.exists() and not all(_is_left_over(entry) for entry in path.iterdir()):
                raise CheckpointError(f"{path} is not empty and holds no run; choose another --out")

    @classmethod
    def open(cls, path: Path) -> Self:
        """The run at `path`.

        Raises:
            CheckpointError: there is none; the message names the run nearest to it in the parent directory.
        """
        with _looking(path):
            if _is_run(path):
                return cls(path)
            reason = f"it has no {CONFIG_FILE}" if path.is_dir() else "there is no such directory"
            raise CheckpointError(f"{path} holds no run: {reason}{_beside(path)}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from writing to the run; the lock goes with the process, however it ends.

        Raises:
            CheckpointError: another process holds it, or the directory cannot be written to.
        """
        with ExitStack() as stack:
            with _writing(self.path):
                file = stack.enter_context((self.path / LOCK_FILE).open("a"))
                for left in reversed(range(LOCK_TRIES)):
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        if not left:
                            raise CheckpointError(f"{self.path}: another process is training this run") from None
                        time.sleep(LOCK_PAUSE)
            yield

    def is_locked(self) -> bool:
        """Whether a process is at the run.

        The kernel can be asked of a lock of this kind only by taking one: a shared one here, for a moment. So others do
        not see each other, and `locked` tries again.

        Raises:
            CheckpointError: the directory cannot be read.
        """
        file = self.path / LOCK_FILE
        with _looking(self.path):
            if not file.exists():
                return False
            with file.open() as opened:
                try:
                    fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return True
        return False

    @property
    def config_file(self) -> Path:
        """The configuration, as YAML."""
        return self.path / CONFIG_FILE

    @property
    def environment_file(self) -> Path:
        """Versions and hardware, as JSON."""
        return self.path / ENVIRONMENT_FILE

    @property
    def metrics_file(self) -> Path:
        """The metrics, one JSON object a line."""
        return self.path / METRICS_FILE

    @property
    def tensorboard(self) -> Path:
        """The directory of TensorBoard events."""
        return self.path / TENSORBOARD

    @property
    def checkpoints(self) -> Path:
        """The directory of checkpoints."""
        return self.path / "checkpoints"

    @property
    def journal_file(self) -> Path:
        """What was computed since the last checkpoint."""
        return self.path / "journal.sqlite"

    @property
    def report_file(self) -> Path:
        """The report, as HTML."""
        return self.path / "report.html"

    @property
    def score_file(self) -> Path:
        """The score of the final policy, as JSON."""
        return self.path / "score.json"

    @property
    def ended_file(self) -> Path:
        """Of a run that has nothing left to do: why, and where it stands, as JSON."""
        return self.path / "ended.json"

    @property
    def log_file(self) -> Path:
        """What happened to the run, one JSON object a line."""
        return self.path / "log.jsonl"

    @property
    def failed_file(self) -> Path:
        """The task that the run failed at, as JSON."""
        return self.path / "failed.json"

    def artefact_file(self, name: str) -> Path:
        """What the learner keeps under a name beside the metrics, as JSON."""
        return self.path / f"{name}.json"

    def config(self) -> dict[str, Any]:
        """The configuration that the run was made with.

        Raises:
            CheckpointError: the file is missing or no YAML mapping.
        """
        try:
            config = parse_yaml(read_bytes(self.config_file).decode())
        except ValueError as error:  # InputError is one
            raise CheckpointError(f"{self.config_file}: not valid YAML ({error})") from error
        if not isinstance(config, dict):
            raise CheckpointError(f"{self.config_file}: expected a mapping, got {type(config).__name__}")
        return config

    def environment(self) -> dict[str, Any]:
        """What `environment` said where the run was made.

        Raises:
            CheckpointError: the file is missing or no JSON object.
        """
        return read_object(self.environment_file)

    def id(self) -> str | None:
        """What tells the run from others, wherever its directory is; None where nothing says so any more."""
        try:
            return str(self.environment()["run"])
        except (CheckpointError, KeyError):
            return None

    def metrics(self) -> list[dict[str, Any]]:
        """The metrics, see `eqagents.training.metrics.read_metrics`."""
        return read_metrics(self.path)

    def score(self) -> StoredScore | None:
        """The score, where the run was evaluated.

        Raises:
            CheckpointError: the file is malformed.
        """
        return read_score(self.score_file) if self.score_file.exists() else None

    def ended(self) -> StoredEnd | None:
        """Why the run has nothing left to do, where it has nothing.

        Raises:
            CheckpointError: the file is malformed.
        """
        return read_end(self.ended_file) if self.ended_file.exists() else None

    def failure(self) -> StoredFailure:
        """The task that the run failed at.

        Raises:
            CheckpointError: the file is missing or malformed.
        """
        return read_failure(self.failed_file)

    def artefact(self, name: str) -> dict[str, Any] | None:
        """What the learner keeps under a name, where it keeps that.

        Raises:
            CheckpointError: the file is no JSON object.
        """
        file = self.artefact_file(name)
        return read_object(file) if file.exists() else None


def environment() -> dict[str, Any]:
    """What a run's results may depend on beside its configuration; names neither the host nor the user."""
    return {
        "versions": {name: _version(name) for name in _DISTRIBUTIONS},
        "git_commit": _git_commit(Path(str(eqenvs.__file__)).parent),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "byteorder": sys.byteorder,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git_commit(package: Path) -> str | None:
    """The commit that the package is tracked in, with "+changes" where files differ; None outside a checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # not a package installed into someone else's checkout
        commit = git("rev-parse", "HEAD")
        return f"{commit}+changes" if git("status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.SubprocessError):
        return None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Raises CheckpointError, of one line, where a run cannot be written to: no space, no right, a read-only disk."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written to ({error})") from error


@contextmanager
def _looking(path: Path) -> Iterator[None]:
    """Raises CheckpointError, of one line, where it cannot be seen what is at a path."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or error})") from error


def _is_run(path: Path) -> bool:
    return (path / CONFIG_FILE).is_file()


def _is_left_over(entry: Path) -> bool:
    """Whether a `create` that was killed before it ended can have made the file."""
    return entry.name in (ENVIRONMENT_FILE, LOCK_FILE) or entry.name.startswith(".tmp-")


def _beside(path: Path) -> str:
    """A hint at the run whose name in the parent directory is closest, if there is one."""
    parent = path.absolute().parent
    runs = [other.name for other in parent.iterdir() if _is_run(other)] if parent.is_dir() else []
    close = difflib.get_close_matches(path.name, sorted(runs), n=1, cutoff=0.6)
    return f"; did you mean {path.parent / close[0]}?" if close else ""

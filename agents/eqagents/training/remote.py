"""Copies of a run's checkpoints elsewhere: in a directory, or in a store that pyarrow has a file system for.

    PLACE/RUN/step-000012/    config.yaml, environment.json, metrics.jsonl, arrays.npz, tree.json: all that a run needs
    PLACE/RUN/LATEST          the name of the newest whole one, written last

RUN is the run's id. Stores have no rename, so a copy that was cut short is told by `LATEST`, and by `tree.json`, which
is written after the others and has their checksums. A thread makes the copies from files that are open, which outlive
their names: the run neither waits, but at its end, nor keeps more checkpoints than it would. Where it is faster than
its copies, some are left out; what cannot be copied is warned of, and never ends the run.
"""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import yaml

from eqagents.training.checkpoint import ARRAYS, LATEST, TREE, load_checkpoint, name_of, outlived
from eqagents.training.files import sync_directory, write_durably, write_text
from eqagents.training.metrics import METRICS_FILE, read_metrics
from eqagents.training.remote_folder import Folder, reason_of, shown
from eqagents.training.run_directory import CONFIG_FILE, ENVIRONMENT_FILE, RunDirectory
from eqagents.training.stored import parse_object
from eqagents.yaml_text import parse_yaml
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eqagents.training.config import CheckpointConfig

logger = logging.getLogger(__name__)
PAUSES = (0.0, 1.0, 2.0, 0.0)  # seconds after each failed try to copy a checkpoint, all but the first at the run's end
_ID = re.compile(r"[0-9a-f]{32}")


def require_place(uri: str | None) -> None:
    """Checks that checkpoints can be copied to a place; one that cannot be reached now is only warned of.

    Raises:
        InputError: the URI is malformed or of an unknown scheme, or what it needs is not installed.
    """
    if uri is not None:
        try:
            Folder.at(uri)
        except OSError as error:
            message = "%s: cannot be reached (%s); it is tried again at every checkpoint"
            logger.warning(message, shown(uri), reason_of(error))


@contextmanager
def copying(run: RunDirectory, settings: CheckpointConfig) -> Iterator[Callable[[int], None]]:
    """What to call with the step of each checkpoint that was written, so that it is copied where the settings say.

    Raises:
        CheckpointError: the run has no id.
    """
    if settings.copy_to is None:
        yield lambda step: None
        return
    copies = _Copies(run, settings.copy_to, settings.keep)
    try:
        yield copies.send
    except KeyboardInterrupt:  # it is to end at once
        raise
    except BaseException:
        copies.finish()
        raise
    copies.finish()


def fetch(uri: str, path: Path, step: int | None = None) -> RunDirectory:
    """A new directory of a run, from its copies: configuration, metrics, and one checkpoint.

    Its further checkpoints are copied to where it came from, wherever its configuration said.

    Args:
        uri: of a run's copies, or of a place with those of one run.
        path: missing, or an empty directory.
        step: the checkpoint; default the newest that is whole.

    Raises:
        InputError: as for `require_place`.
        CheckpointError: there is no run, or several; or no such checkpoint; or the directory cannot be made.
    """
    RunDirectory.require_free(path)
    made = path.absolute().with_name(f".tmp-fetch-{path.absolute().name}")
    try:
        folder, place = _run_in(Folder.at(uri), uri)
        shutil.rmtree(made, ignore_errors=True)
        (made / "checkpoints").mkdir(parents=True)
        fetched = _fetch_checkpoint(folder, made / "checkpoints", step)
        found = folder / name_of(fetched)
        _fetch_config(found, made, place)
        _fetch_environment(found, made, folder.path.rpartition("/")[2])
        _fetch_metrics(found, made, fetched)
        RunDirectory.require_free(path)
        if path.exists():
            shutil.rmtree(path)  # it holds nothing but what a start that was cut short left
        made.rename(path)
        sync_directory(path.absolute().parent)
    except OSError as error:
        raise CheckpointError(f"{shown(uri)}: cannot be fetched to {path} ({reason_of(error)})") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return RunDirectory.open(path)


@dataclass
class _Sent:
    """A checkpoint to be copied, whose files are open."""

    step: int
    files: dict[str, IO[bytes]] = field(default_factory=dict)

    @classmethod
    def of(cls, run: RunDirectory, step: int, config: bytes) -> _Sent:
        """A checkpoint of a run, and its configuration.

        Raises:
            OSError: it cannot be read.
        """
        sent = cls(step, {CONFIG_FILE: io.BytesIO(config)})
        try:
            for file in (run.environment_file, run.metrics_file):
                if file.exists():
                    sent.files[file.name] = file.open("rb")
            for name in (ARRAYS, TREE):  # in this order: the second vouches for all others
                sent.files[name] = (run.checkpoints / name_of(step) / name).open("rb")
        except OSError:
            sent.close()
            raise
        return sent

    def close(self) -> None:
        """Close its files."""
        for file in self.files.values():
            file.close()


class _Copies:
    """Copies checkpoints of a run in a thread of its own: the newest that was sent, when the one before is done.

    Args:
        run: it.
        uri: of the place.
        keep: checkpoints kept there.

    Raises:
        CheckpointError: the run has no id.
    """

    def __init__(self, run: RunDirectory, uri: str, keep: int) -> None:
        self._id = run.id() or ""
        if not _ID.fullmatch(self._id):  # it becomes a part of a path
            raise CheckpointError(f"{run.environment_file}: has no id of the run, which checkpoint.copy_to needs")
        self._run, self._uri, self._keep = run, uri, keep
        config = run.config()
        config["checkpoint"] = {**config.get("checkpoint", {}), "copy_to": None}  # it may have a password
        self._config = yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()
        self._folder: Folder | None = None
        self._changed = threading.Condition()
        self._next: _Sent | None = None
        self._finishing = self._failing = False
        self._thread = threading.Thread(target=self._work, name="copies of checkpoints", daemon=True)
        self._thread.start()

    def send(self, step: int) -> None:
        """There is a new checkpoint."""
        try:
            sent = _Sent.of(self._run, step, self._config)
        except OSError as error:
            logger.warning("%s: checkpoint %d is not copied (%s)", self._run.path, step, reason_of(error))
            return
        with self._changed:
            if self._next is not None:
                self._next.close()
            self._next = sent
            self._changed.notify()

    def finish(self) -> None:
        """Wait until the last is copied, or cannot be."""
        with self._changed:
            self._finishing = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None or self._finishing)
                sent, self._next = self._next, None
            if sent is None:
                return
            try:
                self._try(sent)
            finally:
                sent.close()

    def _try(self, sent: _Sent) -> None:
        """Copies one; where that fails, again when the run ends, unless there is a newer one by then."""
        for pause in PAUSES:
            try:
                self._copy(sent)
            except Exception as error:  # whatever it is, the run is not to end by it
                self._folder = None
                if not self._failing:
                    message = "%s: checkpoint %d cannot be copied (%s); it is tried again at the next one"
                    logger.warning(message, shown(self._uri), sent.step, reason_of(error))
                self._failing = True
            else:
                self._failing = False
                return
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None or self._finishing)
                if self._next is not None:
                    return
                self._changed.wait(pause)
        message = "%s: checkpoint %d, the run's last, is not copied; resuming the run tries it again"
        logger.warning(message, shown(self._uri), sent.step)

    def _copy(self, sent: _Sent) -> None:
        self._folder = folder = self._folder or Folder.at(self._uri) / self._id
        steps, latest, name = folder.steps(), folder.latest(), name_of(sent.step)
        if sent.step in steps:
            if latest == sent.step and (folder / name).holds(TREE, sent.files[TREE]):
                return  # by an earlier process of the run
            earlier = [other for other in steps if other < sent.step]
            if latest == sent.step and earlier:
                folder.write(LATEST, io.BytesIO(f"{name_of(earlier[-1])}\n".encode()))
            (folder / name).remove()
        (folder / name).make()
        for file in sent.files:
            (folder / name).write(file, sent.files[file])
        folder.write(LATEST, io.BytesIO(f"{name}\n".encode()))
        whole = [other for other in steps if latest is None or other <= latest]
        kept = {*whole, sent.step} - {*outlived({*whole, sent.step}, sent.step, self._keep)}
        for other in sorted({*steps} - kept):
            (folder / name_of(other)).remove()


def _run_in(folder: Folder, uri: str) -> tuple[Folder, str]:
    """The folder of a run's copies, and the URI of the place with it.

    Raises:
        CheckpointError: there is none, or there are several.
    """
    if folder.steps():
        parts = urlsplit(uri)
        return folder, urlunsplit(parts._replace(path=parts.path.rstrip("/").rpartition("/")[0]))
    runs = [name for name in folder.names() if (folder / name).steps()]
    if not runs:
        raise CheckpointError(f"{folder.shown}: holds no copies of a run")
    if len(runs) > 1:
        raise CheckpointError(f"{folder.shown}: holds {len(runs)} runs; add the id of one: {', '.join(runs)}")
    return folder / runs[0], uri


def _fetch_config(folder: Folder, made: Path, place: str) -> None:
    """Fetches the configuration; the run's further checkpoints go to a place."""
    where = f"{folder.shown}/{CONFIG_FILE}"
    try:
        config = parse_yaml(folder.read(CONFIG_FILE).decode())
    except ValueError as error:  # InputError is one
        raise CheckpointError(f"{where}: not valid YAML ({error})") from error
    checkpoint = config.get("checkpoint", {}) if isinstance(config, dict) else None
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f"{where}: is no configuration of a run")
    config["checkpoint"] = {**checkpoint, "copy_to": place}
    write_durably(made / CONFIG_FILE, yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode())


def _fetch_environment(folder: Folder, made: Path, name: str) -> None:
    """Fetches what the run was made in; where that is damaged, all that is left is the id, its folder's name."""
    data = folder.read(ENVIRONMENT_FILE)
    try:
        if not _ID.fullmatch(str(parse_object(data, f"{folder.shown}/{ENVIRONMENT_FILE}").get("run"))):
            raise CheckpointError(f"{folder.shown}/{ENVIRONMENT_FILE}: has no id of a run")
    except CheckpointError as error:
        logger.warning("%s; it is left out", error)
        data = json.dumps({"run": name if _ID.fullmatch(name) else uuid4().hex}).encode()
    write_durably(made / ENVIRONMENT_FILE, data)


def _fetch_checkpoint(folder: Folder, to: Path, step: int | None) -> int:
    """Fetches the checkpoint of a step, or the newest that is whole, and returns its step.

    Raises:
        CheckpointError: there is none.
    """
    steps = folder.steps()
    if step is not None:
        tried = [step] if step in steps else []
    else:
        latest = folder.latest()
        tried = sorted(steps, key=lambda other: (other == latest, other), reverse=True)
    for candidate in tried:
        local, remote = to / name_of(candidate), folder / name_of(candidate)
        local.mkdir()
        for name in (ARRAYS, TREE):
            remote.fetch(name, local / name)
        try:
            load_checkpoint(to, candidate)
        except CheckpointError:
            logger.warning("%s: is damaged, or was not copied to its end", remote.shown)
            shutil.rmtree(local)
        else:
            write_durably(to / LATEST, f"{name_of(candidate)}\n".encode())
            return candidate
    there = f"; there are: {', '.join(map(str, steps))}" if steps and not tried else ""
    raise CheckpointError(f"{folder.shown}: no checkpoint {'that loads' if step is None or tried else step}{there}")


def _fetch_metrics(folder: Folder, made: Path, step: int) -> None:
    """Fetches the metrics up to a checkpoint, which the run may have added to while they were copied.

    Damaged ones are left out.
    """
    folder.fetch(METRICS_FILE, made / METRICS_FILE)
    try:
        kept = [record for record in read_metrics(made) if record["step"] <= step]
        write_text(made / METRICS_FILE, "".join(json.dumps(record, allow_nan=False) + "\n" for record in kept))
    except CheckpointError:
        logger.warning("%s/%s: is damaged, and left out", folder.shown, METRICS_FILE)
        (made / METRICS_FILE).unlink()

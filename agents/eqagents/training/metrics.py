"""Metrics of a run: one JSON line a step, and the same scalars as TensorBoard events, beside pictures and settings.

The JSON lines are the record that programs read; the events can be made again from them. A line is
`{"step": 3, "time": 1.7e9, "nash_conv": 0.1}`: time in unix seconds, null for a value that is NaN or infinite.

TensorBoard's HPARAMS tab has a row for each run, with the settings that `describe` wrote and the last value of every
metric. What all rows have in common is not written: it would be of one run, and TensorBoard finds it by itself.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import time
from typing import TYPE_CHECKING, Any, Self

from eqagents.training.files import write_text
from eqagents.training.stored import number, parse_object, read_bytes, step_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from eqagents.drawing.heat_maps import HeatMap

METRICS_FILE = "metrics.jsonl"
TENSORBOARD = "tensorboard"
_RESERVED = frozenset({"step", "time"})
RGB = 3  # TensorBoard's number for the colours of an image


class MetricsWriter:
    """Appends metrics to a run's directory.

    Args:
        directory: of the run; made if missing. One process writes to it at a time. Files are opened at the first
            `write`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lines: Any = None
        self._events: Any = None

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Appends one step, and flushes it to both files.

        Args:
            step: >= 0.
            metrics: values by name; the names "step" and "time" are taken.

        Raises:
            ValueError: a metric has a name that is taken.
        """
        if taken := _RESERVED & metrics.keys():
            raise ValueError(f"metric name {min(taken)!r} is taken")
        now = time.time()
        values = {name: float(value) for name, value in metrics.items()}
        if self._lines is None:
            self._open()
        record = {"step": step, "time": now} | {
            n: value if math.isfinite(value) else None for n, value in values.items()
        }
        self._lines.write(json.dumps(record, allow_nan=False) + "\n")
        self._lines.flush()
        self._write_events(step, now, values)

    def show(self, step: int, pictures: Mapping[str, HeatMap]) -> None:
        """Appends pictures to the TensorBoard events, and flushes them.

        Args:
            step: >= 0.
            pictures: by name.
        """
        if not pictures:
            return
        from tensorboard.compat.proto.summary_pb2 import Summary

        from eqagents.drawing.heat_maps import png

        values = []
        for name, picture in pictures.items():
            data, width, height = png(picture)
            image = Summary.Image(width=width, height=height, colorspace=RGB, encoded_image_string=data)
            values.append(Summary.Value(tag=name, image=image))
        self._write_values(step, time.time(), values)

    def describe(self, settings: Mapping[str, Any]) -> None:
        """Writes the run's hyper-parameters for TensorBoard, once: where it starts, before its first metrics.

        Args:
            settings: nested; those that are None or empty mappings are left out, lists are written as JSON.
        """
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams.metadata import NULL_TENSOR, SESSION_START_INFO_TAG, create_summary_metadata
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

        info = SessionStartInfo(start_time_secs=time.time())
        for name, value in flattened(settings).items():
            if isinstance(value, bool):
                info.hparams[name].bool_value = value
            elif isinstance(value, int | float):
                info.hparams[name].number_value = value
            elif value not in (None, {}):
                info.hparams[name].string_value = value if isinstance(value, str) else json.dumps(value, default=str)
        metadata = create_summary_metadata(HParamsPluginData(session_start_info=info))
        entry = Summary.Value(tag=SESSION_START_INFO_TAG, metadata=metadata, tensor=NULL_TENSOR)
        self._write_values(0, time.time(), [entry])

    def truncate(self, step: int) -> None:
        """Drops the metrics of later steps, for a run that goes on from `step`, and a last line that is incomplete.

        TensorBoard gets a mark after which it hides the events of later steps.
        """
        file = self._directory / METRICS_FILE
        if not file.exists():
            return
        self.close()
        kept = [record for record in read_metrics(self._directory) if record["step"] <= step]
        write_text(file, "".join(json.dumps(record, allow_nan=False) + "\n" for record in kept))
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        self._open()
        restart = SessionLog(status=SessionLog.START)
        self._events.add(Event(wall_time=time.time(), step=step + 1, session_log=restart))

    def close(self) -> None:
        """Closes both files; a later `write` opens them again."""
        lines, events = self._lines, self._events
        self._lines = self._events = None
        if lines is not None:
            try:
                lines.close()
            finally:
                events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A line that could not be written, as where the disk is full, cannot be now: the first error is to be told.
        with contextlib.nullcontext() if error is None else contextlib.suppress(OSError):
            self.close()

    def _open(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._lines = (self._directory / METRICS_FILE).open("a", encoding="utf-8")
        events = self._directory / TENSORBOARD
        # TensorBoard reads files by name: the second, then process and count as text, where 10 comes before 9.
        seconds = [int(file.name.split(".")[3]) for file in events.glob("events.out.tfevents.*")]
        while max(seconds, default=0) == int(time.time()):
            time.sleep(0.02)
        self._events = _Events(events)

    def _write_events(self, step: int, now: float, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._write_values(step, now, [Summary.Value(tag=name, simple_value=value) for name, value in values.items()])

    def _write_values(self, step: int, now: float, values: list[Any]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        if self._events is None:
            self._open()
        self._events.add(Event(wall_time=now, step=step, summary=Summary(value=values)))


class _Events:
    """A file of TensorBoard events, written where it is asked for.

    TensorBoard's own writer leaves that to a thread, whose errors, as where the disk is full, end as tracebacks.

    Args:
        directory: made if missing.
    """

    def __init__(self, directory: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        directory.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        self._file = (directory / name).open("ab")
        self._records = RecordWriter(self._file)
        self.add(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def add(self, event: Any) -> None:
        """Appends an event, and flushes it."""
        self._records.write(event.SerializeToString())
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def flattened(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings as one, with dotted names; an empty one stays as it is.

    >>> flattened({"a": {"b": 1, "c": {}}, "d": [2]})
    {'a.b': 1, 'a.c': {}, 'd': [2]}
    """
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            flat |= {f"{name}.{below}": item for below, item in flattened(value).items()}
        else:
            flat[str(name)] = value
    return flat


def read_metrics(directory: Path) -> list[dict[str, Any]]:
    """The metrics of a run: one record a step, in order of step, as it was recorded last; none where none were written.

    Numbers are floats, the step aside, and None for null. What follows the last line break was left by a process that
    was killed, or is being written, and is passed over.

    Raises:
        CheckpointError: a line is no metrics record; the message names it.
    """
    file = directory / METRICS_FILE
    if not file.exists():
        return []
    *lines, _ = read_bytes(file).split(b"\n")
    records: dict[int, dict[str, Any]] = {}
    for count, line in enumerate(lines, start=1):
        if line.strip():
            record = _record(line, f"{file}, line {count}")
            records[record["step"]] = record
    return [records[step] for step in sorted(records)]


def _record(line: bytes, where: str) -> dict[str, Any]:
    entry = parse_object(line, where)
    step = step_of(entry.pop("step", None), f"{where}: 'step'")
    values = {name: number(value, f"{where}: {name!r}") for name, value in entry.items()}
    return {"step": step} | {name: value if math.isfinite(value) else None for name, value in values.items()}

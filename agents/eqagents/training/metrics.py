"""Metrics of a run: one JSON line a step, and the same scalars as TensorBoard events.

The JSON lines are the record that programs read; the events can be made again from them. A line is
`{"step": 3, "time": 1.7e9, "nash_conv": 0.1}`: time in unix seconds, null for a value that is NaN or infinite.
"""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any, Self

from eqagents.training.files import write_text
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

METRICS_FILE = "metrics.jsonl"
TENSORBOARD = "tensorboard"
_RESERVED = frozenset({"step", "time"})


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
        self._events.add_event(Event(wall_time=time.time(), step=step + 1, session_log=restart))
        self._events.flush()

    def close(self) -> None:
        """Closes both files; a later `write` opens them again."""
        if self._lines is not None:
            self._lines.close()
            self._events.close()
        self._lines = self._events = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._directory.mkdir(parents=True, exist_ok=True)
        self._lines = (self._directory / METRICS_FILE).open("a", encoding="utf-8")
        self._events = EventFileWriter(str(self._directory / TENSORBOARD))

    def _write_events(self, step: int, now: float, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
        self._events.add_event(Event(wall_time=now, step=step, summary=summary))
        self._events.flush()


def read_metrics(directory: Path) -> list[dict[str, Any]]:
    """The metrics of a run, in the order of writing; none where nothing was written yet.

    A last line without its end, left by a process that was killed, is passed over.

    Raises:
        CheckpointError: another line is no metrics record; the message names it.
    """
    file = directory / METRICS_FILE
    if not file.exists():
        return []
    *lines, _ = file.read_bytes().split(b"\n")
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("step"), int):
            raise CheckpointError(f"{file}: line {number} is no metrics record")
        records.append(record)
    return records

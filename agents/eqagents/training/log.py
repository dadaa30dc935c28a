"""The log of a run: what happened to it, one JSON object a line, beside what went to standard error.

A line has the time in unix seconds, the run, which tells runs apart whose lines were put together, the iteration that
was done last, and the level, the logger and the message.
"""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)
PACKAGES = ("eqagents", "eqenvs", "eqsolvers")


class RunLog(logging.Handler):
    """Writes what these packages log while it is entered, and the run's own events.

    Args:
        file: appended to.
        run: the run's id.
    """

    def __init__(self, file: Path, run: str | None) -> None:
        super().__init__()
        self._file, self._run = file, run
        self.iteration: int | None = None

    def event(self, message: str) -> None:
        """Something that the run did, which is nobody's to be warned of."""
        self.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, message, (), None))

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record; where that is impossible the run goes on, and its next checkpoint says why."""
        line = {
            "time": record.created,
            "run": self._run,
            "iteration": self.iteration,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        with contextlib.suppress(OSError), self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def __enter__(self) -> Self:
        for package in PACKAGES:
            logging.getLogger(package).addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for package in PACKAGES:
            logging.getLogger(package).removeHandler(self)
        self.close()

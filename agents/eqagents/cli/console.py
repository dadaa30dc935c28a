"""What every command shares: where its output goes, and how its options are read."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from eqenvs.errors import InputError

# Paths and game names are printed as they are: a bracket in one is no markup.
out = Console(highlight=False, markup=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def print_json(data: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(data, allow_nan=False))  # noqa: T201 - the command's output


def assignments(option: str, items: Sequence[str]) -> dict[str, str]:
    """The `name=value` items of a repeated option, by name.

    Raises:
        InputError: an item is none.
    """
    texts = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals:
            raise InputError(f"{option} needs name=value, got {item!r}")
        texts[name] = text
    return texts


@contextmanager
def busy(what: str) -> Iterator[None]:
    """A spinner on standard error while something takes its time."""
    if err.is_terminal:
        with err.status(what):
            yield
    else:
        yield


class Interrupt:
    """Whether a run was told to stop, by Ctrl-C or by the system; called, it says so."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """See `eqagents.training.progress.StopAsked`."""
        return self.signal is not None

    def hear(self, number: int, frame: object) -> None:
        """The first signal ends the run after its iteration, the second at once."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        err.print("stopping after this iteration; once more (Ctrl-C) stops at once")


@contextmanager
def interruptible(directory: Path) -> Iterator[Interrupt]:
    """Ctrl-C, and SIGTERM, end a run after its iteration, with the command that goes on with it.

    Where a task fails it is said which command runs that again.
    """
    from eqagents.distributed import TaskError
    from eqagents.training.run_directory import RunDirectory

    run, named = RunDirectory(directory), shlex.quote(str(directory))
    interrupt = Interrupt()
    before = {number: signal.signal(number, interrupt.hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with suppress(KeyboardInterrupt):
            yield interrupt
    except TaskError:
        if run.failed_file.exists():
            err.print(f"{run.failed_file} has the traceback; `eqenvs replay {named}` runs it again in one process")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if interrupt.signal is not None and not run.ended_file.exists():
        err.print(f"interrupted; `eqenvs resume {named}` goes on from the last checkpoint")
        raise typer.Exit(128 + interrupt.signal)

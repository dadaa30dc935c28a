"""What every command shares: where its output goes, and how its options are read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


def require_parent(file: Path) -> None:
    """Check that a file can be made.

    Raises:
        InputError: its directory is missing.
    """
    if not file.parent.is_dir():
        raise InputError(f"--out {file}: there is no directory {file.parent}")


@contextmanager
def busy(what: str) -> Iterator[None]:
    """A spinner on standard error while something takes its time."""
    if err.is_terminal:
        with err.status(what):
            yield
    else:
        yield


@contextmanager
def interruptible(directory: Path) -> Iterator[None]:
    """Ctrl-C ends a run with the command that goes on with it."""
    try:
        yield
    except KeyboardInterrupt:
        err.print(f"interrupted; `eqenvs resume {shlex.quote(str(directory))}` goes on from the last checkpoint")
        raise typer.Exit(130) from None

"""`eqenvs leaderboard`: make the runs that are missing, and write what came of all of them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from eqagents.leaderboard.config import ALL, LeaderboardConfig, load_leaderboard
from eqagents.leaderboard.diagram import critical_difference_diagram
from eqagents.leaderboard.document import document, markdown, rankings
from eqagents.leaderboard.plan import Place
from eqagents.leaderboard.results import Outcome, Result
from eqagents.leaderboard.running import opened, run_missing
from eqagents.training.files import write_text

DOCUMENT, TABLES, DIAGRAM = "leaderboard.json", "leaderboard.md", "critical_difference.svg"


class Interrupted(KeyboardInterrupt):
    """The command was told to stop; no error, which a task that runs would be taken to have failed with.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Finished(NamedTuple):
    """What the command made.

    Attributes:
        document: as it was written.
        failed: the runs that failed.
    """

    document: dict[str, Any]
    failed: tuple[Place, ...]


def run_leaderboard(
    path: Path, directory: Path, overrides: Sequence[str] = (), say: Callable[[str], None] = lambda line: None
) -> Finished:
    """Run a leaderboard to its end; called again it makes the runs that failed or are missing, and writes all anew.

    Args:
        path: of the configuration.
        directory: of the leaderboard; see `opened`.
        overrides: `a.b=c`, over the configuration.
        say: told of every run as it is done, in one line.

    Raises:
        InputError: see `load_leaderboard` and `opened`.
        Interrupted: by Ctrl-C or SIGTERM; runs that were under way go on from their last checkpoint.
    """

    def told(place: Place, result: Result, done: int, total: int) -> None:
        figure = result.reason if result.nash_conv is None else f"nash_conv {result.nash_conv:.6g} ({result.kind})"
        say(f"{done}/{total}  {place}: {result.outcome.value}, {figure}")

    config = load_leaderboard(path, overrides)
    with opened(directory, config) as runs, _stopped_by_signals():
        results = run_missing(runs, directory, config.executor, told)
        data = write_results(config, results, directory)
    return Finished(data, tuple(place for place, result in results.items() if result.outcome is Outcome.FAILED))


def write_results(config: LeaderboardConfig, results: dict[Place, Result], directory: Path) -> dict[str, Any]:
    """Write the document, its tables and the diagrams, a file for each ranking; and give the document."""
    data = document(config, results, directory)
    write_text(directory / DOCUMENT, json.dumps(data, indent=1, allow_nan=False) + "\n")
    write_text(directory / TABLES, markdown(data))
    for ranking in rankings(config, results):
        name = DIAGRAM if ranking.name == ALL else DIAGRAM.replace(".svg", f"_{ranking.name}.svg")
        write_text(directory / name, critical_difference_diagram(ranking))
    return data


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""`eqenvs check`: the conformance suite on a game, on every game, or on anybody's PettingZoo environments."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import multiprocessing
import operator
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pettingzoo import AECEnv, ParallelEnv
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from eqagents.bench._measure import environment
from eqagents.cli.console import err
from eqagents.cli.facts import fact_findings
from eqenvs import discovery, registry
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.testing import Finding, env_findings, game_findings
from eqenvs.testing.instances import HISTORIES, small_instance

DOCUMENT = "conformance"
MakeEnv = Callable[..., Any]


@dataclass(frozen=True)
class Checked:
    """What the suite found of one thing.

    Attributes:
        name: the game or the constructors.
        family: of a game.
        seconds: on the clock.
        findings: one for each check.
    """

    name: str
    family: str | None
    seconds: float
    findings: list[Finding]

    def failures(self) -> list[Finding]:
        """The checks that failed."""
        return [finding for finding in self.findings if finding.status == "fail"]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "document": DOCUMENT,
            "name": self.name,
            "family": self.family,
            "seconds": round(self.seconds, 2),
            "findings": [finding.to_dict() for finding in self.findings],
        }


def is_constructor(target: str) -> bool:
    """Whether MODULE:FUNCTION is meant, rather than a game or one of another program's, such as "openspiel:chess"."""
    scheme, colon, _ = target.partition(":")
    return bool(colon) and scheme not in discovery.modules(registry.INTEROP)


def check_game(game: Game, *, max_size: int | None = None) -> Checked:
    """All that applies to a game.

    Args:
        game: any game.
        max_size: see `eqenvs.testing.game_findings`.
    """
    started = time.perf_counter()
    findings = [*game_findings(game, max_size=max_size), *fact_findings(game, HISTORIES)]
    return Checked(repr(game), game.family.value, time.perf_counter() - started, findings)


def check_constructors(targets: Sequence[str], texts: Mapping[str, str]) -> Checked:
    """The suite for anybody's environments.

    Args:
        targets: MODULE:FUNCTION, one or two of them, which make an AEC and a Parallel environment of the same thing.
        texts: arguments of the functions, as Python literals or plain text.

    Raises:
        InputError: something cannot be imported or made, or is no PettingZoo environment.
    """
    made: dict[type[Any], MakeEnv] = {}
    arguments = {name: _literal(text) for name, text in texts.items()}
    for target in targets:
        make_env = _constructor(target)
        make_env = partial(make_env, **arguments) if arguments else make_env
        try:
            env = make_env()
        except (Exception, SystemExit) as error:
            raise InputError(f"{target}: making an environment failed: {type(error).__name__}: {error}") from error
        kind = next((each for each in (AECEnv, ParallelEnv) if isinstance(env, each)), None)
        if kind is None:
            raise InputError(f"{target} makes a {type(env).__name__}, no pettingzoo AECEnv or ParallelEnv")
        if kind in made:
            raise InputError("two constructors are compared: one of an AECEnv and one of a ParallelEnv")
        made[kind] = make_env
    started = time.perf_counter()
    findings = env_findings(make_aec=made.get(AECEnv), make_parallel=made.get(ParallelEnv))
    return Checked(" and ".join(targets), None, time.perf_counter() - started, findings)


@dataclass(frozen=True)
class Imported:
    """What MODULE:FUNCTION names, found by this text in other processes, too.

    A wrapped function often cannot be pickled by itself, and then could not be tried under other hash seeds.
    """

    target: str

    def function(self) -> MakeEnv:
        """The function itself."""
        module, _, attribute = self.target.partition(":")
        found: MakeEnv = operator.attrgetter(attribute)(importlib.import_module(module))
        return found

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.function())

    def __call__(self, **arguments: Any) -> Any:  # those that `__signature__` says
        """Make an environment."""
        return self.function()(**arguments)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _constructor(target: str) -> MakeEnv:
    """What MODULE:FUNCTION names; modules of the working directory are found, as `python -m` finds them."""
    name, _, attribute = target.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = Imported(target).function()
    except AttributeError as error:
        raise InputError(f"{target}: {name} has no {attribute!r}: {error}") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{target}: importing {name} failed: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise InputError(f"{target} cannot be called")
    return Imported(target)


def check_registered(game_id: str) -> Checked:
    """A registered game, in an instance that takes seconds; one that cannot be made is a finding."""
    try:
        game = small_instance(game_id)
    except (Exception, SystemExit) as error:
        return Checked(game_id, None, 0.0, [Finding("made", "fail", f"{type(error).__name__}: {error}", "eqenvs")])
    return check_game(game, max_size=HISTORIES)


def _outcome(done: Future[Checked], game_id: str) -> Checked:
    """What a process found; one that died is a finding about its game."""
    try:
        return done.result()
    except Exception as error:
        return Checked(game_id, None, 0.0, [Finding("checked", "fail", f"{type(error).__name__}: {error}", "eqenvs")])


def check_all(game_ids: Sequence[str], jobs: int) -> list[Checked]:
    """Every game, in processes of their own; a bar on standard error shows how far it is."""
    context = multiprocessing.get_context("spawn")
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
    )
    found: dict[str, Checked] = {}
    with bar, ProcessPoolExecutor(jobs, mp_context=context) as pool:
        task = bar.add_task("games", total=len(game_ids))
        waiting = {pool.submit(check_registered, game_id): game_id for game_id in game_ids}
        for done in as_completed(waiting):
            checked = found[waiting[done]] = _outcome(done, waiting[done])
            bar.advance(task)
            for finding in checked.failures():
                err.print(f"{checked.name}: {finding.check}: {finding.message}")
    return [found[game_id] for game_id in game_ids]


def document(everything: Sequence[Checked], seconds: float, jobs: int) -> dict[str, Any]:
    """What is kept of a run on every game, in the form of a benchmark's document.

    Args:
        everything: by game.
        seconds: that it took on the clock.
        jobs: processes.
    """
    families: dict[str, list[Checked]] = {}
    for checked in everything:
        families.setdefault(checked.family or "", []).append(checked)
    total = {"family": "all", **_counts(everything), "seconds": round(seconds)}
    rows = [{"family": name, **_counts(found)} for name, found in sorted(families.items())]
    return {
        "document": DOCUMENT,
        "environment": {**environment(), "jobs": jobs},
        "sections": {
            "families": _section(
                "Conformance of every registered game",
                {
                    "family": "family",
                    "games": "games",
                    "checks": "checks",
                    "pass": "passed",
                    "skipped": "do not apply",
                    "fail": "failed",
                    "seconds": "seconds",
                },
                [*rows, total],
            ),
            "checks": _section(
                "Outcomes of each check",
                {
                    "check": "check",
                    "demand": "asked by",
                    "pass": "passed",
                    "skipped": "does not apply",
                    "fail": "failed",
                },
                _by_check(everything),
            ),
            "not_everywhere": _section(
                "Checks that not every game passed, with the most common reason",
                {
                    "check": "check",
                    "pass": "passed",
                    "skipped": "does not apply",
                    "fail": "failed",
                    "reason": "most often because",
                },
                [row for row in _by_check(everything) if row["skipped"] or row["fail"]],
            ),
            "failures": _section(
                "Failures",
                {"game": "game", "check": "check", "message": "message"},
                [
                    {"game": checked.name, "check": finding.check, "message": finding.message}
                    for checked in everything
                    for finding in checked.failures()
                ],
            ),
            "games": _section(
                "Games",
                {"game": "game", "pass": "passed", "skipped": "do not apply", "fail": "failed", "seconds": "seconds"},
                [{"game": checked.name, **_counts([checked])} for checked in everything],
            ),
        },
    }


def _section(title: str, columns: dict[str, str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"title": title, "columns": columns, "rows": rows, "notes": []}


def _counts(several: Iterable[Checked]) -> dict[str, Any]:
    listed = list(several)
    statuses = Counter(finding.status for checked in listed for finding in checked.findings)
    return {
        "games": len(listed),
        "checks": statuses.total(),
        **{status: statuses[status] for status in ("pass", "skipped", "fail")},
        "seconds": round(sum(checked.seconds for checked in listed)),
    }


def _by_check(everything: Iterable[Checked]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    reasons: dict[str, Counter[str]] = {}
    for checked in everything:
        for finding in checked.findings:
            row = found.setdefault(
                finding.check, {"check": finding.check, "demand": finding.demand, "pass": 0, "skipped": 0, "fail": 0}
            )
            row[finding.status] += 1
            if finding.status != "pass":
                reasons.setdefault(finding.check, Counter())[finding.message] += 1
    return [{**row, **_most_common(reasons.get(name))} for name, row in found.items()]


def _most_common(reasons: Counter[str] | None) -> dict[str, str]:
    return {"reason": reasons.most_common(1)[0][0]} if reasons else {}


def is_ours(file: Path) -> bool:
    """Whether a file holds what this command wrote, which a newer one may replace."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and data.get("document") == DOCUMENT


def findings_table(checked: Checked) -> Table:
    """Every check, for people."""
    table = Table(title=f"{checked.name}, {checked.seconds:.3g} s")
    for heading in ("check", "asked by", "status", "message"):
        table.add_column(heading, no_wrap=heading != "message")
    for finding in checked.findings:
        table.add_row(finding.check, finding.demand, finding.status, finding.message)
    return table


def summary(findings: Iterable[Finding]) -> str:
    """How many passed, failed and did not apply."""
    statuses = Counter(finding.status for finding in findings)
    return f"{statuses['pass']} checks passed, {statuses['fail']} failed, {statuses['skipped']} do not apply"


def every_finding(several: Iterable[Checked]) -> Iterator[Finding]:
    """Of all games."""
    for checked in several:
        yield from checked.findings

"""Spoiled inputs of every kind that is read: each must give a result or one line of an error, and run nothing."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eqagents.bench._fuzz_given import GivenCases
from eqagents.bench._fuzz_inputs import Case, ConfigCases, DatasetCases, GraphCases, ParameterCases, PolicyCases
from eqagents.bench._fuzz_runs import RunCases
from eqagents.bench._fuzz_watch import fault_of
from eqagents.bench._measure import without_warnings

Maker: TypeAlias = Callable[[Path, np.random.Generator], Case]


@dataclass(frozen=True)
class Finding:
    """A case that was not clean.

    Attributes:
        kind: of input.
        number: of the case, by which it can be made again.
        fault: what is wrong.
        about: what was read.
    """

    kind: str
    number: int
    fault: str
    about: str


@dataclass(frozen=True)
class Outcome:
    """Cases of a kind: how many were valid, refused, or neither; the slowest, in seconds."""

    valid: int
    refused: int
    findings: tuple[Finding, ...]
    slowest: float


def makers(directory: Path) -> dict[str, Maker]:
    """How cases of each kind are made."""
    configs, graphs, runs, given = ConfigCases(), GraphCases(), RunCases(directory), GivenCases(directory)
    return {
        "config values": configs.values,
        "config file": configs.text,
        "--set override": configs.overrides,
        "policy file": PolicyCases().case,
        "checkpoint": runs.checkpoint,
        "checkpoint, right checksums": runs.sealed,
        "run of such a checkpoint": runs.trained,
        "journal": runs.journal,
        "metrics, score, end, failure, environment": runs.files,
        "edge list": graphs.case,
        "path of a graph": graphs.path,
        "Gambit file": given.gambit,
        "table of payoffs": given.table,
        "game parameter": ParameterCases().case,
        "data set": DatasetCases(directory).case,
    }


def campaign(
    cases: int,
    seed: int,
    *,
    kinds: Sequence[str] | None = None,
    seconds: float | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Outcome]:
    """Cases of every kind in turn.

    Args:
        cases: of all kinds together.
        seed: case i of a kind follows from it and i alone.
        kinds: which; None: all.
        seconds: after which no further case is begun.
        say: told of every finding.
    """
    started = time.monotonic()
    with without_warnings("eqagents"), tempfile.TemporaryDirectory(prefix="eqenvs-fuzz-") as name:
        root = Path(name)
        made = {kind: maker for kind, maker in makers(root).items() if kinds is None or kind in kinds}
        counts = {kind: Counter[str]() for kind in made}
        slowest = dict.fromkeys(made, 0.0)
        findings: dict[str, list[Finding]] = {kind: [] for kind in made}
        for number in range(cases):
            if seconds is not None and time.monotonic() - started > seconds:
                break
            place = number % len(made)
            kind = list(made)[place]
            directory = root / "case"
            directory.mkdir()
            case = made[kind](directory, np.random.default_rng([seed, place, number]))
            before = time.process_time()
            outcome, fault = fault_of(case.run, case.names, directory)
            slowest[kind] = max(slowest[kind], time.process_time() - before)
            if fault is None and any(
                path.name == "canary" for path in (*directory.rglob("*"), *Path.cwd().glob("canary"))
            ):
                outcome, fault = "fault", "ran a command"
            counts[kind][outcome] += 1
            if fault is not None:
                findings[kind].append(Finding(kind, number, fault, case.about))
                say(f"{kind}, case {number}: {fault}; {case.about}")
            shutil.rmtree(directory)
    return {
        kind: Outcome(counts[kind]["valid"], counts[kind]["refused"], tuple(findings[kind]), slowest[kind])
        for kind in made
    }

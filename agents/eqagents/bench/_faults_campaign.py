"""The fault campaign: random faults at runs of every learner, each of which must end like the undisturbed run.

A fault counts where it hit a run that had something left to do. Several hit one run. Nothing may be left by a driver
that died (processes, the lock, shared memory), and nothing temporary by a run that ended.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from eqagents.bench import Row, Section
from eqagents.bench._faults_cases import Case, cases
from eqagents.bench._faults_forks import Forks
from eqagents.bench._faults_kinds import KINDS, Kind
from eqagents.bench._faults_trial import Fault, Reference, Trial, reference, trial
from eqagents.bench._measure import without_warnings

AT_ONCE = 4  # faults that are to hit one run in this process, and on workers
ON_WORKERS = 3
ON_CLUSTER = 3
CLUSTERS = ("psro, simulated cells", "pma", "deep_omd")  # runs that lose nodes


def planned(chosen: Sequence[Case], rng: np.random.Generator) -> Iterator[tuple[Case, list[Kind]]]:
    """Runs and the kinds of fault that are to hit each, without end: over a few rounds every kind meets every case."""
    decks: dict[tuple[str, str], list[Kind]] = {}

    def dealt(case: Case, on: str, size: int) -> list[Kind]:
        deck = decks.setdefault((case.name, on), [])
        of_it = [kind for kind in KINDS if kind.on == on]
        while len(deck) < size:
            deck.extend(of_it[i] for i in rng.permutation(len(of_it)))
        return [deck.pop(0) for _ in range(size)]

    for _ in count():
        yield from ((case, dealt(case, "driver", AT_ONCE)) for case in chosen if case.inline)
        yield from ((case, dealt(case, "workers", ON_WORKERS)) for case in chosen if case.workers)
        yield from ((case, dealt(case, "cluster", ON_CLUSTER)) for case in chosen if case.name in CLUSTERS)


class Campaign:
    """Faults until there were enough of them, or the time is over.

    Args:
        kills: faults that must have happened.
        seed: of the choice and the moments of faults.
        names: families, learners or cases; None: all.
        seconds: after which no further run is begun.
        jobs: runs at a time.
        forks: what drivers without workers are forked from; None: each is an interpreter of its own.
        on: where runs may be: "driver", "workers", "cluster".
        say: told of everything, in lines.
    """

    def __init__(
        self,
        kills: int,
        seed: int,
        *,
        names: list[str] | None = None,
        seconds: float | None = None,
        jobs: int = 1,
        forks: Forks | None = None,
        on: Sequence[str] = ("driver", "workers", "cluster"),
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._kills, self._seed, self._seconds, self._jobs, self._on, self._say = kills, seed, seconds, jobs, on, say
        self._cases = cases(names)
        self._forks = forks
        self._references: dict[str, Reference] = {}
        self._guards = {case.name: threading.Lock() for case in self._cases}
        self._lock = threading.Lock()
        self.trials: list[Trial] = []
        self.seconds = 0.0

    @property
    def faults(self) -> int:
        """That happened so far."""
        return sum(len(each.faults) for each in self.trials)

    def run(self) -> list[Trial]:
        """All of it; runs that came out wrong stay where `say` tells."""
        # Ray's sockets are under it, whose names may have 107 bytes.
        root = Path(tempfile.mkdtemp(prefix="eqf-"))
        started = time.monotonic()
        plan = enumerate(planned(self._cases, np.random.default_rng(self._seed)))

        def work() -> None:
            while True:
                with self._lock:
                    late = self._seconds is not None and time.monotonic() - started > self._seconds
                    if late or self.faults >= self._kills:
                        return
                    number, (case, kinds) = next(plan)
                if kinds[0].on in self._on:
                    self._trial(number, case, kinds, root)

        with without_warnings("eqagents"), ThreadPoolExecutor(self._jobs) as pool:
            for each in [pool.submit(work) for _ in range(self._jobs)]:
                each.result()
        self.seconds = time.monotonic() - started
        if any(each.wrong for each in self.trials):
            self._say(f"what came out wrong is in {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
        return self.trials

    def _trial(self, number: int, case: Case, kinds: list[Kind], root: Path) -> None:
        rng = np.random.default_rng([self._seed, number])
        try:
            with self._guards[case.name]:
                if case.name not in self._references:
                    self._references[case.name] = reference(case, root / f"whole-{number}", self._forks)
            done = trial(case, kinds, self._references[case.name], root / str(number), rng, self._forks)
        except Exception as error:  # the campaign goes on, and comes out as failed
            done = Trial(case.name, wrong=[f"{type(error).__name__}: {error}"[:500]])
        with self._lock:
            self.trials.append(done)
            total = self.faults
        told = ", ".join(f"{fault.kind} (-{fault.lost})" for fault in done.faults) or "no fault came in time"
        self._say(f"{total:4} {number:3} {case.name}: {told}; {'equal' if done.equal else 'NOT EQUAL'}")
        for line in done.wrong:
            self._say(f"     WRONG: {line}")

    def sections(self) -> list[Section]:
        """What happened, by case and by kind."""
        by_case = [
            _row({"family": case.family, "run": case.name}, [each for each in self.trials if each.case == case.name])
            for case in self._cases
        ]
        by_kind = [_row({"kind": kind.name}, self.trials, kind.name) for kind in KINDS]
        return [_section("families", "run", by_case), _section("kinds", "kind", by_kind)]


def _row(named: Row, trials: list[Trial], kind: str | None = None) -> Row:
    """The figures of the faults of a kind (None: of any) in some trials."""
    met = [each for each in trials if kind is None or any(fault.kind == kind for fault in each.faults)]
    faults: list[Fault] = [fault for each in met for fault in each.faults if kind in (None, fault.kind)]
    return named | {
        "faults": len(faults),
        "runs": len(met),
        "resumes": sum(each.resumes for each in met),
        "equal": sum(each.equal for each in met),
        "wrong": sum(len(each.wrong) for each in met),
        "lost": max((fault.lost for fault in faults), default=None),
        "seconds": float(np.median([fault.seconds for fault in faults])) if faults else None,
    }


def _section(name: str, first: str, rows: list[Row]) -> Section:
    columns: dict[str, Any] = {"family": "family"} if name == "families" else {}
    columns |= {
        first: first,
        "faults": "faults",
        "runs": "runs hit",
        "resumes": "resumes",
        "equal": "runs that ended equal to the bit",
        "wrong": "things wrong",
        "lost": "iterations done again, at most",
        "seconds": "seconds, median",
    }
    return Section(
        id=name,
        title=f"Faults by {first}",
        columns=columns,
        rows=rows,
        notes=(
            "Equal: the last checkpoint's state, all metrics but clocks, and the policy's score are those of the "
            "undisturbed run. Iterations done again had been written down, and came after the checkpoint that the run "
            "went on from. Seconds: from starting a driver, or from the fault before, until its end was looked at.",
        ),
    )

"""Runs of every learner on several numbers of workers and with several hash seeds: the same numbers, to the bit?

Each is a process of its own. With more workers than processors tasks end in any order.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from eqagents.bench import Row, Section
from eqagents.bench._faults_cases import Case, cases
from eqagents.bench._faults_trial import Result, result_of

WORKERS = (0, 1, 2, 8)
PATIENCE = 900.0  # seconds that a run of seconds may take on a busy machine
HASH_SEEDS = ("0", "1", "4242")


def plan(case: Case, workers: Sequence[int] = WORKERS) -> list[tuple[int, str]]:
    """How a case is run: (workers, hash seed); those without tasks are run without workers alone."""
    counts = [count for count in workers if (case.inline or count) and (case.workers or not count)]
    runs = [(count, HASH_SEEDS[place % len(HASH_SEEDS)]) for place, count in enumerate(counts)]
    # Where one is left, hash seeds are all that differs.
    return [(counts[0], seed) for seed in HASH_SEEDS] if len(counts) == 1 else runs


def run(case: Case, workers: int, hash_seed: str, directory: Path) -> Result:
    """A case from its beginning to its end.

    Raises:
        RuntimeError: it failed.
        subprocess.TimeoutExpired: it did not end.
    """
    directory.mkdir()
    file = directory / "config.yaml"
    file.write_text(yaml.safe_dump({**case.config, "executor": {"workers": workers} if workers else {}}))
    settings = {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-m", "eqagents.cli.main", "train", str(file), "--out", str(directory / "run")],
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise RuntimeError(f"{case.name} on {workers} workers failed: {done.stderr[-500:]}")
    return result_of(directory / "run")


def section(
    names: list[str] | None = None, workers: Sequence[int] = WORKERS, say: Callable[[str], None] = lambda line: None
) -> Section:
    """A row per case.

    Args:
        names: of cases, learners or families; None: all.
        workers: numbers of them.
        say: told of every row.
    """
    rows: list[Row] = []
    for case in cases(names):
        started, runs = time.monotonic(), plan(case, workers)
        with TemporaryDirectory(prefix="eqs-") as place:
            results = [run(case, *each, Path(place) / str(number)) for number, each in enumerate(runs)]
        differing = sorted({name for each in results[1:] for name in each.differs(results[0])})
        rows.append(
            {
                "family": case.family,
                "run": case.name,
                "workers": ", ".join(str(count) for count in dict.fromkeys(count for count, _ in runs)),
                "hash_seeds": len({seed for _, seed in runs}),
                "runs": len(runs),
                "differing": ", ".join(differing) or "nothing",
                "seconds": time.monotonic() - started,
            }
        )
        say(f"{case.name}: {len(runs)} runs, differing: {rows[-1]['differing']}")
    return Section(
        id="same_numbers",
        title="The same configuration and seed, on several numbers of workers and with several hash seeds",
        columns={
            "family": "family",
            "run": "run",
            "workers": "workers",
            "hash_seeds": "hash seeds",
            "runs": "runs",
            "differing": "what differs",
        },
        rows=rows,
        notes=(
            "Compared are the last checkpoint's state, all metrics but clocks, and the policy's score, to the bit.",
        ),
    )

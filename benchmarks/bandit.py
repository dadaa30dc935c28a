"""Learning from sampled play: exploitability (NashConv / 2, chips) of the average policy against the episodes played.

Each method learns with learning rate and exploration for the episodes that it plays ("matched"), and once more with
those for the most episodes, looked at on the way ("fixed"). The clock covers the episodes only; compilation is loaded
from the cache before it starts and reported apart.

    python benchmarks/bandit.py --seeds 5 --out benchmarks/results/bandit.json
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import eqenvs
from eqsolvers.extensive_form import _bandit, adaptive_ftrl, balanced_ftrl, balanced_omd, ixomd
from eqsolvers.result import SolverSpec

METHODS: list[SolverSpec] = [module.SOLVER for module in (ixomd, balanced_omd, balanced_ftrl, adaptive_ftrl)]

Run = list[tuple[int, float, float]]  # episodes, exploitability, seconds


def learn(spec: SolverSpec, model: Any, seed: int, horizon: int, looks: list[int]) -> Run:
    """One run, looked at after so many episodes."""
    assert spec.start is not None
    process, seconds, seen = spec.start(model, seed=seed, settings={"horizon": horizon}), 0.0, []
    for episodes in looks:
        started = time.perf_counter()
        process.run(episodes - process.iteration)
        seconds += time.perf_counter() - started
        seen.append((episodes, process.residual() / 2, seconds))
    return seen


def measure(games: list[str], episodes: list[int], seeds: int) -> list[dict[str, Any]]:
    """One row per game, method, horizon and look."""
    rows = []
    for game in games:
        model = eqenvs.make(game).model()
        for spec in METHODS:
            plans = [("matched", horizon, [horizon]) for horizon in episodes] + [("fixed", episodes[-1], episodes)]
            for rates, horizon, looks in plans:
                runs = [learn(spec, model, seed, horizon, looks) for seed in range(seeds)]
                for look in zip(*runs, strict=True):
                    found = [exploitability for _, exploitability, _ in look]
                    row = {"game": game, "method": spec.id, "rates": rates, "horizon": horizon, "episodes": look[0][0]}
                    row |= {"mean": statistics.mean(found), "min": min(found), "max": max(found), "seeds": seeds}
                    row |= {"seconds": statistics.median(seconds for _, _, seconds in look)}
                    rows.append(row)
                    print(json.dumps(row), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", nargs="+", default=["kuhn_poker", "leduc_poker"], help="ids of games")
    parser.add_argument("--episodes", type=int, nargs="+", default=[10**k for k in range(3, 7)], help="ascending")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each kind")
    parser.add_argument("--out", type=Path, help="write the result here as JSON")
    arguments = parser.parse_args()
    started = time.perf_counter()
    _bandit.warm_up()
    compiled = time.perf_counter() - started
    versions = {}
    for name in ("eqenvs", "numpy", "numba"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    result = {
        "rows": measure(arguments.games, arguments.episodes, arguments.seeds),
        "compile_seconds": compiled,
        "defaults": {spec.id: spec.resolve({}) for spec in METHODS},
        "versions": versions,
        "python": platform.python_version(),
        "processor": platform.machine(),
        "threads": 1,
    }
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

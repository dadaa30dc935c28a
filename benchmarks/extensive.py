"""Tabular no-regret solvers on a CPU: iterations a second, side by side with OpenSpiel (C++) and LiteEFG (C++).

Every figure is the median of paired runs in one process: a slice of ours, a slice of theirs, and again. Compilation is
loaded from the cache before the clock starts and reported apart. Peers that are not installed are left out.

    python benchmarks/extensive.py --seconds 0.5 --rounds 5 --out benchmarks/results/extensive.json
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import eqenvs
from eqenvs.models import ExtensiveFormModel
from eqsolvers.extensive_form import _kernel
from eqsolvers.extensive_form._regret import RegretMinimiser
from eqsolvers.extensive_form.cfr_plus import schedule as cfr_plus
from eqsolvers.extensive_form.dcfr import schedule as dcfr
from eqsolvers.extensive_form.pcfr_plus import schedule as pcfr_plus

GOOFSPIEL = "imp_info=True,num_cards={n},points_order=descending,players=2"
GAMES: list[tuple[str, dict[str, Any], str]] = [
    ("kuhn_poker", {}, "kuhn_poker"),
    ("leduc_poker", {}, "leduc_poker"),
    ("liars_dice", {}, "liars_dice"),
    ("goofspiel", {"num_cards": 5}, f"turn_based_simultaneous_game(game=goofspiel({GOOFSPIEL.format(n=5)}))"),
]
SCHEDULES = {"cfr+": cfr_plus(), "pcfr+": pcfr_plus(), "dcfr": dcfr()}

Step = Callable[[int], None]  # runs that many iterations


def open_spiel_solver(name: str, method: str) -> Step | None:
    """OpenSpiel's C++ solver; it has CFR+ only among these."""
    with contextlib.suppress(ImportError):
        import pyspiel

        if method == "cfr+":
            solver = pyspiel.CFRPlusSolver(pyspiel.load_game(name))

            def step(iterations: int) -> None:
                for _ in range(iterations):
                    solver.evaluate_and_update_policy()

            return step
    return None


def lite_efg_solver(name: str, method: str) -> Step | None:
    """LiteEFG's baseline graph, updated player by player as its own training loop does."""
    with contextlib.suppress(ImportError):
        import LiteEFG
        import pyspiel
        from LiteEFG import baselines

        modules = {"cfr+": baselines.CFRplus, "pcfr+": baselines.PCFR, "dcfr": baselines.DCFR}
        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
            environment = LiteEFG.OpenSpielEnv(pyspiel.load_game(name), traverse_type="Enumerate", regenerate=True)
            graph = modules[method].graph()
            environment.set_graph(graph)

        def step(iterations: int) -> None:
            for _ in range(iterations):
                graph.update_graph(environment)
                environment.update_strategy(graph.current_strategy())

        return step
    return None


def rate(step: Step, chunk: int, seconds: float) -> float:
    """Iterations a second over about that long."""
    done, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        step(chunk)
        done += chunk
    return done / passed


def chunk_for(step: Step) -> int:
    """Iterations that take about 20 ms."""
    step(1)
    started = time.perf_counter()
    step(1)
    return max(1, int(0.02 / max(1e-6, time.perf_counter() - started)))


def compare(seconds: float, rounds: int) -> list[dict[str, Any]]:
    """One row per game and method."""
    rows = []
    for game_id, parameters, peer_name in GAMES:
        started = time.perf_counter()
        model = eqenvs.make(game_id, **parameters).model()
        built = time.perf_counter() - started
        assert isinstance(model, ExtensiveFormModel)
        for method, schedule in SCHEDULES.items():
            ours = RegretMinimiser(model, schedule)
            contestants: dict[str, Step | None] = {
                "eqenvs": ours.run,
                "open_spiel": open_spiel_solver(peer_name, method),
                "lite_efg": lite_efg_solver(peer_name, method),
            }
            present = {name: (step, chunk_for(step)) for name, step in contestants.items() if step is not None}
            measured: dict[str, list[float]] = {name: [] for name in present}
            for _ in range(rounds):
                for name, (step, chunk) in present.items():
                    measured[name].append(rate(step, chunk, seconds))
            medians = {name: statistics.median(values) for name, values in measured.items()}
            row = {"game": game_id, "parameters": parameters, "method": method, "build_seconds": built}
            row |= {f"{name}_per_second": value for name, value in medians.items()}
            row |= {f"ratio_{name}": medians["eqenvs"] / value for name, value in medians.items() if name != "eqenvs"}
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="length of one slice")
    parser.add_argument("--rounds", type=int, default=5, help="slices of each contestant")
    parser.add_argument("--out", type=Path, help="write the result here as JSON")
    arguments = parser.parse_args()
    started = time.perf_counter()
    _kernel.warm_up(2)
    compiled = time.perf_counter() - started
    versions = {}
    for name in ("eqenvs", "numpy", "numba", "open_spiel", "LiteEFG"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    result = {
        "rows": compare(arguments.seconds, arguments.rounds),
        "compile_seconds": compiled,
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

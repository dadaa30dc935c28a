"""Exploitability against CPU seconds of every deterministic Nash solver for mean-field games, last and best iterate."""

from __future__ import annotations

import time

import numpy as np

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._measure import without_warnings
from eqagents.bench._mf_peers import model_of, one_thread
from eqenvs.errors import UnsupportedGame
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Family
from eqsolvers.iterative import Process
from eqsolvers.result import SolverSpec, solvers

GAMES = ("left_right", "crowd_1d", "four_rooms", "sis", "predator_prey", "linear_quadratic")
LIMIT = 100_000  # iterations


def section(settings: Settings) -> Section:
    """A row per game and method, with its curve."""
    budget = 0.02 if settings.quick else 2.0
    rows: list[Row] = []
    with one_thread(), without_warnings("eqsolvers"):
        for name in GAMES[:2] if settings.quick else GAMES:
            model = model_of(name)
            for method, spec in solvers(Family.MEAN_FIELD).items():
                process = _started(spec, model)
                if process is None:
                    continue
                found = _followed(process, budget, model.num_populations)
                rows.append({"game": name, "method": method, **found})
                settings.say(brief({key: value for key, value in rows[-1].items() if key != "curve"}))
    return Section(
        id="curves",
        title="Exploitability of every Nash solver, last and best iterate, by its default settings",
        columns={
            "game": "game",
            "method": "method",
            "iterations": "iterations",
            "seconds": "CPU seconds",
            "last": "NashConv / populations, last",
            "best": "best",
            "best_iteration": "at iteration",
        },
        rows=rows,
        notes=(
            f"Up to {budget:g} CPU seconds or {LIMIT:,} iterations, looks at 1, 2, 3, 5, 7, 10, ... iterations; the "
            "seconds are of both. Methods that sample are left out. `pma` heads for the equilibrium of a game with an "
            "entropy bonus of 0.1, which is exploitable.",
        ),
    )


def _started(spec: SolverSpec, model: MeanFieldModel) -> Process | None:
    """The method on the game; None where it is not a deterministic Nash solver, or does not cover the game."""
    if "nash" not in spec.concepts or spec.start is None or spec.random:
        return None
    try:
        spec.compile(model)
        process = spec.start(model)
        # What is compiled on the way must not be on the clock; the process that is followed starts anew.
        process.run(2)
        process.residual()
        return spec.start(model)
    except UnsupportedGame:
        return None


def _followed(process: Process, budget: float, populations: int) -> Row:
    """Run until the budget is spent, looking ever more seldom."""
    iterations: list[int] = []
    seconds: list[float] = []
    found: list[float] = []
    started = time.process_time()
    for look in looks():
        process.run(look - process.iteration)
        found.append(process.residual() / populations)
        iterations.append(process.iteration)
        seconds.append(time.process_time() - started)
        if seconds[-1] >= budget:
            break
    best = int(np.argmin(found))
    return {
        "iterations": iterations[-1],
        "seconds": seconds[-1],
        "last": found[-1],
        "best": found[best],
        "best_iteration": iterations[best],
        "best_seconds": seconds[best],
        "curve": {"iterations": iterations, "seconds": seconds, "exploitability": found},
    }


def looks() -> list[int]:
    """1, 2, 3, 5, 7, 10, 20, 30, ... up to the limit."""
    decades = range(len(str(LIMIT)))
    return [m * 10**k for k in decades for m in (1, 2, 3, 5, 7) if m * 10**k <= LIMIT]

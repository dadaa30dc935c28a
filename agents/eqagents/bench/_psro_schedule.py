"""What many workers would make of PSRO's tasks: schedules simulated from task times measured here, and critical paths.

Every variant is run once in this process and its tasks are timed; then it is played back on other numbers of workers
(`_virtual`). The critical path is the longest chain of work that has to wait for one another: what is left with workers
without end, when sending costs nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._virtual import Tape, VirtualWorkers
from eqagents.configuration import NamedSettings, validate
from eqagents.learners import find_learner
from eqagents.learners.psro._responses import ORACLE_PHASE, PAYOFF_PHASE

WORKERS = (1, 2, 8, 64)
BUSY = 8  # workers whose use is told
MANY = 4096  # workers without end
DISPATCH = 1e-3  # seconds of the driver to send a task and take its result: about what a call of a worker costs
ITERATIONS, QUICK_ITERATIONS = 8, 2

_LEARNED = {"id": "policy_gradient", "updates": 40, "num_envs": 64, "steps": 24, "hidden": [64, 64]}
_PLAYED = {"method": "simulated", "episodes": 4096}
_PIPELINE: dict[str, Any] = {
    "id": "psro",
    "oracle": {**_LEARNED, "warm_start": True},
    "payoffs": _PLAYED,
    "pipeline": {"levels": 4},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "psro, learned responses": {"id": "psro", "oracle": _LEARNED, "payoffs": _PLAYED},
    "psro, pipeline of 4 levels": _PIPELINE,
    "psro, the same with levels in step": {**_PIPELINE, "pipeline": {"levels": 4, "ahead": 0}},
    "psro, exact": {"id": "psro", "oracle": {"id": "exact"}},
    "xdo": {"id": "xdo"},
    "xdo, learned responses": {"id": "xdo", "oracle": _LEARNED},
}


def span(config: dict[str, Any], iterations: int, executor: VirtualWorkers) -> float:
    """Seconds of a run on Leduc poker, without its first iteration, in which code is compiled."""
    spec = find_learner(config["id"])
    chosen: NamedSettings = validate(spec.config, config)
    game = eqenvs.make("leduc_poker")
    game.model()
    with executor:
        learner = spec.build(game, chosen, executor)
        state, _ = learner.step(learner.init(np.random.SeedSequence(0)))
        executor.restart()
        started = executor.now
        for _ in range(iterations):
            state, _ = learner.step(state)
        with executor.clock():
            return executor.now - started


def section(settings: Settings) -> Section:
    """A row per variant."""
    rows = []
    iterations = QUICK_ITERATIONS if settings.quick else ITERATIONS
    for name, config in VARIANTS.items():
        chosen = dict(config)
        if settings.quick and config.get("oracle", {}).get("id") == "policy_gradient":
            chosen["oracle"] = {**config["oracle"], "updates": 1, "num_envs": 2}
        rows.append({"variant": name, "iterations": iterations, **_row(chosen, iterations)})
        settings.say(brief(rows[-1]))
    return Section(
        id="schedule",
        title="PSRO on many workers: schedules simulated from measured task times, Leduc poker",
        columns={
            "variant": "variant",
            "iterations": "iterations",
            "tasks": "tasks",
            "driver": "driver, s",
            "oracles": "oracles, s",
            "cells": "cells, s",
            "critical_path": "critical path, s",
            **{f"on_{count}": f"{count} workers, s" for count in WORKERS},
            "speedup": f"times sooner on {WORKERS[-1]}",
            "share_of_path": "critical path / that",
            "busy": f"workers busy, of {BUSY}",
        },
        rows=rows,
        notes=(
            f"Tasks are timed in this process; sending one and taking its result costs the driver {1e3 * DISPATCH:.0f} "
            f"ms here. Speedups are over one worker. Leduc poker, {ITERATIONS} iterations after the first; learned "
            "responses: policy gradients of 40 updates; their cells are played, 4096 episodes each.",
            "The critical path has no cost of sending, and the driver's own work, such as the meta-solver or the "
            "method on a restricted game, is in it.",
        ),
    )


def _row(config: dict[str, Any], iterations: int) -> Row:
    tape = Tape()
    alone = VirtualWorkers(WORKERS[0], DISPATCH, tape)
    spans = {f"on_{WORKERS[0]}": span(config, iterations, alone)}
    found: Row = {"tasks": len(alone.seconds), "driver": alone.driver}
    for name, phase in (("oracles", ORACLE_PHASE), ("cells", PAYOFF_PHASE)):
        found[name] = sum(seconds for key, seconds in alone.seconds.items() if key[1] == phase)
    for count in WORKERS[1:]:
        workers = VirtualWorkers(count, DISPATCH, tape)
        spans[f"on_{count}"] = span(config, iterations, workers)
        if count == BUSY:
            found["busy"] = sum(workers.seconds.values()) / (count * spans[f"on_{count}"])
    path = span(config, iterations, VirtualWorkers(MANY, 0.0, tape))
    first, last = spans[f"on_{WORKERS[0]}"], spans[f"on_{WORKERS[-1]}"]
    return {**found, "critical_path": path, **spans, "speedup": first / last, "share_of_path": path / last}

"""The actor-learner on Ray workers: samples a second as workers are added, and what an iteration costs beside its work.

Weak scaling gives every worker as many games; strong scaling shares out the same games. The results are the same to the
bit whatever the number of workers; only the time differs. Overhead is an iteration's wall-clock time less that of its
play on the slowest worker and of its learning.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.configuration import validate
from eqagents.distributed import Executor, InlineExecutor
from eqagents.distributed.ray_executor import RayExecutor
from eqagents.learners.deep import ppo

ENVS, STEPS = 512, 32


def _iterations(executor: Executor, settings: Settings, tasks: int, envs: int, staleness: int) -> dict[str, float]:
    config: Any = validate(
        ppo.PPOConfig,
        {
            "play": {"num_envs": envs, "steps": STEPS, "tasks": tasks, "staleness": staleness},
            "network": {"hidden": (64, 64)},
            "fit": {"epochs": 1, "minibatches": 1},
        },
    )
    learner = ppo.LEARNER.build(eqenvs.make("leduc_poker"), config, executor)
    state, _ = learner.step(learner.init(np.random.SeedSequence(0)))
    walls, over, decisions = [], [], 0.0
    for _ in range(3 if settings.quick else 12):
        started = time.perf_counter()
        state, metrics = learner.step(state)
        walls.append(time.perf_counter() - started)
        over.append(metrics["time/waited_s"] - metrics["time/played_s"] / max(1, min(tasks, executor.workers or 1)))
        decisions = metrics["samples/decisions"]
    wall = statistics.median(walls)
    return {"samples": decisions / wall, "iteration_ms": 1e3 * wall, "overhead_ms": 1e3 * statistics.median(over)}


def section(settings: Settings) -> Section:
    """Weak and strong scaling on this machine's processors."""
    rows: list[Row] = []
    envs = 32 if settings.quick else ENVS
    cases = [("in process", 0, 1, envs, 0)]
    for workers in (1,) if settings.quick else (1, 2):
        cases.append(("weak", workers, workers, envs, 0))
        cases.append(("strong", workers, 2, envs // 2, 0))
        cases.append(("weak, overlapped", workers, workers, envs, 1))
    for kind, workers, tasks, size, staleness in cases:
        executor: Executor = RayExecutor(0, workers) if workers else InlineExecutor(0)
        with executor:
            found = _iterations(executor, settings, tasks, size, staleness)
        rows.append({"scaling": kind, "workers": workers, "games": tasks * size, **found})
        settings.say(brief(rows[-1]))
    return Section(
        id="workers",
        title="Ray workers: PPO on Leduc poker, samples a second of wall-clock time",
        columns={
            "scaling": "scaling",
            "workers": "workers",
            "games": "games at once",
            "samples": "samples a second",
            "iteration_ms": "ms an iteration",
            "overhead_ms": "ms of it neither play nor learning",
        },
        rows=rows,
        notes=("Overlapped: staleness 1, the next iteration is played while this one is learnt from.",),
    )

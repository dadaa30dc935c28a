"""Filling an empirical game on Ray workers: how busy they are, and what a cell costs beside its work.

`efficiency` is the wall-clock time of the same tasks in this process over that on the workers times their number;
`busy` is the share of the workers' time inside tasks, which does not suffer where other programs take processors.
Overhead is the workers' time outside tasks, for each cell. Simulated cells are a task each, exact cells come in
batches.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.distributed import Executor, InlineExecutor, Task, run_ordered
from eqagents.distributed.ray_executor import RayExecutor
from eqagents.policies import tabular_record
from eqenvs.game import Game

WORKERS = 2
ASKED_EFFICIENCY, ASKED_OVERHEAD = 0.85, 2.0  # of 2 workers; ms a cell, in batches
MEMBER, CELLS = "eqagents.learners.psro._population:make_member", "eqagents.bench._psro_fill:timed"


@dataclass(frozen=True)
class Fill:
    """Cells of a game.

    Attributes:
        game: id.
        policies: random ones of each player.
        task: of some cells.
        batch: cells of a task.
        episodes: of a simulated cell; 0 where cells are exact.
    """

    game: str
    policies: int
    task: str
    batch: int
    episodes: int = 0


EXACT, SIMULATED = (f"eqagents.learners.psro._payoffs:{name}" for name in ("exact_cells", "simulated_cell"))
FILLS = (
    Fill("leduc_poker", 12, SIMULATED, 1, 16384),
    Fill("leduc_poker", 12, SIMULATED, 1, 1024),
    Fill("leduc_poker", 64, EXACT, 64),
    Fill("kuhn_poker", 128, EXACT, 64),
)
QUICK_FILLS = (Fill("kuhn_poker", 3, SIMULATED, 1, 64), Fill("kuhn_poker", 4, EXACT, 4))


def timed(seed: np.random.SeedSequence, *, function: str, **arguments: Any) -> tuple[Any, float]:
    """Task: what another task function returns, and its wall-clock seconds."""
    module, _, name = function.partition(":")
    started = time.perf_counter()
    found = getattr(import_module(module), name)(seed, **arguments)
    return found, time.perf_counter() - started


def section(settings: Settings) -> Section:
    """A row per fill."""
    rows = []
    for fill in QUICK_FILLS if settings.quick else FILLS:
        rows.append(_row(fill, settings))
        settings.say(brief(rows[-1]))
    return Section(
        id="fill",
        title=f"Filling an empirical game on {WORKERS} Ray workers: wall-clock time",
        columns={
            "game": "game",
            "cells": "cells",
            "episodes": "episodes a cell",
            "batch": "cells a task",
            "cell_ms": "ms a cell, in process",
            "seconds": "seconds on the workers",
            "efficiency": "efficiency",
            "busy": "workers busy",
            "overhead_ms": "overhead, ms a cell",
            "asked_efficiency": "asked, efficiency",
            "asked_overhead_ms": "asked, ms a cell",
        },
        rows=rows,
        notes=(
            "Medians over runs in turns, in this process and on the workers; no episodes: cells are computed from the "
            "model. Policies are random tables, published before the clock starts.",
        ),
    )


def _row(fill: Fill, settings: Settings) -> Row:
    game = eqenvs.make(fill.game)
    cells = [(i, j) for i in range(fill.policies) for j in range(fill.policies)]
    rounds = 1 if settings.quick else 3
    alone, together, inside = [], [], []
    with InlineExecutor(0) as here, RayExecutor(0, WORKERS) as there:
        tasks = {executor: list(_tasks(fill, game, cells, executor)) for executor in (here, there)}
        for executor in (here, there):  # workers start, and read what is compiled
            run_ordered(executor, tasks[executor][: 4 * WORKERS])
        for _ in range(rounds):
            alone.append(_wall(here, tasks[here])[0])
            wall, busy = _wall(there, tasks[there])
            together.append(wall)
            inside.append(busy)
    efficiency = statistics.median(a / (WORKERS * t) for a, t in zip(alone, together, strict=True))
    idle = [WORKERS * t - b for t, b in zip(together, inside, strict=True)]
    asked: Row = {"asked_efficiency": ASKED_EFFICIENCY} if fill.episodes else {"asked_overhead_ms": ASKED_OVERHEAD}
    return {
        "game": fill.game,
        "cells": len(cells),
        "episodes": fill.episodes or None,
        "batch": fill.batch,
        "cell_ms": 1e3 * statistics.median(alone) / len(cells),
        "seconds": statistics.median(together),
        "efficiency": efficiency,
        "busy": statistics.median(b / (WORKERS * t) for b, t in zip(inside, together, strict=True)),
        "overhead_ms": 1e3 * statistics.median(idle) / len(cells),
        **({} if settings.quick else asked),
    }


def _wall(executor: Executor, tasks: list[Task]) -> tuple[float, float]:
    """Wall-clock seconds of all tasks, and the seconds inside them, added up."""
    started = time.perf_counter()
    found: list[Any] = run_ordered(executor, tasks)
    return time.perf_counter() - started, sum(seconds for _, seconds in found)


def _tasks(fill: Fill, game: Game, cells: list[tuple[int, int]], executor: Executor) -> Iterator[Task]:
    published = executor.publish(game)
    rng = np.random.default_rng(0)
    members = []
    for player, states in enumerate(game.information_states):
        tables = [_random_table(states.masks, rng) for _ in range(fill.policies)]
        made = [
            Task(
                (0, player, k),
                MEMBER,
                {"game": published, "record": tabular_record(table), "player": player, "tabulated": True},
            )
            for k, table in enumerate(tables)
        ]
        members.append([executor.publish(member) for member in run_ordered(executor, made)])
    for start in range(0, len(cells), fill.batch):
        arguments: dict[str, Any] = {"function": fill.task, "game": published}
        if fill.episodes:
            (cell,) = cells[start : start + 1]
            arguments |= {"members": [members[p][k] for p, k in enumerate(cell)], "episodes": fill.episodes}
        else:
            arguments |= {"populations": members, "cells": cells[start : start + fill.batch]}
        yield Task((1, start), CELLS, arguments)


def _random_table(masks: Any, rng: np.random.Generator) -> Any:
    weights = np.where(masks, rng.exponential(size=masks.shape), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)

"""What many workers would make of PSRO's tasks: schedules simulated from task times measured here, and critical paths.

Every variant is run once in this process and its tasks are timed. A run is a graph: the driver's work, the tasks that
it then asks for at once, and the driver again when the last of them is back. On W workers a task starts, in the order
in which tasks are sent, when it has been sent and a worker is free: list scheduling, Graham (1969), "Bounds on
multiprocessing timing anomalies", SIAM J. Appl. Math. 17, never twice as long as the best schedule. The critical path
is the longest chain of work that has to wait for one another, what is left with workers without end.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.configuration import NamedSettings, validate
from eqagents.distributed import Handle, InlineExecutor, Task
from eqagents.learners import find_learner
from eqagents.learners.psro._loop import MEMBER_PHASE, ORACLE_PHASE, PAYOFF_PHASE

WORKERS = (1, 2, 8, 64)
DISPATCH = 1e-3  # seconds of the driver to send a task and take its result: about what a round trip to a worker costs
ITERATIONS, QUICK_ITERATIONS = 8, 2

_LEARNED = {"id": "policy_gradient", "updates": 40, "num_envs": 64, "steps": 24, "hidden": [64, 64]}
_PLAYED = {"method": "simulated", "episodes": 4096}
VARIANTS: dict[str, dict[str, Any]] = {
    "psro, learned responses": {"id": "psro", "oracle": _LEARNED, "payoffs": _PLAYED},
    "psro, pipeline of 4 levels": {
        "id": "psro",
        "oracle": {**_LEARNED, "warm_start": True},
        "payoffs": _PLAYED,
        "pipeline": {"levels": 4},
    },
    "psro, exact": {"id": "psro", "oracle": {"id": "exact"}},
    "xdo": {"id": "xdo"},
    "xdo, learned responses": {"id": "xdo", "oracle": _LEARNED},
}

# The driver's seconds before some tasks are asked for, and (phase, seconds) of each of them.
Wave: TypeAlias = tuple[float, list[tuple[int, float]]]


@dataclass(frozen=True)
class Node:
    """A piece of work.

    Attributes:
        seconds: that it takes.
        after: the pieces that must be done first, by their place in the graph.
        driver: whether the driver does it; otherwise any worker.
    """

    seconds: float
    after: tuple[int, ...] = ()
    driver: bool = False


def critical_path(graph: Sequence[Node]) -> float:
    """The length of the longest chain, of a graph whose nodes come after what they wait for.

    >>> critical_path([Node(1.0), Node(2.0), Node(3.0, after=(0, 1))])
    5.0
    """
    ends: list[float] = []
    for node in graph:
        ends.append(node.seconds + max((ends[each] for each in node.after), default=0.0))
    return max(ends, default=0.0)


def makespan(graph: Sequence[Node], workers: int) -> float:
    """Seconds that list scheduling takes with a driver and some workers.

    Of the pieces that can begin, the first in the graph's order begins whenever somebody is free for it.

    >>> makespan([Node(1.0), Node(1.0), Node(2.0)], 2)
    3.0
    """
    waiting = [len(node.after) for node in graph]
    followers: list[list[int]] = [[] for _ in graph]
    for place, node in enumerate(graph):
        for each in node.after:
            followers[each].append(place)
    ready: dict[bool, list[int]] = {True: [], False: []}
    for place, node in enumerate(graph):
        if not node.after:
            heapq.heappush(ready[node.driver], place)
    free = {True: 1, False: workers}
    running: list[tuple[float, int]] = []
    now = 0.0
    while running or ready[True] or ready[False]:
        for driver in (True, False):
            while ready[driver] and free[driver]:
                place = heapq.heappop(ready[driver])
                free[driver] -= 1
                heapq.heappush(running, (now + graph[place].seconds, place))
        now, place = heapq.heappop(running)
        free[graph[place].driver] += 1
        for each in followers[place]:
            waiting[each] -= 1
            if not waiting[each]:
                heapq.heappush(ready[graph[each].driver], each)
    return now


@dataclass
class Recorder:
    """An executor that runs tasks here, and keeps how long each took and what the driver did in between.

    Attributes:
        waves: in order.
    """

    waves: list[Wave] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._inner = InlineExecutor(0)
        self._since = time.perf_counter()

    def restart(self) -> None:
        """Forget what was recorded so far."""
        self.waves.clear()
        self._since = time.perf_counter()

    def finish(self) -> list[Wave]:
        """The waves, and what the driver did after the last one."""
        return [*self.waves, (time.perf_counter() - self._since, [])]

    @property
    def workers(self) -> int:
        """See `Executor.workers`."""
        return 0

    def publish(self, obj: Any) -> Handle:
        """See `Executor.publish`."""
        return self._inner.publish(obj)

    def release(self, handle: Handle) -> None:
        """See `Executor.release`."""
        self._inner.release(handle)

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[tuple[int, ...], Any]]:
        """See `Executor.run`."""
        listed = list(tasks)
        if not listed:
            return
        wave: list[tuple[int, float]] = []
        self.waves.append((time.perf_counter() - self._since, wave))
        results = self._inner.run(listed)
        for task in listed:
            started = time.perf_counter()
            found = next(results)
            wave.append((task.key[1], time.perf_counter() - started))
            yield found
        self._since = time.perf_counter()

    def together(self, tasks: Sequence[Task]) -> list[Any]:
        """See `Executor.together`."""
        return self._inner.together(tasks)

    def close(self) -> None:
        """See `Executor.close`."""
        self._inner.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def graph_of(waves: Iterable[tuple[float, Sequence[float]]], dispatch: float) -> list[Node]:
    """The graph of a run: waves of the driver's seconds and those of the tasks that it asked for then."""
    graph: list[Node] = []
    last: tuple[int, ...] = ()
    for seconds, tasks in waves:
        graph.append(Node(seconds, last, driver=True))
        sent = len(graph) - 1
        done: list[int] = []
        for each in tasks:
            graph.append(Node(dispatch, (sent,), driver=True))
            sent = len(graph) - 1
            graph.append(Node(each, (sent,)))
            done.append(len(graph) - 1)
        last = tuple(done) or (sent,)
    return graph


def recorded(config: dict[str, Any], iterations: int) -> list[Wave]:
    """The waves of a run on Leduc poker, without its first iteration, in which code is compiled."""
    spec = find_learner(config["id"])
    chosen: NamedSettings = validate(spec.config, config)
    game = eqenvs.make("leduc_poker")
    game.model()
    with Recorder() as executor:
        learner = spec.build(game, chosen, executor)
        state, _ = learner.step(learner.init(np.random.SeedSequence(0)))
        executor.restart()
        for _ in range(iterations):
            state, _ = learner.step(state)
        return executor.finish()


def section(settings: Settings) -> Section:
    """A row per variant."""
    rows = []
    iterations = QUICK_ITERATIONS if settings.quick else ITERATIONS
    for name, config in VARIANTS.items():
        chosen = dict(config)
        if settings.quick and config.get("oracle", {}).get("id") == "policy_gradient":
            chosen["oracle"] = {**config["oracle"], "updates": 1, "num_envs": 2}
        rows.append({"variant": name, "iterations": iterations, **_row(recorded(chosen, iterations))})
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


def _row(waves: list[Wave]) -> Row:
    of_phase = dict.fromkeys((ORACLE_PHASE, PAYOFF_PHASE, MEMBER_PHASE), 0.0)
    for _, tasks in waves:
        for phase, seconds in tasks:
            of_phase[phase] += seconds
    plain = [(before, [seconds for _, seconds in tasks]) for before, tasks in waves]
    graph = graph_of(plain, DISPATCH)
    path = critical_path(graph_of(plain, 0.0))
    spans = {f"on_{count}": makespan(graph, count) for count in WORKERS}
    first, last = spans[f"on_{WORKERS[0]}"], spans[f"on_{WORKERS[-1]}"]
    return {
        "tasks": sum(len(tasks) for _, tasks in waves),
        "driver": sum(before for before, _ in waves),
        "oracles": of_phase[ORACLE_PHASE],
        "cells": of_phase[PAYOFF_PHASE],
        "critical_path": path,
        **spans,
        "speedup": first / last,
        "share_of_path": path / last,
    }

"""Double oracle methods side by side: how far each has come after how much work, on the games of their papers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._games import KUHN, LEDUC, Instance
from eqagents.configuration import validate
from eqagents.distributed import InlineExecutor
from eqagents.learners import find_learner
from eqenvs.game import Game
from eqsolvers.scoring import score

GAMES = (
    KUHN,
    LEDUC,
    Instance("Leduc dummy", "leduc_dummy"),
    Instance("Oshi-Zumo, 4 coins", "oshi_zumo"),
    Instance("sequential Blotto, 20 troops", "sequential_blotto", {"num_troops": 20}),
)
TARGETS = (0.1, 0.01, 0.001)
EXACT = {"oracle": {"id": "exact"}}
METHODS: dict[str, dict[str, Any]] = {
    "PSRO": {"id": "psro", **EXACT},
    "ODO": {"id": "psro", "meta_solver": "online", **EXACT},
    "XODO": {"id": "xdo", "until": {"rule": "iterations", "iterations": 1}, "average_windows": True},
    "XDO": {"id": "xdo"},
    "PDO": {"id": "xdo", "until": {"rule": "iterations", "iterations": 50}},
    "AdaDO": {"id": "xdo", "until": {"rule": "adaptive"}},
    "CFR+": {"id": "tabular", "method": "cfr+", "iterations_per_step": 10},
}


@dataclass(frozen=True)
class Point:
    """A run when it was scored."""

    iteration: int
    exploitability: float
    histories: float
    seconds: float


def section(settings: Settings) -> Section:
    """Histories, iterations and CPU seconds to each exploitability."""
    rows = []
    for instance in GAMES[:1] if settings.quick else GAMES:
        game = eqenvs.make(instance.id, **instance.parameters)
        game.model()
        for method, learner in METHODS.items():
            _run(game, learner, 0.0)  # what is compiled or loaded at first is not the method's
            curve = _run(game, learner, 1.0 if settings.quick else 30.0)
            row: Row = {"game": instance.name, "method": method, "last": curve[-1].exploitability}
            row |= {"iterations": curve[-1].iteration, "seconds": curve[-1].seconds}
            for target in TARGETS:
                reached = next((point for point in curve if point.exploitability <= target), None)
                if reached is not None:
                    row[f"iterations_{target}"] = reached.iteration
                    row[f"histories_{target}"] = reached.histories
                    row[f"seconds_{target}"] = reached.seconds
            rows.append(row)
            settings.say(brief(row))
    columns = {"game": "game", "method": "method"}
    for target in TARGETS:
        columns |= {
            f"iterations_{target}": f"iterations to {target}",
            f"histories_{target}": f"histories to {target}",
            f"seconds_{target}": f"CPU s to {target}",
        }
    return Section(
        id="double_oracle",
        title="Work to an exploitability of .1, .01 and .001",
        columns={**columns, "last": "exploitability at the end", "iterations": "iterations", "seconds": "CPU s"},
        rows=rows,
        notes=(
            "Exact best responses; restricted games by CFR+. Histories are visits of textbook traversals: the whole "
            "tree for every best response and every payoff of two policies, the restricted tree twice for an iteration "
            "of CFR+. A run ends at an exploitability of .001 or after 30 CPU s; models are built before.",
        ),
    )


def _run(game: Game, fields: dict[str, Any], seconds: float) -> list[Point]:
    spec = find_learner(fields["id"])
    learner: Any = spec.build(game, validate(spec.config, fields), InlineExecutor(0))
    histories = float(len(game.model().parent))  # type: ignore[union-attr]
    spent, due = 0.0, 1
    curve: list[Point] = []
    started = time.process_time()
    state = learner.init(np.random.SeedSequence(0))
    spent += time.process_time() - started
    while not curve or spent < seconds:
        started = time.process_time()
        state, metrics = learner.step(state)
        spent += time.process_time() - started
        iteration = learner.iteration(state)
        if iteration < due:
            continue
        due = iteration + 1 + iteration // 20
        visited = metrics.get("samples/histories")
        if visited is None:  # best responses, and the cells of populations that grew by one each
            sizes = [metrics["population/size_0"], metrics["population/size_1"]]
            visited = histories * (2 * iteration + sizes[0] * sizes[1])
        exploitability = score(game, learner.average_policy(state)).exploitability
        curve.append(Point(iteration, exploitability, visited, spent))
        if exploitability <= TARGETS[-1]:
            break
    return curve

"""Seconds to an exploitability: every method of the CFR family, beside the best of the peers."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._games import KUHN, LEDUC, LIARS_DICE, Instance, liars_dice
from eqagents.bench._measure import Step
from eqagents.bench._peers import LiteEFGSolver, OpenSpielSolver, lite_efg, open_spiel
from eqenvs.models import ExtensiveFormModel
from eqenvs.spec import Family
from eqsolvers.extensive_form._regret import RegretMinimiser
from eqsolvers.iterative import run_process
from eqsolvers.result import SolverSpec, Status, solvers

# Exploitability to come down to (NashConv / 2), and iterations between two looks at it of ours.
TARGETS: tuple[tuple[Instance, float, int], ...] = ((LEDUC, 1e-4, 50), (LIARS_DICE, 1e-3, 10))
QUICK: tuple[tuple[Instance, float, int], ...] = ((KUHN, 1e-2, 10), (liars_dice(2), 1e-2, 10))
LITE_EFG_METHODS = ("cfr+", "dcfr", "pcfr+")
REPEATS = 5  # of ours; the median counts
LONGEST = 5.0  # seconds of one method of ours
# The share of our iterations at which a peer is first looked at; OpenSpiel's looks take seconds on liar's dice.
LOOKS_FROM = {"LiteEFG": 0.5, "OpenSpiel": 0.8}
ASKED = 80.0  # times sooner than LiteEFG's CFR+, and than its best


def section(settings: Settings) -> Section:
    """One row per program and method."""
    rows = []
    for game, target, every in QUICK if settings.quick else TARGETS:
        rows += _rows(game, target, every, settings)
    return Section(
        id="target",
        title="CPU seconds to an exploitability (NashConv / 2)",
        columns={
            "game": "game",
            "target": "target",
            "program": "program",
            "method": "method",
            "reached": "reached",
            "iterations": "iterations",
            "seconds": "seconds",
            "setup_seconds": "setup seconds",
            "ratio": "times our best",
            "ratio_same_method": "times our same method",
            "ratio_with_setup": "times our best, with setup",
            "asked": "asked",
        },
        rows=rows,
        notes=(
            f"Ours: median of {REPEATS} runs, looks at the exploitability included (every 50 iterations on Leduc "
            "poker, 10 on liar's dice, 2 % of the iterations done where that is more). Peers: one run, without the "
            "looks, which come every 2 % of the iterations, from half of ours on (OpenSpiel: from four fifths).",
            "The same algorithm need not take the same number of iterations: regrets tie, rounding breaks the ties, "
            "and on Leduc poker the programs part after some hundred iterations, with exploitabilities that go up and "
            "down by a tenth around the target.",
            "Setup is what comes between the built game and the first iteration: ours finds the game's symmetries and "
            "lays it out in vectors; LiteEFG's lays its graph on the game. It can outweigh the solving: ratios with "
            "and without it are given.",
            "LiteEFG's CFR+ and PCFR+ are judged by its linear average, its DCFR by the graph's own. A method that "
            "has taken longer than CFR+ of the same program cannot be its best and is given up; its ratio is a lower "
            "bound then.",
        ),
    )


def _rows(game: Instance, target: float, every: int, settings: Settings) -> list[Row]:
    model = game.model()
    about: Row = {"game": game.name, "target": target}
    rows: list[Row] = []
    for solver in _family(model):
        rows.append(about | {"program": "eqenvs", "method": solver.id} | _ours(solver, model, target, every))
        settings.say(brief(rows[-1]))
    reached = [row for row in rows if row["reached"]]
    best = min(reached, key=lambda row: float(row["seconds"]))
    best_with_setup = min(row["seconds"] + row["setup_seconds"] for row in reached)
    same = {row["method"]: row["seconds"] for row in reached}
    needed = {row["method"]: row["iterations"] for row in reached}
    for program, method, make in _peers(game):
        peer = make()
        # The same algorithm needs about as many iterations everywhere, so looks begin at a share of ours.
        first = max(1, int(LOOKS_FROM[program] * needed.get(method, 1)))
        plus = [row["seconds"] for row in rows if row["program"] == program and row["method"] == "cfr+"]
        limit = plus[0] if plus else math.inf
        row = about | {"program": program, "method": method} | _theirs(peer, target, first, limit)
        rows.append(row | {"setup_seconds": peer.setup_seconds})
        settings.say(brief(rows[-1]))
    for row in rows:
        row["ratio"] = row["seconds"] / best["seconds"]
        if row["program"] != "eqenvs" and row["method"] in same:
            row["ratio_same_method"] = row["seconds"] / same[row["method"]]
        row["ratio_with_setup"] = (row["seconds"] + row["setup_seconds"]) / best_with_setup
        if row["program"] == "LiteEFG" and not settings.quick:
            row["asked"] = ASKED
    return rows


def _family(model: ExtensiveFormModel) -> list[SolverSpec]:
    """Every registered method of the CFR family."""
    found = []
    for solver in solvers(Family.EXTENSIVE_FORM).values():
        if solver.start is not None and solver.concepts == ("nash",) and not solver.options & {"seed"}:
            solver.compile(model)
            if isinstance(solver.start(model), RegretMinimiser):
                found.append(solver)
    return found


def _ours(solver: SolverSpec, model: ExtensiveFormModel, target: float, every: int) -> Row:
    assert solver.start is not None
    setups, runs = [], []
    for _ in range(REPEATS):
        started = time.process_time()
        process = solver.start(model)
        ready = time.process_time()
        looks: list[float] = []
        result = run_process(
            process,
            solver.id,
            tolerance=2 * target,
            iterations=10**9,
            seconds=LONGEST,
            check_every=every,
            on_check=lambda check, looks=looks: looks.append(time.process_time()),  # type: ignore[misc]
        )
        setups.append(ready - started)
        runs.append(looks[-1] - ready)
        if result.status is not Status.CONVERGED:
            break
    return {
        "reached": result.status is Status.CONVERGED,
        "iterations": result.iterations,
        "exploitability": result.residual / 2,
        "seconds": statistics.median(runs),
        "setup_seconds": statistics.median(setups),
    }


def _peers(game: Instance) -> list[tuple[str, str, Callable[[], Any]]]:
    """Program, method and constructor of every peer."""
    found: list[tuple[str, str, Callable[[], Any]]] = []
    if lite_efg():
        found += [("LiteEFG", method, _lite_efg(game.peer, method)) for method in LITE_EFG_METHODS]
    if open_spiel():
        found.append(("OpenSpiel", "cfr+", lambda: OpenSpielSolver(game.peer)))
    return found


def _lite_efg(name: str, method: str) -> Callable[[], LiteEFGSolver]:
    return lambda: LiteEFGSolver(name, method)


def _theirs(peer: Any, target: float, first: int, limit: float) -> Row:
    """Run a peer until a look finds it at the target, or until it has taken `limit` seconds."""
    run: Step = peer.run
    done, spent, following, gap = 0, 0.0, first, math.inf
    while gap > target and spent <= limit:
        started = time.process_time()
        run(following - done)
        spent += time.process_time() - started
        done, gap = following, peer.exploitability()
        following = done + max(1, done // 50)
    return {"reached": gap <= target, "iterations": done, "exploitability": gap, "seconds": spent}

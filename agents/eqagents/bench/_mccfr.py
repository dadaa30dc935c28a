"""Monte Carlo CFR: iterations a second beside OpenSpiel and LiteEFG, and how far they get in a fixed time."""

from __future__ import annotations

import statistics
import time

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._games import KUHN, LEDUC, LIARS_DICE, Instance
from eqagents.bench._measure import Step, chunk_for, medians, paired, ratios
from eqagents.bench._peers import LiteEFGSolver, lite_efg, open_spiel
from eqsolvers.extensive_form import es_mccfr, os_mccfr
from eqsolvers.result import SolverSpec

SOLVERS = (es_mccfr.SOLVER, os_mccfr.SOLVER)
VARIANTS = ({"regrets": "cfr", "averaging": "uniform"}, {"regrets": "cfr+", "averaging": "linear"})
BASELINES = ("none", "infoset", "learned", "predictive")
REACH_SECONDS = 0.3  # of each run of the second table
SEEDS = 3
BETWEEN_LOOKS = 2_000  # iterations between two looks at the clock
LITE_EFG = {"es-mccfr": ("cfr", "External"), "os-mccfr": ("os-mccfr", "Outcome")}


def section(settings: Settings) -> Section:
    """One row per game and method."""
    rows = []
    for game in (KUHN,) if settings.quick else (KUHN, LEDUC, LIARS_DICE):
        for solver in SOLVERS:
            rows.append(_row(game, solver, settings))
            settings.say(brief(rows[-1]))
    return Section(
        id="mccfr",
        title="Iterations of Monte Carlo CFR a second; an iteration is one traversal per player",
        columns={
            "game": "game",
            "method": "method",
            "eqenvs_per_second": "eqenvs",
            "nanoseconds_per_history": "ns a history",
            "open_spiel_per_second": "OpenSpiel",
            "ratio_open_spiel": "times faster",
            "lite_efg_per_second": "LiteEFG",
            "ratio_lite_efg": "times faster",
            "lite_efg_regrets_per_second": "LiteEFG, no average",
            "ratio_lite_efg_regrets": "times faster",
        },
        rows=rows,
        notes=(
            "OpenSpiel's external sampling solver counts iterations as we do; its outcome sampling solver plays for "
            "one player a call, so that two calls are an iteration. LiteEFG updates both players in one call; its own "
            "training loop also brings the average up to date by a pass over the whole game after every iteration. "
            "Only with it is there an average policy, as ours and OpenSpiel's figures include; its regret updates "
            "alone stand beside it.",
        ),
    )


def _row(game: Instance, solver: SolverSpec, settings: Settings) -> Row:
    model = game.model()
    assert solver.start is not None
    solver.compile(model)
    ours = solver.start(model, seed=0)
    contestants: dict[str, Step | None] = {"eqenvs": ours.run, "open_spiel": _open_spiel(game.peer, solver.id)}
    if lite_efg():
        method, traversal = LITE_EFG[solver.id]
        for name, average in (("lite_efg", True), ("lite_efg_regrets", False)):
            contestants[name] = LiteEFGSolver(game.peer, method, traversal=traversal, average=average).run
    measured = paired(contestants, settings)
    row: Row = {"game": game.name, "parameters": game.parameters, "method": solver.id}
    row |= {f"{name}_per_second": 1 / seconds for name, seconds in medians(measured).items()}
    row |= ratios(measured)
    chunk = chunk_for(ours.run, settings.seconds)
    before, started = ours.touched, time.process_time()
    ours.run(chunk)
    row["nanoseconds_per_history"] = 1e9 * (time.process_time() - started) / (ours.touched - before)
    return row


def _open_spiel(name: str, method: str) -> Step | None:
    spiel = open_spiel()
    if spiel is None:
        return None
    made = {"es-mccfr": "ExternalSamplingMCCFRSolver", "os-mccfr": "OutcomeSamplingMCCFRSolver"}
    solver = getattr(spiel, made[method])(spiel.load_game(name))
    calls = 2 if method == "os-mccfr" else 1

    def step(iterations: int) -> None:
        for _ in range(calls * iterations):
            solver.run_iteration()

    return step


def reached(settings: Settings) -> Section:
    """Exploitability after a fixed time of iterations, with each kind of baselines; medians over seeds."""
    game = KUHN if settings.quick else LEDUC
    budget, seeds = (0.01, 1) if settings.quick else (REACH_SECONDS, SEEDS)
    model = game.model()
    rows = []
    for solver in SOLVERS:
        assert solver.start is not None
        solver.compile(model)
        for variant in VARIANTS:
            for baseline in BASELINES:
                gaps, counts = [], []
                for seed in range(seeds):
                    process = solver.start(model, seed=seed, settings=variant | {"baseline": baseline})
                    started = time.process_time()
                    while time.process_time() - started < budget:
                        process.run(BETWEEN_LOOKS)
                    gaps.append(process.residual() / 2)
                    counts.append(process.iteration)
                row: Row = {"game": game.name, "method": solver.id, **variant, "baseline": baseline}
                row |= {"seconds": budget, "iterations": int(statistics.median(counts))}
                rows.append(row | {"exploitability": statistics.median(gaps)})
                settings.say(brief(rows[-1]))
    return Section(
        id="mccfr_reached",
        title=f"Exploitability (NashConv / 2) of Monte Carlo CFR after {budget} CPU seconds of iterations",
        columns={
            "game": "game",
            "method": "method",
            "regrets": "regrets",
            "averaging": "averaging",
            "baseline": "baseline",
            "iterations": "iterations",
            "exploitability": "exploitability",
        },
        rows=rows,
        notes=(f"Exact scores, medians over {seeds} seeds; iterations depend on the machine.",),
    )

"""Iterations a second of the CFR family, beside OpenSpiel and LiteEFG."""

from __future__ import annotations

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._games import ALL, BATTLESHIP, KUHN, LEDUC, Instance
from eqagents.bench._measure import Step, medians, paired, ratios
from eqagents.bench._peers import LiteEFGSolver, OpenSpielSolver, lite_efg, open_spiel
from eqenvs.spec import Family
from eqsolvers.result import find_solver

METHODS = ("cfr+", "pcfr+", "dcfr")
# What was asked for: how many times faster than OpenSpiel and than LiteEFG.
ASKED: dict[str, tuple[float | None, float]] = {game.name: (400.0, 80.0) for game in ALL}
ASKED |= {KUHN.name: (None, 25.0), BATTLESHIP.name: (None, 25.0)}
# LiteEFG's README, on a 13th generation Intel Core i7-13700K: 100,000 iterations of CFR on Leduc poker in 10 s.
QUOTED = 100_000 / 10


def section(settings: Settings) -> Section:
    """Every method on every game."""
    games = (KUHN, LEDUC) if settings.quick else ALL
    pairs = [(game, method) for game in games for method in METHODS]
    if not settings.quick:
        pairs.insert(pairs.index((LEDUC, METHODS[0])), (LEDUC, "cfr"))
    rows = []
    for game, method in pairs:
        rows.append(_row(game, method, settings))
        settings.say(brief(rows[-1]))
    quoted = ""
    for row in rows:
        if row["method"] == "cfr":
            row["lite_efg_quoted_per_second"] = QUOTED
            here = row.get("lite_efg_per_second")
            measured = "" if here is None else f"; the installed build does {here:,.0f} here"
            times = row["eqenvs_per_second"] / QUOTED
            quoted = (
                f"LiteEFG's README gives 100,000 iterations of CFR on Leduc poker in 10 s on an Intel i7-13700K, "
                f"{QUOTED:,.0f} a second{measured}. Ours here are {times:.3g} times the figure of that README."
            )
    return Section(
        id="iterations",
        title="Iterations a second, alternating updates, with the average policy kept",
        columns={
            "game": "game",
            "method": "method",
            "eqenvs_per_second": "eqenvs",
            "open_spiel_per_second": "OpenSpiel",
            "ratio_open_spiel": "times faster",
            "asked_open_spiel": "asked",
            "lite_efg_per_second": "LiteEFG",
            "ratio_lite_efg": "times faster",
            "asked_lite_efg": "asked",
        },
        rows=rows,
        notes=(
            "OpenSpiel's C++ solvers have CFR and CFR+ only, of which CFR+ is measured. LiteEFG is stepped as in its "
            "own training loop, but for its DCFR, which keeps an average of its own and is spared a second one.",
            *([quoted] if quoted else []),
        ),
    )


def _row(game: Instance, method: str, settings: Settings) -> Row:
    model = game.model()
    solver = find_solver(Family.EXTENSIVE_FORM, "nash", method)
    assert solver.start is not None
    solver.compile(model)
    contestants: dict[str, Step | None] = {
        "eqenvs": solver.start(model).run,
        "open_spiel": OpenSpielSolver(game.peer).run if open_spiel() and method == "cfr+" else None,
        "lite_efg": LiteEFGSolver(game.peer, method).run if lite_efg() else None,
    }
    measured = paired(contestants, settings)
    row: Row = {"game": game.name, "parameters": game.parameters, "method": method}
    row |= {f"{name}_per_second": 1 / seconds for name, seconds in medians(measured).items()}
    row |= ratios(measured)
    for name, asked in zip(("open_spiel", "lite_efg"), ASKED[game.name], strict=True):
        if f"ratio_{name}" in row and asked is not None and method in METHODS:
            row[f"asked_{name}"] = asked
    return row

"""Seconds from the rules of a game to its exact model, and from there to a solver's first iteration."""

from __future__ import annotations

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._games import ALL, KUHN, Instance
from eqagents.bench._measure import medians, paired, seconds_of
from eqagents.bench._peers import LiteEFGSolver, lite_efg, lite_efg_game
from eqsolvers.extensive_form._regret import RegretMinimiser
from eqsolvers.extensive_form.cfr_plus import schedule

LONG = 1.0  # seconds of a peer's construction from which on once is enough


def section(settings: Settings) -> Section:
    """One row per game."""
    rows = []
    for game in (KUHN,) if settings.quick else ALL:
        rows.append(_row(game, settings))
        settings.say(brief(rows[-1]))
    return Section(
        id="building",
        title="CPU seconds to build a game from its rules",
        columns={
            "game": "game",
            "histories": "histories",
            "eqenvs_seconds": "eqenvs",
            "lite_efg_seconds": "LiteEFG",
            "ratio_lite_efg": "times faster",
            "eqenvs_setup_seconds": "our solver's setup",
            "lite_efg_setup_seconds": "LiteEFG's graph",
            "ratio_with_setup": "times faster with setup",
        },
        rows=rows,
        notes=(
            "Ours: enumeration of the rules to the flat tree and the sequence form. LiteEFG: its OpenSpielEnv from "
            "OpenSpiel's rules, nothing taken from its store of games.",
            "A solver's setup is what it does with the built game before its first iteration: ours reduces the game by "
            "its symmetries and lays it out in vectors, once for a game however many iterations follow.",
        ),
    )


def _row(game: Instance, settings: Settings) -> Row:
    model = game.model()

    def build(times: int) -> None:
        for _ in range(times):
            game.model()

    def set_up(times: int) -> None:
        for _ in range(times):
            RegretMinimiser(model, schedule())

    measured = paired({"eqenvs": build, "eqenvs_setup": set_up}, settings)
    if lite_efg():
        # Seconds each: a slice is one construction, and one slice is enough where it is long.
        once = seconds_of(lambda: lite_efg_game(game.peer))
        rounds = 1 if once > LONG or settings.quick else settings.rounds
        again = [seconds_of(lambda: lite_efg_game(game.peer)) for _ in range(rounds - 1)]
        measured["lite_efg"] = [once, *again]
        solver = LiteEFGSolver(game.peer, "cfr+")
        measured["lite_efg_setup"] = [solver.setup_seconds]
    found = medians(measured)
    row: Row = {"game": game.name, "parameters": game.parameters, "histories": len(model.parent)}
    row |= {f"{name}_seconds": seconds for name, seconds in found.items()}
    if "lite_efg" in found:
        row["ratio_lite_efg"] = found["lite_efg"] / found["eqenvs"]
        theirs, ours = (found[name] + found[f"{name}_setup"] for name in ("lite_efg", "eqenvs"))
        row["ratio_with_setup"] = theirs / ours
    return row

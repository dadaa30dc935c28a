"""Milliseconds of an exploitability evaluation and of an iteration, beside OpenSpiel and MFGLib, and their figures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from functools import partial

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._measure import Step, medians, paired, ratios, seconds_of
from eqagents.bench._mf_peers import CROWD, INSTANCES, METHODS, SIS, Instance, Program, Run, absent, one_thread

PATIENCE = 5.0  # seconds: a call that takes longer is measured once
NAMES = {"eqenvs": "eqenvs", "open_spiel": "OpenSpiel", "mfglib": "MFGLib"}


def section(settings: Settings) -> Section:
    """Three rows per game: an evaluation of the uniform policy, fictitious play, mirror descent."""
    rows: list[Row] = []
    with one_thread():
        for game in (SIS, CROWD) if settings.quick else INSTANCES:
            for row in _rows(game, settings):
                rows.append(row)
                settings.say(brief(row))
    return Section(
        id="iterations",
        title="CPU milliseconds of an evaluation and of one iteration",
        columns={
            "game": "game",
            "work": "work",
            **{f"{key}_ms": f"{name}, ms" for key, name in NAMES.items()},
            "ratio_open_spiel": "OpenSpiel / eqenvs",
            "ratio_mfglib": "MFGLib / eqenvs",
            "same_game": "same game",
            **{f"{key}_nash_conv": f"NashConv, {name}" for key, name in NAMES.items()},
        },
        rows=rows,
        notes=(
            "NashConv of the uniform policy, and after one iteration from it, by each program's own evaluator; mirror "
            "descent with eta 0.1.",
            "OpenSpiel: its algorithms are Python; four rooms and the 2-D crowd are its C++ games, the others Python "
            "ones. MFGLib: torch in single precision, its environments as they come.",
            "Where the figures differ the games do: OpenSpiel's evaluator keeps one value for each place and time of "
            "the 2-D crowd, the linear-quadratic game and periodic aversion, whatever the last move was and cost. "
            "Places, times and passes are as many. On four rooms fictitious play has ties, which are broken otherwise.",
            "OpenSpiel's mirror descent reads its policy from the sums while it adds to them: its first iteration is "
            "the textbook's, later ones are not, and are as long.",
            f"A call of a peer that takes over {PATIENCE:g} seconds is measured once.",
            *absent(),
        ),
    )


def _rows(game: Instance, settings: Settings) -> list[Row]:
    programs = game.programs()
    rows = [_row(game, "evaluation", {name: _evaluation(program) for name, program in programs.items()}, settings)]
    rows[0] |= {f"{name}_nash_conv": program.uniform() for name, program in programs.items()}
    for method in METHODS:
        runs = {name: program.start(method) for name, program in programs.items()}
        # The figure is of the first iteration, which is run off the clock: it may build what later ones keep.
        for run in runs.values():
            run.run(1)
        found = {f"{name}_nash_conv": run.nash_conv() for name, run in runs.items()}
        rows.append(_row(game, method, {name: _step(run) for name, run in runs.items()}, settings) | found)
    return rows


def _evaluation(program: Program) -> Step:
    def repeat(times: int) -> None:
        for _ in range(times):
            program.uniform()

    return repeat


def _step(run: Run) -> Step:
    return run.run


def _row(game: Instance, work: str, contestants: Mapping[str, Step], settings: Settings) -> Row:
    once = {name: seconds_of(partial(step, 1)) for name, step in contestants.items() if name != "eqenvs"}
    slow = {name: seconds for name, seconds in once.items() if seconds > PATIENCE}
    measured = paired({name: step for name, step in contestants.items() if name not in slow}, settings)
    found = medians(measured) | slow
    row: Row = {"game": game.name, "parameters": game.parameters, "work": work, "same_game": game.same}
    row |= {f"{name}_ms": 1e3 * seconds for name, seconds in found.items()} | ratios(measured)
    mine = statistics.median(measured["eqenvs"])
    return row | {f"ratio_{name}": seconds / mine for name, seconds in slow.items()}

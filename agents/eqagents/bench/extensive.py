"""Two-player zero-sum extensive-form games on a CPU, in one thread, beside OpenSpiel (C++) and LiteEFG (C++).

Every contestant runs in this process. Rates are medians over paired slices, one of ours, one of each peer's, and again,
and ratios are taken within a round; so what else the machine does falls on all of them. Compilation comes before and is
stated apart.
"""

from __future__ import annotations

import gc
from functools import partial

from eqagents.bench import (
    Benchmark,
    Section,
    Settings,
    _building,
    _iterations,
    _limit,
    _mccfr,
    _nash_conv,
    _scaling,
    _target,
    brief,
)
from eqagents.bench._games import KUHN
from eqagents.bench._measure import seconds_of
from eqagents.bench._peers import absent
from eqsolvers.extensive_form import cfr_plus, es_mccfr, os_mccfr
from eqsolvers.scoring import warm_up

SECTIONS = (
    _iterations.section,
    _target.section,
    _nash_conv.section,
    _mccfr.section,
    _mccfr.reached,
    _building.section,
    _limit.section,
    _scaling.section,
)


def run(settings: Settings) -> list[Section]:
    """All sections, the compilation first."""
    found = [_compile(settings)]
    for section in SECTIONS:
        gc.collect()
        found.append(section(settings))
    return found


def _compile(settings: Settings) -> Section:
    model = KUHN.model()
    solvers = (cfr_plus.SOLVER, es_mccfr.SOLVER, os_mccfr.SOLVER)
    rows = [{"kernels": solver.id, "seconds": seconds_of(partial(solver.compile, model))} for solver in solvers]
    rows.append({"kernels": "scores", "seconds": seconds_of(lambda: warm_up(model))})
    for row in rows:
        settings.say(brief(row))
    return Section(
        id="compile",
        title="CPU seconds to have the kernels ready, before any clock below starts",
        columns={"kernels": "kernels", "seconds": "seconds"},
        rows=rows,
        notes=(
            "Compiled on the first use after installation, later read from the disk. cfr+: the whole CFR family.",
            *absent(),
        ),
    )


BENCHMARK = Benchmark(
    id="extensive",
    title="extensive-form games: solvers, scores and model building in one thread, beside OpenSpiel and LiteEFG",
    run=run,
)

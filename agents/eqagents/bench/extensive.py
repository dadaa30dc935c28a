"""Two-player zero-sum extensive-form games on a CPU, in one thread, beside OpenSpiel (C++) and LiteEFG (C++).

Every contestant runs in this process. Rates are medians over paired slices, one of ours, one of each peer's, and again,
and ratios are taken within a round; so what else the machine does falls on all of them. Compilation comes before and is
stated apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eqagents.bench import (
    Benchmark,
    _building,
    _iterations,
    _limit,
    _mccfr,
    _nash_conv,
    _phantom,
    _scaling,
    _target,
)
from eqagents.bench._games import KUHN
from eqagents.bench._peers import absent
from eqsolvers.extensive_form import cfr_plus, es_mccfr, os_mccfr
from eqsolvers.scoring import warm_up

SOLVERS = (cfr_plus.SOLVER, es_mccfr.SOLVER, os_mccfr.SOLVER)


def _on_kuhn(ready: Callable[[Any], object]) -> Callable[[], object]:
    return lambda: ready(KUHN.model())


BENCHMARK = Benchmark(
    id="extensive",
    title="extensive-form games: solvers, scores and model building in one thread, beside OpenSpiel and LiteEFG",
    sections=(
        _iterations.section,
        _target.section,
        _nash_conv.section,
        _mccfr.section,
        _mccfr.reached,
        _building.section,
        _limit.section,
        _scaling.section,
        _phantom.section,
    ),
    kernels={**{solver.id: _on_kuhn(solver.compile) for solver in SOLVERS}, "scores": _on_kuhn(warm_up)},
    notes=lambda: ("cfr+: the whole CFR family.", *absent()),
)

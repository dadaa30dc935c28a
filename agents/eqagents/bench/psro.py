"""PSRO: seconds to an exploitability, meta-solvers on large empirical games, and its tasks on many workers."""

from __future__ import annotations

from eqagents.bench import Benchmark, _double_oracle, _psro_fill, _psro_gini, _psro_schedule, _psro_targets

BENCHMARK = Benchmark(
    id="psro",
    title="PSRO and its relatives: to an exploitability, maximum Gini equilibria, payoff tasks on workers",
    sections=(
        _psro_targets.section,
        _double_oracle.section,
        _psro_gini.section,
        _psro_fill.section,
        _psro_schedule.section,
    ),
)

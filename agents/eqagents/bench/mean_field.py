"""Mean-field games, in one thread: passes and iterations beside OpenSpiel and MFGLib, agents, a large grid, curves."""

from __future__ import annotations

from functools import partial

from eqagents.bench import Benchmark, _mf_agents, _mf_batched, _mf_curves, _mf_iterations, _mf_large, _mf_peers
from eqsolvers.mean_field import fictitious_play, omd
from eqsolvers.result import SolverSpec

SOLVERS = [module.SOLVER for module in (fictitious_play, omd)]


def compile_for_sis(solver: SolverSpec) -> None:
    """Compile a solver's passes, which are the same for every game."""
    solver.compile(_mf_peers.model_of("sis"))


BENCHMARK = Benchmark(
    id="mean_field",
    title="mean-field games: iterations beside OpenSpiel and MFGLib, N agents, a large grid, all solvers' curves",
    sections=(
        _mf_iterations.section,
        _mf_agents.section,
        _mf_large.section,
        _mf_curves.section,
        _mf_batched.section,
    ),
    kernels={solver.id: partial(compile_for_sis, solver) for solver in SOLVERS},
)

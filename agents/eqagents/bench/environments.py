"""Environments: steps a second of one game and of many, beside PettingZoo, OpenSpiel and Pgx."""

from __future__ import annotations

from eqagents.bench import Benchmark, _env_batched, _env_single

BENCHMARK = Benchmark(
    id="environments",
    title="Environments: steps a second of one game and of many",
    sections=(_env_single.section, _env_batched.section),
)

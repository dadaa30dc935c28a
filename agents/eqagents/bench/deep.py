"""Learning with networks: how tight learned best responses are."""

from __future__ import annotations

from eqagents.bench import Benchmark, _approximate_br

BENCHMARK = Benchmark(
    id="deep",
    title="Learning with networks: learned best responses beside exact ones",
    sections=(_approximate_br.section,),
)

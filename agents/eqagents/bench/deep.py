"""Learning with networks: exact curves, samples a second, workers, and how tight learned best responses are."""

from __future__ import annotations

from eqagents.bench import Benchmark, _approximate_br, _deep_curves, _deep_training, _deep_workers

BENCHMARK = Benchmark(
    id="deep",
    title="Learning with networks: samples a second, workers, curves, learned best responses beside exact ones",
    sections=(
        _deep_training.section,
        _deep_training.batches,
        _deep_workers.section,
        _deep_curves.section,
        _approximate_br.section,
    ),
)

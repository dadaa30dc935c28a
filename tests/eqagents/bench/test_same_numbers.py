"""The comparison of runs sees what differs, and finds nothing where nothing may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eqagents.bench import _same_numbers
from eqagents.bench._faults_cases import CASES, Case
from eqagents.bench._same_numbers import HASH_SEEDS, plan, run, section

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_run_more_than_once(case: Case) -> None:
    runs = plan(case)
    assert len(set(runs)) == len(runs) >= 2
    assert len({seed for _, seed in runs}) == len(HASH_SEEDS)
    if case.workers:
        assert {1, 2, 8} <= {workers for workers, _ in runs}


@pytest.mark.slow
def test_hash_seeds_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_same_numbers, "HASH_SEEDS", ("0", "4242"))
    found = section(["tabular, sampled"])
    assert [row["differing"] for row in found.rows] == ["nothing"]
    assert found.rows[0]["runs"] == 2


@pytest.mark.slow
def test_what_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def seeded(case: Case, workers: int, hash_seed: str, directory: Path) -> _same_numbers.Result:
        return run(Case(case.name, {**case.config, "seed": len(hash_seed)}), workers, hash_seed, directory)

    monkeypatch.setattr(_same_numbers, "HASH_SEEDS", ("0", "4242"))
    monkeypatch.setattr(_same_numbers, "run", seeded)
    assert section(["tabular, sampled"]).rows[0]["differing"] == "metrics, score, state"

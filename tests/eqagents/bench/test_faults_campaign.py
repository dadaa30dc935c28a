"""The fault campaign: it covers every learner, its faults happen, and it sees what is wrong."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from eqagents.bench import _faults_campaign as campaigns
from eqagents.bench import _faults_cases as listed
from eqagents.bench._faults_campaign import AT_ONCE, CLUSTERS, Campaign, planned
from eqagents.bench._faults_forks import Forks
from eqagents.bench._faults_kinds import KINDS, Kind, Scene, checkpoint_flipped, killed
from eqagents.bench._faults_processes import Driver
from eqagents.bench._faults_trial import Reference, reference, trial
from eqagents.training.config import parse_config
from eqenvs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize("case", listed.CASES, ids=lambda case: case.name)
def test_every_case_is_a_run(case: listed.Case) -> None:
    config = parse_config(case.config)
    assert config.stop.seconds is None  # such a run's end is up to the clock
    assert case.inline or case.workers


def test_every_learner_has_a_case(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(listed.cases()) == len({case.name for case in listed.CASES})
    assert {case.name for case in listed.cases(["psro"])} > {"xdo", "psro, pipeline"}  # a family
    monkeypatch.setattr(listed, "CASES", tuple(case for case in listed.CASES if case.learner != "nfsp"))
    with pytest.raises(InputError, match="no case for learner 'nfsp'"):
        listed.cases()
    monkeypatch.undo()
    with pytest.raises(InputError, match="--family 'pso': there are"):
        listed.cases(["pso"])


def test_the_plan_brings_every_kind_to_every_case() -> None:
    chosen, met = listed.cases(), set()
    plan = planned(chosen, np.random.default_rng(0))
    for _ in range(len(chosen) * 2 * 4):
        case, kinds = next(plan)
        assert len({kind.on for kind in kinds}) == 1
        assert len(kinds) <= AT_ONCE
        met |= {(case.name, kind.name) for kind in kinds}
    for kind in KINDS:
        names = {case.name for case in chosen if kind.on != "driver" or case.inline}
        names = {name for name in names if kind.on != "workers" or next(c for c in chosen if c.name == name).workers}
        assert {name for name, what in met if what == kind.name} == (
            set(CLUSTERS) if kind.on == "cluster" else names
        ), kind.name


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    kept = Forks()
    yield kept
    kept.close()


CASE = listed.Case("tabular", {**listed.CASES[0].config, "iterations": 20})


@pytest.fixture(scope="module")
def undisturbed(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return reference(CASE, tmp_path_factory.mktemp("whole") / "place", forks)


@pytest.mark.slow
def test_killed_run_ends_like_the_undisturbed_one(forks: Forks, undisturbed: Reference, tmp_path: Path) -> None:
    kinds = [Kind("driver killed", killed), Kind("newest checkpoint: a bit flipped", checkpoint_flipped)]
    found = trial(CASE, kinds, undisturbed, tmp_path / "place", np.random.default_rng(1), forks)
    assert found.wrong == []
    assert found.equal
    assert found.resumes >= len(found.faults) >= 1


@pytest.mark.slow
def test_another_result_is_seen(forks: Forks, undisturbed: Reference, tmp_path: Path) -> None:
    row = undisturbed.result.metrics[-1]
    metrics: list[dict[str, Any]] = [*undisturbed.result.metrics[:-1], row | {"score/welfare": 1e-17}]
    other = replace(undisturbed, result=replace(undisturbed.result, metrics=metrics))

    def leaves_something(scene: Scene) -> bool:
        if not killed(scene):
            return False
        (scene.run / "journal.sqlite-left").touch()
        return True

    kinds = [Kind("driver killed", leaves_something)]
    found = trial(CASE, kinds, other, tmp_path / "place", np.random.default_rng(2), forks)
    assert len(found.faults) == 1
    assert not found.equal
    assert found.wrong == [
        "metrics differs from the undisturbed run's",
        "left in the run's directory: journal.sqlite-left",
    ]


def test_process_that_is_left_is_seen_and_ended(forks: Forks, undisturbed: Reference, tmp_path: Path) -> None:
    driver = Driver(["games"], tmp_path / "run", tmp_path / "said", {}, forks)
    name, _, value = driver._mark.partition("=")
    driver.wait()
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={name: value})
    assert driver.left(patience=0.1) == [f"process left: {sys.executable} -c import time; time.sleep(60)"[:74]]
    assert sleeper.wait(10) == -9
    assert driver.left(patience=0.1) == []


@pytest.mark.slow
def test_campaign_counts_its_faults_in_tables(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "cases", lambda names: [CASE])
    said: list[str] = []
    campaign = Campaign(1, 3, on=["driver"], forks=forks, say=said.append)
    trials = campaign.run()
    assert campaign.faults >= 1
    assert all(each.equal and not each.wrong for each in trials), said
    by_case, by_kind = campaign.sections()
    assert sum(row["faults"] for row in by_case.rows) == campaign.faults
    assert sum(row["faults"] for row in by_kind.rows) == campaign.faults

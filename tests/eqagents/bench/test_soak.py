"""The soak: it sees what grows, and the share of a run that goes into checkpoints."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from eqagents.bench import _soak as soaks
from eqagents.bench._soak import MIB, Soaked, count_rows, memory_rows, sections, slope, soak
from eqagents.bench._soak_overhead import CONFIGS, overhead
from eqagents.bench._soak_samples import Sample, family, named, object_store, sample
from eqagents.learners.deep._replay import _Store
from eqagents.training.config import load_config, parse_config
from eqagents.training.run import train

if TYPE_CHECKING:
    from pathlib import Path

    from eqagents.training.progress import Progress


def test_slope_is_that_of_the_line_and_noise_widens_its_interval() -> None:
    seconds = np.arange(0.0, 900.0, 3.0)
    noise = np.random.default_rng(0).normal(size=seconds.size)
    exact = slope(seconds, 100 + 40 * seconds / 3600)
    noisy = slope(seconds, 100 + 40 * seconds / 3600 + noise)
    assert exact is not None
    assert noisy is not None
    assert exact.value == pytest.approx(40)
    assert exact.high - exact.low < 1e-6
    assert 0.5 < noisy.high - noisy.low < 5
    assert noisy.value == pytest.approx(40, abs=2)
    assert slope(seconds[:29], seconds[:29]) is None  # fewer than three a block


def test_interval_of_the_slope_covers_it_where_samples_are_alike() -> None:
    """Of noise that remembers, an interval from single samples would be several times too narrow."""
    rng, seconds, covered = np.random.default_rng(1), np.arange(0.0, 900.0, 3.0), 0
    for _ in range(200):
        noise = np.zeros(seconds.size)
        for k in range(1, seconds.size):
            noise[k] = 0.7 * noise[k - 1] + rng.normal()
        found = slope(seconds, noise)
        assert found is not None
        covered += found.low <= 0 <= found.high
    assert 175 <= covered <= 200  # 95 % of 200, and four standard deviations below


def soaked(growth: float) -> Soaked:
    samples = [Sample(float(t), int((200 + growth * t / 3600) * MIB), 0, 0, 5, 2) for t in range(0, 1800, 3)]
    return Soaked("run", None, {"driver": samples})  # type: ignore[arg-type]


def test_what_grows_is_not_flat() -> None:
    (grown,), (flat,) = memory_rows(soaked(40.0)), memory_rows(soaked(1.0))
    assert (grown["flat"], flat["flat"]) == (False, True)
    assert grown["slope"] == pytest.approx(40, abs=0.01)
    assert flat["end"] - flat["half"] == pytest.approx(0.25 * 0.9, abs=0.01)  # ten blocks


def test_counts_that_grow_are_not_flat() -> None:
    steady = [(float(t), 300 + t % 7) for t in range(400)]
    rising = [(float(t), 300 + t // 4) for t in range(400)]
    rows = count_rows("run", {"threads": steady, "open files": rising, soaks.SIZE: rising})
    assert [row["flat"] for row in rows] == [True, False, None]


def test_a_process_is_measured_with_its_children() -> None:
    code = (
        "import threading, time; x = bytearray(50_000_000); f = open('/dev/null'); print(1, flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        found = sample(child.pid, 1.5)
        assert found is not None
        assert 50_000_000 < found.uss <= found.pss <= found.rss < 200_000_000
        assert found.threads == 1
        assert found.files >= 4
        assert child.pid in family(os.getpid())
        assert named([child.pid]) == {"other processes": [child.pid]}
        assert object_store([child.pid]) == 0
    finally:
        child.kill()
        child.wait()
    assert sample(child.pid, 0.0) is None


QUICK_RUN: dict[str, Any] = {
    "game": {"id": "kuhn_poker"},
    "learner": {"id": "tabular", "method": "cfr+"},
    "iterations": 10**9,
    "checkpoint": {"every": 20},
}


@pytest.mark.slow
def test_a_soak_samples_a_run_and_ends_it(tmp_path: Path) -> None:
    found, shared = soak(0.07, tmp_path, {"tabular": QUICK_RUN}, every=0.1)
    (run,) = found
    assert run.left == []  # it ended as it was told to
    assert list(run.samples) == ["driver"]
    assert len(run.samples["driver"]) == len(shared) >= 2
    memory, counts, work = sections(found, shared, 0.07)
    assert memory.rows[0]["end"] > 50
    assert {row["what"] for row in counts.rows} > {"open files", "threads", "processes", soaks.SIZE}
    assert work.rows[0]["iterations"] > 0


@pytest.mark.slow
def test_a_run_that_ends_by_itself_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="short ended: "):
        soak(1.0, tmp_path, {"short": {**QUICK_RUN, "iterations": 3}}, every=0.1)


def test_the_runs_of_the_soak_are_configurations_without_an_end() -> None:
    for config in soaks.RUNS.values():
        parsed = parse_config(config)
        assert parsed.iterations == 10**9
        assert parsed.stop == type(parsed.stop)()


def test_a_run_holds_no_state_but_its_last(tmp_path: Path) -> None:
    """A memory of experience keeps all that it replaced since the earliest state that lives."""
    learner = {"id": "nfsp", "play": {"num_envs": 8, "steps": 4}, "network": {"hidden": [8]}, "reservoir": 100}
    alive = []

    def look(progress: Progress) -> None:
        if progress.iteration in (3, 9):
            gc.collect()
            alive.append(sum(isinstance(each, _Store) for each in gc.get_objects()))

    config = {"game": {"id": "kuhn_poker"}, "learner": learner, "iterations": 9, "score": {"every": 9}}
    train(parse_config(config), tmp_path / "run", look)
    assert alive[0] == alive[1] <= 8  # two memories of each player, of the state before and the one after


def test_overhead_is_measured_with_the_default_cadence(pytestconfig: pytest.Config) -> None:
    configs = pytestconfig.rootpath / "configs"
    for name, overrides in CONFIGS.items():
        load_config(configs / f"{name}.yaml", overrides)
    row = overhead(configs / "psro_kuhn.yaml", (), seconds=0.5)
    assert row["seconds"] >= 0.5
    assert 1 <= row["checkpoints"] <= row["iterations"]
    assert 0 < row["wall"] < 100
    assert 0 < row["cpu"] < 100
    assert row["within"] == (row["wall"] < 3)

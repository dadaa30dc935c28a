"""A sweep is one run for each combination, and a trial that dies gives the numbers that it would have given."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from eqagents.training.config import load_config
from eqagents.training.metrics import read_metrics
from eqagents.training.run import train

pytestmark = pytest.mark.skipif(
    None in map(importlib.util.find_spec, ("pandas", "pyarrow", "tensorboardX")), reason="Ray Tune needs ray[tune]"
)
ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "psro_kuhn.yaml"


def example():
    spec = importlib.util.spec_from_file_location("tune_sweep", ROOT / "examples" / "tune_sweep.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)  # not known by name: its functions are sent to workers whole
    return module


def numbers(run):
    return [{k: v for k, v in row.items() if not k.startswith(("time", "run/"))} for row in read_metrics(run)]


@pytest.mark.ray
def test_trial_that_dies_resumes_its_run_to_the_same_numbers(ray_cluster, tmp_path):
    module = example()
    marker = str(tmp_path / "died")

    def dies_once(settings, base, out):
        import os
        import signal

        from ray import tune

        def report(metrics):
            tune.report(metrics)
            if metrics["iteration"] == 2 and settings["learner.meta_solver"] == "prd" and not os.path.exists(marker):
                open(marker, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)

        module.trial(settings, base, out, report)

    base = load_config(CONFIG, ["iterations=4"])
    grid = {"learner.meta_solver": ["uniform", "prd"]}
    found = module.sweep(base.model_dump(mode="json"), grid, tmp_path / "sweeps", run_trial=dies_once)
    assert Path(marker).exists()
    assert len(found) == 2
    assert not found.errors
    for result in found:
        solver = result.config["learner.meta_solver"]
        directory = Path(result.path) / "run"
        train(load_config(CONFIG, ["iterations=4", f"learner.meta_solver={solver}"]), tmp_path / solver)
        assert numbers(directory) == numbers(tmp_path / solver)
        assert result.metrics["nash_conv"] == numbers(tmp_path / solver)[-1]["score/nash_conv"]
        said = [json.loads(line)["message"] for line in (directory / "log.jsonl").read_text().splitlines()]
        assert any("resumed" in message for message in said) == (solver == "prd")


@pytest.mark.ray
def test_sweep_that_is_done_has_nothing_to_go_on_with(ray_cluster, tmp_path, capsys):
    command = [str(CONFIG), "--out", str(tmp_path), "--grid", "learner.meta_solver=nash", "--set", "iterations=2"]
    module = example()
    module.main(command)
    first = capsys.readouterr().out.splitlines()[-1]
    assert first.startswith("learner.meta_solver=nash: NashConv 0.333 after 2 iterations")
    (run,) = tmp_path.glob("sweep/*/run")
    rows = read_metrics(run)
    module.main([*command, "--resume"])
    assert capsys.readouterr().out.splitlines()[-1] == first
    assert read_metrics(run) == rows

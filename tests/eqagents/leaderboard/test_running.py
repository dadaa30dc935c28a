import copy
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from eqagents.leaderboard import cell

ROOT = Path(__file__).resolve().parents[3]
A2C = {"id": "a2c", "play": {"num_envs": 8, "steps": 8}, "network": {"hidden": [8]}}
DATA = {
    "tasks": [{"id": "kuhn_poker"}, {"id": "goofspiel", "parameters": {"num_cards": 3}}],
    "entries": [
        {"name": "psro", "learner": {"id": "psro", "oracle": {"id": "exact"}}, "iterations": 2},
        {"name": "a2c", "learner": A2C},
    ],
    "seeds": 2,
    "budget": {"samples": 200},
}


@pytest.fixture
def written(tmp_path):
    def write(data=DATA, name="config.yaml"):
        file = tmp_path / name
        file.write_text(yaml.safe_dump(data), encoding="utf-8")
        return file

    return write


def timeless(document):
    """The document without what clocks say."""
    document = copy.deepcopy(document)
    for run in document["runs"]:
        run.pop("seconds", None), run.pop("cpu_seconds", None)
    for section in document["sections"].values():
        for row in section["rows"]:
            row.pop("cpu_seconds", None)
    return document


def stored(directory):
    return json.loads((directory / "leaderboard.json").read_text(encoding="utf-8"))


def files_of(directory):
    """All files of the runs with what is in them."""
    return {path: path.read_bytes() for path in (directory / "runs").rglob("*") if path.is_file()}


def test_runs_are_ordinary_and_made_once(call, written, tmp_path):
    config, out = written(), tmp_path / "lb"
    status, said, told = call("leaderboard", config, "--out", out, "--json")
    assert status == 0, told
    assert told.count("scored, nash_conv") == 8
    document = json.loads(said)
    assert document == stored(out)
    for run in document["runs"]:
        path = out / "runs" / run["task"] / run["entry"] / f"seed_{run['seed']}"
        _, evaluated, _ = call("evaluate", path, "--json")
        assert json.loads(evaluated)["nash_conv"] == run["nash_conv"]
    run = out / "runs" / "kuhn_poker" / "a2c" / "seed_1"
    assert call("report", run, "--out", tmp_path / "report.html")[0] == 0
    assert [each["samples"] for each in document["runs"] if each["entry"] == "a2c"] == [{"stages": 256.0}] * 4
    assert ET.fromstring((out / "critical_difference.svg").read_text(encoding="utf-8")).tag.endswith("svg")
    assert "| psro |" in (out / "leaderboard.md").read_text(encoding="utf-8")
    assert str(tmp_path) not in said

    before = files_of(out)
    status, again, told = call("leaderboard", config, "--out", out, "--json")
    assert (status, again, told) == (0, said, "")
    assert files_of(out) == before


def test_another_configuration_is_refused_and_a_larger_one_is_not(call, written, tmp_path):
    small = {**DATA, "seeds": 1, "entries": DATA["entries"][:1]}
    out = tmp_path / "lb"
    assert call("leaderboard", written(small), "--out", out)[0] == 0
    before = files_of(out)

    changed = {**small, "entries": [{**small["entries"][0], "iterations": 3}]}
    status, _, told = call("leaderboard", written(changed), "--out", out)
    assert status == 2
    assert "a leaderboard whose run kuhn_poker/psro/seed_0 has iterations 2, now 3; choose another --out" in told
    status, _, told = call("leaderboard", written({**small, "tasks": DATA["tasks"][:1]}), "--out", out)
    assert status == 2
    assert "the run goofspiel/psro/seed_0, which is not asked for any more" in told
    assert files_of(out) == before

    status, _, told = call("leaderboard", written(), "--out", out)
    assert status == 0
    assert told.count("scored") == 6  # of eight
    assert files_of(out).items() >= before.items()


def test_a_directory_with_something_else_is_refused(call, written, tmp_path):
    (tmp_path / "lb").mkdir()
    (tmp_path / "lb" / "mine").touch()
    status, _, told = call("leaderboard", written(), "--out", tmp_path / "lb")
    assert status == 2
    assert "is not empty and holds no leaderboard" in told
    assert [path.name for path in (tmp_path / "lb").iterdir()] == ["mine"]


def test_what_does_not_apply_is_no_failure_and_what_fails_stops_nobody(call, written, tmp_path, monkeypatch):
    config = {
        **DATA,
        "seeds": 1,
        "tasks": [{"id": "kuhn_poker"}, {"id": "left_right"}],
        "entries": [
            {"name": "wild", "learner": {**A2C, "fit": {"learning_rate": 1e30}}, "per_family": {"mean_field": {}}},
            {"name": "psro", "learner": {"id": "psro", "oracle": {"id": "exact"}}, "iterations": 1},
        ],
    }
    out = tmp_path / "lb"
    status, said, told = call("leaderboard", written(config), "--out", out, "--json")
    runs = {(run["task"], run["entry"]): run for run in json.loads(said)["runs"]}
    assert status == 1
    assert "1 runs failed" in told or "2 runs failed" in told
    assert "is not finite" in runs["kuhn_poker", "wild"]["reason"]
    assert runs["kuhn_poker", "psro"]["outcome"] == "scored"
    assert runs["left_right", "psro"]["outcome"] == "unsupported"
    assert "use learner 'mean_field_psro'" in runs["left_right", "psro"]["reason"]
    rows = stored(out)["sections"]["problems"]["rows"]
    assert {(row["task"], row["entry"]) for row in rows} >= {("kuhn_poker", "wild"), ("left_right", "psro")}

    made = []
    monkeypatch.setattr(cell, "_to_its_end", lambda path, settings: made.append(path) or 1 / 0)
    status, said, _ = call("leaderboard", written(config), "--out", out, "--json")
    again = {(run["task"], run["entry"]): run for run in json.loads(said)["runs"]}
    assert status == 1
    assert again["kuhn_poker", "wild"]["reason"] == "ZeroDivisionError: division by zero"  # a defect, in one line
    assert {path.parts[-3:-1] for path in made} <= {("kuhn_poker", "wild"), ("left_right", "wild")}
    assert again["kuhn_poker", "psro"] == runs["kuhn_poker", "psro"]


def test_killed_in_the_middle_it_goes_on_to_the_same_document(call, written, tmp_path):
    data = {**DATA, "tasks": DATA["tasks"][:1], "budget": {"samples": 64 * 150}, "checkpoint": {"every": 10}}
    config, out = written(data), tmp_path / "killed"
    command = [sys.executable, "-m", "eqagents.cli.main", "leaderboard", str(config), "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    half_done = out / "runs" / "kuhn_poker" / "a2c" / "seed_0"
    deadline = time.monotonic() + 120
    while not (half_done / "checkpoints" / "step-000020").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (half_done / "ended.json").exists()
    assert (out / "runs" / "kuhn_poker" / "psro" / "seed_0" / "score.json").exists()
    assert not (out / "leaderboard.json").exists()

    status, _, told = call("leaderboard", config, "--out", out)
    assert status == 0
    assert "kuhn_poker/psro/seed_0" not in told  # it was done
    assert "resumed from the checkpoint" in (half_done / "log.jsonl").read_text(encoding="utf-8")
    assert call("leaderboard", config, "--out", tmp_path / "whole")[0] == 0
    assert timeless(stored(out)) == timeless(stored(tmp_path / "whole"))


@pytest.mark.ray
def test_two_workers_make_the_same_document(ray_cluster, call, written, tmp_path):
    config = written()
    assert call("leaderboard", config, "--out", tmp_path / "here")[0] == 0
    status, _, told = call("leaderboard", config, "--out", tmp_path / "spread", "--set", "executor.workers=2")
    assert status == 0, told
    assert timeless(stored(tmp_path / "spread")) == timeless(stored(tmp_path / "here"))


def test_one_process_at_a_time(call, written, tmp_path):
    from eqagents.training.run_directory import RunDirectory

    config, out = written({**DATA, "seeds": 1, "tasks": DATA["tasks"][:1], "entries": DATA["entries"][:1]}), tmp_path
    out = tmp_path / "lb"
    out.mkdir()
    with RunDirectory(out).locked():
        status, _, told = call("leaderboard", config, "--out", out)
    assert status == 2
    assert "another process is running this leaderboard" in told


def test_a_second_process_waits_for_a_run_and_takes_its_result(monkeypatch, written, tmp_path):
    """As where a late run is sent to another worker too."""
    from eqagents.leaderboard.config import load_leaderboard
    from eqagents.leaderboard.plan import planned
    from eqagents.training.run_directory import RunDirectory

    place, run = next(iter(planned(load_leaderboard(written())).items()))
    path = place.within(tmp_path)
    arguments = {"path": str(path), "config": run.model_dump(mode="json")}
    first = cell.make(None, **arguments)
    (path / "score.json").rename(path / "score.kept")
    looks = []

    def is_locked(self):
        looks.append(self.path)
        if len(looks) == 3:
            (path / "score.kept").rename(path / "score.json")
        return True

    monkeypatch.setattr(RunDirectory, "is_locked", is_locked)
    monkeypatch.setattr(cell, "PAUSE", 0.01)
    assert cell.make(None, **arguments) == first
    assert len(looks) == 3


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_told_to_stop_it_says_how_to_go_on(call, written, tmp_path, monkeypatch, number, status):
    made = []

    def stopped(path, settings):
        made.append(path)
        os.kill(os.getpid(), number)
        time.sleep(5)

    before = signal.getsignal(number)
    monkeypatch.setattr(cell, "_to_its_end", stopped)
    found, said, told = call("leaderboard", written(), "--out", tmp_path / "lb")
    assert (found, said) == (status, "")
    assert told == "interrupted; the same command goes on with it\n"
    assert len(made) == 1
    assert signal.getsignal(number) is before

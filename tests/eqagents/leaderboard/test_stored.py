"""The standard leaderboard that is stored, its page, and its configurations."""

import json
import re
from pathlib import Path

import pytest

from eqagents.leaderboard.config import load_leaderboard, parse_leaderboard
from eqagents.leaderboard.diagram import critical_difference_diagram
from eqagents.leaderboard.document import rankings
from eqagents.leaderboard.plan import Place, planned
from eqagents.leaderboard.results import Outcome, Result
from eqagents.yaml_text import parse_yaml

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.M | re.S) for line in block.splitlines()]
YAML = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.M | re.S)
STANDARD = ROOT / "configs" / "leaderboard.yaml"


@pytest.fixture(scope="module")
def stored():
    return json.loads((ROOT / "benchmarks" / "results" / "leaderboard.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def results(stored):
    return {
        Place(run.pop("task"), run.pop("entry"), run.pop("seed")): Result(Outcome(run.pop("outcome")), **run)
        for run in (dict(run) for run in stored["runs"])
    }


def test_commands_of_the_page_run(call, tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    name = "configs/leaderboard_quick.yaml"
    (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert len(LINES) == 4
    for line in LINES:
        program, *arguments = line.split()
        assert program == "eqenvs"
        status, _, told = call(*arguments)
        assert status == 0, f"{line}\n{told}"
    for file in re.findall(r"^\| `([\w.]+)` \|", PAGE, flags=re.M):
        assert (tmp_path / "runs" / "quick" / file).is_file()


def test_configurations_of_the_page_are_read():
    whole, entry = YAML
    data = parse_yaml(whole)
    data["entries"] += parse_yaml(entry)
    assert {place.entry for place in planned(parse_leaderboard(data))} == {"cfr+", "ppo", "my_ppo"}


def test_stored_runs_are_those_of_the_standard_configuration(stored, results):
    runs = planned(load_leaderboard(STANDARD))
    assert set(results) == set(runs)
    assert planned(parse_leaderboard(stored["config"])) == runs
    assert {result.outcome for result in results.values()} == {Outcome.SCORED}
    assert {result.kind for result in results.values()} == {"exact"}
    assert all(result.iterations == runs[place].iterations for place, result in results.items())


def flattened(value, key=""):
    """The leaves of a JSON value by their path."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else None
    if items is None:
        return {key: value}
    return {path: leaf for name, part in items for path, leaf in flattened(part, f"{key}.{name}").items()}


def test_stored_rankings_follow_from_the_stored_runs(stored, results):
    found = rankings(load_leaderboard(STANDARD), results)
    assert len(found) == 3
    for ranking in found:
        again, kept = flattened(ranking.to_json()), flattened(stored["rankings"][ranking.name])
        assert again.keys() == kept.keys()
        for key, value in again.items():
            assert value == (pytest.approx(kept[key]) if isinstance(value, float) else kept[key]), key


def test_pictures_are_of_the_stored_rankings(results):
    for ranking in rankings(load_leaderboard(STANDARD), results):
        name = {"all": "critical_difference.svg", "networks": "critical_difference_networks.svg"}.get(ranking.name)
        if name is not None:
            assert (ROOT / "docs" / "images" / name).read_text(encoding="utf-8") == critical_difference_diagram(ranking)
            assert f"images/{name}" in PAGE


def test_nothing_stored_names_a_machine(stored):
    text = json.dumps(stored)
    assert not re.search(r"/(tmp|home|work|root|Users)/", text)
    assert not {"run", "release", "hostname"} & {key for facts in stored["environments"] for key in facts}

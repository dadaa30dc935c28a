"""`eqenvs evaluate --num-agents`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import eqenvs
from eqagents.cli import app as cli
from eqenvs.policies import uniform
from eqenvs.policy_files import policy_to_json

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The command, in this process: exit status, output, errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["eqenvs", *map(str, arguments)])
        capsys.readouterr()
        status: object = 0
        try:
            cli.run()
        except SystemExit as stop:
            status = stop.code
        assert status is None or isinstance(status, int)
        return status or 0, *capsys.readouterr()

    return run


@pytest.fixture
def two_thirds(tmp_path: Path) -> Path:
    """The equilibrium of left-right, whose exploitability among N agents is 1/(3N)."""
    game = eqenvs.make("left_right")
    data = policy_to_json(game, uniform(game))
    for rows in data["players"]:
        for row in rows.values():
            row.update(dict(zip(row, (2 / 3, 1 / 3), strict=True)))
    file = tmp_path / "two_thirds.json"
    file.write_text(json.dumps(data))
    return file


def test_a_policy_is_scored_in_games_of_n_agents(two_thirds: Path, call: Call) -> None:
    status, said, errors = call("evaluate", two_thirds, "--num-agents", "2,5,1000", "--json")
    assert (status, errors) == (0, "")
    data = json.loads(said)
    assert [each["num_agents"] for each in data["scores"]] == [2, 5, 1000]
    assert [each["exploitability"] for each in data["scores"]] == pytest.approx([1 / 6, 1 / 15, 1 / 3000], abs=1e-12)
    assert [each["kind"] for each in data["scores"]] == ["exact", "exact", "lower_bound"]
    assert data["fits"]["gain"]["rate"] == pytest.approx(1.0)
    status, said, _ = call("evaluate", two_thirds, "--num-agents", "2,5,1000")
    assert status == 0
    assert "like N^-1 " in said
    assert "conditional" in said


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--num-agents", "1"], "num_agents must be a whole number from 2"),
        (["--num-agents", "3,2"], "sizes must be increasing"),
        (["--num-agents", "many"], "--num-agents needs N or N,N,..., whole numbers, got 'many'"),
        (["--num-agents", "3", "--step", "1"], "--step chooses a run's checkpoint"),
    ],
)
def test_bad_numbers_are_refused_in_a_line(arguments: list[str], part: str, two_thirds: Path, call: Call) -> None:
    status, said, errors = call("evaluate", two_thirds, *arguments)
    assert (status, said) == (2, "")
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert part in errors


def test_other_games_have_no_games_of_n_agents(tmp_path: Path, call: Call) -> None:
    game = eqenvs.make("chicken")
    file = tmp_path / "chicken.json"
    file.write_text(json.dumps(policy_to_json(game, uniform(game))))
    status, _, errors = call("evaluate", file, "--num-agents", "3")
    assert status == 2
    assert "made from mean-field games" in errors

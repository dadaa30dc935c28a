"""`eqenvs evaluate --num-agents`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eqenvs
from eqagents.cli.populations import population_table
from eqenvs.policies import uniform
from eqenvs.policy_files import policy_to_json
from eqsolvers.scoring.finite_population import population_curve

Call = Callable[..., tuple[int, str, str]]


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
    assert [each["nash_conv"] for each in data["scores"]] == pytest.approx([1 / 3] * 3, abs=1e-12)
    assert data["fits"]["gain"]["rate"] == pytest.approx(1.0)
    status, said, _ = call("evaluate", two_thirds, "--num-agents", "2,5,1000")
    assert status == 0
    assert "like N^-1 " in said
    assert "conditional" in said
    assert "not told apart" not in said


def test_gains_below_their_half_width_are_marked() -> None:
    game = eqenvs.make("sis")
    curve = population_curve(game, uniform(game), [2, 1000], method="estimate", episodes=20)
    gains, widths = np.array([[0.3, 0.2], [0.1, 0.4]])
    marked = [
        replace(each, detail={**each.detail, "own_state_gain": [gain], "own_state_half_width": [width]})
        for each, gain, width in zip(curve.scores, gains, widths, strict=True)
    ]
    table = population_table(replace(curve, scores=tuple(marked)), "it")
    assert [*table.columns[1].cells] == ["0.3 +- 0.1", "0.2 +- 0.4 *"]
    assert [*table.columns[2].cells] == ["-", "-"]
    assert str(table.caption).startswith("* not told apart from 0: below its 95 % half-width\n")


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

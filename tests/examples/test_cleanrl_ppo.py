"""A network trained in one file is read again and scored; training lowers NashConv."""

from __future__ import annotations

import json

import pytest


def test_checkpoint_is_scored_by_the_command(example, recipe):
    nash_conv, found = recipe(example("cleanrl_ppo"))
    assert found["nash_conv"] == pytest.approx(nash_conv, abs=1e-9)
    assert nash_conv < 3  # uniform play: 4.747


def test_players_with_different_numbers_of_actions_share_a_network(example, tmp_path, call):
    out = tmp_path / "run"
    nash_conv = example("cleanrl_ppo").main(["--game", "bimatrix_3x2", "--out", str(out), "--iterations", "3"])
    status, said, _ = call("evaluate", out / "policy.json", "--json")
    assert status == 0
    assert json.loads(said)["nash_conv"] == pytest.approx(nash_conv, abs=1e-9)


def test_same_seed_gives_the_same_policy(example, tmp_path):
    module = example("cleanrl_ppo")
    for out in ("one", "two"):
        module.main(["--game", "kuhn_poker", "--out", str(tmp_path / out), "--iterations", "2", "--seed", "3"])
    assert (tmp_path / "one" / "policy.json").read_text() == (tmp_path / "two" / "policy.json").read_text()

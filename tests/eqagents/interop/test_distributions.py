"""What a network gives becomes a distribution over legal actions, or an error of one line; and then a policy file."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.interop import rllib
from eqagents.interop.distributions import renormalised, softmax_of_legal
from eqagents.interop.exported import export_policy
from eqagents.interop.logits import LogitsPolicy
from eqagents.interop.rllib_policy import RLModulePolicy
from eqagents.interop.sb3 import SB3Policy, shared_env
from eqagents.interop.torchrl import TorchRLPolicy
from eqenvs.errors import InputError, PolicyError, UnsupportedGame
from eqenvs.models.information_states import InformationStates
from eqenvs.policies import MixturePolicy, uniform
from eqsolvers.scoring import score

MASKS = np.array([[True, True, False], [False, True, False], [True, True, True]])
LOGITS = np.array([[0.0, np.log(3.0), 50.0], [-900.0, 7.0, 900.0], [1.0, 1.0, 1.0 + np.log(2.0)]])
EXPECTED = [[0.25, 0.75, 0.0], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5]]


def test_softmax_is_over_legal_actions_and_bears_large_logits():
    assert softmax_of_legal(LOGITS, MASKS) == pytest.approx(np.array(EXPECTED), abs=1e-15)
    # As RLlib and CleanRL mask: a number near the least of float32 added to, or put in the place of, the logits.
    lowest = float(np.finfo(np.float32).min)
    masked = np.where(MASKS, LOGITS, lowest).astype(np.float32)
    assert softmax_of_legal(masked, MASKS) == pytest.approx(np.array(EXPECTED), abs=1e-6)


def test_renormalised_is_the_law_of_drawing_again():
    probabilities = np.array([[0.1, 0.3, 0.6], [0.5, 0.5, 0.0], [0.25, 0.25, 0.5]], dtype=np.float32)
    assert renormalised(probabilities, MASKS) == pytest.approx(np.array(EXPECTED), abs=1e-7)


@pytest.mark.parametrize(
    ("function", "values", "message"),
    [
        (softmax_of_legal, np.zeros((3, 2)), r"logits have shape \(3, 2\), its player's legal actions \(3, 3\)"),
        (softmax_of_legal, np.full((3, 3), np.nan), "must be finite, got nan"),
        (renormalised, np.zeros((2, 3)), r"probabilities have shape \(2, 3\)"),
        (renormalised, np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]), "row 1: .* no legal action any probability"),
        (renormalised, np.full((3, 3), np.nan), "row 0: .* no legal action any probability"),
    ],
)
def test_what_is_no_distribution_is_refused(function, values, message):
    with pytest.raises(PolicyError, match=message):
        function(values, MASKS)


def test_logits_of_more_actions_than_a_player_has_are_left_out():
    weights = torch.tensor([[1.0, 0.0, 0.0, 9.0], [0.0, 2.0, 0.0, 9.0]])
    states = InformationStates(np.zeros((3, 1), dtype=np.int64), np.eye(3, 2, dtype=np.float32), MASKS)
    expected = softmax_of_legal(np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]), MASKS)
    assert LogitsPolicy(lambda seen: seen @ weights)(0, states) == pytest.approx(expected, abs=1e-7)


def test_exported_policy_is_read_back_and_scored_the_same(tmp_path, call):
    game = eqenvs.make("leduc_poker")
    torch.manual_seed(0)
    policy = LogitsPolicy(torch.nn.Linear(game.rules.observation_size, 3))
    table = export_policy(game, policy, tmp_path / "policy.json")
    for player, states in enumerate(game.information_states):
        assert table.tables[player] == pytest.approx(policy(player, states), abs=1e-15)
    status, out, _ = call("evaluate", tmp_path / "policy.json", "--json")
    assert status == 0
    assert json.loads(out)["nash_conv"] == pytest.approx(score(game, policy).nash_conv, abs=1e-12)


def test_a_correlation_device_is_no_behaviour_table(tmp_path):
    game = eqenvs.make("kuhn_poker")
    with pytest.raises(PolicyError, match="correlates the players"):
        export_policy(game, MixturePolicy([uniform(game)] * 2, [0.5, 0.5]), tmp_path / "policy.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("game_id", "message"),
    [
        ("kuhn_poker", "take turns"),
        ("goofspiel", "illegal at times"),
        ("sgc_game", None),
        ("common_pool", None),
        ("second_price_auction", None),
    ],
)
def test_a_policy_is_shared_where_everybody_may_always_do_everything(game_id, message):
    game = eqenvs.make(game_id)
    if message is not None:
        with pytest.raises(UnsupportedGame, match=message):
            shared_env(game)
        return
    env, masked = shared_env(game, max_cycles=3), game.parallel_env(max_cycles=3)
    observations, _ = env.reset(seed=0)
    expected, _ = masked.reset(seed=0)
    while env.agents:
        assert all(env.observation_space(agent).contains(observations[agent]) for agent in env.agents)
        assert all((observations[agent] == expected[agent]["observation"]).all() for agent in env.agents)
        actions = {agent: env.action_space(agent).n - 1 for agent in env.agents}
        (observations, *rest), (expected, *others) = env.step(actions), masked.step(actions)
        assert repr(rest) == repr(others)


def test_players_of_different_action_counts_share_no_policy():
    game = eqenvs.make("bimatrix_3x2")
    with pytest.raises(UnsupportedGame, match="one number of actions"):
        shared_env(game)


class Deterministic:
    policy = object()


def test_what_has_no_distribution_is_refused():
    with pytest.raises(PolicyError, match="Deterministic has no distribution"):
        SB3Policy(Deterministic())
    with pytest.raises(PolicyError, match="Deterministic has no distribution"):
        TorchRLPolicy(Deterministic(), 2)
    states = eqenvs.make("kuhn_poker").information_states[1]

    class Greedy:
        observation_space = None

        def forward_exploration(self, batch, t):
            return {"actions": torch.zeros(len(batch["obs"]))}

    with pytest.raises(PolicyError, match="Greedy gives no logits, but actions"):
        RLModulePolicy([Greedy(), Greedy()])(1, states)
    with pytest.raises(PolicyError, match="player 1 has no module, there are 1"):
        RLModulePolicy([Greedy()])(1, states)


def test_without_rllib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(rllib, "MultiAgentEnv", object)
    with pytest.raises(InputError, match=r"eqenvs\[rllib\]"):
        rllib.make_env({"game": "kuhn_poker"})
    with pytest.raises(InputError, match=r"eqenvs\[rllib\]"):
        rllib.register_rllib()

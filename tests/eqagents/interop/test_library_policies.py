"""A policy adapter gives the probabilities with which its library drew what it drew, by the library's own records."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.interop.sb3 import SB3Policy, shared_env
from eqagents.interop.torchrl import GROUP, MASK, OBSERVATION, TorchRLPolicy, torchrl_env
from eqenvs.errors import UnsupportedGame

FLOAT32 = 2e-5  # in log-probability: a few float32 roundings of numbers up to 10


def test_torchrl_drew_from_what_the_adapter_says(example, distinct, log_probabilities):
    pytest.importorskip("torchrl")
    game, module = eqenvs.make("leduc_poker"), example("torchrl_ppo")
    actor, env = module.make_actor(game), torchrl_env(game)
    distinct(actor)
    found = log_probabilities(game, TorchRLPolicy(actor, 2))
    env.set_seed(0)
    with torch.no_grad():
        data = env.rollout(150, policy=actor, break_when_any_done=False)
    acting = data[GROUP, "info", "acting"] > 0
    assert (acting.sum(1) == 1).all()
    for step, player in acting.nonzero().tolist():
        action = int(data[GROUP, "action"][step, player])
        assert data[MASK][step, player, action]
        log = float(data[GROUP, "action_log_prob"][step, player])
        assert log == pytest.approx(found(player, data[OBSERVATION][step, player].numpy(), action), abs=FLOAT32)
    assert (data[GROUP, "action_log_prob"][~acting] == 0).all()


def test_torchrl_groups_need_players_with_as_many_actions_as_each_other():
    pytest.importorskip("torchrl")
    with pytest.raises(UnsupportedGame, match="as many actions"):
        torchrl_env(eqenvs.make("bimatrix_3x2"))


def test_torchrl_plays_the_game_on_to_its_end_and_pays_it():
    pytest.importorskip("torchrl")
    env = torchrl_env(eqenvs.make("kuhn_poker"))
    env.set_seed(0)
    data = env.rollout(60, break_when_any_done=False)
    over, paid = data["next", "done"].squeeze(1), data["next", GROUP, "reward"].squeeze(2)
    assert 20 <= int(over.sum()) < 60
    assert (paid[~over] == 0).all()
    assert (paid[over].sum(1) == 0).all()
    assert set(paid[over].abs().unique().tolist()) == {1.0, 2.0}  # Kuhn's antes and bets


def test_stable_baselines_drew_from_what_the_adapter_says(distinct, log_probabilities):
    sb3 = pytest.importorskip("stable_baselines3")
    supersuit = pytest.importorskip("supersuit")
    game = eqenvs.make("common_pool")
    env = supersuit.pettingzoo_env_to_vec_env_v1(shared_env(game))
    model = sb3.PPO("MlpPolicy", supersuit.concat_vec_envs_v1(env, 2, base_class="stable_baselines3"), device="cpu")
    distinct(model.policy)
    found = log_probabilities(game, SB3Policy(model))
    for player, states in enumerate(game.information_states):
        seen = torch.tensor(np.array(states.observations)).repeat(20, 1)
        with torch.no_grad():
            actions, _, logs = model.policy(seen)
        expected = [found(player, row.numpy(), int(action)) for row, action in zip(seen, actions, strict=True)]
        assert logs.numpy() == pytest.approx(np.array(expected), abs=FLOAT32)


def test_maskable_policies_drew_from_what_the_adapter_says(distinct, log_probabilities):
    contrib = pytest.importorskip("sb3_contrib")
    import gymnasium

    game = eqenvs.make("leduc_poker")
    env = gymnasium.make("eqenvs:Exploit-v0", game=game, opponent="uniform", player=1)
    model = contrib.MaskablePPO("MlpPolicy", env, device="cpu")
    distinct(model.policy)
    found = log_probabilities(game, SB3Policy(model))
    states = game.information_states[1]
    with torch.no_grad():
        actions, _, logs = model.policy(
            torch.tensor(np.array(states.observations)), action_masks=np.array(states.masks)
        )
    expected = [found(1, row, int(action)) for row, action in zip(states.observations, actions, strict=True)]
    assert logs.numpy() == pytest.approx(np.array(expected), abs=FLOAT32)
    drawn = [int(model.predict(states.observations[0], action_masks=np.array(states.masks[0]))[0]) for _ in range(2000)]
    frequency = np.bincount(drawn, minlength=3) / len(drawn)
    table = found.tables[1][0]
    assert (abs(frequency - table) <= 5 * np.sqrt(table * (1 - table) / len(drawn))).all()


def test_cleanrl_style_agents_drew_from_what_the_adapter_says(example, distinct, log_probabilities, tmp_path):
    game, module = eqenvs.make("leduc_poker"), example("cleanrl_ppo")
    agent = module.Agent(game)
    distinct(agent)
    torch.save(agent.state_dict(), tmp_path / "agent.pt")
    found = log_probabilities(game, module.load(game, tmp_path / "agent.pt"))
    env = game.vector_env(module.GAMES)
    _, data = module.rollout(env, env.reset(seed=0), agent, game)
    for row in range(0, len(data.actions), 97):
        seen = data.observations[row].numpy()
        player = int(seen[1])  # the observation begins with the player, one-hot
        assert float(data.log_probs[row]) == pytest.approx(found(player, seen, int(data.actions[row])), abs=FLOAT32)

"""The adapter of RLlib's modules gives the probabilities with which RLlib drew what it drew, by RLlib's own records."""

from __future__ import annotations

import pytest

import eqenvs
from eqagents.interop.rllib_policy import RLModulePolicy

multi_agent_env_runner = pytest.importorskip("ray.rllib.env.multi_agent_env_runner", exc_type=ImportError)

FLOAT32 = 2e-5  # in log-probability: a few float32 roundings of numbers up to 10
AGENTS = ["player_0", "player_1"]


@pytest.mark.ray
def test_rllib_drew_from_what_the_adapter_says(ray_cluster, example, distinct, log_probabilities):
    game = eqenvs.make("leduc_poker")
    config = example("rllib_ppo").configuration("leduc_poker", {}, AGENTS, 3)
    runner = multi_agent_env_runner.MultiAgentEnvRunner(config=config)
    for agent in AGENTS:
        distinct(runner.module[agent])
    found = log_probabilities(game, RLModulePolicy([runner.module[agent] for agent in AGENTS]))
    compared = 0
    for episode in runner.sample(num_episodes=60, explore=True):
        for agent, own in episode.agent_episodes.items():
            seen = own.get_observations()["observations"][:-1]
            logs = own.get_extra_model_outputs("action_logp")
            for observation, action, log in zip(seen, own.get_actions(), logs, strict=True):
                assert log == pytest.approx(found(AGENTS.index(agent), observation, action), abs=FLOAT32)
                compared += 1
    assert compared > 120
    runner.stop()


@pytest.mark.ray
def test_modules_without_masks_are_renormalised(ray_cluster):
    import numpy as np
    import torch
    from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
    from ray.rllib.core.rl_module.rl_module import RLModuleSpec

    game = eqenvs.make("leduc_poker")
    space = game.parallel_env().observation_space("player_0")["observation"]
    actions = game.parallel_env().action_space("player_0")
    spec = RLModuleSpec(
        module_class=DefaultPPOTorchRLModule,
        observation_space=space,
        action_space=actions,
        model_config=DefaultModelConfig(fcnet_hiddens=[8]),
    )
    module, states = spec.build(), game.information_states[0]
    found = RLModulePolicy([module, module])(0, states)
    with torch.no_grad():
        logits = module.forward_inference({"obs": torch.tensor(np.array(states.observations))})["action_dist_inputs"]
    weights = np.where(states.masks, np.exp(logits.numpy()), 0)
    assert found == pytest.approx(weights / weights.sum(1, keepdims=True), abs=1e-6)

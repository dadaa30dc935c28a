"""PPO of RLlib on a game here, its checkpoint loaded again and scored by the game's exact best responses.

    pip install "eqenvs[rllib]"
    python examples/rllib_ppo.py --game kuhn_poker --out rllib_run --quick
    eqenvs evaluate rllib_run/policy.json

One module per player, which masks illegal actions; entropy keeps the last policies from circling around an equilibrium.
RLlib pins an older Gymnasium than eqenvs is developed with: give it an environment of its own. Its checkpoints are
pickles; load only your own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import eqenvs
from eqagents.distributed import start_ray
from eqagents.interop.exported import export_policy
from eqagents.interop.rllib_policy import RLModulePolicy
from eqenvs.envs.episode import agent_names
from eqsolvers.scoring import score


def own_module(agent_id: str, episode: Any, **_: Any) -> str:
    """RLlib's mapping from agents to modules: each has its own."""
    return agent_id


def configuration(game: str, parameters: dict[str, Any], agents: Sequence[str], seed: int) -> Any:
    """PPO with one masked module per player, in one process."""
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
    from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
    from ray.rllib.core.rl_module.rl_module import RLModuleSpec
    from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule

    from eqagents.interop.rllib import register_rllib

    module = RLModuleSpec(
        module_class=ActionMaskingTorchRLModule,
        model_config=DefaultModelConfig(fcnet_hiddens=[64, 64], vf_share_layers=False),
    )
    return (
        PPOConfig()
        .environment(register_rllib(), env_config={"game": game, "parameters": parameters})
        .env_runners(num_env_runners=0, num_envs_per_env_runner=16, batch_mode="complete_episodes")
        .multi_agent(policies=tuple(agents), policy_mapping_fn=own_module)
        .rl_module(rl_module_spec=MultiRLModuleSpec(rl_module_specs=dict.fromkeys(agents, module)))
        .training(
            train_batch_size=1024, minibatch_size=256, num_epochs=4, lr=1e-3, gamma=1.0, lambda_=1.0, entropy_coeff=0.2
        )
        .debugging(seed=seed, log_level="ERROR")
    )


def train(
    game: str, parameters: dict[str, Any], agents: Sequence[str], iterations: int, out: Path, *, seed: int = 0
) -> Path:
    """The path of the checkpoint."""
    algorithm = configuration(game, parameters, agents, seed).build_algo()
    try:
        for _ in range(iterations):
            algorithm.train()
        return Path(algorithm.save_to_path(str((out / "checkpoint").absolute())))
    finally:
        algorithm.stop()


def load(checkpoint: Path, agents: Sequence[str]) -> RLModulePolicy:
    """The checkpoint's modules as a joint policy here."""
    from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule

    modules = MultiRLModule.from_checkpoint(str(checkpoint / "learner_group" / "learner" / "rl_module"))
    return RLModulePolicy([modules[agent] for agent in agents])


def main(arguments: Sequence[str] | None = None) -> float:
    """The command; returns the NashConv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--game", default="kuhn_poker", help="the id of a game that can be enumerated")
    parser.add_argument("--parameters", type=json.loads, default={}, metavar="JSON", help="of the game")
    parser.add_argument("--out", type=Path, default=Path("rllib_run"), help="where to put checkpoint and policy.json")
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="ten iterations")
    options = parser.parse_args(arguments)
    game = eqenvs.make(options.game, **options.parameters)
    agents = agent_names(game.num_players)
    options.out.mkdir(parents=True, exist_ok=True)
    start_ray()  # before RLlib, and Ray with it, is imported: it then listens on this machine alone
    iterations = 10 if options.quick else options.iterations
    checkpoint = train(options.game, options.parameters, agents, iterations, options.out, seed=options.seed)
    policy = load(checkpoint, agents)
    table = export_policy(game, policy, options.out / "policy.json")
    nash_conv = score(game, table).nash_conv
    print(f"{options.game}: NashConv {nash_conv:.4f} after {iterations} iterations, {options.out}/policy.json")  # noqa: T201
    return nash_conv


if __name__ == "__main__":
    main()

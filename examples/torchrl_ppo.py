"""PPO of TorchRL on a game here, its checkpoint loaded again and scored by the game's exact best responses.

    pip install "eqenvs[frameworks]"
    python examples/torchrl_ppo.py --game kuhn_poker --out torchrl_run --quick
    eqenvs evaluate torchrl_run/policy.json

All players are one group with networks of their own. A player that is not to move has one legal action, so it adds
nothing to the policy's gradient. The checkpoint holds tensors alone and is read without running anything.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import eqenvs
from eqagents.interop.exported import export_policy
from eqagents.interop.torchrl import GROUP, MASK, OBSERVATION, TorchRLPolicy, torchrl_env
from eqenvs.game import Game
from eqsolvers.scoring import score

FRAMES = 500  # steps between updates
EPOCHS, MINIBATCH = 8, 125


def make_actor(game: Game) -> Any:
    """A masked categorical policy, one network per player."""
    from tensordict.nn import TensorDictModule
    from torchrl.modules import MaskedCategorical, MultiAgentMLP, ProbabilisticActor

    network = MultiAgentMLP(
        n_agent_inputs=game.rules.observation_size,
        n_agent_outputs=game.rules.num_actions[0],
        n_agents=game.num_players,
        centralized=False,
        share_params=False,
        depth=2,
        num_cells=64,
        activation_class=torch.nn.Tanh,
    )
    return ProbabilisticActor(
        TensorDictModule(network, in_keys=[OBSERVATION], out_keys=[(GROUP, "logits")]),
        in_keys={"logits": (GROUP, "logits"), "mask": MASK},
        out_keys=[(GROUP, "action")],
        distribution_class=MaskedCategorical,
        return_log_prob=True,
        log_prob_key=(GROUP, "action_log_prob"),
    )


def make_critic(game: Game) -> Any:
    """Each player's value of its own observation."""
    from torchrl.modules import MultiAgentMLP, ValueOperator

    network = MultiAgentMLP(
        n_agent_inputs=game.rules.observation_size,
        n_agent_outputs=1,
        n_agents=game.num_players,
        centralized=False,
        share_params=False,
        depth=2,
        num_cells=64,
        activation_class=torch.nn.Tanh,
    )
    return ValueOperator(network, in_keys=[OBSERVATION], out_keys=[(GROUP, "state_value")])


def make_loss(actor: Any, critic: Any) -> Any:
    """Clipped PPO, told where a group keeps its tensors."""
    from torchrl.objectives import ClipPPOLoss, ValueEstimators

    loss = ClipPPOLoss(
        actor,
        critic,
        clip_epsilon=0.2,
        entropy_coeff=0.2,
        normalize_advantage=True,
        normalize_advantage_exclude_dims=(-2,),  # each player's by itself
    )
    loss.set_keys(
        action=(GROUP, "action"),
        sample_log_prob=(GROUP, "action_log_prob"),
        value=(GROUP, "state_value"),
        reward=(GROUP, "reward"),
        done=(GROUP, "done"),
        terminated=(GROUP, "terminated"),
    )
    loss.make_value_estimator(ValueEstimators.GAE, gamma=1.0, lmbda=1.0)
    return loss


def train(game: Game, iterations: int, path: Path, *, seed: int = 0) -> None:
    """Train, and write the actor's tensors."""
    torch.manual_seed(seed)
    env, actor, critic = torchrl_env(game), make_actor(game), make_critic(game)
    env.set_seed(seed)
    loss = make_loss(actor, critic)
    optimiser = torch.optim.Adam(loss.parameters(), lr=2e-3)
    for _ in range(iterations):
        with torch.no_grad():
            data = env.rollout(FRAMES, policy=actor, break_when_any_done=False)
            loss.value_estimator(
                data, params=loss.critic_network_params, target_params=loss.target_critic_network_params
            )
        for _ in range(EPOCHS):
            for rows in torch.randperm(FRAMES).split(MINIBATCH):
                parts = loss(data[rows])
                total = parts["loss_objective"] + parts["loss_critic"] + parts["loss_entropy"]
                optimiser.zero_grad()
                total.backward()
                torch.nn.utils.clip_grad_norm_(loss.parameters(), 1.0)
                optimiser.step()
    env.close()
    torch.save(actor.state_dict(), path)


def load(game: Game, path: Path) -> TorchRLPolicy:
    """The checkpoint's actor as a policy here."""
    actor = make_actor(game)
    actor.load_state_dict(torch.load(path, weights_only=True))
    return TorchRLPolicy(actor, game.num_players)


def main(arguments: Sequence[str] | None = None) -> float:
    """The command; returns the NashConv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--game", default="kuhn_poker", help="the id of a game that can be enumerated")
    parser.add_argument("--parameters", type=json.loads, default={}, metavar="JSON", help="of the game")
    parser.add_argument("--out", type=Path, default=Path("torchrl_run"), help="where to put actor.pt and policy.json")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="eight iterations")
    options = parser.parse_args(arguments)
    game = eqenvs.make(options.game, **options.parameters)
    options.out.mkdir(parents=True, exist_ok=True)
    iterations = 8 if options.quick else options.iterations
    train(game, iterations, options.out / "actor.pt", seed=options.seed)
    table = export_policy(game, load(game, options.out / "actor.pt"), options.out / "policy.json")
    nash_conv = score(game, table).nash_conv
    print(f"{options.game}: NashConv {nash_conv:.4f} after {iterations} iterations, {options.out}/policy.json")  # noqa: T201
    return nash_conv


if __name__ == "__main__":
    main()

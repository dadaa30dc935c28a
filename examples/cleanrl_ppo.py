"""PPO against itself in one file, after the manner of CleanRL, on many games at once; needs nothing beside eqenvs.

    python examples/cleanrl_ppo.py --game leduc_poker --out cleanrl_run --quick
    eqenvs evaluate cleanrl_run/policy.json

All players share one network; the observation says which player sees it. Returns are those of whole games: decisions
of games that are not over at the end of a rollout are left out. The bonus for entropy stays: without it the last
policies become pure, and are exploited. The checkpoint holds tensors alone and is read without running anything.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import eqenvs
from eqagents.interop.exported import export_policy
from eqagents.interop.logits import LogitsPolicy
from eqenvs.envs.vector import VectorEnv, VectorStep
from eqenvs.game import Game
from eqsolvers.scoring import score

GAMES, STEPS = 256, 64  # games at once, steps in a rollout
EPOCHS, MINIBATCHES, CLIP = 2, 8, 0.2
LEARNING_RATE, ENTROPY, VALUE_COEFFICIENT, MAX_GRADIENT = 2e-3, 0.2, 0.5, 0.5


class Agent(nn.Module):
    """An actor and a critic."""

    def __init__(self, game: Game) -> None:
        super().__init__()
        width, actions = game.rules.observation_size, max(game.rules.num_actions)
        self.actor = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
        self.head = nn.Linear(128, actions)
        self.critic = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1))
        nn.init.orthogonal_(self.head.weight, 0.01)  # nearly uniform at first

    def logits(self, observations: Tensor) -> Tensor:
        """[B, A], of illegal actions too."""
        return self.head(self.actor(observations))

    def distribution(self, observations: Tensor, masks: Tensor) -> torch.distributions.Categorical:
        """Over legal actions."""
        return torch.distributions.Categorical(logits=self.logits(observations).masked_fill(~masks, -1e8))


class Decisions(NamedTuple):
    """What was decided in a rollout, M decisions."""

    observations: Tensor  # [M, D]
    masks: Tensor  # [M, A]
    actions: Tensor  # [M]
    log_probs: Tensor  # [M]
    returns: Tensor  # [M], of the player who decided, to the end of the game


def shown(step: VectorStep, num_players: int) -> tuple[Tensor, Tensor, np.ndarray]:
    """Observations [B, K, D], masks [B, K, A] and players [B, K] of the K who may move in each game."""
    observations, masks = torch.as_tensor(step.observations), torch.as_tensor(step.masks)
    if masks.ndim == 3:
        return observations, masks, np.broadcast_to(np.arange(num_players), masks.shape[:2])
    return observations[:, None], masks[:, None], np.asarray(step.players)[:, None]


def rollout(env: VectorEnv, step: VectorStep, agent: Agent, game: Game) -> tuple[VectorStep, Decisions]:
    """Some steps of all games."""
    n, discount = game.num_players, game.rules.discount
    kept, rewards, ends = [], [], []
    for _ in range(STEPS):
        observations, masks, players = shown(step, n)
        with torch.no_grad():
            policy = agent.distribution(observations, masks)
            actions = policy.sample()
        kept.append((observations, masks, actions, policy.log_prob(actions), players))
        step = env.step(actions.squeeze(1).numpy() if step.masks.ndim == 2 else actions.numpy())
        rewards.append(np.asarray(step.rewards))
        ends.append(np.asarray(step.terminated | step.truncated))
    to_come, over = np.zeros((GAMES, n)), np.zeros(GAMES, dtype=bool)
    returns, whole = [], []
    for reward, end in zip(reversed(rewards), reversed(ends), strict=True):
        to_come = reward + discount * np.where(end[:, None], 0.0, to_come)
        over = over | end
        returns.append(to_come)
        whole.append(over)
    rows = torch.as_tensor(np.stack(whole[::-1]))  # [T, B]
    own = [np.take_along_axis(r, k[4], axis=1) for r, k in zip(reversed(returns), kept, strict=True)]
    columns = [torch.stack(column)[rows].flatten(0, 1) for column in list(zip(*kept, strict=True))[:4]]
    return step, Decisions(*columns, torch.as_tensor(np.stack(own), dtype=torch.float32)[rows].flatten())


def update(agent: Agent, optimiser: torch.optim.Optimizer, data: Decisions) -> None:
    """PPO's epochs over a rollout."""
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(data.returns)).chunk(MINIBATCHES):
            seen, masks, actions, old, returns = (column[rows] for column in data)
            policy, value = agent.distribution(seen, masks), agent.critic(seen).squeeze(1)
            advantage = (returns - value).detach()
            advantage = advantage / (advantage.std() + 1e-8)
            ratio = (policy.log_prob(actions) - old).exp()
            gain = torch.min(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
            error = (returns - value).square().mean()
            loss = VALUE_COEFFICIENT * error - gain - ENTROPY * policy.entropy().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), MAX_GRADIENT)
            optimiser.step()


def train(game: Game, iterations: int, path: Path, *, seed: int = 0) -> None:
    """Train, and write the agent's tensors."""
    torch.manual_seed(seed)
    agent = Agent(game)
    optimiser = torch.optim.Adam(agent.parameters(), lr=LEARNING_RATE, eps=1e-5)
    env = game.vector_env(GAMES)
    step = env.reset(seed=seed)
    for iteration in range(iterations):
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * max(0.1, 1 - iteration / iterations)
        step, data = rollout(env, step, agent, game)
        update(agent, optimiser, data)
    torch.save(agent.state_dict(), path)


def load(game: Game, path: Path) -> LogitsPolicy:
    """The checkpoint's actor as a policy here."""
    agent = Agent(game)
    agent.load_state_dict(torch.load(path, weights_only=True))
    return LogitsPolicy(agent.logits)


def main(arguments: Sequence[str] | None = None) -> float:
    """The command; returns the NashConv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--game", default="leduc_poker", help="the id of a game that can be enumerated")
    parser.add_argument("--parameters", type=json.loads, default={}, metavar="JSON", help="of the game")
    parser.add_argument("--out", type=Path, default=Path("cleanrl_run"), help="where to put agent.pt and policy.json")
    parser.add_argument("--iterations", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="twenty iterations")
    options = parser.parse_args(arguments)
    game = eqenvs.make(options.game, **options.parameters)
    options.out.mkdir(parents=True, exist_ok=True)
    iterations = 20 if options.quick else options.iterations
    train(game, iterations, options.out / "agent.pt", seed=options.seed)
    table = export_policy(game, load(game, options.out / "agent.pt"), options.out / "policy.json")
    nash_conv = score(game, table).nash_conv
    print(f"{options.game}: NashConv {nash_conv:.4f} after {iterations} iterations, {options.out}/policy.json")  # noqa: T201
    return nash_conv


if __name__ == "__main__":
    main()

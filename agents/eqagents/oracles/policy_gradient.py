"""A learned best response: batched advantage actor-critic with a torch network, against fixed opponents.

Mnih et al. (2016), "Asynchronous methods for deep reinforcement learning", ICML (A2C), in its synchronous form on whole
episodes: no bootstrapping, the return of an episode is its total payoff. The opponents' mixture is drawn anew for every
episode, so the response is to the mixture and not to one member (Lanctot et al. 2017, NeurIPS).

Differences from the paper: advantages are divided by the batch's standard deviation; learning rate and entropy bonus
are annealed linearly to zero, so that the last policy is nearly pure, as a best response is. For games whose rewards
come before the end the return includes what was already received, which adds variance and no bias.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from eqagents.configuration import NamedSettings
from eqagents.oracles import OracleResult, OracleSpec
from eqagents.policies import MaskedMLP, PolicyNetwork, PolicyRecord, network_sizes, to_network
from eqenvs.arrays import Float64Array, IntArray, make_backend, require_torch_device, sample_categorical
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqenvs.simulation import Decisions, PolicyPlayer, play


class PolicyGradientConfig(NamedSettings):
    """Settings of the policy-gradient oracle."""

    id: Literal["policy_gradient"] = "policy_gradient"
    updates: int = Field(default=300, ge=1, description="gradient steps per response")
    episodes: int = Field(default=1024, ge=1, description="episodes per gradient step")
    hidden: tuple[PositiveInt, ...] = Field(
        default=(128, 128), description="widths of the hidden layers of actor and critic"
    )
    learning_rate: float = Field(
        default=3e-3, gt=0, description="Adam's step size at the start, annealed linearly to 0"
    )
    entropy: float = Field(
        default=0.03, ge=0, description="entropy bonus at the start, in payoff standard deviations per nat"
    )
    gradient_clip: float = Field(
        default=1.0, gt=0, description="largest norm of the actor's and of the critic's gradient"
    )
    warm_start: bool = Field(
        default=False,
        description="start from the player's previous response: faster, but the responses resemble each other",
    )
    device: str = Field(default="cpu", description="torch device of the networks; episodes are played on the CPU")


class _Actor:
    """Plays the responder from its network and keeps what was decided; the opponents play as they do."""

    def __init__(
        self,
        network: PolicyNetwork,
        player: int,
        opponents: PolicyPlayer,
        rng: np.random.Generator,
        device: torch.device,
    ) -> None:
        self.network, self.player, self.opponents, self.rng, self.device = network, player, opponents, rng, device
        self.observations: list[Tensor] = []
        self.masks: list[Tensor] = []
        self.actions: list[IntArray] = []
        self.episodes: list[IntArray] = []

    def __call__(self, decisions: Decisions) -> IntArray:
        if decisions.player != self.player:
            return self.opponents(decisions)
        observations = torch.from_numpy(decisions.states.observations).to(self.device)
        masks = torch.from_numpy(decisions.states.masks).to(self.device)
        with torch.no_grad():
            probabilities = self.network(observations, masks).exp().double().cpu().numpy()
        actions: IntArray = sample_categorical(probabilities, self.rng.random(len(probabilities)))
        self.observations.append(observations)
        self.masks.append(masks)
        self.actions.append(actions)
        self.episodes.append(decisions.episodes)
        return actions


def respond(
    config: PolicyGradientConfig,
    game: Game,
    player: int,
    opponents: JointPolicy,
    seed: np.random.SeedSequence,
    warm_start: PolicyRecord | None,
) -> OracleResult:
    """Train a response; see `Oracle`."""
    device = require_torch_device(torch, config.device)
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    rules, backend = game.rules, make_backend()
    stream = backend.stream(int(rng.integers(2**63)))
    width, num_actions = network_sizes(game, player)
    actor: PolicyNetwork = MaskedMLP(width, config.hidden, num_actions, generator).to(device)
    critic = MaskedMLP(width, config.hidden, 1, generator).to(device)
    previous = to_network(warm_start, game, player) if config.warm_start and warm_start is not None else None
    if previous is not None:
        actor = previous.to(device)
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()], lr=config.learning_rate, eps=1e-5)
    returns = np.zeros(0)
    for update in range(config.updates):
        remaining = 1.0 - update / config.updates
        optimizer.param_groups[0]["lr"] = config.learning_rate * remaining
        others = PolicyPlayer(opponents, rules.num_players, config.episodes, rng)
        acting = _Actor(actor, player, others, rng, device)
        returns = play(rules, acting, config.episodes, stream, backend)[:, player]
        if acting.actions:
            _update(actor, critic, optimizer, acting, returns, config, remaining)
    metrics = {
        "value": float(returns.mean()),
        "value_stderr": float(returns.std() / np.sqrt(len(returns))),
    }
    return OracleResult(actor.record(), metrics, episodes=config.updates * config.episodes)


def loss(
    log_probabilities: Tensor, values: Tensor, actions: Tensor, returns: Tensor, entropy_weight: float
) -> tuple[Tensor, Tensor]:
    """The actor's and the critic's loss over M decisions.

    Args:
        log_probabilities: [M, A], -inf where illegal.
        values: [M], the critic's estimate of the return.
        actions: [M] int64, taken.
        returns: [M], what the episode paid.
        entropy_weight: of the bonus, in standardised advantage per nat.

    Returns:
        -mean(log pi(a) * standardised advantage) - entropy_weight * mean entropy, and the mean squared value error.
    """
    advantage = returns - values.detach()
    advantage = advantage / (advantage.std(unbiased=False) + 1e-8)
    chosen = log_probabilities.gather(1, actions[:, None])[:, 0]
    entropy = -(log_probabilities.exp() * log_probabilities.masked_fill(log_probabilities.isinf(), 0.0)).sum(dim=1)
    actor_loss = -(chosen * advantage).mean() - entropy_weight * entropy.mean()
    return actor_loss, (values - returns).square().mean()


def _update(
    actor: PolicyNetwork,
    critic: MaskedMLP,
    optimizer: torch.optim.Optimizer,
    acting: _Actor,
    returns: Float64Array,
    config: PolicyGradientConfig,
    remaining: float,
) -> None:
    observations, masks = torch.cat(acting.observations), torch.cat(acting.masks)
    actions = torch.from_numpy(np.concatenate(acting.actions)).to(observations.device)
    target = torch.from_numpy(returns[np.concatenate(acting.episodes)]).float().to(observations.device)
    actor_loss, critic_loss = loss(
        actor(observations, masks), critic(observations)[:, 0], actions, target, config.entropy * remaining
    )
    optimizer.zero_grad()
    (actor_loss + critic_loss).backward()  # type: ignore[no-untyped-call]
    for network in (actor, critic):
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
    optimizer.step()


def check(config: PolicyGradientConfig) -> None:
    """Raise InputError if the device is absent where the oracle runs."""
    require_torch_device(torch, config.device)


ORACLE = OracleSpec(id="policy_gradient", config=PolicyGradientConfig, respond=respond, needs_model=False, check=check)

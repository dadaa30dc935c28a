"""A learned best response in a mean-field game: advantage actor-critic, from representatives who meet N agents.

Mnih et al. (2016), "Asynchronous methods for deep reinforcement learning", ICML (A2C) on whole episodes: the return is
what is still to come, discounted, and a truncated game ends in the critic's value. The agents play the given policies
and the representatives, who weigh nothing, the response as it stands. Players count populations.

Differences from the paper: advantages are divided by the batch's standard deviation; learning rate and entropy bonus
are annealed linearly to zero, so that the last policy is nearly pure, as a best response is.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from eqagents.configuration import NamedSettings
from eqagents.learners.mean_field._experience import Experience, SamplingConfig, TableAct, by_moment, play_of, rules_of
from eqagents.learners.mean_field._networks import TrainingConfig, fresh, probabilities, restored
from eqagents.oracles import OracleResult, OracleSpec
from eqagents.policies import MaskedMLP, PolicyRecord
from eqenvs.arrays import Float64Array, require_torch_device
from eqenvs.game import Game
from eqenvs.policies import JointPolicy, tabulate


class MeanFieldPolicyGradientConfig(NamedSettings):
    """Settings of the oracle `mean_field_policy_gradient`."""

    id: Literal["mean_field_policy_gradient"] = "mean_field_policy_gradient"
    entropy: float = Field(
        default=0.03, ge=0, description="entropy bonus at the start, in payoff standard deviations per nat"
    )
    warm_start: bool = Field(default=False, description="start from the population's previous response")
    sampling: SamplingConfig = Field(
        default=SamplingConfig(episodes=1, representatives=200),
        description="play of one gradient step; `exploration` is not used",
    )
    training: TrainingConfig = Field(
        default=TrainingConfig(updates=150, learning_rate=5e-3, gradient_clip=1.0),
        description="`batch` and `refresh` are not used: a gradient step takes all of its play",
    )


def respond(
    config: MeanFieldPolicyGradientConfig,
    game: Game,
    player: int,
    opponents: JointPolicy,
    seed: np.random.SeedSequence,
    warm_start: PolicyRecord | None,
) -> OracleResult:
    """A response to the mean field of `opponents`, the population's own entry included; see `Oracle`."""
    rules = rules_of(game, config.id)
    model, training, rng = rules.model, config.training, np.random.default_rng(seed)
    agents = TableAct(model.as_array(tabulate(model, opponents).tables))
    generator = torch.Generator().manual_seed(int(rng.integers(2**32)))
    warm = config.warm_start and warm_start is not None and warm_start["kind"] == "mlp"
    record = warm_start if warm and warm_start is not None else fresh(model, False, training, int(rng.integers(2**32)))
    actor, states = restored(record, training.device), model.information_states[player]
    width = states.observations.shape[1]
    critic = MaskedMLP(width, training.hidden, 1, generator, activation=training.activation).to(training.device)
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()], lr=training.learning_rate, eps=1e-5)
    count = max(config.sampling.representatives, model.num_populations)
    sampling = config.sampling.model_copy(update={"representatives": count, "exploration": 0.0})
    seen, legal = torch.tensor(states.observations).to(training.device), torch.tensor(states.masks).to(training.device)
    value = float("nan")
    for update in range(training.updates):
        remaining = 1.0 - update / training.updates
        optimizer.param_groups[0]["lr"] = training.learning_rate * remaining
        tables = [other.uniform() for other in model.information_states]
        tables[player] = probabilities(actor, states.observations, states.masks)
        played = by_moment(play_of(rules, sampling, rng, agents, explore=TableAct(model.as_array(tables))), player)
        with torch.no_grad():
            worth = critic(seen)[:, 0].double().cpu().numpy()
        width = sampling.episodes * int((np.arange(count) * model.num_populations // count == player).sum())
        returns = returns_to_go(played, width, worth, model.discount)
        value = float(returns[:width].mean())
        point, action = (torch.tensor(part, device=training.device) for part in (played.point, played.action))
        target = torch.tensor(returns, dtype=torch.float32, device=training.device)
        actor_loss, critic_loss = loss(
            actor(seen[point], legal[point]), critic(seen[point])[:, 0], action, target, config.entropy * remaining
        )
        optimizer.zero_grad()
        (actor_loss + critic_loss).backward()  # type: ignore[no-untyped-call]
        for network in (actor, critic):
            torch.nn.utils.clip_grad_norm_(network.parameters(), training.gradient_clip)
        optimizer.step()
    return OracleResult(actor.record(), {"value": value}, episodes=training.updates * sampling.episodes)


def loss(
    log_probabilities: Tensor, values: Tensor, actions: Tensor, returns: Tensor, entropy_weight: float
) -> tuple[Tensor, Tensor]:
    """The actor's and the critic's loss over n steps.

    Args:
        log_probabilities: [n, A], -inf where illegal.
        values: [n], the critic's estimate of the return.
        actions: [n] int64, taken.
        returns: [n].
        entropy_weight: of the bonus, in standardised advantage per nat.

    Returns:
        -mean(log pi(a) * standardised advantage) - entropy_weight * mean entropy, and the mean squared value error.
    """
    advantage = returns - values.detach()
    advantage = advantage / (advantage.std(unbiased=False) + 1e-8)
    taken = log_probabilities.gather(1, actions[:, None])[:, 0]
    entropy = -(log_probabilities.exp() * log_probabilities.masked_fill(log_probabilities.isinf(), 0.0)).sum(dim=1)
    return -(taken * advantage).mean() - entropy_weight * entropy.mean(), (values - returns).square().mean()


def returns_to_go(played: Experience, width: int, worth: Float64Array, discount: float) -> Float64Array:
    """What is still to come after each step, discounted, [n]; of games that were cut off with the critic's value.

    Args:
        played: steps of whole episodes, time after time.
        width: of players at each time.
        worth: [I], the critic's.
        discount: a step.
    """
    reward, after = played.reward.reshape(-1, width), played.after.reshape(-1, width)
    returns = np.empty_like(reward)
    ahead = np.where(after[-1] < 0, 0.0, worth[np.maximum(after[-1], 0)])
    for time in reversed(range(len(reward))):
        ahead = returns[time] = reward[time] + discount * ahead
    return returns.reshape(-1)


def check(config: MeanFieldPolicyGradientConfig) -> None:
    """Raise InputError if a device is absent where the oracle runs."""
    for device in (config.training.device, config.sampling.device):
        require_torch_device(torch, device)


ORACLE = OracleSpec(
    id="mean_field_policy_gradient",
    config=MeanFieldPolicyGradientConfig,
    respond=respond,
    needs_model=True,
    check=check,
)

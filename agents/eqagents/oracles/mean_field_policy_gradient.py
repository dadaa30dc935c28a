"""A learned best response in a mean-field game: advantage actor-critic, from representatives who meet N agents.

Mnih et al. (2016), "Asynchronous methods for deep reinforcement learning", ICML: the loss of the learner `a2c`, on
whole episodes: the return is what is still to come, discounted, and a truncated game ends in the critic's value. The
agents play the given policies and the representatives, who weigh nothing, the response as it stands. Players count
populations.

Differences from the paper: those of `a2c`; learning rate and entropy bonus are annealed linearly to zero, so that the
last policy is nearly pure, as a best response is. Actor and critic are evaluated once an update at all points of the
game, and not at every step of play.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from eqagents.configuration import NamedSettings
from eqagents.learners.deep._batch import Batch, batch_of
from eqagents.learners.deep._config import FitConfig
from eqagents.learners.deep._engine import Terms
from eqagents.learners.deep._fit import Fitter
from eqagents.learners.deep._schedule import Schedule
from eqagents.learners.deep.a2c import A2CConfig, loss
from eqagents.learners.mean_field._experience import Sampler, SamplingConfig, TableAct, rules_of
from eqagents.learners.mean_field._networks import TrainingConfig
from eqagents.oracles import OracleResult, OracleSpec, Situation
from eqagents.oracles._actor_learner import take_up
from eqagents.rollout.networks import ActorCritic, NetworkConfig
from eqagents.rollout.trajectory import Rollout, of_players
from eqenvs.arrays import Float64Array, require_torch_device
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import for_player, tabulate


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


def respond(config: MeanFieldPolicyGradientConfig, situation: Situation) -> OracleResult:
    """A response to the mean field of the opponents, the population's own entry included; see `Oracle`."""
    game, player = situation.game, situation.player
    rules, training = rules_of(game, config.id), config.training
    model, rng, device = rules.model, np.random.default_rng(situation.seed), training.device
    agents, states = (
        TableAct(model.as_array(tabulate(model, situation.opponents).tables)),
        model.information_states[player],
    )
    own, mixing = (int(word) for word in rng.integers(2**32, size=2))
    networks = _networks(model, player, training, own)
    if config.warm_start and situation.warm_start is not None:
        take_up(networks.actor, situation.warm_start, game, player)
    networks.to(require_torch_device(torch, device))
    falling = Schedule(start=training.learning_rate, over=training.updates)
    fitter = Fitter(
        networks,
        FitConfig(
            learning_rate=falling, gradient_clip=training.gradient_clip, device=device, epochs=1, minibatches=1,
            value_weight=1.0,
        ),
    )  # fmt: skip
    learner = A2CConfig(entropy=Schedule(start=config.entropy, over=training.updates))
    count = max(config.sampling.representatives, model.num_populations)
    sampling = config.sampling.model_copy(update={"representatives": count, "exploration": 0.0})
    sampler, order = Sampler(game, sampling, rng), torch.Generator().manual_seed(mixing)
    mine = torch.nonzero(sampler.games.roles == model.num_populations + player)[:, 0]
    seen, legal = torch.tensor(states.observations, device=device), torch.tensor(states.masks, device=device)
    value = float("nan")
    for update in range(training.updates):
        policy, worth = _evaluated(model, player, networks, seen, legal)
        played, _ = sampler.rollout(agents, explore=TableAct(policy), worth=worth)
        found = of_players(played, mine).to(seen.device)
        value = _earned(found, model.discount)
        batch = batch_of(found, torch.zeros_like(mine, device=seen.device), model.discount, 1.0, standardised=True)
        there = seen[batch.observations[:, 0]]
        terms = Terms(learner, update, None)

        def of_policy(log_policy: Tensor, part: Batch, terms: Terms = terms) -> Tensor:
            return loss(log_policy, part, terms)

        if len(batch.actions):  # all moves may be forced
            fitter.fit(batch._replace(observations=there, states=there), of_policy, update, order)
    record = networks.actor.record(0, model.num_actions)
    return OracleResult(record, {"value": value}, episodes=training.updates * sampling.episodes)


def _networks(model: MeanFieldModel, player: int, training: TrainingConfig, seed: int) -> ActorCritic:
    """An actor and a critic that see what the representative player of one population sees."""
    width = model.information_states[player].observations.shape[1]
    config = NetworkConfig(hidden=training.hidden, activation=training.activation)
    return ActorCritic(width, width, (model.num_actions,), config, seed)


@torch.no_grad()
def _evaluated(
    model: MeanFieldModel, player: int, networks: ActorCritic, seen: Tensor, legal: Tensor
) -> tuple[Float64Array, Tensor]:
    """The actor as one population's part of a joint policy [M, P, S, A], and the critic's values [M * S]."""
    role = torch.zeros(len(seen), dtype=torch.int64, device=seen.device)
    table = networks.log_policy(seen, role, legal).exp().double().cpu().numpy()
    return model.as_array(for_player(model, player, table).tables), networks.values(seen, role)  # no other is used


def _earned(found: Rollout, discount: float) -> float:
    """What a player of the rollout got on average, discounted; of games that were cut off with the critic's value."""
    steps = len(found.rewards)
    weight = discount ** torch.arange(steps, device=found.rewards.device)
    ahead = torch.where(found.over[-1][:, None], 0.0, found.next_values)
    return float(((weight[:, None, None] * found.rewards).sum(dim=0) + discount**steps * ahead).mean())


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

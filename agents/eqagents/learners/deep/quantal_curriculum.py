"""An adversary that grows rational: policy mirror ascent whose temperatures differ by role and are annealed.

Reddi, Toelle, Peters, Chalvatzaki and D'Eramo (2024), "Robust adversarial reinforcement learning via bounded
rationality curricula", ICLR: the adversary's play is a quantal response whose temperature starts high, so that the
protagonist first meets play that is nearly random, and falls towards 0, where the two are at the saddle point of the
game itself. Every role has the entropy-regularised objective of its own temperature,

    L(theta) = -E[r A] + E[temperature(role) * KL(pi || uniform)] + (1 / step) * E[KL(pi || pi_old)].

Differences from the paper: policy mirror ascent on discrete actions in place of soft actor-critic; the curriculum is a
schedule given in iterations, not adapted to the protagonist's performance.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from eqagents.distributed import Executor
from eqagents.learners import LearnerSpec
from eqagents.learners.deep._batch import Batch, chosen, divergence, uniform_log
from eqagents.learners.deep._config import ActorLearnerConfig, FitConfig
from eqagents.learners.deep._engine import ActorLearner, Terms
from eqagents.learners.deep._schedule import Schedule, constant
from eqenvs.errors import InputError
from eqenvs.game import Game


class QuantalCurriculumConfig(ActorLearnerConfig):
    """Settings of the learner `quantal_curriculum`."""

    id: Literal["quantal_curriculum"] = "quantal_curriculum"
    fit: FitConfig = FitConfig(standardised=False)
    adversaries: tuple[int, ...] = Field(default=(1,), description="roles whose temperature is annealed")
    adversary_temperature: Schedule = Field(
        default=Schedule(start=2.0, end=0.02, over=300, shape="exponential"),
        description="of the adversaries, in payoff per nat",
    )
    temperature: Schedule = Field(default=constant(0.02), description="of everybody else, in payoff per nat")
    step: Schedule = Field(default=constant(1.0), description="inverse weight of the divergence to the last policy")


def loss(log_policy: Tensor, batch: Batch, terms: Terms) -> Tensor:
    """See the module."""
    config: QuantalCurriculumConfig = terms.config
    ratio = (chosen(log_policy, batch.actions) - chosen(batch.log_policy, batch.actions)).exp()
    adversary = torch.isin(batch.roles, torch.tensor(config.adversaries, device=batch.roles.device))
    high, low = (each.at(terms.iteration) for each in (config.adversary_temperature, config.temperature))
    pull = torch.where(adversary, high, low)
    return (
        -(ratio * batch.advantages).mean()
        + (pull * divergence(log_policy, uniform_log(batch.masks))).mean()
        + divergence(log_policy, batch.log_policy).mean() / config.step.at(terms.iteration)
    )


def build(game: Game, config: QuantalCurriculumConfig, executor: Executor) -> ActorLearner:
    """The learner of a run.

    Raises:
        InputError: if the adversaries are no roles of the game, or are all of them.
    """
    roles = set(range(max(game.rules.roles) + 1))
    if not set(config.adversaries) < roles:
        raise InputError(
            f"config: learner.adversaries {list(config.adversaries)}: some of the roles 0 to {len(roles) - 1}, not all"
        )
    return ActorLearner(game, config, executor, loss)


LEARNER = LearnerSpec(
    id="quantal_curriculum", config=QuantalCurriculumConfig, build=build, source="Reddi et al. (2024), ICLR"
)

"""Mirror descent policy optimisation, off-policy: action values from replay, and gradient steps on a mirror step.

Tomar, Shani, Efroni and Ghavamzadeh (2022), "Mirror descent policy optimization", ICLR, algorithm 2. Over decisions
drawn from the replay memory, with pi_old the policy before the iteration's gradient steps,

    L_actor(theta) = E[sum_a pi(a) (log pi(a) - log pi_old(a) - step * (Q(s, a) - temperature * log pi(a)))],
    L_critic(phi) = E[(r + discount * V'(s') - Q(s, a))^2],
    V'(s') = sum_b pi(b) (Q'(s', b) - temperature * log pi(b)),

Q' being the target network. At temperature 0 this is mirror descent on the plain value; above, on the value with an
entropy bonus, whose fixed point in self-play is a quantal response equilibrium: the step is then that of `pma` with a
uniform magnet, with action values in place of sampled advantages.

Differences from the paper: actions are discrete, so the sum over them is exact and nothing is reparametrised; one
critic, no second network of state values.

In self-play remembered payoffs are those against opponents of some iterations before. Policies that follow each other
with such a delay circle the equilibrium, and circle away from it unless the step is small against the temperature
divided by the delay: so the memory is kept short (by default not longer than an iteration), and step and
temperature fall together.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from eqagents.distributed import Executor
from eqagents.learners import LearnerSpec
from eqagents.learners.deep._batch import chosen, finite
from eqagents.learners.deep._config import GradientConfig, PlayConfig
from eqagents.learners.deep._off_policy import FALLING, Method, OffPolicyConfig, OffPolicyLearner, ReplayConfig, Terms
from eqagents.learners.deep._replay import Experience
from eqagents.learners.deep._schedule import Schedule, constant
from eqagents.rollout.cast import SOFTMAX
from eqagents.rollout.networks import QNetworks
from eqagents.rollout.task import critics_and_actors_of
from eqenvs.game import Game


class MDPOOffPolicyConfig(OffPolicyConfig):
    """Settings of the learner `mdpo_off_policy`."""

    id: Literal["mdpo_off_policy"] = "mdpo_off_policy"
    play: PlayConfig = PlayConfig(num_envs=256)
    fit: GradientConfig = GradientConfig(learning_rate=constant(5e-3))
    replay: ReplayConfig = ReplayConfig(capacity=4_096, target_every=1)
    step: Schedule = Field(
        default=Schedule(start=0.1, end=0.005, over=10, shape="inverse_sqrt"),
        description="inverse weight of the divergence to the last policy",
    )
    temperature: Schedule = Field(
        default=Schedule(start=0.5, end=0.02, over=10, shape="inverse_sqrt"),
        description="weight of the entropy in values, in payoff per nat; 0 for none",
    )
    actor_rate: Schedule = Field(default=FALLING, description="Adam's step size of the policy")


def loss(
    networks: QNetworks, frozen: QNetworks, batch: Experience, *, step: float, temperature: float
) -> dict[str, Tensor]:
    """See the module."""
    values = networks.action_values(batch.observations, batch.roles)
    log_policy = networks.log_policy(batch.observations, batch.roles, batch.masks)
    with torch.no_grad():
        old = frozen.log_policy(batch.observations, batch.roles, batch.masks)
        ahead = frozen.action_values(batch.next_observations, batch.roles)
        later = networks.log_policy(batch.next_observations, batch.roles, batch.next_masks)
        targets = batch.rewards + batch.discounts * _expected(later, ahead, temperature)
    moved = log_policy.exp() * (finite(log_policy) - finite(old))
    return {
        "critic": (chosen(values, batch.actions) - targets).square().mean(),
        "actor": (moved.sum(dim=1) - step * _expected(log_policy, values.detach(), temperature)).mean(),
    }


def _expected(log_policy: Tensor, values: Tensor, temperature: float) -> Tensor:
    """[n], of the values [n, A] with the entropy's bonus."""
    return (log_policy.exp() * (values - temperature * finite(log_policy))).sum(dim=1)


def build(game: Game, config: MDPOOffPolicyConfig, executor: Executor) -> OffPolicyLearner:
    """The learner of a run."""

    def losses(networks: QNetworks, frozen: QNetworks, batch: Experience, terms: Terms) -> dict[str, Tensor]:
        step, temperature = config.step.at(terms.iteration), config.temperature.at(terms.iteration)
        return loss(networks, frozen, batch, step=step, temperature=temperature)

    method = Method(
        make=critics_and_actors_of,
        behaviour=lambda iteration: SOFTMAX,
        loss=losses,
        rates=lambda iteration: {
            "critic": config.fit.learning_rate.at(iteration),
            "actor": config.actor_rate.at(iteration),
        },
    )
    return OffPolicyLearner(game, config, executor, method)


LEARNER = LearnerSpec(
    id="mdpo_off_policy", config=MDPOOffPolicyConfig, build=build, source="Tomar et al. (2022), ICLR, algorithm 2"
)

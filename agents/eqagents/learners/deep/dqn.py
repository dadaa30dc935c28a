"""Deep Q-learning in self-play; the oracle `dqn` is the same against fixed opponents.

Mnih et al. (2015), "Human-level control through deep reinforcement learning", Nature 518, algorithm 1; van Hasselt,
Guez and Silver (2016), "Deep reinforcement learning with double Q-learning", AAAI. Over decisions (s, a) of a player,
what was paid until its next decision s', and the legal actions there,

    L(theta) = E[(r + discount * Q'(s', argmax_b Q(s', b)) - Q(s, a))^2],

Q' being the target network; without `double` the maximum is over Q' itself. Play is epsilon-greedy, the policy greedy.

Against fixed opponents a player's decisions form a Markov decision process over its information
states, where the method is Q-learning. In self-play it carries no guarantee: a greedy policy is pure, and equilibria of
games with hidden information are not.

Differences from the paper: Adam; errors are squared, not clipped, because a clipped error's minimum is no mean and
payoffs of a game are random; the target network is copied every so many iterations, not gradient steps.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from eqagents.distributed import Executor
from eqagents.learners import LearnerSpec
from eqagents.learners.deep._batch import chosen
from eqagents.learners.deep._off_policy import Method, OffPolicyConfig, OffPolicyLearner, Probability, Terms
from eqagents.learners.deep._replay import Experience
from eqagents.learners.deep._schedule import Schedule
from eqagents.rollout.behaviour import EpsilonGreedy, greedy
from eqagents.rollout.networks import QNetworks
from eqagents.rollout.task import MakesNetworks, critics_of
from eqenvs.game import Game


class DQNConfig(OffPolicyConfig):
    """Settings of the learner `dqn`."""

    id: Literal["dqn"] = "dqn"
    double: bool = Field(default=True, description="choose the next action by the network, not by its target's values")
    epsilon: Probability = Field(
        default=Schedule(start=1.0, end=0.1, over=100), description="share of moves that are drawn uniformly"
    )


def loss(networks: QNetworks, frozen: QNetworks, batch: Experience, *, double: bool) -> Tensor:
    """See the module."""
    values = chosen(networks.action_values(batch.observations, batch.roles), batch.actions)
    with torch.no_grad():
        ahead = frozen.action_values(batch.next_observations, batch.roles)
        choosing = networks.action_values(batch.next_observations, batch.roles) if double else ahead
        best = chosen(ahead, greedy(choosing, batch.next_masks))
        targets = batch.rewards + batch.discounts * best
    return (values - targets).square().mean()


def method(config: DQNConfig, make: MakesNetworks = critics_of) -> Method:
    """The method, with networks of the usual kind or others."""

    def losses(networks: QNetworks, frozen: QNetworks, batch: Experience, terms: Terms) -> dict[str, Tensor]:
        return {"critic": loss(networks, frozen, batch, double=config.double)}

    return Method(
        make=make,
        behaviour=lambda iteration: EpsilonGreedy(config.epsilon.at(iteration)),
        loss=losses,
        rates=lambda iteration: {"critic": config.fit.learning_rate.at(iteration)},
    )


def build(game: Game, config: DQNConfig, executor: Executor) -> OffPolicyLearner:
    """The learner of a run."""
    return OffPolicyLearner(game, config, executor, method(config))


LEARNER = LearnerSpec(id="dqn", config=DQNConfig, build=build, source="Mnih et al. (2015), Nature 518")

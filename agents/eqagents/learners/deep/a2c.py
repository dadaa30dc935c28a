"""Advantage actor-critic in self-play, synchronous: one gradient step an iteration on all that was played.

Mnih, Badia, Mirza, Graves, Lillicrap, Harley, Silver and Kavukcuoglu (2016), "Asynchronous methods for deep
reinforcement learning", ICML, with the advantage estimates of Schulman et al. (2016):

    L(theta) = -E[log pi(a) A] - entropy * E[H(pi)].

Differences from the paper: Adam, and no threads.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from eqagents.learners.deep._batch import Batch, chosen, entropy
from eqagents.learners.deep._config import ActorLearnerConfig, FitConfig
from eqagents.learners.deep._engine import Terms, actor_learner
from eqagents.learners.deep._schedule import Schedule, constant


class A2CConfig(ActorLearnerConfig):
    """Settings of the learner `a2c`."""

    id: Literal["a2c"] = "a2c"
    fit: FitConfig = FitConfig(epochs=1, minibatches=1, learning_rate=constant(1e-3))
    entropy: Schedule = Field(default=constant(0.05), description="weight of the entropy bonus, in advantage per nat")


def loss(log_policy: Tensor, batch: Batch, terms: Terms) -> Tensor:
    """See the module."""
    config: A2CConfig = terms.config
    gained = (chosen(log_policy, batch.actions) * batch.advantages).mean()
    return -gained - config.entropy.at(terms.iteration) * entropy(log_policy).mean()


LEARNER = actor_learner("a2c", A2CConfig, loss, source="Mnih et al. (2016), ICML")

"""REINFORCE with a baseline in self-play: whole returns, less what the critic expected.

Williams (1992), "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine
Learning 8, with a state-value baseline; an entropy bonus keeps self-play from cycling too early:

    L(theta) = -E[log pi(a) (G - V)] - entropy * E[H(pi)].

A return runs to the end of the game, or to the end of the play that was seen, where the critic's value stands for what
follows.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from eqagents.learners.deep._batch import Batch, chosen, entropy
from eqagents.learners.deep._config import ActorLearnerConfig, FitConfig
from eqagents.learners.deep._engine import Terms, actor_learner
from eqagents.learners.deep._schedule import Schedule, constant


class ReinforceConfig(ActorLearnerConfig):
    """Settings of the learner `reinforce`."""

    id: Literal["reinforce"] = "reinforce"
    fit: FitConfig = FitConfig(epochs=1, minibatches=1, learning_rate=constant(1e-3))
    trace: float = Field(default=1.0, ge=0, le=1, description="lambda of the advantage estimates; 1: whole returns")
    entropy: Schedule = Field(default=constant(0.05), description="weight of the entropy bonus, in advantage per nat")


def loss(log_policy: Tensor, batch: Batch, terms: Terms) -> Tensor:
    """See the module."""
    config: ReinforceConfig = terms.config
    gained = (chosen(log_policy, batch.actions) * batch.advantages).mean()
    return -gained - config.entropy.at(terms.iteration) * entropy(log_policy).mean()


LEARNER = actor_learner("reinforce", ReinforceConfig, loss, source="Williams (1992), Machine Learning 8")

"""Proximal policy optimisation in self-play: the clipped ratio, advantages of every player's own decisions.

Schulman, Wolski, Dhariwal, Radford and Klimov (2017), "Proximal policy optimization algorithms", arXiv 1707.06347,
equation 7 with an entropy bonus:

    L(theta) = -E[min(r A, clip(r, 1 - clip, 1 + clip) A)] - entropy * E[H(pi)],    r = pi(a) / pi_old(a).

One update's self-play carries no guarantee in games with hidden information; with enough entropy its last iterate
comes near equilibrium (Rudolph et al. 2025, arXiv 2502.08938), which is why the bonus is large by default.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from eqagents.learners.deep._batch import Batch, chosen, entropy
from eqagents.learners.deep._config import ActorLearnerConfig
from eqagents.learners.deep._engine import Terms, actor_learner
from eqagents.learners.deep._schedule import Schedule, constant


class PPOConfig(ActorLearnerConfig):
    """Settings of the learner `ppo`."""

    id: Literal["ppo"] = "ppo"
    clip: float = Field(default=0.2, gt=0, description="how far a ratio of probabilities may leave 1 and gain")
    entropy: Schedule = Field(default=constant(0.05), description="weight of the entropy bonus, in advantage per nat")


def loss(log_policy: Tensor, batch: Batch, terms: Terms) -> Tensor:
    """See the module."""
    config: PPOConfig = terms.config
    ratio = (chosen(log_policy, batch.actions) - chosen(batch.log_policy, batch.actions)).exp()
    clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
    gained = (ratio * batch.advantages).minimum(clipped * batch.advantages).mean()
    return -gained - config.entropy.at(terms.iteration) * entropy(log_policy).mean()


LEARNER = actor_learner("ppo", PPOConfig, loss, source="Schulman et al. (2017), arXiv 1707.06347")

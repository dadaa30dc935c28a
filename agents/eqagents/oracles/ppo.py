"""A learned best response: proximal policy optimisation, several passes over what was played in a round.

Schulman et al. (2017), "Proximal policy optimization algorithms", arXiv 1707.06347: the loss of the learner `ppo`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from eqagents.learners.deep.ppo import PPOConfig, loss
from eqagents.oracles._actor_learner import ActorCriticConfig, EntropyConfig, actor_critic_oracle


class ClippedConfig(EntropyConfig):
    """Settings of every oracle with this loss."""

    updates: int = Field(default=100, ge=1, description="rounds of play and learning per response")
    epochs: int = Field(default=4, ge=1, description="passes over the play of a round")
    minibatches: int = Field(default=4, ge=1, description="gradient steps a pass")
    clip: float = Field(default=0.2, gt=0, description="how far a ratio of probabilities may leave 1 and gain")


class PPOOracleConfig(ClippedConfig):
    """Settings of the oracle `ppo`."""

    id: Literal["ppo"] = "ppo"


def learner_of(config: ActorCriticConfig) -> PPOConfig:
    """The learner whose loss it is."""
    assert isinstance(config, ClippedConfig)
    fit = config.fit(config.epochs, config.minibatches)
    return PPOConfig(trace=config.trace, fit=fit, entropy=config.falling(config.entropy), clip=config.clip)


ORACLE = actor_critic_oracle("ppo", PPOOracleConfig, loss, learner_of)

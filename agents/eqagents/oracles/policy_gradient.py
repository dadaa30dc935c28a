"""A learned best response: advantage actor-critic, one gradient step on what was played in a round.

Mnih et al. (2016), "Asynchronous methods for deep reinforcement learning", ICML: the loss of the learner `a2c` and its
differences from the paper.
"""

from __future__ import annotations

from typing import Literal

from eqagents.learners.deep.a2c import A2CConfig, loss
from eqagents.oracles._actor_learner import ActorCriticConfig, EntropyConfig, actor_critic_oracle


class PolicyGradientConfig(EntropyConfig):
    """Settings of the policy-gradient oracle."""

    id: Literal["policy_gradient"] = "policy_gradient"


def _learner(config: ActorCriticConfig) -> A2CConfig:
    assert isinstance(config, PolicyGradientConfig)
    return A2CConfig(trace=config.trace, fit=config.fit(1, 1), entropy=config.falling(config.entropy))


ORACLE = actor_critic_oracle("policy_gradient", PolicyGradientConfig, loss, _learner)

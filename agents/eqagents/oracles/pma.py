"""A learned best response: policy mirror ascent, steps that stay near the last policy and near uniform play.

Sokota et al. (2023), "A unified approach to reinforcement learning, quantal response equilibria, and two-player
zero-sum games", ICLR, section 5: the loss of the learner `pma`. Against fixed opponents the pull towards uniform play
is a temperature: while it stands the response is the logit one, and as it falls to zero a best response.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from eqagents.learners.deep._schedule import constant
from eqagents.learners.deep.pma import PMAConfig, loss
from eqagents.oracles._actor_learner import ActorCriticConfig, actor_critic_oracle


class PMAOracleConfig(ActorCriticConfig):
    """Settings of the oracle `pma`."""

    id: Literal["pma"] = "pma"
    updates: int = Field(default=100, ge=1, description="rounds of play and learning per response")
    epochs: int = Field(default=4, ge=1, description="passes over the play of a round")
    minibatches: int = Field(default=4, ge=1, description="gradient steps a pass")
    pull: float = Field(
        default=0.05, ge=0, description="weight of the divergence to uniform play at the start, in payoff per nat"
    )
    step: float = Field(
        default=5.0, gt=0, description="inverse weight of the divergence to the last policy, in nats per payoff"
    )


def _learner(config: ActorCriticConfig) -> PMAConfig:
    assert isinstance(config, PMAOracleConfig)
    fit = config.fit(config.epochs, config.minibatches).model_copy(update={"standardised": False})
    return PMAConfig(trace=config.trace, fit=fit, pull=config.falling(config.pull), step=constant(config.step))


ORACLE = actor_critic_oracle("pma", PMAOracleConfig, loss, _learner)

"""Tabular actor-critic of N agents who share their tables: a baseline without networks.

Konda and Tsitsiklis (1999), "Actor-critic algorithms", NeurIPS, with the natural gradient of a softmax table (Kakade,
2001, "A natural policy gradient", NeurIPS), which is the advantage: logits move by `rate` times the mean of
r + discount * V(s') - V(s) over the steps in a state with an action, and V by `critic_rate` towards the mean of
r + discount * V(s'). In an exact model the actor's steps are those of online mirror descent with eta = `rate`.

Cost of an iteration: B N T moves and O(B N T) to learn from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from eqagents.distributed import Executor
from eqagents.learners import LearnerSpec
from eqagents.learners.mean_field._experience import Experience
from eqagents.learners.mean_field._tables import TableLearner, TablesConfig, back_in_time, means
from eqenvs.arrays import Float64Array
from eqenvs.game import Game
from eqsolvers.mean_field._tables import softmax


class MeanFieldActorCriticConfig(TablesConfig):
    """Settings of the learner `mean_field_actor_critic`."""

    id: Literal["mean_field_actor_critic"] = "mean_field_actor_critic"
    rate: float = Field(default=0.5, gt=0, description="of the actor, in logits per unit of payoff")
    critic_rate: float = Field(default=0.8, gt=0, le=1, description="of the critic, as a share of its error")
    decay: float = Field(default=0.3, ge=0, le=1, description="power of the iteration by which the actor's rate falls")


class MeanFieldActorCritic(TableLearner):
    """See the module; `logits` [M, P, S, A] are the actor's, `worth` [M, P, S] the critic's."""

    def __init__(self, game: Game, config: MeanFieldActorCriticConfig, executor: Executor) -> None:
        super().__init__(game, config, executor)
        self._config = config

    def start(self) -> dict[str, Float64Array]:
        """All zero, so that all legal actions are played alike."""
        shape = self.model.policy_shape
        return {"logits": np.zeros(shape), "worth": np.zeros(shape[:3])}

    def policy(self, arrays: Mapping[str, Float64Array]) -> Float64Array:
        """The actor."""
        return softmax(arrays["logits"], self.model.legal)

    def learn(self, arrays: dict[str, Float64Array], found: Experience, population: int, iteration: int) -> float:
        """One pass back in time."""
        logits, worth = arrays["logits"][:, population], arrays["worth"][:, population]
        rate = self._config.rate * (iteration + 1.0) ** -self._config.decay
        (states, actions), total = self.model.legal.shape, 0.0
        for moment, part in back_in_time(found, states):
            after = np.maximum(part.after, 0)
            ahead = np.where(part.after < 0, 0.0, worth[after // states, after % states])
            target = part.reward + self.model.discount * ahead
            mean, count = means(target, part.point, states)
            error = np.where(count > 0, mean - worth[moment], 0.0)
            worth[moment] += self._config.critic_rate * error
            taken, times = means(target, part.point * actions + part.action, states * actions)
            # Compared with the mean of this play where the critic lags behind it, so that no action gains by that.
            advantage = taken.reshape(states, actions) - mean[:, None]
            logits[moment] += rate * np.where(times.reshape(states, actions) > 0, advantage, 0.0)
            total += float((count * error**2).sum())
        return float(np.sqrt(total / len(found.point)))


def build(game: Game, config: MeanFieldActorCriticConfig, executor: Executor) -> MeanFieldActorCritic:
    """The learner of a run."""
    return MeanFieldActorCritic(game, config, executor)


LEARNER = LearnerSpec(
    id="mean_field_actor_critic",
    config=MeanFieldActorCriticConfig,
    build=build,
    source="Konda and Tsitsiklis (1999), NeurIPS; Kakade (2001), NeurIPS",
)

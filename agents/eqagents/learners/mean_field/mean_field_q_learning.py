"""Tabular Q-learning of N agents who share a table: a baseline without networks.

Watkins and Dayan (1992), "Q-learning", Machine Learning 8, with the Boltzmann policies of Cui and Koeppl (2021),
"Approximately solving mean field games via entropy-regularized deep reinforcement learning", AISTATS: all agents of a
population play softmax(Q / temperature) and learn Q(s, a) from r + discount * max_b Q(s', b) in the mean field that
they make. Step sizes fall like (iteration + 1)^-decay, which slows the mean field down against the values (Angiuli,
Fouque and Lauriere, 2022, "Unified reinforcement Q-learning for mean field game and control problems", Mathematics of
Control, Signals and Systems 34). What it can reach is the equilibrium among Boltzmann policies (the fixed point of
`boltzmann-iteration`), which others can exploit by an amount of the order of the temperature a decision.

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


class MeanFieldQLearningConfig(TablesConfig):
    """Settings of the learner `mean_field_q_learning`."""

    id: Literal["mean_field_q_learning"] = "mean_field_q_learning"
    temperature: float = Field(default=0.1, gt=0, description="of the policies, in payoff")
    decay: float = Field(default=0.6, ge=0, le=1, description="power of the iteration by which step sizes fall")


class MeanFieldQLearning(TableLearner):
    """See the module; `quality` [M, P, S, A] is the table."""

    def __init__(self, game: Game, config: MeanFieldQLearningConfig, executor: Executor) -> None:
        super().__init__(game, config, executor)
        self._temperature, self._decay = config.temperature, config.decay

    def start(self) -> dict[str, Float64Array]:
        """All zero, so that all legal actions are played alike."""
        return {"quality": np.zeros(self.model.policy_shape)}

    def policy(self, arrays: Mapping[str, Float64Array]) -> Float64Array:
        """The Boltzmann policy."""
        return softmax(arrays["quality"] / self._temperature, self.model.legal)

    def learn(self, arrays: dict[str, Float64Array], found: Experience, population: int, iteration: int) -> float:
        """One pass back in time."""
        quality, rate = arrays["quality"][:, population], (iteration + 1.0) ** -self._decay
        states, actions = self.model.legal.shape
        legal, total = np.where(self.model.legal, 0.0, -np.inf), 0.0
        for moment, part in back_in_time(found, states):
            after = np.maximum(part.after, 0)
            ahead = (quality[after // states, after % states] + legal[after % states]).max(axis=1)
            target = part.reward + self.model.discount * np.where(part.after < 0, 0.0, ahead)
            mean, count = means(target, part.point * actions + part.action, states * actions)
            error = np.where(count > 0, mean - quality[moment].reshape(-1), 0.0)
            quality[moment] += rate * error.reshape(states, actions)
            total += float((count * error**2).sum())
        return float(np.sqrt(total / len(found.point)))


def build(game: Game, config: MeanFieldQLearningConfig, executor: Executor) -> MeanFieldQLearning:
    """The learner of a run."""
    return MeanFieldQLearning(game, config, executor)


LEARNER = LearnerSpec(
    id="mean_field_q_learning",
    config=MeanFieldQLearningConfig,
    build=build,
    source="Watkins and Dayan (1992), Machine Learning 8; Cui and Koeppl (2021), AISTATS",
)

"""Learner: smooth fictitious play in a normal-form game.

Every player answers the others' average play by the logit response of its payoffs, and its average moves towards the
answer by 1 / (t + 1). In a two-player game with one interior equilibrium that is zero-sum up to scaling, averages
converge to a logit equilibrium of the given temperature.

Fudenberg and Levine (1995), "Consistency and cautious fictitious play", Journal of Economic Dynamics and Control 19.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor
from eqagents.learners import Learner, LearnerSpec
from eqenvs import Game
from eqenvs.errors import UnsupportedGame
from eqenvs.models import NormalFormModel
from eqenvs.policies import JointPolicy, TabularPolicy


class SmoothPlayConfig(NamedSettings):
    """What a configuration file may say under `learner`."""

    id: Literal["smooth_play"] = "smooth_play"
    temperature: float = Field(default=0.1, gt=0, description="of the logit response, payoff units")


@dataclass(frozen=True)
class State:
    """All that changes: what `step` computes the next state from."""

    iteration: int
    averages: tuple[NDArray[np.float64], ...]


class SmoothPlay(Learner[State]):
    """See the module."""

    def __init__(self, game: Game, config: SmoothPlayConfig) -> None:
        model = game.model()
        if not isinstance(model, NormalFormModel):
            raise UnsupportedGame(f"learner 'smooth_play' is for normal-form games, {game.spec.id} is {game.family}")
        self._model, self._temperature = model, config.temperature

    def init(self, seed: np.random.SeedSequence) -> State:
        """Uniform play; there is nothing random."""
        return State(0, tuple(np.full(count, 1.0 / count) for count in self._model.num_actions))

    def step(self, state: State) -> tuple[State, dict[str, float]]:
        """One response of every player."""
        averages, moved = [], 0.0
        for player, average in enumerate(state.averages):
            payoffs = self._model.gradient(player, state.averages)
            odds = np.exp((payoffs - payoffs.max()) / self._temperature)
            change = (odds / odds.sum() - average) / (state.iteration + 2)
            averages.append(average + change)
            moved = max(moved, float(np.abs(change).max()))
        return State(state.iteration + 1, tuple(averages)), {"smooth_play/moved": moved}

    def average_policy(self, state: State) -> JointPolicy:
        """The averages."""
        return TabularPolicy(self._model, state.averages)

    def to_tree(self, state: State) -> dict[str, Any]:
        """For a checkpoint."""
        return {"iteration": state.iteration, "averages": list(state.averages)}

    def from_tree(self, tree: dict[str, Any]) -> State:
        """From a checkpoint."""
        return State(tree["iteration"], tuple(tree["averages"]))


def build(game: Game, config: SmoothPlayConfig, executor: Executor) -> SmoothPlay:
    """The learner; an iteration is too short to be sent to workers, so `executor` is not used."""
    return SmoothPlay(game, config)


LEARNER = LearnerSpec(
    id="smooth_play",
    config=SmoothPlayConfig,
    build=build,
    source="Fudenberg and Levine (1995), Journal of Economic Dynamics and Control 19",
)

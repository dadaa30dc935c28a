"""Tabular learners of Markov games from a batch of environments: no model is asked, and none need be possible.

The methods are those of `eqsolvers.markov.learning` that learn from what they see (`online_methods`); what each
computes and where it is from is said by its file. States are numbered as they are met. The policy is uniform at states
that were never met: where the game can be enumerated their number is the measure `unmet`, and the score is exact;
elsewhere the score is a lower bound from play, as for every learner there, and correlated policies are given as the
product of their marginals, since a device must say what it does at every state.

Cost: a step is `iterations_per_step` steps of `num_envs` games, and one copy of the tables.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor
from eqagents.learners import LearnerSpec
from eqagents.learners._stepped import Stepped, SteppedState
from eqenvs.errors import InputError, UnsupportedGame, unknown_name
from eqenvs.game import Game
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import JointPolicy
from eqsolvers.markov.learning import OnlineProcess, online_method, told_of


class ExperienceConfig(NamedSettings):
    """Settings of the learner `tabular_experience`."""

    id: Literal["tabular_experience"] = "tabular_experience"
    method: str = Field(description="id of a tabular learner of Markov games, such as v-learning")
    settings: dict[str, Any] = Field(default_factory=dict, description="the method's parameters; others are defaults")
    concept: str | None = Field(
        default=None, description="what to compute, of a method that computes several concepts; its first by default"
    )
    iterations_per_step: int = Field(
        default=1000, ge=1, description="steps of all games in one iteration of the learner"
    )
    num_envs: int = Field(
        default=16, ge=1, le=1_000_000, description="games played side by side; 1: the textbook's order of events"
    )
    max_cycles: int | None = Field(
        default=None, ge=1, description="steps after which a game is cut off, which is no end; none: the game's default"
    )
    least_reward: float | None = Field(
        default=None,
        description="least reward of a step, for methods that must know; none: the model's, if any",
    )
    most_reward: float | None = Field(default=None, description="the same, the most")

    @field_validator("method")
    @classmethod
    def _known_method(cls, value: str) -> str:
        try:
            online_method(value)
        except UnsupportedGame as error:
            raise InputError(f"config: learner.method: {error}") from None
        return value

    @model_validator(mode="after")
    def _known_settings(self) -> Self:
        method = online_method(self.method)
        try:
            method.resolve(self.settings)
        except InputError as error:
            raise InputError(f"config: learner.settings: {error}") from None
        if self.concept is not None and self.concept not in method.concepts:
            raise unknown_name(f"concept of {self.method}", self.concept, method.concepts)
        if (self.least_reward is None) != (self.most_reward is None):
            raise InputError("config: learner: least_reward and most_reward are set together or not at all")
        return self


class Experience(Stepped[OnlineProcess]):
    """See the module."""

    def __init__(self, game: Game, config: ExperienceConfig) -> None:
        super().__init__(config.iterations_per_step)
        self._config, self._game = config, game
        rewards = None
        if config.least_reward is not None and config.most_reward is not None:
            rewards = config.least_reward, config.most_reward
        self._told = told_of(game, rewards)
        self._process = self._start(0)  # which refuses games that the method does not cover

    def average_policy(self, state: SteppedState) -> JointPolicy:
        """What the method's guarantee is about; see the module for states that were never met."""
        process = self._at(state)
        return process.policy_on(self._model()) if self._game.exact else process.behaviour()

    def measures(self, state: SteppedState) -> dict[str, float]:
        """States met, and those that were not, where they can be counted."""
        process = self._at(state)
        counted = {"met": float(process.met)}
        return counted | {"unmet": float(process.unmet(self._model()))} if self._game.exact else counted

    def _start(self, seed: int) -> OnlineProcess:
        config = self._config
        learner = online_method(config.method).begin(self._told, config.settings, config.concept)
        env = self._game.vector_env(config.num_envs, max_cycles=config.max_cycles)
        return OnlineProcess(env, self._told, config.method, learner, seed)

    def _metrics(self, process: OnlineProcess) -> dict[str, float]:
        return {"samples/steps": float(process.touched), "experience/states_met": float(process.met)}

    def _model(self) -> MarkovModel:
        model = self._game.model()
        assert isinstance(model, MarkovModel)  # by `told_of`
        return model


def build(game: Game, config: ExperienceConfig, executor: Executor) -> Experience:
    """The learner of a run; it is sequential, so the executor has nothing to do."""
    del executor
    return Experience(game, config)


LEARNER = LearnerSpec(
    id="tabular_experience",
    config=ExperienceConfig,
    build=build,
    source="the method's own, see `eqsolvers.result.SolverSpec.source`",
)

"""Every iterative method of `eqsolvers` as a learner: a number of its iterations a step, checkpointed and scored.

What it computes, for which games and from which paper is said by the method itself; nothing is added here. The state is
what the method's process calls all that changes, so a run that was stopped goes on to the same bits.

Cost: a step is `iterations_per_step` iterations and one copy of the process' state.
"""

from __future__ import annotations

import time
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor
from eqagents.learners import LearnerSpec
from eqagents.learners._stepped import Stepped, SteppedState
from eqenvs.errors import InputError, UnsupportedGame, nearest, unknown_name
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqenvs.spec import Family
from eqsolvers.iterative import Process, require_alike
from eqsolvers.result import SolverSpec, solvers


def iterative_methods() -> dict[str, dict[Family, SolverSpec]]:
    """The methods that can be stepped, by id and by the family of games that they take."""
    found: dict[str, dict[Family, SolverSpec]] = {}
    for family in Family:
        for method, spec in solvers(family).items():
            if spec.start is not None:
                found.setdefault(method, {})[family] = spec
    return found


class MethodChoice(NamedSettings):
    """An iterative method with its settings."""

    method: str = Field(description="id of an iterative solver, such as cfr+")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="the method's parameters, as in `eqenvs solve --set`; others are defaults"
    )
    concept: str | None = Field(
        default=None, description="what to compute, of a method that computes several concepts; its first by default"
    )

    @field_validator("method")
    @classmethod
    def _known_method(cls, value: str) -> str:
        known = iterative_methods()
        if value not in known:
            raise unknown_name("iterative method", value, known)
        return value

    @model_validator(mode="after")
    def _known_settings(self) -> Self:
        """Settings must suit the method in one family at least; which one, the game says later."""
        errors = []
        for spec in iterative_methods()[self.method].values():
            try:
                spec.resolve(self.settings)
            except InputError as error:
                errors.append(error)
            else:
                return self
        raise InputError(f"config: learner.settings: {errors[0]}")

    @model_validator(mode="after")
    def _known_concept(self) -> Self:
        """The concept must be one that the method computes in one family at least."""
        known = sorted({name for spec in iterative_methods()[self.method].values() for name in spec.concepts})
        if self.concept is not None and self.concept not in known:
            raise unknown_name(f"concept of {self.method}", self.concept, known)
        return self

    def spec_for(self, game: Game) -> SolverSpec:
        """The method for this game's family.

        Raises:
            InputError: if there is none, it does not compute the concept there, or the game cannot be enumerated.
        """
        families = iterative_methods()[self.method]
        if game.family not in families:
            known = [method for method, specs in iterative_methods().items() if game.family in specs]
            hint = nearest(self.method, known or ["(none)"])
            raise UnsupportedGame(f"unknown iterative method for {game.family} games {self.method!r}; {hint}")
        if not game.exact:
            raise UnsupportedGame(
                f"{self.id}: {self.method!r} needs a game that can be enumerated, {game!r} cannot; learner 'psro' with "
                "simulated payoffs needs no model"
            )
        spec = families[game.family]
        if self.concept is not None and self.concept not in spec.concepts:
            raise unknown_name(f"concept of {self.method} for {game.family} games", self.concept, spec.concepts)
        return spec

    def begin(self, spec: SolverSpec, model: Any, seed: int) -> Process:
        """The method's process on a model."""
        assert spec.start is not None  # by `iterative_methods`
        chosen = {} if self.concept is None else {"concept": self.concept}
        return spec.start(model, seed=seed, settings=spec.resolve(self.settings), **chosen)


class MethodConfig(MethodChoice):
    """Settings of an iterative method as a learner."""

    iterations_per_step: int = Field(
        default=100, ge=1, description="the method's iterations in one iteration of the learner"
    )


class TabularConfig(MethodConfig):
    """Settings of the learner `tabular`."""

    id: Literal["tabular"] = "tabular"


TabularState: TypeAlias = SteppedState


class Tabular(Stepped[Process]):
    """See the module."""

    def __init__(self, game: Game, config: TabularConfig) -> None:
        super().__init__(config.iterations_per_step)
        self._spec = config.spec_for(game)
        self._config = config
        self._model = game.model()
        started = time.perf_counter()
        self._spec.compile(self._model)
        self._compile_seconds: float | None = time.perf_counter() - started  # until a step has told it

    def step(self, state: TabularState) -> tuple[TabularState, dict[str, float]]:
        """Some iterations of the method."""
        after, metrics = super().step(state)
        if self._compile_seconds is not None:
            metrics["time/compile_s"], self._compile_seconds = self._compile_seconds, None
        return after, metrics

    def average_policy(self, state: TabularState) -> JointPolicy:
        """What the method's guarantee is about: its average or its last iterate."""
        return self._at(state).policy()

    def measures(self, state: TabularState) -> dict[str, float]:
        """The method's own figures, and the residual of other concepts than Nash, whose residual is the score.

        Before the first iteration there are none: nothing was played that could be averaged.
        """
        process = self._at(state)
        if process.iteration == 0:
            return {}
        concept = self._config.concept or self._spec.concepts[0]
        residual = {} if concept == "nash" else {"residual": process.residual()}
        return {name: float(value) for name, value in (residual | process.measures()).items()}

    def _start(self, seed: int) -> Process:
        return self._config.begin(self._spec, self._model, seed)

    def _restore(self, process: Process, state: dict[str, Any]) -> None:
        require_alike(process.state(), state)
        process.restore(state)

    def _metrics(self, process: Process) -> dict[str, float]:
        return {
            f"samples/{process.unit.replace(' ', '_')}": float(process.touched),
            "tabular/iterations": float(process.iteration),
        }


def build(game: Game, config: TabularConfig, executor: Executor) -> Tabular:
    """The learner of a run; the methods are sequential, so the executor has nothing to do."""
    del executor
    return Tabular(game, config)


LEARNER = LearnerSpec(
    id="tabular", config=TabularConfig, build=build, source="the method's own, see `eqsolvers.result.SolverSpec.source`"
)

"""One iterative method many times over, side by side: from many seeds, or on many drawn games.

Each replica goes on by itself; a step is one task for each of them, so workers share them out. What is scored is the
first replica; the residuals of all of them are metrics (mean, deviation, least, most) and the artefact `replicas.json`.

Cost: a step is `iterations_per_step` iterations and one residual of each replica, and moving its state to a worker and
back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eqagents.distributed import Executor, Task
from eqagents.distributed.executor import run_ordered
from eqagents.learners import Learner, LearnerSpec
from eqagents.learners.tabular import MethodConfig, iterative_methods
from eqenvs.errors import InputError, unknown_name
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqsolvers.iterative import Process

KEY = 11  # of the tasks' streams, which they do not use


class ReplicasConfig(MethodConfig):
    """Settings of the learner `replicas`."""

    id: Literal["replicas"] = "replicas"
    count: int = Field(default=8, ge=1, le=100_000, description="replicas")
    vary: str | None = Field(
        default=None,
        description="an integer parameter of the game, such as its seed: replica k has the run's value plus k; none: "
        "all play the same game, from seeds of their own",
    )

    @model_validator(mode="after")
    def _several_seeds(self) -> Self:
        """Many replicas of one game need a method with randomness, or they are all the same."""
        random = any(spec.random for spec in iterative_methods()[self.method].values())
        if self.vary is None and self.count > 1 and not random:
            raise InputError(
                f"config: learner.count: {self.method!r} has no randomness, so {self.count} replicas of one game would "
                "be the same; set learner.vary to a parameter of the game, or count to 1"
            )
        return self


@dataclass(frozen=True)
class ReplicasState:
    """Where all replicas stand.

    Attributes:
        iteration: steps done.
        seeds: [count], the replicas' own.
        processes: what each process gave as its state; None before its first step.
        residuals: [iteration, count] float64, after each step.
    """

    iteration: int
    seeds: list[int]
    processes: list[dict[str, Any] | None]
    residuals: np.ndarray[Any, np.dtype[np.float64]]


def advance(
    seed: np.random.SeedSequence,
    *,
    config: ReplicasConfig,
    game: Game,
    own_seed: int,
    state: dict[str, Any] | None,
    iterations: int,
) -> tuple[dict[str, Any], float]:
    """Task: some iterations of one replica.

    Args:
        seed: not used; the replica's randomness is in its state.
        config: the method.
        game: the replica's.
        own_seed: of the replica.
        state: of its process; None before the first iteration.
        iterations: how many to do.

    Returns:
        The state after them, and the residual there.
    """
    process = process_at(config, game, own_seed, state)
    process.run(iterations)
    return process.state(), process.residual()


def process_at(config: MethodConfig, game: Game, seed: int, state: dict[str, Any] | None) -> Process:
    """A replica's process where it stands."""
    process = config.begin(config.spec_for(game), game.model(), seed)
    if state is not None:
        process.restore(state)
    return process


class Replicas(Learner[ReplicasState]):
    """See the module."""

    def __init__(self, game: Game, config: ReplicasConfig, executor: Executor) -> None:
        config.spec_for(game).compile(game.model())
        self._config, self._executor = config, executor
        self._game = game
        self._published = executor.publish(game)  # a worker then keeps it, and with it its model
        for k in range(config.count if config.vary is not None else 0):
            config.spec_for(self._game_of(k))

    def _game_of(self, replica: int) -> Game:
        vary = self._config.vary
        return self._game if vary is None else _varied(self._game, vary, replica)

    def init(self, seed: np.random.SeedSequence) -> ReplicasState:
        """All replicas before their first iteration."""
        seeds = [int(child.generate_state(1, np.uint32)[0]) for child in seed.spawn(self._config.count)]
        return ReplicasState(0, seeds, [None] * self._config.count, np.empty((0, self._config.count)))

    def step(self, state: ReplicasState) -> tuple[ReplicasState, dict[str, float]]:
        """Some iterations of every replica."""
        tasks = [
            Task(
                (KEY, state.iteration, k),
                f"{__name__}:advance",
                {
                    "config": self._config,
                    "game": self._published if self._config.vary is None else self._game_of(k),
                    "own_seed": own_seed,
                    "state": process,
                    "iterations": self._config.iterations_per_step,
                },
            )
            for k, (own_seed, process) in enumerate(zip(state.seeds, state.processes, strict=True))
        ]
        results = run_ordered(self._executor, tasks)
        residuals = np.array([residual for _, residual in results])
        after = replace(
            state,
            iteration=state.iteration + 1,
            processes=[process for process, _ in results],
            residuals=np.concatenate([state.residuals, residuals[None]]),
        )
        metrics = {
            "replicas/residual_mean": float(residuals.mean()),
            "replicas/residual_deviation": float(residuals.std(ddof=min(1, len(residuals) - 1))),
            "replicas/residual_least": float(residuals.min()),
            "replicas/residual_most": float(residuals.max()),
        }
        return after, metrics

    def average_policy(self, state: ReplicasState) -> JointPolicy:
        """The first replica's."""
        return process_at(self._config, self._game, state.seeds[0], state.processes[0]).policy()

    def measures(self, state: ReplicasState) -> dict[str, float]:
        """The first replica's own figures."""
        process = process_at(self._config, self._game, state.seeds[0], state.processes[0])
        return {} if process.iteration == 0 else {name: float(value) for name, value in process.measures().items()}

    def to_tree(self, state: ReplicasState) -> dict[str, Any]:
        """See `Learner`."""
        return {
            "iteration": state.iteration,
            "seeds": state.seeds,
            "processes": state.processes,
            "residuals": state.residuals,
        }

    def from_tree(self, tree: dict[str, Any]) -> ReplicasState:
        """See `Learner`."""
        return ReplicasState(tree["iteration"], tree["seeds"], tree["processes"], tree["residuals"])

    def artefacts(self, state: ReplicasState) -> dict[str, Any]:
        """The residuals of every replica after every step."""
        done = self._config.iterations_per_step * np.arange(1, state.iteration + 1)
        return {"replicas": {"iterations": done.tolist(), "residuals": state.residuals.T.tolist()}}


def _varied(game: Game, parameter: str, offset: int) -> Game:
    """The game with one of its parameters raised by `offset`."""
    known = {p.name for p in game.spec.parameters if p.kind is int and game.parameters[p.name] is not None}
    if parameter not in known:
        raise unknown_name(f"integer parameter of {game.spec.id}", parameter, known or ["(it has none)"])
    return Game(game.spec, {**game.parameters, parameter: int(game.parameters[parameter] or 0) + offset})


def build(game: Game, config: ReplicasConfig, executor: Executor) -> Replicas:
    """The learner of a run."""
    return Replicas(game, config, executor)


LEARNER = LearnerSpec(
    id="replicas",
    config=ReplicasConfig,
    build=build,
    source="the method's own, see `eqsolvers.result.SolverSpec.source`",
)

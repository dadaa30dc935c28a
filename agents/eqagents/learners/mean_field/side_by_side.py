"""Copies of any learner side by side: from many seeds, and in games of several sizes.

Copy k is the run with the seed of this run plus k, to the bit; each value of `vary` has copies of its own. A step is
one task for each copy, so workers share them out; within a task a copy runs by itself. What is scored is the first
copy; the exact NashConv of all of them after every step is in the artefact `side_by_side.json`, and its mean and spread
over seeds are metrics. `replicas` does the same for iterative solvers.

Cost: a step is `iterations_per_step` iterations and one score of each copy, and moving its state to a worker and back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field, SerializeAsAny, field_validator

from eqagents.configuration import NamedSettings, by_id
from eqagents.distributed import Executor, InlineExecutor, Task, run_ordered
from eqagents.learners import Learner, LearnerSpec, find_learner
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError, unknown_name
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqsolvers.scoring import score

KEY = 12  # of the tasks' streams, which they do not use


class SideBySideConfig(NamedSettings):
    """Settings of the learner `side_by_side`."""

    id: Literal["side_by_side"] = "side_by_side"
    learner: SerializeAsAny[NamedSettings] = Field(description="the id and settings of what is copied")
    seeds: int = Field(default=4, ge=1, le=10_000, description="copies of each game, from the run's seed upwards")
    vary: str | None = Field(default=None, description="an integer parameter of the game, such as num_agents")
    values: tuple[int, ...] = Field(default=(), description="its values, in place of the run's own")
    iterations_per_step: int = Field(default=1, ge=1, description="of every copy")

    @field_validator("learner", mode="wrap")
    @classmethod
    def _learner_by_id(cls, value: Any, handler: Any) -> NamedSettings:
        return by_id(value, find_learner, "learner.learner")


@dataclass(frozen=True)
class SideBySideState:
    """Where all copies stand.

    Attributes:
        iteration: steps done.
        seed: of the first copy.
        trees: what each copy's learner gave as its state; None before its first step.
        nash_conv: [iteration, copies] float64.
    """

    iteration: int
    seed: int
    trees: tuple[dict[str, Any] | None, ...]
    nash_conv: Float64Array


def advance(
    seed: np.random.SeedSequence,
    *,
    config: NamedSettings,
    game: Game,
    own_seed: int,
    tree: dict[str, Any] | None,
    iterations: int,
) -> tuple[dict[str, Any], float]:
    """Task: some iterations of one copy; its state after them, and its NashConv there."""
    learner, state = standing(config, game, own_seed, tree)
    for _ in range(iterations):
        state, _ = learner.step(state)
    return learner.to_tree(state), score(game, learner.average_policy(state)).nash_conv


def standing(config: NamedSettings, game: Game, own_seed: int, tree: dict[str, Any] | None) -> tuple[Learner[Any], Any]:
    """A copy's learner and its state."""
    learner = find_learner(config.id).build(game, config, InlineExecutor(own_seed))
    state = learner.init(np.random.SeedSequence(own_seed)) if tree is None else learner.from_tree(tree)
    return learner, state


class SideBySide(Learner[SideBySideState]):
    """See the module."""

    def __init__(self, game: Game, config: SideBySideConfig, executor: Executor) -> None:
        if (config.vary is None) != (not config.values):
            raise InputError("config: learner.vary and learner.values must be given together")
        self._config, self._executor = config, executor
        self._games = [game] if config.vary is None else [_varied(game, config.vary, v) for v in config.values]
        for each in self._games:  # a bad one is refused before any is begun
            if not each.exact:
                raise InputError(f"{config.id}: copies are scored exactly, {each!r} cannot be enumerated")
            find_learner(config.learner.id).build(each, config.learner, InlineExecutor(0))
        self._published = [executor.publish(each) for each in self._games]
        self.copies = [(which, k) for which in range(len(self._games)) for k in range(config.seeds)]

    def init(self, seed: np.random.SeedSequence) -> SideBySideState:
        """All copies before their first iteration."""
        first = seed.entropy if isinstance(seed.entropy, int) else 0
        return SideBySideState(0, first, (None,) * len(self.copies), np.empty((0, len(self.copies))))

    def step(self, state: SideBySideState) -> tuple[SideBySideState, dict[str, float]]:
        """Some iterations of every copy."""
        tasks = [
            Task(
                (KEY, state.iteration, number),
                f"{__name__}:advance",
                {
                    "config": self._config.learner,
                    "game": self._published[which],
                    "own_seed": state.seed + k,
                    "tree": state.trees[number],
                    "iterations": self._config.iterations_per_step,
                },
            )
            for number, (which, k) in enumerate(self.copies)
        ]
        results = run_ordered(self._executor, tasks)
        found = np.array([nash_conv for _, nash_conv in results])
        after = replace(
            state,
            iteration=state.iteration + 1,
            trees=tuple(tree for tree, _ in results),
            nash_conv=np.concatenate([state.nash_conv, found[None]]),
        )
        metrics = {}
        for which, own in enumerate(found.reshape(len(self._games), -1)):
            name = "" if self._config.vary is None else f"_{self._config.vary}_{self._config.values[which]}"
            metrics[f"side_by_side/nash_conv_mean{name}"] = float(own.mean())
            metrics[f"side_by_side/nash_conv_deviation{name}"] = float(own.std(ddof=min(1, len(own) - 1)))
        return after, metrics

    def average_policy(self, state: SideBySideState) -> JointPolicy:
        """The first copy's."""
        learner, own = self._first(state)
        return learner.average_policy(own)

    def measures(self, state: SideBySideState) -> dict[str, float]:
        """The first copy's own figures."""
        learner, own = self._first(state)
        return learner.measures(own)

    def _first(self, state: SideBySideState) -> tuple[Learner[Any], Any]:
        return standing(self._config.learner, self._games[0], state.seed, state.trees[0])

    def to_tree(self, state: SideBySideState) -> dict[str, Any]:
        """See `Learner`."""
        trees, scores = list(state.trees), state.nash_conv
        return {"iteration": state.iteration, "seed": state.seed, "trees": trees, "nash_conv": scores}

    def from_tree(self, tree: dict[str, Any]) -> SideBySideState:
        """See `Learner`."""
        return SideBySideState(tree["iteration"], tree["seed"], tuple(tree["trees"]), tree["nash_conv"])

    def artefacts(self, state: SideBySideState) -> dict[str, Any]:
        """The NashConv of every copy after every step."""
        values = self._config.values or (None,)
        copies = [
            {"seed": state.seed + k, "value": values[which], "nash_conv": scores}
            for (which, k), scores in zip(self.copies, state.nash_conv.T.tolist(), strict=True)
        ]
        done = self._config.iterations_per_step * np.arange(1, state.iteration + 1)
        return {"side_by_side": {"vary": self._config.vary, "iterations": done.tolist(), "copies": copies}}


def _varied(game: Game, parameter: str, value: int) -> Game:
    known = {p.name for p in game.spec.parameters if p.kind is int}
    if parameter not in known:
        raise unknown_name(f"integer parameter of {game.spec.id}", parameter, known or ["(it has none)"])
    return Game(game.spec, {**game.parameters, parameter: value})


def build(game: Game, config: SideBySideConfig, executor: Executor) -> SideBySide:
    """The learner of a run."""
    return SideBySide(game, config, executor)


LEARNER = LearnerSpec(id="side_by_side", config=SideBySideConfig, build=build, source="the copied learner's own")

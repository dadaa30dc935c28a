"""Learners whose state is tables over the decision points of a mean-field game: play, then one pass back in time.

An iteration's steps are taken moment by moment from the last to the first, so that what is learnt about the end reaches
the start at once. All steps that share a state and an action enter as their mean.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor, Task, run_ordered
from eqagents.learners import Learner
from eqagents.learners.mean_field._experience import (
    Experience,
    SamplingConfig,
    TableAct,
    by_moment,
    play_of,
    rules_of,
    span,
)
from eqenvs.arrays import Float64Array, IntArray
from eqenvs.game import Game
from eqenvs.policies import JointPolicy, TabularPolicy


class TablesConfig(NamedSettings):
    """What learners with tables share."""

    sampling: SamplingConfig = Field(default=SamplingConfig(), description="play of one iteration")


@dataclass(frozen=True)
class TablesState:
    """Where a learner stands.

    Attributes:
        iteration: iterations done.
        arrays: its tables, by name; never written to.
        steps: steps learnt from so far.
    """

    iteration: int
    arrays: Mapping[str, Float64Array]
    steps: int


def sample(
    seed: np.random.SeedSequence, *, game: Game, policy: Float64Array, sampling: SamplingConfig
) -> list[Experience]:
    """Task: steps of agents who play a policy [M, P, S, A], or of their representatives, by population."""
    rules = rules_of(game, "sample")
    played = play_of(game, sampling, np.random.default_rng(seed), TableAct(policy))
    return [by_moment(played, population) for population in range(rules.model.num_populations)]


def back_in_time(found: Experience, states: int) -> Iterator[tuple[int, Experience]]:
    """The steps of each moment, the last moment first; points become states."""
    moment = found.point // states
    order = np.argsort(moment, kind="stable")
    there, first = np.unique(moment[order], return_index=True)
    for which, rows in reversed(list(zip(there.tolist(), np.split(order, first[1:]), strict=True))):
        part = Experience(*(column[rows] for column in found))
        yield which, part._replace(point=part.point % states)


def means(value: Float64Array, index: IntArray, size: int) -> tuple[Float64Array, Float64Array]:
    """The mean of the values at each index, [size], and how many there are; 0 where there are none."""
    count = np.bincount(index, minlength=size).astype(np.float64)
    return np.bincount(index, weights=value, minlength=size) / np.maximum(count, 1.0), count


class TableLearner(Learner[TablesState], ABC):
    """See the module; a learner's file says what its tables are and how they change."""

    def __init__(self, game: Game, config: TablesConfig, executor: Executor) -> None:
        self.model = rules_of(game, config.id).model
        span(self.model, config.sampling)
        self._sampling, self._executor = config.sampling, executor
        self._published = executor.publish(game)

    @abstractmethod
    def start(self) -> dict[str, Float64Array]:
        """The tables before the first iteration."""

    @abstractmethod
    def policy(self, arrays: Mapping[str, Float64Array]) -> Float64Array:
        """What agents play and what is scored, [M, P, S, A]."""

    @abstractmethod
    def learn(self, arrays: dict[str, Float64Array], found: Experience, population: int, iteration: int) -> float:
        """Change the tables by one population's steps; returns the root mean square of the errors met."""

    def init(self, seed: np.random.SeedSequence) -> TablesState:
        """The first tables; all randomness is the tasks', so `seed` is not used."""
        return TablesState(0, self.start(), 0)

    def step(self, state: TablesState) -> tuple[TablesState, dict[str, float]]:
        """Play, and learn."""
        arguments = {"game": self._published, "policy": self.policy(state.arrays), "sampling": self._sampling}
        tasks = [Task((state.iteration, task), f"{__name__}:sample", arguments) for task in range(self._sampling.tasks)]
        played = run_ordered(self._executor, tasks)
        arrays = {name: array.copy() for name, array in state.arrays.items()}
        metrics, steps = {}, state.steps
        for p, parts in enumerate(zip(*played, strict=True)):
            found = Experience(*(np.concatenate(column) for column in zip(*parts, strict=True)))
            metrics[f"training/error_{p}"] = self.learn(arrays, found, p, state.iteration)
            steps += len(found.point)
        return TablesState(state.iteration + 1, arrays, steps), {**metrics, "samples/agent_steps": float(steps)}

    def average_policy(self, state: TablesState) -> JointPolicy:
        """The last iterate."""
        return TabularPolicy(self.model, self.model.as_tables(self.policy(state.arrays)))

    def to_tree(self, state: TablesState) -> dict[str, Any]:
        """See `Learner`."""
        return {"iteration": state.iteration, "arrays": dict(state.arrays), "steps": state.steps}

    def from_tree(self, tree: dict[str, Any]) -> TablesState:
        """See `Learner`."""
        return TablesState(tree["iteration"], tree["arrays"], tree["steps"])

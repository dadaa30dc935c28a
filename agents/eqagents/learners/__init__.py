"""Learners, one file each, in a folder per family; a learner's file defines `LEARNER`, a `LearnerSpec`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor
from eqenvs import discovery
from eqenvs.game import Game
from eqenvs.policies import JointPolicy


class Counted(Protocol):
    """A state that knows how many iterations it has seen."""

    @property
    def iteration(self) -> int:
        """Their number."""


StateT = TypeVar("StateT", bound=Counted)


class Learner(Protocol[StateT]):
    """An algorithm bound to a game, a configuration and an executor; all that changes is in its state.

    `step` is a pure function of the state: the same state and seed give the same next state, whatever the executor.
    """

    def init(self, seed: np.random.SeedSequence) -> StateT:
        """The state before the first iteration; it holds all randomness that comes after, apart from the tasks'."""

    def iteration(self, state: StateT) -> int:
        """How many iterations the state has seen."""
        return state.iteration

    def step(self, state: StateT) -> tuple[StateT, dict[str, float]]:
        """One iteration, and its metrics by name."""

    def average_policy(self, state: StateT) -> JointPolicy:
        """The joint policy that the method's guarantee is about: the one to score."""

    def measures(self, state: StateT) -> dict[str, float]:
        """Further exact figures of that policy by name, such as the CCE gap of the play-average; mostly none.

        They are the learner's own, so they are shown beside the score and never as a part of it.
        """
        return {}

    def to_tree(self, state: StateT) -> dict[str, Any]:
        """The state as nested dicts, lists, numbers, strings and arrays, for a checkpoint."""

    def from_tree(self, tree: dict[str, Any]) -> StateT:
        """The state that `to_tree` gave."""

    def artefacts(self, state: StateT) -> dict[str, Any]:
        """JSON data to keep beside the metrics, by file name without its ending; mostly none."""
        return {}


HIGHEST_GAIN = "response/highest_gain"


@dataclass(frozen=True, kw_only=True)
class LearnerSpec:
    """A learner that a run's configuration can ask for by name.

    Attributes:
        id: the file's name.
        config: its configuration, with an `id` field.
        build: from (game, config, executor) to the learner.
        source: authors, year, venue.
        responds: whether its iterations are best responses, whose highest gain is the metric `HIGHEST_GAIN`: what a
            player could gain over the solution of the iteration before, in payoff, as far as the learner knows.
    """

    id: str
    config: type[NamedSettings]
    build: Callable[[Game, Any, Executor], Learner[Any]]
    source: str
    responds: bool = False


def find_learner(name: str) -> LearnerSpec:
    """The learner called `name`.

    Raises:
        UnknownNameError: naming the nearest one.
    """
    found: LearnerSpec = discovery.load("eqagents.learners", "learner", name, "LEARNER", LearnerSpec)
    return found

"""A learner that is a number of iterations of a process each step; what else it says is its own.

One process is kept between steps, and brought back to the state handed in wherever that is not what it stands at.

Cost: a step is its iterations and one copy of the process' state.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from eqagents.learners import Learner


class Steppable(Protocol):
    """What a process must be able to do here; see `eqsolvers.iterative.Process`."""

    def run(self, iterations: int) -> None:
        """Do that many more."""

    def state(self) -> dict[str, Any]:
        """All that changes; copies."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave."""


ProcessT = TypeVar("ProcessT", bound=Steppable)


@dataclass(frozen=True)
class SteppedState:
    """Where the method stands.

    Attributes:
        iteration: steps done.
        process: what its process gave as its state; never written to.
    """

    iteration: int
    process: dict[str, Any]


class Stepped(Learner[SteppedState], Generic[ProcessT]):
    """The part of a `Learner` that such learners share.

    Args:
        iterations_per_step: of the process.
    """

    def __init__(self, iterations_per_step: int) -> None:
        self._iterations_per_step = iterations_per_step
        self._process: ProcessT | None = None
        self._present: SteppedState | None = None  # what the process stands at

    def _start(self, seed: int) -> ProcessT:
        """The process before its first iteration."""
        raise NotImplementedError

    def _restore(self, process: ProcessT, state: dict[str, Any]) -> None:
        """Bring the process to a state, or refuse one of another game."""
        process.restore(state)

    def _metrics(self, process: ProcessT) -> dict[str, float]:
        """Of a step, its time apart."""
        raise NotImplementedError

    def init(self, seed: np.random.SeedSequence) -> SteppedState:
        """The method before its first iteration, with a seed of its own."""
        self._process = self._start(int(seed.generate_state(1, np.uint32)[0]))
        self._present = SteppedState(0, self._process.state())
        return self._present

    def step(self, state: SteppedState) -> tuple[SteppedState, dict[str, float]]:
        """Some iterations of the method."""
        process = self._at(state)
        self._present = None  # until it is through: an interrupt leaves the process somewhere in between
        started = time.perf_counter()
        process.run(self._iterations_per_step)
        ran = time.perf_counter()
        self._present = SteppedState(state.iteration + 1, process.state())
        return self._present, {**self._metrics(process), "time/iterations_s": ran - started}

    def to_tree(self, state: SteppedState) -> dict[str, Any]:
        """See `Learner`."""
        return {"iteration": state.iteration, "process": state.process}

    def from_tree(self, tree: dict[str, Any]) -> SteppedState:
        """See `Learner`."""
        if self._process is None:
            self._process = self._start(0)  # all randomness to come is in the state
        return SteppedState(tree["iteration"], tree["process"])

    def _at(self, state: SteppedState) -> ProcessT:
        """The process at `state`."""
        if self._process is None:
            raise RuntimeError(f"{type(self).__name__}: a state comes from init or from_tree of this learner")
        if self._present is not state:
            self._restore(self._process, state.process)
            self._present = state
        return self._process

"""What iterative methods for mean-field games have in common: the loop, the score of an iterate, and the best so far.

The last iterate need not be the best one, even of methods that converge on other games, so both are told.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import TabularPolicy, uniform
from eqenvs.spec import Family
from eqsolvers.iterative import iterative_solver, require_alike
from eqsolvers.mean_field._dynamics import Dynamics, Evaluation


class MeanFieldProcess(ABC):
    """A method at work on one model; its file says how a step changes the arrays of `_arrays`.

    Attributes:
        model: the game.
        dynamics: its passes.
        iteration: iterations done.
    """

    unit = "decision points"  # of `touched`

    def __init__(self, model: MeanFieldModel, arrays: dict[str, Float64Array]) -> None:
        """Begin.

        Args:
            model: the game.
            arrays: all that a step changes.
        """
        self.model, self.dynamics = model, Dynamics(model)
        self.iteration = 0
        self._arrays = arrays
        self._best: tuple[float, int, Float64Array] = (np.inf, 0, np.zeros(model.policy_shape))
        self._evaluated: Evaluation | None = None

    @property
    def touched(self) -> int:
        """Decision points visited: all of them, forward and backward, in every iteration."""
        moments, populations, states, _ = self.model.policy_shape
        return 2 * self.iteration * moments * populations * states

    @abstractmethod
    def current(self) -> Float64Array:
        """The policy that the guarantee is about, [M, P, S, A]."""

    @abstractmethod
    def _step(self) -> None:
        """One iteration."""

    def evaluation(self) -> Evaluation:
        """The current policy against its own mean field; computed once."""
        if self._evaluated is None:
            policy = self.current()
            self._evaluated = self.dynamics.evaluate(policy)
            gain = float(self._evaluated.gains.sum())
            if gain < self._best[0]:
                self._best = (gain, self.iteration, policy.copy())
        return self._evaluated

    def run(self, iterations: int) -> None:
        """Do that many more."""
        for _ in range(iterations):
            self._step()
            self.iteration += 1
            self._evaluated = None

    def policy(self) -> TabularPolicy:
        """The current policy."""
        return TabularPolicy(self.model, self.model.as_tables(self.current()))

    def best_policy(self) -> TabularPolicy:
        """The least exploitable of the iterates that were looked at."""
        self.evaluation()
        return TabularPolicy(self.model, self.model.as_tables(self._best[2]))

    def residual(self) -> float:
        """NashConv of the current policy: the sum of the populations' gains."""
        return float(self.evaluation().gains.sum())

    def measures(self) -> dict[str, float]:
        """NashConv of the best iterate looked at, and when that was; without a horizon, how the population rests."""
        stability = self.evaluation().stability
        found = {"best_nash_conv": self._best[0], "best_iteration": float(self._best[1])}
        if self.model.horizon is None:
            found |= {"stability_residual": stability.residual, "contraction_factor": stability.factor}
        return found

    def state(self) -> dict[str, Any]:
        """All that changes, as copies."""
        best = {"nash_conv": self._best[0], "iteration": self._best[1], "policy": self._best[2].copy()}
        arrays = {name: array.copy() for name, array in self._arrays.items()}
        return {"iteration": self.iteration, "best": best, "arrays": arrays}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave.

        Raises:
            InputError: if it is of another game or other settings.
        """
        require_alike(self.state()["arrays"], state["arrays"])
        self.iteration = int(state["iteration"])
        self._arrays = {name: np.array(array) for name, array in state["arrays"].items()}
        best = state["best"]
        self._best = (float(best["nash_conv"]), int(best["iteration"]), np.array(best["policy"]))
        self._evaluated = None


def compile_for(model: MeanFieldModel) -> None:
    """Compile the passes for a model, or load them from the cache."""
    dynamics = Dynamics(model)
    policy = model.as_array(uniform(model).tables)
    evaluation = dynamics.evaluate(policy)
    dynamics.own_quality(evaluation.flow, evaluation.reward, policy)


mean_field_solver = partial(
    iterative_solver, family=Family.MEAN_FIELD, compile=compile_for, check_every=10, default_iterations=1_000
)

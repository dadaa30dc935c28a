"""What the learners of Markov games have in common: several seeds side by side, checkpoints, scores.

All that changes is a named tuple of arrays whose first axis is the seed, and one random stream for each: a seed's run
is the same to the bit whichever others run beside it, and however it is cut into calls. The `Process` that a solver
steps has one seed; `SOLVER.start(model, seed=(0, 1, 2))` gives one of three, for means and spreads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import GameTooLargeError
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy, TabularPolicy
from eqenvs.spec import Parameter
from eqsolvers.iterative import require_alike
from eqsolvers.kernels import random_stream
from eqsolvers.markov.learning._sampler import table_of
from eqsolvers.result import SolverSpec, error_of
from eqsolvers.scoring.score import score

MAX_NUMBERS = 200_000_000  # in a learner's tables

EPISODE_LENGTH = Parameter(
    name="episode_length",
    default=100,
    low=1,
    high=1_000_000,
    description="steps after which a game without a horizon starts anew; its value goes on as if it did not",
)
EXPLORATION = Parameter(
    name="exploration",
    default=0.3,
    kind=float,
    low=0.0,
    high=1.0,
    description="probability with which each player plays a uniformly random action instead",
)


def rate_parameter(name: str, default: float, what: str) -> Parameter:
    """The exponent of a step size."""
    return Parameter(
        name=name, default=default, kind=float, low=0.0, high=1.0, description=f"{what} are visits ** -{name}"
    )


ONE_STEP = MarkovModel([[[[1.0]]]], [[[[0.0]]], [[[0.0]]]], [1.0], horizon=1)  # any method here covers it


def compiling(spec: SolverSpec) -> SolverSpec:
    """The solver, which has its loops compiled by an episode of a game of one state and one joint action."""

    def compile(model: object) -> None:
        del model
        assert spec.start is not None  # of every iterative solver
        process = spec.start(ONE_STEP)
        process.run(1)
        process.policy()

    return replace(spec, compile=compile)


class SampledProcess:
    """A learner at work; `_play` and `policy_of` are the method's own.

    Args:
        model: the game.
        seed: one, or several to run side by side.
        tables: named tuple of arrays, the first axis the seeds: all that changes but the random streams.
        concept: what `policy` is judged by.
        length: see `table_of`.
    """

    unit = "steps"  # of `touched`

    def __init__(
        self, model: MarkovModel, seed: int | Sequence[int], tables: Any, *, concept: str, length: int = 0
    ) -> None:
        self.model = model
        self.concept = concept
        self.iteration = 0
        self.table = table_of(model, length)
        self._seeds = seeds_of(seed)
        self._streams = np.stack([random_stream(each) for each in self._seeds])
        self._steps = np.zeros(len(self._seeds), dtype=np.int64)
        self._tables = tables

    @property
    def touched(self) -> int:
        """Steps played, of all seeds."""
        return int(self._steps.sum())

    def run(self, iterations: int) -> None:
        """Play some more episodes."""
        self._play(iterations)
        self.iteration += iterations

    def _play(self, episodes: int) -> None:
        raise NotImplementedError

    def policy_of(self, run: int) -> TabularPolicy | MarkovCorrelatedPolicy:
        """The policy of the seed in that place."""
        raise NotImplementedError

    def policy(self) -> TabularPolicy | MarkovCorrelatedPolicy:
        """The policy of the first seed."""
        return self.policy_of(0)

    def residual(self) -> float:
        """The exact error of `policy()`."""
        return self.residual_of(0)

    def residual_of(self, run: int) -> float:
        """The exact error of `policy_of(run)`."""
        return error_of(score(self.model, self.policy_of(run)), self.concept)

    def residuals(self) -> Float64Array:
        """The exact errors of all seeds, [B]."""
        return np.array([self.residual_of(run) for run in range(len(self._seeds))])

    def measures(self) -> dict[str, float]:
        """See `Process`; of the first seed."""
        return {}

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        return {
            "iteration": self.iteration,
            "steps": self._steps.copy(),
            "streams": self._streams.copy(),
            "tables": {name: array.copy() for name, array in self._tables._asdict().items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`.

        Raises:
            InputError: if the state is of another game or other settings.
        """
        require_alike(self.state(), state)
        self.iteration = int(state["iteration"])
        self._steps[:], self._streams[:] = state["steps"], state["streams"]
        for name, array in self._tables._asdict().items():
            array[:] = state["tables"][name]


def seeds_of(seed: int | Sequence[int]) -> tuple[int, ...]:
    """One seed or several as a tuple."""
    return tuple(seed) if isinstance(seed, Sequence) else (int(seed),)


def refuse_large(method: str, *shape: int) -> None:
    """Refuse tables that would not fit.

    Raises:
        GameTooLargeError: with the numbers.
    """
    if prod(shape) > MAX_NUMBERS:
        sizes = " x ".join(f"{size:,}" for size in shape)
        raise GameTooLargeError(f"{method}: a table of {sizes} numbers is above the limit of {MAX_NUMBERS:,}")


def uniform_strategies(model: MarkovModel) -> Float64Array:
    """Uniform play at every point, [N, I, A], 0 at actions that are illegal or that the player does not have."""
    played = np.zeros((model.num_players, model.num_points, max(model.num_actions)))
    for player, states in enumerate(model.information_states):
        played[player, :, : model.num_actions[player]] = states.uniform()
    return played


def joint_shape(model: MarkovModel) -> tuple[int, ...]:
    """[I, A_0, ..., A_{N-1}]."""
    return model.num_points, *model.num_actions

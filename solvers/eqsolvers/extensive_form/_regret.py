"""Regret minimisation at every information set: the state of the CFR family, its schedules, and its run loop.

Zinkevich, Johanson, Bowling and Piccione (2007), "Regret minimization in games with incomplete information", NeurIPS.
The members of the family, one file each beside this one, differ in a `Schedule`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Parameter
from eqsolvers.extensive_form import _kernel
from eqsolvers.extensive_form._symmetry import QuotientPlayer, quotient
from eqsolvers.iterative import iterative_solver
from eqsolvers.result import SolverSpec

ALTERNATING = Parameter(
    name="alternating",
    default=True,
    kind=bool,
    description="each player answers the newest plans of the others; false: all update at once",
)


def exponent(name: str, default: float, description: str, *, low: float = 0.0) -> Parameter:
    """A parameter of a schedule."""
    return Parameter(name=name, default=default, kind=float, low=low, high=100.0, description=description)


@dataclass(frozen=True)
class Schedule:
    """What a member of the family does at iteration t (from 1); every function is elementwise over an array of t.

    With r the instantaneous counterfactual regret and x the present plan:
    regret R <- max(R * (positive(t) if R > 0 else negative(t)) + r, floor),
    next strategy proportional to max(R * following(t) + prediction * r, 0),
    average A <- decay(t) * A + weight(t) * x.

    Attributes:
        positive: multiplies positive regrets.
        negative: multiplies negative regrets.
        floor: 0 for the plus variants, -inf otherwise.
        following: multiplies the new regret where it predicts the next strategy.
        prediction: 1 to add the last instantaneous regret as the prediction of the next one, else 0.
        decay: multiplies the average.
        weight: of the present plan in the average.
    """

    positive: Callable[[Float64Array], Float64Array] = field(default=np.ones_like)
    negative: Callable[[Float64Array], Float64Array] = field(default=np.ones_like)
    floor: float = -np.inf
    following: Callable[[Float64Array], Float64Array] = field(default=np.ones_like)
    prediction: float = 0.0
    decay: Callable[[Float64Array], Float64Array] = field(default=np.ones_like)
    weight: Callable[[Float64Array], Float64Array] = field(default=np.ones_like)

    def rows(self, start: int, stop: int) -> Float64Array:
        """The schedule of iterations start .. stop - 1, [iterations, 7] in the kernel's order."""
        t = np.arange(start, stop, dtype=np.float64)
        constant = np.ones_like(t)
        columns = [
            self.positive(t),
            self.negative(t),
            self.floor * constant,
            self.following(t),
            self.prediction * constant,
            self.decay(t),
            self.weight(t),
        ]
        return np.stack(columns, axis=1)


def discount(t: Float64Array, exponent: float) -> Float64Array:
    """d_{t-1}(exponent) = (t-1)^e / ((t-1)^e + 1), what discounted CFR multiplies regrets by at iteration t."""
    with np.errstate(divide="ignore"):
        power = (t - 1.0) ** exponent if exponent >= 0 else np.where(t > 1, np.maximum(t - 1.0, 1.0) ** exponent, 0.0)
    return power / (power + 1.0)


class RegretMinimiser:
    """Self-play of regret matchers at every information set of a game.

    Args:
        model: any number of players, perfect recall.
        schedule: the algorithm.
        alternating: whether each player answers the newest plans of the others.
        reduce: whether to work on the exact quotient of the game; the iterates are the same.
    """

    def __init__(
        self, model: ExtensiveFormModel, schedule: Schedule, *, alternating: bool = True, reduce: bool = True
    ) -> None:
        self.model = model
        self.schedule = schedule
        self.alternating = alternating
        self.iteration = 0
        self.quotient = quotient(model, reduce=reduce)
        self._sides = tuple(_side(player) for player in self.quotient)
        self._tables = tuple(_tables(side) for side in self._sides)
        self._plans = tuple(tables.plan for tables in self._tables)
        self._sizes = tuple(player.size for player in self.quotient)
        self._play = tuple(np.zeros(player.num_sequences + 1) for player in self.quotient)
        for side, tables in zip(self._sides, self._tables, strict=True):
            _kernel.spread(side, tables)

    @property
    def touched(self) -> int:
        """A traversal of the tree per player and iteration, or one for all if they update at once."""
        traversals = self.model.num_players if self.alternating else 1
        return self.iteration * traversals * len(self.model.parent)

    def run(self, iterations: int) -> None:
        """Run some more iterations."""
        rows = self.schedule.rows(self.iteration + 1, self.iteration + 1 + iterations)
        _kernel.iterate(self._sides, self._tables, self._plans, self._sizes, self._play, rows, self.alternating)
        self.iteration += iterations

    def residual(self) -> float:
        """The exact NashConv of the average policy (of the product of the averages, for any number of players)."""
        averages = tuple(self._normalised(player) for player in range(len(self._sides)))
        total = 0.0
        for player, side in enumerate(self._sides):
            gradient = np.zeros(side.first[-1])
            _kernel.collect(side, player, averages, gradient)
            value = float((gradient * averages[player]) @ self.quotient[player].size)
            total += _kernel.best_response_value(side, gradient) - value
        return max(0.0, total)

    def measures(self) -> dict[str, float]:
        """With more than two players, the CCE gap of the play-average: iteration t's profile, drawn with t's weight.

        The product of the averages need not be near an equilibrium there; the play-average is what no regret bounds.
        """
        if len(self._sides) == 2:
            return {}
        gap = 0.0
        for side, tables, play in zip(self._sides, self._tables, self._play, strict=True):
            best = _kernel.best_response_value(side, play[:-1].copy())
            gap += max(0.0, best - play[-1]) / max(tables.average[0], 1e-300)
        return {"play_cce_gap": gap}

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        tables = [{name: array.copy() for name, array in tables._asdict().items()} for tables in self._tables]
        return {"iteration": self.iteration, "tables": tables, "play": [play.copy() for play in self._play]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`."""
        self.iteration = int(state["iteration"])
        for tables, stored in zip(self._tables, state["tables"], strict=True):
            for name, array in tables._asdict().items():
                array[:] = stored[name]
        for play, stored in zip(self._play, state["play"], strict=True):
            play[:] = stored

    def _normalised(self, player: int) -> Float64Array:
        """The average plan, [Q] with the empty sequence at 1."""
        average = self._tables[player].average
        return average / average[0] if average[0] > 0 else self._tables[player].plan.copy()

    def policy(self) -> TabularPolicy:
        """The average policy, on the model's own information sets."""
        tables = []
        for player, treeplex in enumerate(self.model.treeplexes):
            plan = self._normalised(player)[self._classes(player)]
            tables.append(treeplex.behaviour(plan))
        return TabularPolicy(self.model, tables)

    def _classes(self, player: int) -> IntArray:
        """The quotient sequence of each of the model's, [full Q]."""
        treeplex, side = self.model.treeplexes[player], self.quotient[player]
        infoset = treeplex.sequence_infoset[1:]
        offset = np.arange(1, treeplex.num_sequences) - treeplex.first_sequence[infoset]
        return np.concatenate([[0], side.first[side.infoset_class[infoset]] + offset])


def _side(player: QuotientPlayer) -> _kernel.Side:
    def narrow(array: IntArray) -> np.ndarray[tuple[int, ...], np.dtype[np.uint32]]:
        return array.astype(np.uint32)

    return _kernel.Side(
        narrow(player.first),
        narrow(player.parent),
        player.multiplicity,
        narrow(player.row_start),
        narrow(player.others),
        player.values,
    )


def _tables(side: _kernel.Side) -> _kernel.Tables:
    """Zero regrets and the uniform strategy."""
    size = int(side.first[-1])
    counts = np.diff(side.first)
    strategy = np.concatenate([[1.0], np.repeat(1.0 / counts, counts)])
    plan = np.ones(size)
    return _kernel.Tables(np.zeros(size), strategy, plan, np.zeros(size), np.zeros(size))


def regret_solver(
    method: str, schedule: Callable[..., Schedule], source: str, parameters: tuple[Parameter, ...] = ()
) -> SolverSpec:
    """The registered solver of one member of the family; `schedule` takes the parameters as keywords."""

    def start(model: ExtensiveFormModel, *, seed: int, alternating: bool, **exponents: float) -> RegretMinimiser:
        del seed  # nothing is random
        return RegretMinimiser(model, schedule(**exponents), alternating=alternating)

    return iterative_solver(
        method,
        start,
        source=source,
        parameters=(*parameters, ALTERNATING),
        compile=lambda model: _kernel.warm_up(model.num_players),
    )

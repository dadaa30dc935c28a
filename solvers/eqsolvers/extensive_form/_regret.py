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
from eqsolvers.extensive_form import _kernel, _lane_kernel
from eqsolvers.extensive_form._lanes import LaneSide, lay_out
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


class _LaneLoops:
    """Two players of a constant-sum game, on vectors of lanes."""

    def __init__(self, model: ExtensiveFormModel, players: tuple[QuotientPlayer, ...]) -> None:
        self.layout = lay_out(model, players)
        self.lanes = (0,) * self.layout.width
        self.positions = self.layout.positions
        self.tables = tuple(map(self._fresh, self.layout.sides, self.layout.sizes))
        self.play: tuple[Float64Array, ...] = ()
        self._held = np.zeros(self.layout.sizes[0])

    def _fresh(self, side: LaneSide, size: int) -> _kernel.Tables:
        """Zero regrets and the uniform strategy."""
        tables = _kernel.Tables(*(np.zeros(size) for _ in _kernel.Tables._fields))
        tables.plan[: self.layout.width] = 1.0
        length = side.actions.astype(np.int64) * np.where(side.wide, self.layout.width, 1)
        owner = np.repeat(np.arange(len(length)), length)
        offset = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
        tables.strategy[side.first[owner] + offset] = 1.0 / side.actions[owner]
        _lane_kernel.spread(self.lanes, side, tables)
        return tables

    def iterate(self, rows: Float64Array, alternating: bool) -> None:
        _lane_kernel.iterate(self.lanes, self.layout.sides, self.tables, self._held, rows, alternating)

    def nash_conv(self) -> float:
        averages = [normalised(tables.average, tables.plan) for tables in self.tables]
        total = 0.0
        for p, side in enumerate(self.layout.sides):
            best, value = _lane_kernel.respond(self.lanes, side, averages[p], averages[1 - p], self.tables[p].gradient)
            total += best - value
        return total

    def play_gap(self) -> float | None:
        return None  # of no interest: the average is what the guarantee is about


class _ScalarLoops:
    """Any number of players, one information set after the other, with the play-average."""

    def __init__(self, players: tuple[QuotientPlayer, ...]) -> None:
        self.players = players
        self.positions = tuple(np.arange(player.num_sequences) for player in players)
        self.sides = tuple(_side(player) for player in players)
        self.tables = tuple(_fresh_scalars(side) for side in self.sides)
        self.play = tuple(np.zeros(player.num_sequences + 1) for player in players)
        self._sizes = tuple(player.size for player in players)
        self._plans = tuple(tables.plan for tables in self.tables)

    def iterate(self, rows: Float64Array, alternating: bool) -> None:
        _kernel.iterate(self.sides, self.tables, self._plans, self._sizes, self.play, rows, alternating)

    def nash_conv(self) -> float:
        averages = tuple(normalised(tables.average, tables.plan) for tables in self.tables)
        total = 0.0
        for player, side in enumerate(self.sides):
            gradient = np.zeros(len(averages[player]))
            _kernel.collect(side, player, averages, gradient)
            value = float((gradient * averages[player]) @ self._sizes[player])
            total += _kernel.best_response_value(side, gradient) - value
        return total

    def play_gap(self) -> float | None:
        gap = 0.0
        for side, tables, play in zip(self.sides, self.tables, self.play, strict=True):
            best = _kernel.best_response_value(side, play[:-1].copy())
            gap += max(0.0, best - play[-1]) / max(tables.average[0], 1e-300)
        return gap


def normalised(average: Float64Array, plan: Float64Array) -> Float64Array:
    """The average plan with the empty sequence at 1; the present one before the first iteration."""
    return average / average[0] if average[0] > 0 else plan.copy()


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


def _fresh_scalars(side: _kernel.Side) -> _kernel.Tables:
    """Zero regrets and the uniform strategy."""
    size = int(side.first[-1])
    counts = np.diff(side.first)
    strategy = np.concatenate([[1.0], np.repeat(1.0 / counts, counts)])
    tables = _kernel.Tables(np.zeros(size), strategy, np.ones(size), np.zeros(size), np.zeros(size))
    _kernel.spread(side, tables)
    return tables


class RegretMinimiser:
    """Self-play of regret matchers at every information set of a game: a `Process`.

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
        self.quotient = quotient(model, reduce=reduce, forced_moves=not reduce)
        self._loops = _LaneLoops(model, self.quotient) if _in_lanes(model) else _ScalarLoops(self.quotient)

    @property
    def touched(self) -> int:
        """A traversal of the tree per player and iteration, or one for all if they update at once."""
        traversals = self.model.num_players if self.alternating else 1
        return self.iteration * traversals * len(self.model.parent)

    def run(self, iterations: int) -> None:
        """Run some more iterations."""
        rows = self.schedule.rows(self.iteration + 1, self.iteration + 1 + iterations)
        self._loops.iterate(rows, self.alternating)
        self.iteration += iterations

    def residual(self) -> float:
        """The exact NashConv of the average policy (of the product of the averages, for any number of players)."""
        return max(0.0, self._loops.nash_conv())

    def measures(self) -> dict[str, float]:
        """Outside two-player constant-sum games, the CCE gap of the play-average: iteration t's profile, t's weight.

        The product of the averages need not be near an equilibrium there; the play-average is what no regret bounds.
        """
        gap = self._loops.play_gap()
        return {} if gap is None else {"play_cce_gap": gap}

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        tables = [{name: array.copy() for name, array in tables._asdict().items()} for tables in self._loops.tables]
        return {"iteration": self.iteration, "tables": tables, "play": [play.copy() for play in self._loops.play]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`."""
        self.iteration = int(state["iteration"])
        for tables, stored in zip(self._loops.tables, state["tables"], strict=True):
            for name, array in tables._asdict().items():
                array[:] = stored[name]
        for play, stored in zip(self._loops.play, state["play"], strict=True):
            play[:] = stored

    def policy(self) -> TabularPolicy:
        """The average policy, on the model's own information sets."""
        return self._policy([normalised(tables.average, tables.plan) for tables in self._loops.tables])

    def current_policy(self) -> TabularPolicy:
        """The policy that is played next."""
        return self._policy([tables.plan for tables in self._loops.tables])

    def _policy(self, plans: list[Float64Array]) -> TabularPolicy:
        tables = []
        for player, treeplex in enumerate(self.model.treeplexes):
            here = self._loops.positions[player][self.quotient[player].sequence_class]
            tables.append(treeplex.behaviour(plans[player][here]))
        return TabularPolicy(self.model, tables)


def _in_lanes(model: ExtensiveFormModel) -> bool:
    return model.num_players == 2 and model.constant_sum()


def _compile(model: ExtensiveFormModel) -> None:
    if _in_lanes(model):
        _lane_kernel.warm_up()
    else:
        _kernel.warm_up(model.num_players)


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
        compile=_compile,
    )

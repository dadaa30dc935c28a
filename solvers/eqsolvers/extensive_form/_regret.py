"""Regret minimisation at every information set: the state of the CFR family, its schedules, and its run loop.

Zinkevich, Johanson, Bowling and Piccione (2007), "Regret minimization in games with incomplete information", NeurIPS.
The members of the family, one file each beside this one, differ in a `Schedule`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family
from eqsolvers.extensive_form import _kernel
from eqsolvers.extensive_form._symmetry import QuotientPlayer, quotient
from eqsolvers.result import SolverResult, SolverSpec, Status
from eqsolvers.scoring.score import score


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
        for side, tables in zip(self._sides, self._tables, strict=True):
            _kernel.spread(side, tables)

    def run(self, iterations: int) -> None:
        """Run some more iterations."""
        rows = self.schedule.rows(self.iteration + 1, self.iteration + 1 + iterations)
        _kernel.iterate(self._sides, self._tables, self._plans, rows, self.alternating)
        self.iteration += iterations

    def nash_conv(self) -> float:
        """The exact NashConv of the average policy (of the product of the averages, for any number of players)."""
        averages = tuple(self._normalised(player) for player in range(len(self._sides)))
        total = 0.0
        for player, side in enumerate(self._sides):
            gradient = np.zeros(side.first[-1])
            _kernel.collect(side, player, averages, gradient)
            value = float((gradient * averages[player]) @ self.quotient[player].size)
            total += _kernel.best_response_value(side, gradient) - value
        return max(0.0, total)

    def _normalised(self, player: int) -> Float64Array:
        """The average plan, [Q] with the empty sequence at 1."""
        average = self._tables[player].average
        return average / average[0] if average[0] > 0 else self._tables[player].plan.copy()

    def average_policy(self) -> TabularPolicy:
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


def solve_by_regret(
    model: ExtensiveFormModel,
    schedule: Schedule,
    method: str,
    *,
    tolerance: float,
    iterations: int = 100_000,
    seconds: float = np.inf,
    check_every: int = 100,
    alternating: bool = True,
) -> SolverResult:
    """Run until the NashConv of the average policy is within the tolerance.

    Args:
        model: the game.
        schedule: the algorithm.
        method: its id.
        tolerance: NashConv, payoff units.
        iterations: the most to run.
        seconds: the longest to run.
        check_every: iterations between checks of NashConv.
        alternating: see `RegretMinimiser`.
    """
    minimiser = RegretMinimiser(model, schedule, alternating=alternating)
    started = time.perf_counter()
    status = Status.ITERATION_LIMIT
    while minimiser.iteration < iterations:
        minimiser.run(min(check_every, iterations - minimiser.iteration))
        if minimiser.nash_conv() <= tolerance:
            status = Status.CONVERGED
            break
        if time.perf_counter() - started > seconds:
            status = Status.TIME_LIMIT
            break
    policy = minimiser.average_policy()
    residual = score(model, policy).nash_conv
    return SolverResult(policy=policy, status=status, residual=residual, iterations=minimiser.iteration, method=method)


def regret_solver(method: str, schedule: Schedule, source: str) -> SolverSpec:
    """The registered solver of one member of the family."""

    def solve(
        model: ExtensiveFormModel,
        *,
        tolerance: float = 1e-3,
        iterations: int = 100_000,
        seconds: float = np.inf,
        alternating: bool = True,
    ) -> SolverResult:
        """Run until NashConv is within the tolerance; see `solve_by_regret`."""
        return solve_by_regret(
            model,
            schedule,
            method,
            tolerance=tolerance,
            iterations=iterations,
            seconds=seconds,
            alternating=alternating,
        )

    return SolverSpec(
        id=method,
        concept="nash",
        family=Family.EXTENSIVE_FORM,
        solve=solve,
        options=frozenset({"iterations"}),
        compile=lambda model: _kernel.warm_up(model.num_players),
        source=source,
    )

"""Full-width fictitious play in sequence form.

Every iteration each player moves its average plan a step towards an exact best response to the others' averages:
x_t+1 = x_t + (b_t+1 - x_t) a_t+1, in realisation plans, so that x stays the plan of the mixture of what was played
(Kuhn's theorem). The averages start at uniform play, which counts as the first iterate. With gamma 0 the step
a_t = (1 + gamma) / (t + gamma) is the plain average's 1 / t, with more the weights grow about like t ** gamma. Ties go
to the first action, on the quotient of the game, so that equal information sets answer alike.

Heinrich, Lanctot and Silver (2015), "Fictitious self-play in extensive-form games", ICML, Algorithm 1 (XFP). It is
fictitious play of the normal form (Brown 1951), and a generalised weakened one for gamma > 0 (Leslie and Collins 2006,
Games and Economic Behavior 56), hence converges in two-player zero-sum and in potential games; alternating play is
Brown's original order (Berger 2007, Journal of Economic Theory 135). Elsewhere the averages need not converge, and the
residual says so.

Any number of players, perfect recall. Cost of an iteration: O(P + Q).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import Float64Array
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.extensive_form import _kernel
from eqsolvers.extensive_form._process import TreeplexProcess, empty_side, realisation, uniform_strategy
from eqsolvers.extensive_form._regret import exponent
from eqsolvers.extensive_form._symmetry import QuotientPlayer, quotient
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import compiled


class FictitiousPlayState(NamedTuple):
    """One player's numbers, written in place."""

    average: NDArray[np.float64]  # [Q], the average plan
    response: NDArray[np.float64]  # [Q], the plan of the last best response
    gradient: NDArray[np.float64]  # [Q]
    best: NDArray[np.uint32]  # [I], the sequence that the best response plays


@compiled
def answer(side: Any, tables: Any, rate: float) -> None:
    """Best-respond to what the gradient, which is consumed, was taken against, and move the average towards it."""
    average, response, gradient, best = tables.average, tables.response, tables.gradient, tables.best
    for infoset in range(len(side.parent) - 1, -1, -1):
        highest = -np.inf
        for q in range(side.first[infoset], side.first[infoset + 1]):
            if gradient[q] > highest:
                highest = gradient[q]
                best[infoset] = q
        gradient[side.parent[infoset]] += side.multiplicity[infoset] * highest
    for infoset in range(len(side.parent)):
        for q in range(side.first[infoset], side.first[infoset + 1]):
            response[q] = response[side.parent[infoset]] if best[infoset] == q else 0.0
            average[q] += rate * (response[q] - average[q])


@compiled
def iterate(sides: Any, tables: Any, averages: Any, rates: Any, alternating: bool) -> None:
    """Run one iteration per step of `rates`; `averages[p]` is the same memory as `tables[p].average`."""
    for t in range(len(rates)):
        if not alternating:
            for player in range(len(sides)):
                _kernel.collect(sides[player], player, averages, tables[player].gradient)
        for player in range(len(sides)):
            if alternating:
                _kernel.collect(sides[player], player, averages, tables[player].gradient)
            answer(sides[player], tables[player], rates[t])


class FictitiousPlay(TreeplexProcess):
    """Every player's best responses to the others' averages, from uniform play.

    Args:
        model: any number of players.
        gamma: see the module.
        alternating: whether each player answers the newest averages of the others.
        reduce: whether to work on the exact quotient of the game; ties are then broken per class.
    """

    def __init__(
        self, model: ExtensiveFormModel, *, gamma: float = 0.0, alternating: bool = False, reduce: bool = True
    ) -> None:
        players = quotient(model, reduce=reduce)
        tables = [_tables(player) for player in players]
        super().__init__(model, players, tables, traversals=model.num_players if alternating else 1)
        self._averages = tuple(table.average for table in tables)
        self._gamma, self._alternating = gamma, alternating

    def run(self, iterations: int) -> None:
        """See `Process`."""
        t = np.arange(self.iteration + 2, self.iteration + 2 + iterations, dtype=np.float64)
        rates = (1.0 + self._gamma) / (t + self._gamma)
        iterate(self._sides, self._tables, self._averages, rates, self._alternating)
        self.iteration += iterations

    def policy(self) -> TabularPolicy:
        """The average policy."""
        return self._policy_of_plans(self._averages)

    def residual(self) -> float:
        """Its exact NashConv."""
        return self._nash_conv(self._averages)


def _tables(player: QuotientPlayer) -> FictitiousPlayState:
    average: Float64Array = realisation(player, uniform_strategy(player))
    size = len(average)
    return FictitiousPlayState(average, np.ones(size), np.zeros(size), np.zeros(len(player.parent), dtype=np.uint32))


def warm_up(num_players: int) -> None:
    """Compile the loops for a number of players, or load them from the cache, without running a game."""
    _kernel.warm_up(num_players)
    side, best = empty_side(num_players), np.ones(1, dtype=np.uint32)
    tables = tuple(FictitiousPlayState(np.ones(2), np.ones(2), np.ones(2), best) for _ in range(num_players))
    averages = tuple(table.average for table in tables)
    iterate((side,) * num_players, tables, averages, np.zeros(0), True)


def start(model: ExtensiveFormModel, *, seed: int, gamma: float, alternating: bool) -> FictitiousPlay:
    """See `iterative_solver`."""
    del seed  # nothing is random
    return FictitiousPlay(model, gamma=gamma, alternating=alternating)


SOLVER = iterative_solver(
    "fictitious-play",
    start,
    source="Heinrich, Lanctot and Silver (2015), ICML",
    family=Family.EXTENSIVE_FORM,
    parameters=(
        exponent("gamma", 0.0, "exponent of the averaging weights"),
        Parameter(
            name="alternating",
            default=False,
            kind=bool,
            description="each player answers the newest averages of the others; false: all answer at once",
        ),
    ),
    compile=lambda model: warm_up(model.num_players),
    default_iterations=1_000_000,
)

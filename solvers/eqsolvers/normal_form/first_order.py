"""Two-player constant-sum games of thousands of actions by predictive regret matching+, two products an iteration.

Both players run PRM+ with their last payoffs as the prediction (Farina, Kroer, Sandholm 2021, "Faster game solving via
predictive Blackwell approachability", AAAI), the column player answering the row player's new strategy (alternation),
and what counts is the average of the strategies weighted by the square of the iteration, as in their experiments. The
gap is proved to fall as 1 / sqrt T and in practice falls faster than 1 / T.

Products skip the actions that are not played: x^T M reads the played rows of M, M y the played columns, of a second
copy of M stored by columns. On random games that is half of them. With `single` both copies are float32, which halves
the traffic again and limits the gap to about 1e-6 of the payoffs' range; residuals are exact in either case.

Memory: two copies of M beside the model's payoffs. Cost of an iteration: the played part of 2 m n multiplications,
limited by the memory's speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import compiled
from eqsolvers.normal_form._zero_sum import require_matrix_game
from eqsolvers.result import two_players_constant_sum
from eqsolvers.scoring.score import score

POWER = 2  # of the iteration, in the average's weights


@compiled
def combine(matrix: Any, weights: Any, out: Any) -> None:
    """Write sum_i weights[i] matrix[i] into `out`, skipping rows of weight 0; four rows at a time."""
    out[:] = 0
    m, n = matrix.shape
    played = np.empty(4, np.int64)
    count = 0
    for i in range(m):
        if weights[i] > 0:
            played[count] = i
            count += 1
            if count == 4:
                a, b, c, d = matrix[played[0]], matrix[played[1]], matrix[played[2]], matrix[played[3]]
                w, x, y, z = weights[played[0]], weights[played[1]], weights[played[2]], weights[played[3]]
                for j in range(n):
                    out[j] += (w * a[j] + x * b[j]) + (y * c[j] + z * d[j])
                count = 0
    for left in range(count):
        row, w = matrix[played[left]], weights[played[left]]
        for j in range(n):
            out[j] += w * row[j]


@compiled
def respond(payoffs: Any, strategy: Any, regrets: Any, total: Any, weight: float) -> None:
    """Add a round of `payoffs` [A] to the positive regrets and write the next strategy, predicting the same payoffs.

    `total` gets the new strategy times `weight`.
    """
    value = 0.0
    for a in range(len(strategy)):
        value += payoffs[a] * strategy[a]
    mass = 0.0
    for a in range(len(strategy)):
        regret = payoffs[a] - value
        regrets[a] = max(regrets[a] + regret, 0.0)
        strategy[a] = max(regrets[a] + regret, 0.0)
        mass += strategy[a]
    for a in range(len(strategy)):
        strategy[a] = strategy[a] / mass if mass > 0.0 else 1.0 / len(strategy)
        total[a] += weight * strategy[a]


@compiled
def advance(
    by_rows: Any, by_columns: Any, row: Any, column: Any, regrets: Any, regrets_too: Any, total: Any, total_too: Any,
    payoffs: Any, payoffs_too: Any, rounded: Any, rounded_too: Any, begun: int, iterations: int,
) -> None:  # fmt: skip
    """Iterations `begun` + 1 to `begun` + `iterations` for the row player's strategy and then the column player's.

    Args:
        by_rows: M, [m, n], of either precision.
        by_columns: its transpose, stored as such.
        row: the row player's last strategy, [m], changed in place as the next five are.
        column: the column player's, [n].
        regrets: the row player's, their positive parts, [m].
        regrets_too: the column player's, [n].
        total: the weighted sum of the row player's strategies, [m].
        total_too: the same of the column player, [n].
        payoffs: scratch of the matrix's precision, [m].
        payoffs_too: the same, [n].
        rounded: the same, [m].
        rounded_too: the same, [n].
        begun: iterations done.
        iterations: how many to do.
    """
    for t in range(begun + 1, begun + iterations + 1):
        weight = float(t) ** POWER
        for j in range(len(column)):
            rounded_too[j] = column[j]
        combine(by_columns, rounded_too, payoffs)
        respond(payoffs, row, regrets, total, weight)
        for i in range(len(row)):
            rounded[i] = row[i]
        combine(by_rows, rounded, payoffs_too)
        for j in range(len(column)):
            payoffs_too[j] = -payoffs_too[j]
        respond(payoffs_too, column, regrets_too, total_too, weight)


class FirstOrder:
    """A run of PRM+ on a matrix game; see `eqsolvers.iterative.Process`."""

    unit = "payoffs"  # of `touched`

    def __init__(self, model: NormalFormModel, *, single: bool = False) -> None:
        matrix = require_matrix_game(model, "first-order")
        kind = np.float32 if single else np.float64
        self._model = model
        self._by_rows = np.array(matrix, dtype=kind, order="C")
        self._by_columns = np.array(matrix.T, dtype=kind, order="C")
        self._iteration = 0
        self._state = {}
        for name, k in zip(("row", "column"), matrix.shape, strict=True):
            self._state[f"{name}_strategy"] = np.full(k, 1.0 / k)
            self._state[f"{name}_regrets"] = np.zeros(k)
            self._state[f"{name}_total"] = np.zeros(k)
        self._scratch = [np.empty(k, dtype=kind) for k in matrix.shape * 2]

    @property
    def iteration(self) -> int:
        """Iterations done."""
        return self._iteration

    @property
    def touched(self) -> int:
        """Profiles whose payoffs a full product reads, twice an iteration."""
        return 2 * self._iteration * self._by_rows.size

    def run(self, iterations: int) -> None:
        """Do that many more."""
        s = self._state
        payoffs, payoffs_too, rounded, rounded_too = self._scratch
        advance(
            self._by_rows,
            self._by_columns,
            s["row_strategy"],
            s["column_strategy"],
            s["row_regrets"],
            s["column_regrets"],
            s["row_total"],
            s["column_total"],
            payoffs,
            payoffs_too,
            rounded,
            rounded_too,
            self._iteration,
            iterations,
        )
        self._iteration += iterations

    def policy(self) -> TabularPolicy:
        """The average; uniform before the first iteration."""
        kind = "total" if self._iteration else "strategy"
        sums = [self._state[f"{name}_{kind}"] for name in ("row", "column")]
        return TabularPolicy(self._model, [total / total.sum() for total in sums])

    def residual(self) -> float:
        """NashConv of the average."""
        return score(self._model, self.policy()).nash_conv

    def measures(self) -> dict[str, float]:
        """None."""
        return {}

    def state(self) -> dict[str, Any]:
        """The strategies, regrets and sums."""
        return {"iteration": self._iteration, **{name: array.copy() for name, array in self._state.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave."""
        self._iteration = int(state["iteration"])
        for name, array in self._state.items():
            array[:] = state[name]


def start(model: NormalFormModel, *, seed: int = 0, single: bool = False) -> FirstOrder:
    """The process; nothing is random.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum.
    """
    return FirstOrder(model, single=single)


def compile_kernels(model: NormalFormModel) -> None:
    """Compile for both precisions, or load from the cache."""
    small = NormalFormModel([[[0.0]], [[0.0]]])
    for single in (False, True):
        start(small, single=single).run(1)


SOLVER = iterative_solver(
    "first-order",
    start,
    family=Family.NORMAL_FORM,
    parameters=(
        Parameter(
            name="single",
            default=False,
            kind=bool,
            description="products in float32: twice as fast, to a gap of about 1e-6 of the payoffs' range",
        ),
    ),
    covers=two_players_constant_sum,
    compile=compile_kernels,
    check_every=50,
    source="Farina, Kroer, Sandholm (2021)",
)

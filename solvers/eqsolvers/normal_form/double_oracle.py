"""Double oracle on a matrix game: equilibria of ever larger restricted games, enlarged by best responses.

McMahan, Gordon and Blum (2003), "Planning in the presence of cost functions controlled by an adversary", ICML. Each
iteration solves the game restricted to the actions so far and adds each player's best response to the other's strategy
of that solution; where neither gains, the solution is an equilibrium of the whole game.

The restricted game is not solved anew: its simplex dictionary (`_simplex`) gains a column, which the primal method
makes optimal again, and a row, which the dual method makes feasible again. A dictionary whose rounding shows, or in
which the dual method fails, is set up again.

Cost of an iteration: O(m k + n k) for the best responses with supports of k actions, O(k^2) a pivot. Where the
equilibrium uses most actions the restricted game becomes the game, and `simplex` or `interior-point` are faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Family, Parameter, Parameterised
from eqsolvers.normal_form._bimatrix import by_solving_pennies
from eqsolvers.normal_form._dictionary import lay_out
from eqsolvers.normal_form._simplex import dual, primal, read_off
from eqsolvers.normal_form._zero_sum import (
    MatrixSolution,
    gap,
    on_support,
    reported,
    require_matrix_game,
    scaled,
)
from eqsolvers.result import SolverResult, SolverSpec, Status, two_players_constant_sum

PARAMETERS = (
    Parameter(name="iterations", default=100_000, low=1, description="restricted games to solve, at most"),
    Parameter(
        name="initial",
        default=None,
        low=0,
        description="both players' first action; none: the one with the best payoff against uniform play",
    ),
)
SETTABLE = Parameterised(id="double-oracle", parameters=PARAMETERS)
SHOWS = 1e-9  # a gain within the restricted game, in payoffs scaled to [1, 2], at which its dictionary is set up again


class Submatrix:
    """A submatrix of a positive matrix and its optimal dictionary.

    Attributes:
        rows: the row player's actions, in the order they came.
        columns: the column player's.
        pivots: made so far.
    """

    def __init__(self, matrix: Float64Array, row: int, column: int) -> None:
        self._matrix = matrix
        self.rows, self.columns, self.pivots = [row], [column], 0
        self.rebuild()

    def rebuild(self) -> None:
        """Solve from the payoffs alone."""
        part = np.ascontiguousarray(self._matrix[np.ix_(self.rows, self.columns)])
        k, d = part.shape
        self._tableau = np.empty((k + 1, d + 1))
        self._basis, self._cobasis, self._where = (
            np.empty(k, np.int64),
            np.empty(d, np.int64),
            np.empty(k + d, np.int64),
        )
        lay_out(part, self._tableau, self._basis, self._cobasis, self._where)
        self._count(primal(self._tableau, self._basis, self._cobasis, self._where, 100 * (k + d)))

    def strategies(self) -> tuple[Float64Array, Float64Array]:
        """The players' strategies over `rows` and `columns`."""
        row, column = np.empty(len(self.rows)), np.empty(len(self.columns))
        read_off(self._tableau, self._basis, self._cobasis, row, column)
        return row, column

    def add_column(self, action: int) -> None:
        """Give the column player another action."""
        k, d = len(self.rows), len(self.columns)
        entries, table = self._matrix[self.rows, action], self._tableau
        # The basis' inverse stands in the columns of nonbasic slacks; those of basic slacks are unit vectors.
        place = self._where[d:]
        outside, inside = np.flatnonzero(place < 0), np.flatnonzero(place >= 0)
        added = table[:, -1 - place[outside]] @ entries[outside]
        added[place[inside]] += entries[inside]
        added[k] -= 1.0
        self._tableau = np.ascontiguousarray(np.insert(table, d, added, axis=1))
        # The new variable's number is d: the slacks move up by one.
        self._basis, self._cobasis = (np.where(v >= d, v + 1, v) for v in (self._basis, self._cobasis))
        self._cobasis = np.append(self._cobasis, d)
        self._where = np.insert(self._where, d, -1 - d)
        self.columns.append(action)
        self._count(primal(self._tableau, self._basis, self._cobasis, self._where, 100 * (k + d)))

    def add_row(self, action: int) -> None:
        """Give the row player another action."""
        k, d = len(self.rows), len(self.columns)
        entries, table = self._matrix[action, self.columns], self._tableau
        place = self._where[:d]
        outside, inside = np.flatnonzero(place < 0), np.flatnonzero(place >= 0)
        added = -(entries[inside] @ table[place[inside]])
        added[-1 - place[outside]] += entries[outside]
        added[d] += 1.0
        self._tableau = np.insert(table, k, added, axis=0)
        self._basis = np.append(self._basis, d + k)
        self._where = np.append(self._where, k)
        self.rows.append(action)
        pivots = dual(self._tableau, self._basis, self._cobasis, self._where, 10 * (k + d))
        if pivots < 0:
            self.rebuild()
        else:
            self._count(pivots)

    def _count(self, pivots: int) -> None:
        self.pivots += max(pivots, 0)


@dataclass(frozen=True, eq=False)
class Run:
    """What a run of the double oracle found.

    Attributes:
        solution: of the whole game.
        rows: the row player's actions in the last restricted game.
        columns: the column player's.
        pivots: in all restricted games together.
    """

    solution: MatrixSolution
    rows: list[int]
    columns: list[int]
    pivots: int


def double_oracle(
    matrix: Float64Array, *, tolerance: float = 1e-9, iterations: int = 100_000, initial: tuple[int, int] | None = None
) -> Run:
    """Maximin strategies of a matrix game.

    Args:
        matrix: [m, n] float64, the row player's payoffs.
        tolerance: gap, in payoff units, at which to stop.
        iterations: the most restricted games to solve.
        initial: the players' first actions; by default the best against uniform play.

    >>> found = double_oracle(np.array([[3.0, -1.0, 4.0], [-2.0, 2.0, 5.0]])).solution
    >>> found.row.round(3).tolist(), found.column.round(3).tolist()
    ([0.5, 0.5], [0.375, 0.625, 0.0])
    """
    positive = scaled(matrix)
    goal = tolerance / (float(np.ptp(matrix)) or 1.0) / 2
    start = initial or (int(positive.mean(axis=1).argmax()), int(positive.mean(axis=0).argmin()))
    game = Submatrix(positive, *start)
    solved, sound = 0, True  # sound: not set up again since an action was last added
    while solved < iterations:
        solved += 1
        row, column = game.strategies()
        first, second = positive[:, game.columns] @ column, row @ positive[game.rows]
        best, best_too = int(first.argmax()), int(second.argmin())
        value = float(row @ first[game.rows])
        if first[best] - second[best_too] <= goal:
            break
        inner = float(first[game.rows].max() - second[game.columns].min())
        if inner > max(SHOWS, goal) and sound:
            game.rebuild()
            sound = False
            continue
        new_column, new_row = best_too not in game.columns, best not in game.rows
        if not (new_column or new_row):
            break
        sound = True
        if new_column and second[best_too] < value:
            game.add_column(best_too)
        if new_row and first[best] > value:
            game.add_row(best)
    row, column = game.strategies()
    whole, whole_too = np.zeros(matrix.shape[0]), np.zeros(matrix.shape[1])
    whole[game.rows], whole_too[game.columns] = row, column
    again = on_support(positive, np.flatnonzero(whole > 1e-10), np.flatnonzero(whole_too > 1e-10))
    if again is not None and gap(matrix, *again) < gap(matrix, whole, whole_too):
        whole, whole_too = again
    return Run(MatrixSolution(whole, whole_too, solved), game.rows, game.columns, game.pivots)


def solve(
    model: NormalFormModel, *, tolerance: float = 1e-9, settings: Mapping[str, Any] | None = None
) -> SolverResult:
    """A Nash equilibrium of a two-player constant-sum game.

    Args:
        model: the game.
        tolerance: NashConv, in payoff units, up to which the result counts as converged.
        settings: `iterations` and `initial`.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum.
    """
    chosen = SETTABLE.resolve(settings or {})
    matrix = require_matrix_game(model, "double-oracle")
    initial = chosen["initial"]
    if initial is not None and initial >= min(matrix.shape):
        raise InputError(f"double-oracle: parameter 'initial' must be below {min(matrix.shape)}, got {initial}")
    found = double_oracle(
        matrix,
        tolerance=max(tolerance, 0.0),
        iterations=chosen["iterations"],
        initial=None if initial is None else (initial, initial),
    )
    detail = {"actions": [len(found.rows), len(found.columns)], "pivots": found.pivots}
    result = reported(model, "double-oracle", found.solution, tolerance, detail)
    if result.status is Status.INACCURATE and result.iterations == chosen["iterations"]:
        return replace(result, status=Status.ITERATION_LIMIT)
    return result


SOLVER = SolverSpec(
    id="double-oracle",
    concepts=("nash",),
    family=Family.NORMAL_FORM,
    solve=solve,
    parameters=PARAMETERS,
    compile=by_solving_pennies(solve),
    covers=two_players_constant_sum,
    source="McMahan, Gordon, Blum (2003)",
)

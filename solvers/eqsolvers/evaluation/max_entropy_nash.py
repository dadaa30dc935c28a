"""The maximum entropy Nash equilibrium of a two-player zero-sum matrix game.

Of all maximin strategies of either player, the one of greatest Shannon entropy; both are unique. Ortiz, Schapire and
Kakade (2007), "Maximum entropy correlated equilibria", AISTATS, for the choice; Balduzzi et al. (2018) for its use.

With M shifted so that the game's value is 0, the row player's maximin strategies are x >= 0, sum x = 1, x'M >= 0. They
have no interior as a rule (every column that some optimal column strategy uses holds with equality), where an
interior-point method for the whole programme is off by the square root of its tolerance. So first the *optimal
partition* is found: the rows that some maximin strategy uses, and the columns likewise (Goldman and Tucker 1956,
"Theory of linear programming"). A vertex of the equilibria says all of it unless it is degenerate; linear programmes
settle the rest. Over the rows in use the strategy is then x = exp(B'l) up to scale, with one multiplier for each
column, free where it holds with equality and else at least 0: the dual is minimised by Newton steps on the multipliers
that are not held at 0, which are taken in one by one as in Lawson and Hanson (1974), "Solving least squares problems",
chapter 23. Where that fails, Clarabel's solution of the whole programme stands, and the status says so.

Cost: a simplex solve, a linear programme for each degenerate row or column at most, and Newton steps of O(n^3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models.numbers import finite_array
from eqsolvers.highs import LinearProgramError, minimise
from eqsolvers.normal_form import simplex
from eqsolvers.normal_form._conic import ConicProgramError, most_even
from eqsolvers.normal_form._zero_sum import gap, with_fallback
from eqsolvers.result import Status

USED = 1e-9  # probability, or slack in units of the payoffs' range, above which it is no rounding
STEPS = 200
STEEP = 1e-12  # of the dual's slope, in units of the payoffs' range: what counts as 0
STRAIGHT = 1e-9  # of a slope along which the dual has no curvature
ROUNDING = 1e-14  # of the dual's value, a logarithm, and of multipliers


@dataclass(frozen=True, eq=False)
class MaxEntropyNash:
    """The equilibrium.

    Attributes:
        row: [m] float64.
        column: [n] float64.
        value: to the row player.
        status: converged; inaccurate where the entropy may not be the greatest or `residual` is large.
        residual: NashConv, in payoff units.
        message: what to know where it did not converge, else empty.
    """

    row: Float64Array
    column: Float64Array
    value: float
    status: Status
    residual: float
    message: str = ""


def max_entropy_nash(matrix: Float64Array, *, tolerance: float = 1e-9) -> MaxEntropyNash:
    """The equilibrium of greatest entropy.

    Args:
        matrix: [m, n] float64, the row player's payoffs.
        tolerance: NashConv up to which the result counts as converged, relative to the range of the payoffs.

    Raises:
        InputError: if the matrix is empty or has no two axes.
        LinearProgramError: if no equilibrium could be found.

    >>> found = max_entropy_nash(np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0], [1.0, -1.0, 0.0]]))
    >>> found.row.round(6).tolist()
    [0.5, 0.5, 0.0]
    """
    payoffs = finite_array("matrix", matrix)
    if payoffs.ndim != 2 or payoffs.size == 0:
        raise InputError(f"a matrix game needs rows and columns, got shape {payoffs.shape}")
    span = float(np.ptp(payoffs)) or 1.0
    vertex = with_fallback(payoffs, simplex.solve_matrix(payoffs))
    value = float(vertex.row @ payoffs @ vertex.column)
    game = (payoffs - value) / span
    row, why = _strategy(game, vertex.row, vertex.column)
    column, why_not = _strategy(-game.T, vertex.column, vertex.row)
    residual = max(0.0, gap(payoffs, row, column))
    message = why or why_not
    good = not message and residual <= tolerance * span
    if residual > tolerance * span and not message:
        message = f"ended with a gap of {residual:.1e}"
    return MaxEntropyNash(row, column, value, Status.CONVERGED if good else Status.INACCURATE, residual, message)


def _strategy(game: Float64Array, own: Float64Array, other: Float64Array) -> tuple[Float64Array, str]:
    """The row player's strategy of greatest entropy, and what went wrong, if anything.

    Args:
        game: [m, n] of value 0, the range of its payoffs is 1.
        own: [m], a maximin strategy.
        other: [n], one of the column player.
    """
    try:
        inner, rows = _used(game, own, other)
        _, columns = _used(-game.T, other, own)
    except LinearProgramError as error:
        return _conic(game, own, str(error))
    equal, more = game[np.ix_(rows, columns)].T, game[np.ix_(rows, ~columns)].T
    determined = np.linalg.matrix_rank(np.vstack([equal, np.ones(len(equal.T))]), tol=USED)
    if determined == rows.sum():
        return inner, ""
    found = _most_even(equal, more)
    if found is None:
        return _conic(game, own, "the multipliers of the greatest entropy were not found")
    strategy = np.zeros(len(own))
    strategy[rows] = found
    return strategy, ""


def _used(game: Float64Array, own: Float64Array, other: Float64Array) -> tuple[Float64Array, NDArray[np.bool_]]:
    """A maximin strategy of the row player that uses all rows that any of them uses, and these rows."""
    used = own > USED
    # A row that earns less than 0 against an optimal column strategy is in no maximin strategy.
    open_rows = ~used & (game @ other > -USED)
    found, parts = own, 1
    while open_rows.any():
        rows = np.flatnonzero(used | open_rows)
        solved = minimise(
            np.where(open_rows[rows], -1.0, 0.0),
            a_ub=-game[rows].T,
            b_ub=np.zeros(game.shape[1]),
            a_eq=np.ones((1, len(rows))),
            b_eq=np.ones(1),
            bounds=[(0, None)] * len(rows),
        ).x
        new = np.zeros(len(own), dtype=bool)
        new[rows] = solved > USED
        if not (new & open_rows).any():
            break
        strategy = np.zeros(len(own))
        strategy[rows] = np.maximum(solved, 0.0) / np.maximum(solved, 0.0).sum()
        found, parts = found + (strategy - found) / (parts + 1), parts + 1
        used, open_rows = used | new, open_rows & ~new
    return found, used


def _most_even(equal: Float64Array, more: Float64Array) -> Float64Array | None:
    """The distribution x of greatest entropy with `equal @ x = 0` and `more @ x >= 0`, or None if it was not found."""
    rows = np.vstack([equal, more])
    weights, active = np.zeros(len(rows)), np.arange(len(rows)) < len(equal)
    bounded = ~active

    def tilted(at: Float64Array) -> tuple[float, Float64Array]:
        exponents = rows.T @ at
        top = float(exponents.max())
        x = np.exp(exponents - top)
        return top + float(np.log(x.sum())), x / x.sum()

    value, x = tilted(weights)
    for _ in range(STEPS):
        slope = rows @ x
        if np.abs(slope[active]).max(initial=0.0) <= STEEP:
            if slope[~active].min(initial=0.0) >= -STEEP:
                return x
            active[np.argmin(np.where(active, np.inf, slope))] = True
        centred = rows[active] - slope[active][:, None]
        curvature = (centred * x) @ centred.T
        newton = np.linalg.lstsq(curvature, -slope[active], rcond=1e-13)[0]
        # Where rows combine to a constant the dual is linear: it falls until a multiplier is 0.
        straight = -slope[active] - curvature @ newton
        linear = bool(np.abs(straight).max(initial=0.0) > STRAIGHT)
        step = np.zeros(len(rows))
        step[active] = straight if linear else newton
        falling = bounded & active & (step < 0)
        reach = float((weights[falling] / -step[falling]).min(initial=np.inf))
        size = reach if linear else min(1.0, reach)
        if not np.isfinite(size):
            return None
        while size > 1e-12 and tilted(weights + size * step)[0] > value + ROUNDING:
            size /= 2
        weights = weights + size * step
        if size == reach:
            stopped = falling & (weights <= ROUNDING)
            weights[stopped], active[stopped] = 0.0, False
        value, x = tilted(weights)
    return None


def _conic(game: Float64Array, own: Float64Array, why: str) -> tuple[Float64Array, str]:
    """Clarabel's strategy, or where it has none the one that is known."""
    try:
        return most_even(sparse.csr_array(-game.T), 0.0, entropy=True)[0], f"interior-point solution: {why}"
    except ConicProgramError as error:
        return own, f"an equilibrium, but not the one of greatest entropy: {why}; {error}"

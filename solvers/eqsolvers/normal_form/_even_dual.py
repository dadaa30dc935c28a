"""The flattest and the least committed distribution that keep linear bounds, by Newton's method on the dual.

Of the distributions x with `A x <= b`, the one that maximises the Gini impurity `1 - x.x` or Shannon's entropy
`-sum x log x`. With a price for each row, the distribution that a price vector calls for is explicit: with
`lift = -prices @ A`, the projection of `lift / 2` onto the simplex, or softmax of the lift (Marris et al. 2021, ICML,
and Ortiz, Schapire and Kakade 2007, AISTATS, ascend these duals by gradients). There is one price for each row, of
which few bind, where there is one variable for each profile; and prices are a point to start from, which an
interior-point method cannot use.

The dual is concave with a Lipschitz gradient `A x - b`; the projection is piecewise linear, so that the generalised
Hessian on the profiles in use stands for the Hessian. A step maximises the quadratic model over all prices that are
not negative, and is shortened until the dual rises. The model's exact maximum under the bounds, by block principal
pivoting (Portugal, Judice and Vicente 1994, Math. Comp. 63), takes about ten iterations where a projected Newton
direction took a hundred.

Where the equilibria have no interior and hardly a profile is in use, the pieces of the Gini dual are many and small,
and the method does not end soon: it then says so, and an interior-point method does better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg
from scipy.special import entr, logsumexp

from eqenvs.arrays import Float64Array
from eqsolvers.simplex import project

EPS = float(np.finfo(np.float64).eps)
VIOLATION = 1e-13  # of a bound, in the unit of the matrix, up to which the answer counts as found
GAP = 1e-11  # between the scaled primal and dual objectives, relative to the larger of 1 and their size
DAMPING = 1e-3  # of the Hessian's largest diagonal number, times the error of the prices where that is below 1
MOST_PIVOTS = 50  # in one step; where they do not end, the step is the better of two that are feasible
MOST_NUMBERS = 50_000_000  # in a matrix of the rows that matter and the profiles in use
PATIENCE = 3  # block pivots that may fail to lower the number of wrong signs before pivots are single


@dataclass(frozen=True)
class Ascent:
    """Where the method ended.

    Attributes:
        distribution: [size] float64.
        prices: [rows] float64, by how much the objective rises for each unit that a row's bound is raised by.
        violation: the largest excess of a row over its bound, at least 0.
        gap: between the objective and the bound on it that the prices prove.
        iterations: Newton steps.
        found: whether violation and gap are within `VIOLATION` and `GAP`.
    """

    distribution: Float64Array
    prices: Float64Array
    violation: float
    gap: float
    iterations: int
    found: bool


def _called_for(lift: Float64Array, entropy: bool) -> tuple[Float64Array, Float64Array, float]:
    """What minimises `objective(x) - lift @ x` over the distributions.

    The objective is `sum x log x`, or `size / 2 x.x`, which is of the order of 1 where all profiles are in use.

    Returns:
        The distribution, how it changes with the lift (a diagonal matrix less its outer square, [size]), the minimum.
    """
    size = len(lift)
    if entropy:
        total = float(logsumexp(lift))
        x = np.exp(lift - total)
        return x, x, -total
    x = project(lift / size)
    return x, (x > 0) / size, float(size / 2 * (x @ x) - lift @ x)


def ascend(
    matrix: Any, bound: Float64Array | float, *, entropy: bool, most: int, start: Float64Array | None = None
) -> Ascent:
    """The most even distribution among those with `matrix @ x <= bound`, or how far the method got.

    Args:
        matrix: CSR [rows, size], of the order of 1.
        bound: one or [rows].
        entropy: Shannon's entropy instead of the Gini impurity.
        most: Newton steps.
        start: [rows] prices to start from, of a similar programme; zero prices where those are nearer to the best.
    """
    rows, size = matrix.shape
    bound = np.broadcast_to(np.asarray(bound, dtype=np.float64), rows)
    transposed = matrix.T.tocsr()

    def at(prices: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array, float]:
        x, weights, least = _called_for(-(transposed @ prices), entropy)
        return x, weights, matrix @ x - bound, least - float(prices @ bound)

    unit = 1.0 if entropy else 2.0 / size  # of the objective, and so of prices, that is scaled here
    prices = np.zeros(rows)
    x, weights, excess, value = at(prices)
    if start is not None:
        given = np.maximum(start, 0.0) / unit
        if (begun := at(given))[-1] > value:
            prices, (x, weights, excess, value) = given, begun
    highest = 0.0 if entropy else size / 2  # of the objective: a higher dual shows that nothing keeps the bounds
    found: tuple[float, Float64Array, Float64Array] | None = None
    steps = 0
    for steps in range(most + 1):
        rounding = 4 * EPS * prices.sum()
        gap, violation = abs(float(prices @ excess)), float(excess.max(initial=0.0))
        if found is not None:
            _, x, prices = min(found, (violation, x, prices), key=lambda each: each[0])
            break
        if violation <= VIOLATION and gap <= GAP * max(1.0, abs(value)) + rounding:
            found = violation, x, prices
            if violation <= 4 * EPS:  # else one more step, as convergence is quadratic
                break
        if steps == most or value > highest + 1e-6 * size:
            break
        move = _newton_step(matrix, weights, prices, excess)
        if move is None:
            break
        share = 1.0
        while share > 1e-10:
            tried = np.maximum(prices + share * move, 0.0)
            there = at(tried)
            if there[-1] >= value + 1e-4 * float(excess @ (tried - prices)) - 1e-15 * abs(value) - rounding:
                break
            share /= 2
        else:
            break
        prices, (x, weights, excess, value) = tried, there
    x, prices = x / x.sum(), unit * prices
    return Ascent(x, prices, *judged(matrix, bound, x, prices, entropy=entropy), steps, found is not None)


def judged(
    matrix: Any, bound: Float64Array | float, distribution: Float64Array, prices: Float64Array, *, entropy: bool
) -> tuple[float, float]:
    """The largest excess over a bound, and the gap between the evenness and the bound on it that the prices prove."""
    unit = 1.0 if entropy else 2.0 / len(distribution)
    _, _, least = _called_for(-(matrix.T @ prices) / unit, entropy)
    objective = -entr(distribution).sum() if entropy else len(distribution) / 2 * (distribution @ distribution)
    excess = matrix @ distribution - bound
    gap = objective - least + float(prices @ np.broadcast_to(bound, len(prices))) / unit
    return max(0.0, float(excess.max(initial=0.0))), unit * abs(float(gap))


def _newton_step(matrix: Any, weights: Float64Array, prices: Float64Array, excess: Float64Array) -> Float64Array | None:
    """How to change the prices [rows] by the quadratic model; None where it is too large or cannot be factored."""
    near = np.flatnonzero((prices > 0) | (excess > 0))
    used = np.flatnonzero(weights)
    if len(near) * max(len(near), len(used)) > MOST_NUMBERS:
        return None
    hessian = _hessian(matrix[near][:, used].toarray(), weights[used])
    error = float(np.abs(prices - np.maximum(prices + excess, 0.0)).max())
    hessian[np.diag_indices(len(near))] += (DAMPING * min(1.0, error) + 1e-15) * max(hessian.diagonal().max(), 1e-9)
    step = np.zeros(len(prices))
    try:
        step[near] = bounded_maximum(hessian, excess[near], -prices[near])
    except linalg.LinAlgError:
        return None
    return step


def _hessian(matrix: Float64Array, weights: Float64Array) -> Float64Array:
    """`matrix @ (diag(weights) - weights weights' / sum(weights)) @ matrix.T`, [rows, rows]."""
    weighted = matrix * weights
    mean = weighted.sum(axis=1)
    found: Float64Array = weighted @ matrix.T - np.outer(mean, mean) / weights.sum()
    return found


def bounded_maximum(hessian: Float64Array, gradient: Float64Array, low: Float64Array) -> Float64Array:
    """What maximises `gradient @ d - d' hessian d / 2` over d >= low, or something better than 0 there.

    Args:
        hessian: [n, n], positive definite.
        gradient: [n].
        low: [n], at most 0.

    Raises:
        LinAlgError: if the Hessian is not positive definite in float64.

    >>> bounded_maximum(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([2.0, -2.0]), np.zeros(2)).round(9).tolist()
    [1.0, 0.0]
    """
    at_bound = np.zeros(len(low), dtype=bool)
    fewest, left = len(low) + 1, PATIENCE
    step = low
    for _ in range(MOST_PIVOTS):
        free = np.flatnonzero(~at_bound)
        step = np.where(at_bound, low, 0.0)
        right = gradient[free] - hessian[free] @ step
        step[free] = linalg.cho_solve(linalg.cho_factor(hessian[np.ix_(free, free)]), right)
        wrong = np.where(at_bound, gradient - hessian @ step > 0, step < low)
        count = int(wrong.sum())
        if count == 0:
            return step
        if count < fewest:
            fewest, left = count, PATIENCE
        elif left:
            left -= 1
        else:  # one at a time, the last: this cannot cycle
            wrong[: np.flatnonzero(wrong)[-1]] = False
        at_bound ^= wrong
    tried = [np.maximum(step, low), np.maximum(gradient / hessian.diagonal(), low)]
    return max(tried, key=lambda d: float(gradient @ d - d @ hessian @ d / 2))

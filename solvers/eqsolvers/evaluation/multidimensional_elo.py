"""Multidimensional Elo, mElo2k: ratings with a part of rank 2k for who beats whom in circles.

i scores against j with probability sigma(r_i - r_j + c_i' Omega c_j), where c_i has 2k numbers and Omega is the block
matrix of k rotations by a right angle, Omega = sum_l (e_2l e_(2l+1)' - e_(2l+1) e_2l'). Balduzzi, Tuyls, Perolat and
Graepel (2018), "Re-evaluating evaluation", NeurIPS, section on agents against agents: log odds, antisymmetric, are the
gradient of ratings plus a part without divergence (Hodge), whose best approximation of rank 2k is by its Schur
decomposition.

`decompose` is that, of log odds that are known. `multidimensional_elo` minimises the log loss of games, which the paper
does by an update after every game: here by L-BFGS on all games at once, so that neither order nor step sizes matter,
from the decomposition of the observed log odds (with half a tie more for each two players, so that these are finite).
The loss is not convex in c: another minimum may be lower. What is found is given in the decomposition's form, in which
the second part has no divergence: otherwise c can hold a part of the ratings.

Cost: O(K^3) for the decomposition, O(K^2 k) an iteration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import schur
from scipy.optimize import minimize
from scipy.special import expit

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models.numbers import finite_array
from eqsolvers.evaluation.elo import SCALE, checked, log_likelihood
from eqsolvers.result import Status

START = 0.5  # wins added to both sides of every meeting for the log odds to start from
FAR = 20.0  # log odds beyond which a fit is called unbounded
ITERATIONS = 10_000


@dataclass(frozen=True, eq=False)
class MultidimensionalElo:
    """Ratings of mElo2k.

    Attributes:
        ratings: [K] float64, r in Elo points; mean 0.
        vectors: [K, 2k] float64, c in the square root of log odds; columns in pairs, the strongest circle first.
        status: converged; inaccurate; none_exists where log odds grow beyond all bounds.
        residual: the largest slope of the log loss, games per unit of r or c; 0 of a decomposition.
        message: what to know where it did not converge, else empty.
    """

    ratings: Float64Array
    vectors: Float64Array
    status: Status
    residual: float
    message: str = ""

    def log_odds(self) -> Float64Array:
        """[K, K] float64, antisymmetric, of the row against the column."""
        transitive: Float64Array = (self.ratings[:, None] - self.ratings[None, :]) / SCALE
        return transitive + circles(self.vectors)

    def predicted(self) -> Float64Array:
        """The scores that are predicted, [K, K]."""
        found: Float64Array = expit(self.log_odds())
        return found


def circles(vectors: Float64Array) -> Float64Array:
    """c_i' Omega c_j, [K, K], of vectors [K, 2k]."""
    even, odd = vectors[:, 0::2], vectors[:, 1::2]
    made: Float64Array = even @ odd.T - odd @ even.T
    return made


def decompose(log_odds: Float64Array, k: int = 1) -> MultidimensionalElo:
    """The ratings and the best circles of rank 2k of given log odds.

    Args:
        log_odds: [K, K] float64, antisymmetric.
        k: circles, >= 0; of no more than half of the players.

    Raises:
        InputError: for another matrix or k.

    >>> rock_paper_scissors = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    >>> found = decompose(rock_paper_scissors)
    >>> bool(np.allclose(found.ratings, 0)), bool(np.allclose(found.log_odds(), rock_paper_scissors))
    (True, True)
    """
    matrix = finite_array("log_odds", log_odds)
    if matrix.ndim != 2 or matrix.shape != matrix.T.shape or not np.allclose(matrix, -matrix.T):
        raise InputError(f"log_odds must be an antisymmetric matrix, got shape {matrix.shape}")
    _check_circles(k, len(matrix))
    ratings = matrix.mean(axis=1)
    vectors = _factors(matrix - (ratings[:, None] - ratings[None, :]), k)
    return MultidimensionalElo(SCALE * ratings, vectors, Status.CONVERGED, 0.0)


def _factors(antisymmetric: Float64Array, k: int) -> Float64Array:
    """Vectors [K, 2k] whose circles are the best approximation of rank 2k."""
    blocks, basis = schur(antisymmetric, output="real")
    count = len(antisymmetric)
    # Of a matrix that commutes with its transpose the real Schur form is blocks [[0, b], [-b, 0]] and zeros.
    above = np.abs(np.diag(blocks, 1))
    starts = [row for row in range(count - 1) if row == 0 or above[row] > above[row - 1]]
    starts = sorted(starts, key=lambda row: -above[row])[:k]
    vectors = np.zeros((count, 2 * k))
    for place, row in enumerate(starts):
        size = blocks[row, row + 1]
        vectors[:, 2 * place] = np.sqrt(abs(size)) * basis[:, row]
        vectors[:, 2 * place + 1] = np.sign(size) * np.sqrt(abs(size)) * basis[:, row + 1]
    return vectors


def multidimensional_elo(
    wins: Float64Array, *, k: int = 1, prior: float = 0.0, tolerance: float = 1e-6
) -> MultidimensionalElo:
    """The fit of the least log loss that was found.

    Args:
        wins: see `eqsolvers.evaluation.elo.elo`.
        k: circles, >= 0; 0 is Elo.
        prior: tied games added between every two players, >= 0.
        tolerance: residual up to which the fit counts as converged, relative to the games of the busiest player.

    Raises:
        InputError: for other wins, k or prior.
    """
    games = checked(wins, prior)
    count = len(games)
    _check_circles(k, count)
    together = games + games.T
    met = together > 0
    start = decompose(np.where(met, np.log(games + START) - np.log(games.T + START), 0.0), k)
    turned = np.tile([1, 0], k) + 2 * np.repeat(np.arange(k), 2)  # which column each is multiplied with
    sign = np.tile([1.0, -1.0], k)

    def loss(x: Float64Array) -> tuple[float, Float64Array]:
        ratings, vectors = x[:count], x[count:].reshape(count, 2 * k)
        margins = ratings[:, None] - ratings[None, :] + circles(vectors)
        surprise = games - together * expit(margins)  # antisymmetric
        slope = np.concatenate([surprise.sum(axis=1), (surprise @ (vectors[:, turned] * sign)).ravel()])
        return -log_likelihood(games, margins), -slope

    first = np.concatenate([start.ratings / SCALE, start.vectors.ravel()])
    # scipy stops where the loss changes by less than rounding, long before slopes are small; so it judges slopes alone.
    options = {"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "ftol": 0.0, "gtol": 1e-12, "maxcor": 30}
    solve: Any = minimize  # the stubs want a type per kind of derivative
    found = solve(loss, first, jac=True, method="L-BFGS-B", options=options)
    residual = float(np.abs(loss(found.x)[1]).max())
    ratings, vectors = found.x[:count], found.x[count:].reshape(count, 2 * k)
    margins = ratings[:, None] - ratings[None, :] + circles(vectors)
    fitted = decompose(margins, k)
    status, message = Status.CONVERGED, ""
    if np.abs(margins).max() > FAR:
        status = Status.NONE_EXISTS
        message = "some log odds grow beyond all bounds: there are meetings that one side always won; use a prior > 0"
    elif residual > tolerance * float(together.sum(axis=1).max()):
        status, message = Status.INACCURATE, f"the log loss has a slope of {residual:.2g}"
    return MultidimensionalElo(fitted.ratings, fitted.vectors, status, residual, message)


def _check_circles(k: int, count: int) -> None:
    if not 0 <= 2 * k <= count:
        raise InputError(f"mElo2k: k must be from 0 to {count // 2} for {count} players, got {k}")

"""Elo ratings by maximum likelihood: the Bradley-Terry model on Elo's scale.

i scores against j with probability 1 / (1 + 10^((R_j - R_i) / 400)); a tie is half a win for both. Bradley and Terry
(1952), "Rank analysis of incomplete block designs", Biometrika 39; Elo (1978), "The rating of chessplayers, past and
present". Unlike Elo's updates, the fit does not depend on the order of the games.

The likelihood is strictly concave up to a common shift, which the anchor fixes, and has a maximum if and only if every
split of the players in two has a win across it in both directions: the graph of wins is strongly connected (Ford 1957,
"Solution of a ranking problem from binary comparisons", American Mathematical Monthly 64). Where it is not, some
differences are infinite or undetermined. Such ratings are NaN, and the 95 % profile likelihood interval of each says
how low or how high it may be.

`prior` adds that many tied games between every two players (half a win each), which keeps all ratings finite and
draws them together; 0 is maximum likelihood. Standard errors are from the Fisher information of the games and prior.

Cost: O(K^3) a Newton step, a handful of steps; per interval some fifty fits more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import null_space
from scipy.optimize import brentq
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, log_expit

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError
from eqenvs.models.numbers import finite_array
from eqsolvers.result import Status

SCALE = 400.0 / np.log(10.0)  # Elo points for one unit of log odds
DROP = 1.9207294103470618  # of the log-likelihood at the ends of a 95 % interval: half of chi-square(1)'s quantile
STEPS = 100  # of Newton's method; it needs about ten
FAR = 40.0  # log odds at which a bound is given up: e^-40 is below rounding
ROUNDING = 1e-13  # relative, of the log-likelihood: close to its top, steps are judged by nothing finer
RIDGE = 1e-10  # curvature that keeps players who never lost in a profile likelihood from running away


@dataclass(frozen=True, eq=False)
class EloRatings:
    """Ratings and how sure they are.

    Attributes:
        ratings: [K] float64, Elo points; NaN where no finite one is determined.
        standard_error: [K] float64, of the ratings' differences to the anchor; NaN where the rating is; None where
            scores are exact probabilities.
        at_least: [K] float64, lower ends of the 95 % intervals of ratings that are NaN; -inf where there is none.
        at_most: [K] float64, upper ends; inf where there is none.
        anchor: who has rating 0; None: the ratings that are not NaN have mean 0.
        status: converged; none_exists where a rating is NaN; iteration_limit.
        residual: the most by which a player's score differs from the predicted one, in games.
        message: what to know where it did not converge, else empty.
    """

    ratings: Float64Array
    standard_error: Float64Array | None
    at_least: Float64Array
    at_most: Float64Array
    anchor: int | None
    status: Status
    residual: float
    message: str = ""

    def predicted(self) -> Float64Array:
        """The scores that the ratings predict, [K, K]; NaN where one is missing."""
        found: Float64Array = expit((self.ratings[:, None] - self.ratings[None, :]) / SCALE)
        return found


def elo(
    wins: Float64Array, *, anchor: int | None = None, prior: float = 0.0, counted: bool = True, tolerance: float = 1e-9
) -> EloRatings:
    """The ratings of maximum likelihood.

    Args:
        wins: [K, K] float64, wins of the row over the column, ties as half; the diagonal is not read. Where meetings
            are known exactly, probabilities, or these times the weight of the meeting.
        anchor: who has rating 0; None: the mean is 0.
        prior: tied games added between every two players, >= 0.
        counted: whether `wins` counts games; probabilities have no standard errors, and ratings that are not finite
            no bounds.
        tolerance: residual, in games, up to which the fit counts as converged.

    Raises:
        InputError: unless `wins` is a square of non-negative numbers for two players or more, `anchor` one of them,
            and `prior` not negative.

    >>> elo(np.array([[0.0, 3.0], [1.0, 0.0]])).ratings.round(4).tolist()
    [95.4243, -95.4243]
    """
    games = checked(wins, prior)
    count = len(games)
    if anchor is not None and not 0 <= anchor < count:
        raise InputError(f"elo: anchor must be from 0 to {count - 1}, got {anchor}")
    number, labels = connected_components(
        sparse.csr_matrix((games > 0).astype(np.int64)), directed=True, connection="strong"
    )
    group = labels.astype(np.int64)
    chosen = int(group[anchor] if anchor is not None else np.bincount(group).argmax())
    rated = np.flatnonzero(group == chosen)
    found = np.full(count, np.nan)
    fitted, residual = _fit(games[np.ix_(rated, rated)])
    place = None if anchor is None else int(np.flatnonzero(rated == anchor)[0])
    found[rated] = fitted - (fitted.mean() if place is None else fitted[place])
    errors = None
    if counted:
        errors = np.full(count, np.nan)
        errors[rated] = _standard_errors(games[np.ix_(rated, rated)], found[rated], place)
    status = Status.CONVERGED if residual <= tolerance else Status.ITERATION_LIMIT
    low, high, message = np.full(count, -np.inf), np.full(count, np.inf), ""
    if number > 1:
        status, message = Status.NONE_EXISTS, _why(games, group, chosen)
        if counted:
            zero = np.zeros(count)
            zero[rated if place is None else rated[place]] = 1.0 / (len(rated) if place is None else 1)
            low, high = _bounds(games, group, zero)
    return EloRatings(
        ratings=SCALE * found,
        standard_error=None if errors is None else SCALE * errors,
        at_least=SCALE * low,
        at_most=SCALE * high,
        anchor=anchor,
        status=status,
        residual=residual,
        message=message,
    )


def checked(wins: Float64Array, prior: float) -> Float64Array:
    """The wins with the prior's ties and without the diagonal, a new array; raises InputError as `elo` says."""
    games = finite_array("wins", wins)
    if games.ndim != 2 or games.shape[0] != games.shape[1] or len(games) < 2 or (games < 0).any():
        raise InputError(f"wins must be a square of non-negative numbers for two players or more, got {games.shape}")
    if not (np.isfinite(prior) and prior >= 0):
        raise InputError(f"prior must be a number of games from 0 on, got {prior}")
    games = games + prior / 2
    np.fill_diagonal(games, 0.0)
    return games


def log_likelihood(games: Float64Array, margins: Float64Array) -> float:
    """Of wins [K, K], where the row's log odds are `margins` [K, K]."""
    # 0 wins at odds of 0 are no evidence; log_expit of -inf is not asked for.
    return float(np.sum(np.where(games > 0, games * log_expit(margins), 0.0)))


def _fit(
    games: Float64Array, start: Float64Array | None = None, ways: Float64Array | None = None
) -> tuple[Float64Array, float]:
    """Log-odds ratings of maximum likelihood by Newton's method, and the residual.

    Args:
        games: wins [K, K].
        start: [K], where to start; default at 0.
        ways: [K, F], in whose span ratings may leave the start; they are then held near 0 by `RIDGE`. Default all.
    """
    count = len(games)
    ratings = np.zeros(count) if start is None else start
    free, ridge = (np.eye(count), 0.0) if ways is None else (ways, RIDGE)
    together = games + games.T

    def objective(x: Float64Array) -> float:
        return log_likelihood(games, x[:, None] - x[None, :]) - ridge / 2 * float(x @ x)

    value, residual = objective(ratings), np.inf
    for _ in range(STEPS):
        chance = expit(ratings[:, None] - ratings[None, :])
        slope = free.T @ (games.sum(axis=1) - (together * chance).sum(axis=1) - ridge * ratings)
        residual = float(np.abs(slope).max(initial=0.0))
        if residual <= 1e-13 * max(1.0, float(together.sum())):
            break
        curvature = free.T @ (_laplacian(together * chance * (1 - chance)) + ridge * np.eye(count)) @ free
        # Along a common shift, and where nothing is determined any more, the least-squares step is 0.
        step = free @ np.linalg.lstsq(curvature, slope, rcond=None)[0]
        size, least = 1.0, value - ROUNDING * abs(value)
        while size > 1e-10 and not objective(ratings + size * step) >= least:
            size /= 2
        ratings = ratings + size * step
        value = objective(ratings)
    return ratings, residual


def _laplacian(weights: Float64Array) -> Float64Array:
    made: Float64Array = np.diag(weights.sum(axis=1)) - weights
    return made


def _standard_errors(games: Float64Array, ratings: Float64Array, anchor: int | None) -> Float64Array:
    """Of the differences to the anchor, or to the mean, in log odds."""
    if len(ratings) == 1:
        return np.zeros(1)
    chance = expit(ratings[:, None] - ratings[None, :])
    covariance = np.linalg.pinv(_laplacian((games + games.T) * chance * (1 - chance)), hermitian=True)
    own = np.diag(covariance)
    variance = own if anchor is None else own + own[anchor] - 2 * covariance[anchor]
    errors: Float64Array = np.sqrt(np.maximum(variance, 0.0))
    return errors


def _bounds(games: Float64Array, group: IntArray, zero: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Ends of the 95 % profile likelihood intervals, in log odds, of all but the rated players.

    Args:
        games: wins [K, K].
        group: [K], which players are strongly connected.
        zero: [K], the weights of rated players whose weighted mean is rating 0.
    """
    # The supremum of the likelihood: games between groups that are strongly connected in themselves cost nothing.
    best = 0.0
    for each in np.unique(group):
        own = games[np.ix_(group == each, group == each)]
        fitted, _ = _fit(own)
        best += log_likelihood(own, fitted[:, None] - fitted[None, :])
    low, high = np.full(len(games), -np.inf), np.full(len(games), np.inf)
    for k in np.flatnonzero(group != group[zero.argmax()]):
        place = np.eye(len(games))[k]
        ways = null_space(np.stack([zero, place]))

        def short(x: float, place: Float64Array = place, ways: Float64Array = ways) -> float:
            fitted, _ = _fit(games, x * place, ways)
            return log_likelihood(games, fitted[:, None] - fitted[None, :]) - best + DROP

        ends = short(-FAR) > 0, short(FAR) > 0
        if ends == (False, True):
            low[k] = brentq(short, -FAR, FAR, xtol=1e-9)
        elif ends == (True, False):
            high[k] = brentq(short, -FAR, FAR, xtol=1e-9)
    return low, high


def _why(games: Float64Array, group: IntArray, chosen: int) -> str:
    """Between strongly connected groups all wins go one way, if there are any."""
    others, inside = np.flatnonzero(group != chosen), np.flatnonzero(group == chosen)
    won, lost = (wins[np.ix_(others, inside)].any(axis=1) for wins in (games, games.T))
    kinds = {"always won": won, "always lost": lost, "did not meet them": ~(won | lost)}
    said = ", ".join(f"{int(which.sum())} {kind}" for kind, which in kinds.items() if which.any())
    return f"{len(others)} of {len(games)} have no finite rating against the {len(inside)} rated: {said}"

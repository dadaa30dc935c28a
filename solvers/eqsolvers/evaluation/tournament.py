"""Every two entrants against each other, in all ways to share the players' places between them.

Of N players, entrants i and j meet in 2^N - 2 cells: each player's place is i's or j's, and both have one at least. An
entrant's payoff in a meeting is averaged over the cells, in each over its own places; so the first mover's advantage of
a game is nobody's. In a meeting i *scores* against j what share of the pairs of their places i ends ahead in, ties
counting half. Of two players these are the two orders, and wins with half ties.

Cost: K (K - 1) (2^(N - 1) - 1) + K cells for K entrants.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqsolvers.evaluation.cross_play import CrossPlay, cross_play
from eqsolvers.evaluation.entrants import Entrant
from eqsolvers.evaluation.simulated import Allocation

ROUNDING = 1e-12  # of the variance of independent payoffs


@dataclass(frozen=True, eq=False)
class Tournament:
    """What entrants earn against each other; rows are who earns it, columns against whom.

    Attributes:
        names: of the K entrants.
        payoff: [K, K] float64, average payoff; on the diagonal among copies of itself.
        error: [K, K] float64, its standard error.
        margin: [K, K] float64, antisymmetric, half of what the row earns more than the column in the same cells: in a
            two-player zero-sum game the payoff.
        margin_error: [K, K] float64, its standard error.
        scores: [K, K] float64, average score, see the module: rows and columns add to 1, the diagonal is 1/2. None
            where the model does not say who is ahead.
        games: [K, K] float64, episodes of the meeting; 0 where it is exact and on the diagonal.
        play: the cells.
    """

    names: tuple[str, ...]
    payoff: Float64Array
    error: Float64Array
    margin: Float64Array
    margin_error: Float64Array
    scores: Float64Array | None
    games: Float64Array
    play: CrossPlay


def round_robin(
    game: Game, entrants: Sequence[Entrant], *, allocation: Allocation | None = None, seed: int = 0
) -> Tournament:
    """The tournament of some entrants; arguments as of `cross_play`.

    Raises:
        InputError: for fewer than two entrants, or two of one name.
    """
    names = tuple(entrant.name for entrant in entrants)
    if len(names) < 2:
        raise InputError(f"a tournament needs two entrants or more, got {len(names)}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"a tournament needs entrants of different names, got {twice!r} twice")
    count, n = len(names), game.num_players
    pairs = list(itertools.combinations(range(count), 2))
    cells = [(k,) * n for k in range(count)]
    cells += [cell for pair in pairs for cell in itertools.product(pair, repeat=n) if len(set(cell)) == 2]
    play = cross_play(game, [entrants] * n, cells=cells, allocation=allocation, seed=seed)
    payoff, error, margin, margin_error, games = (np.zeros((count, count)) for _ in range(5))
    scores = None if play.ahead is None else np.full((count, count), 0.5)
    everywhere = np.full((1, n), 1.0 / n)
    for k in range(count):
        payoff[k, k], error[k, k] = _average(play, slice(k, k + 1), everywhere)
    each = 2**n - 2
    for meeting, (i, j) in enumerate(pairs):
        rows = slice(count + meeting * each, count + (meeting + 1) * each)
        mine = play.cells[rows] == i
        of_i, of_j = (own / own.sum(axis=1, keepdims=True) for own in (mine, ~mine))
        payoff[i, j], error[i, j] = _average(play, rows, of_i)
        payoff[j, i], error[j, i] = _average(play, rows, of_j)
        margin[i, j], margin_error[i, j] = _average(play, rows, (of_i - of_j) / 2)
        margin[j, i], margin_error[j, i] = -margin[i, j], margin_error[i, j]
        games[i, j] = games[j, i] = play.episodes[rows].sum()
        if scores is not None and play.ahead is not None:
            scores[i, j] = np.einsum("mp,mq,mpq->m", of_i, of_j, play.ahead[rows]).mean()
            scores[j, i] = 1.0 - scores[i, j]
    return Tournament(names, payoff, error, margin, margin_error, scores, games, play)


def _average(play: CrossPlay, rows: slice, weights: Float64Array) -> tuple[float, float]:
    """The mean over some cells of the players' payoffs weighted by `weights` [M, N], and its standard error."""
    mean = float((weights * play.mean[rows]).sum(axis=1).mean())
    covariance = play.covariance[rows]
    variance = float(np.einsum("mp,mpq,mq->", weights, covariance, weights))
    # Of a sum that is constant only rounding is left, whose root would not look like it.
    apart = float(np.einsum("mp,mpp->", np.square(weights), covariance))
    return mean, (math.sqrt(variance) / len(weights) if variance > ROUNDING * apart else 0.0)

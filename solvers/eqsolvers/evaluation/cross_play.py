"""Cross-play: what every player earns where policies of any origin meet.

A cell says which entrant takes each player's place. Cells are exact where the game can be enumerated, by
`eqsolvers.evaluation.exact`, else estimated from play by `eqsolvers.evaluation.simulated`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqsolvers.evaluation.entrants import Entrant, require_seats
from eqsolvers.evaluation.exact import exact_cells
from eqsolvers.evaluation.simulated import Allocation, simulated_cells
from eqsolvers.scoring import ScoreKind


@dataclass(frozen=True, eq=False)
class CrossPlay:
    """The players' payoffs in some cells.

    Attributes:
        shape: how many entrants there are for each player, (K_0, ..., K_{N-1}).
        cells: [M, N] int64, which entrant takes each player's place.
        mean: [M, N] float64, the players' expected payoffs.
        covariance: [M, N, N] float64, of the estimates of `mean` in a cell; 0 where it is exact.
        ahead: [M, N, N] float64, how likely player p ends with more than player q, ties counting half; None where the
            exact model does not say (payoffs that are collected on the way).
        episodes: [M] int64, behind each cell; 0 where it is exact.
        scale: the largest payoff of the game in absolute value, as far as it was seen; differences that are tiny
            beside it are rounding.
        kind: exact or estimate.
    """

    shape: tuple[int, ...]
    cells: IntArray
    mean: Float64Array
    covariance: Float64Array
    ahead: Float64Array | None
    episodes: IntArray
    scale: float
    kind: ScoreKind

    @property
    def error(self) -> Float64Array:
        """Standard errors of `mean`, [M, N]."""
        found: Float64Array = np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))
        return found

    @property
    def payoffs(self) -> Float64Array:
        """[N, K_0, ..., K_{N-1}], NaN in cells that were not asked for."""
        tensor = np.full((len(self.shape), *self.shape), np.nan)
        tensor[(slice(None), *self.cells.T)] = self.mean.T
        return tensor


def cross_play(
    game: Game,
    seats: Sequence[Sequence[Entrant]],
    *,
    cells: Sequence[Sequence[int]] | None = None,
    allocation: Allocation | None = None,
    seed: int = 0,
) -> CrossPlay:
    """The payoffs of entrants against each other.

    Args:
        game: of two players or more; not a mean-field game.
        seats: per player, the entrants that take its place.
        cells: those that are wanted, each an index for every player; default all.
        allocation: how many episodes each cell gets; None: exact where the game can be enumerated, else the defaults.
        seed: of simulated cells. A cell's stream follows from it and from who plays what: other entrants do not
            change a cell that gets as many episodes.

    Raises:
        InputError: for a missing entrant, a cell that is out of range, or a budget that is too small.
        PolicyError: if an entrant is no policy of the game.
        UnsupportedGame: for a game of one player or a mean-field game.
    """
    require_seats(game, seats)
    shape = tuple(map(len, seats))
    wanted = np.array(list(itertools.product(*map(range, shape))) if cells is None else list(cells), dtype=np.int64)
    if wanted.ndim != 2 or wanted.shape[1] != len(shape) or (wanted < 0).any() or (wanted >= shape).any():
        raise InputError(f"cross-play: cells must give every player one of its entrants, {shape} of them")
    if allocation is None and game.exact:
        mean, ahead, scale = exact_cells(game.model(), seats, wanted)
        nothing = np.zeros(len(wanted), dtype=np.int64)
        certain = np.zeros((*mean.shape, len(shape)))
        return CrossPlay(shape, wanted, mean, certain, ahead, nothing, scale, ScoreKind.EXACT)
    found = simulated_cells(game, seats, wanted, allocation or Allocation(), seed)
    return CrossPlay(
        shape, wanted, found.mean, found.covariance, found.ahead, found.count, found.scale, ScoreKind.ESTIMATE
    )

"""Cross-play estimated from play, with further episodes where intervals are widest.

Every cell plays one block of episodes; while a target or a budget asks for more, the cell whose 95 % interval is the
widest plays another. Blocks have streams of their own, which follow from the seed, from who plays what and from the
block's number. Which cells go on depends on what was sampled, so a mean over all blocks is not exactly unbiased.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import ProductPolicy
from eqenvs.simulation import simulate
from eqsolvers.evaluation.entrants import Entrant, stream_key
from eqsolvers.evaluation.exact import TIE

Z_95 = 1.959963984540054
MOST_EPISODES = 10_000_000  # where a target is set and no budget


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """How many episodes cells get.

    Attributes:
        episodes: of a block, at least 2; every cell plays one.
        half_width: of the 95 % intervals of the players' means, payoff units, > 0: cells play on until theirs are as
            narrow. None: until the budget is spent.
        budget: episodes of all cells together. None: `MOST_EPISODES` with a target, one block a cell without.
    """

    episodes: int = 1024
    half_width: float | None = None
    budget: int | None = None

    def __post_init__(self) -> None:
        if self.episodes < 2:
            raise InputError(f"cross-play: episodes must be at least 2, got {self.episodes}")
        if self.half_width is not None and not self.half_width > 0:
            raise InputError(f"cross-play: half_width must be positive, got {self.half_width}")


@dataclass(frozen=True, eq=False)
class Played:
    """What was sampled.

    Attributes:
        mean: [M, N] float64.
        covariance: [M, N, N] float64, of the players' means.
        ahead: [M, N, N] float64, see `CrossPlay`.
        count: [M] int64, episodes.
        scale: the largest payoff in absolute value.
    """

    mean: Float64Array
    covariance: Float64Array
    ahead: Float64Array
    count: IntArray
    scale: float


class _Cell:
    """Sums over the episodes of one cell."""

    def __init__(self, game: Game, entrants: Sequence[Entrant], seed: int) -> None:
        n = game.num_players
        self._game, self._seed, self._key = game, seed, stream_key(entrants)
        self._policy = ProductPolicy([entrant.entry(player, n) for player, entrant in enumerate(entrants)])
        self.count, self.scale, self._blocks = 0, 0.0, 0
        self.mean, self._products, self._leads = np.zeros(n), np.zeros((n, n)), np.zeros((n, n))

    def play(self, episodes: int) -> None:
        """Another block."""
        stream = np.random.SeedSequence(self._seed, spawn_key=(*self._key, self._blocks))
        payoffs = simulate(self._game.rules, self._policy, episodes, stream)
        # Chan, Golub and LeVeque (1979): products are about the mean, which may be far from 0.
        mean, total = payoffs.mean(axis=0), self.count + episodes
        shift = mean - self.mean
        apart = payoffs - mean
        self._products += apart.T @ apart + np.outer(shift, shift) * self.count * episodes / total
        self.mean = self.mean + shift * episodes / total
        lead = payoffs[:, :, None] - payoffs[:, None, :]
        largest = float(np.abs(payoffs).max())
        self.scale, close = max(self.scale, largest), TIE * largest
        self._leads += np.where(np.abs(lead) <= close, 0.5, lead > 0).sum(axis=0)
        self.count, self._blocks = total, self._blocks + 1

    @property
    def covariance(self) -> Float64Array:
        """Of the means, [N, N]."""
        return self._products / (self.count - 1) / self.count

    @property
    def half_width(self) -> float:
        """Of the widest of the players' 95 % intervals."""
        return float(Z_95 * np.sqrt(np.diag(self.covariance).max()))

    @property
    def ahead(self) -> Float64Array:
        """See `CrossPlay`."""
        return self._leads / self.count


def simulated_cells(
    game: Game, seats: Sequence[Sequence[Entrant]], cells: IntArray, allocation: Allocation, seed: int
) -> Played:
    """Estimates of some cells [M, N]; cells in which the same policies play the same players are played once.

    Raises:
        InputError: if the budget does not give each cell a block.
    """
    keys = [tuple(seats[player][k].identity for player, k in enumerate(cell)) for cell in cells]
    made: dict[tuple[str, ...], _Cell] = {}
    for key, cell in zip(keys, cells, strict=True):
        if key not in made:
            made[key] = _Cell(game, [seats[player][k] for player, k in enumerate(cell)], seed)
    different = list(made.values())
    spent, block = len(different) * allocation.episodes, allocation.episodes
    if allocation.budget is not None and allocation.budget < spent:
        raise InputError(
            f"cross-play: a budget of {allocation.budget} episodes is too small: {len(different)} cells of {block} "
            f"episodes need {spent}"
        )
    for each in different:
        each.play(block)
    target = allocation.half_width
    budget = allocation.budget if allocation.budget is not None else spent if target is None else MOST_EPISODES
    widest = [(-each.half_width, index) for index, each in enumerate(different)]
    heapq.heapify(widest)
    while spent + block <= budget and -widest[0][0] > (target or 0.0):
        _, index = widest[0]
        different[index].play(block)
        heapq.heapreplace(widest, (-different[index].half_width, index))
        spent += block
    found = [made[key] for key in keys]
    return Played(
        mean=np.stack([each.mean for each in found]),
        covariance=np.stack([each.covariance for each in found]),
        ahead=np.stack([each.ahead for each in found]),
        count=np.array([each.count for each in found], dtype=np.int64),
        scale=max(each.scale for each in found),
    )

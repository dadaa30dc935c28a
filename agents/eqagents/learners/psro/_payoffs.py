"""The empirical game of a PSRO run: which cells are missing, and the tasks that fill them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqagents.learners.psro._population import Member
from eqagents.policies.records import to_policy
from eqenvs.arrays import Float64Array, IntArray
from eqenvs.game import Game
from eqenvs.policies import ProductPolicy
from eqenvs.simulation import simulate
from eqsolvers.scoring.scorers import scorer

Cell = tuple[int, ...]


@dataclass(frozen=True)
class PayoffTable:
    """Payoffs of every profile of the populations; grows by rows and columns, and no cell is computed twice.

    Attributes:
        mean: [N, K_0, ..., K_{N-1}] float64, NaN where unknown.
        variance: the same shape, of one episode's payoff; 0 where the mean is exact.
        count: [K_0, ..., K_{N-1}] int64, episodes behind each cell; 0 where the mean is exact or unknown.
    """

    mean: Float64Array
    variance: Float64Array
    count: IntArray

    @classmethod
    def empty(cls, num_players: int) -> PayoffTable:
        """No policies yet."""
        shape = (0,) * num_players
        return cls(np.zeros((num_players, *shape)), np.zeros((num_players, *shape)), np.zeros(shape, dtype=np.int64))

    def grown(self, sizes: Sequence[int]) -> PayoffTable:
        """The table for populations of `sizes`, with the known cells in place and the new ones unknown."""
        n = self.mean.shape[0]
        known = tuple(slice(0, size) for size in self.count.shape)
        mean, variance = np.full((n, *sizes), np.nan), np.full((n, *sizes), np.nan)
        count = np.zeros(tuple(sizes), dtype=np.int64)
        mean[(slice(None), *known)] = self.mean
        variance[(slice(None), *known)] = self.variance
        count[known] = self.count
        return PayoffTable(mean, variance, count)

    def kept(self, policies: Sequence[Sequence[int]]) -> PayoffTable:
        """The table of some policies of each player."""
        rows = np.ix_(*policies)
        every = np.ix_(range(self.mean.shape[0]), *policies)
        return PayoffTable(self.mean[every], self.variance[every], self.count[rows])

    def missing(self) -> list[Cell]:
        """The unknown cells, in lexicographic order."""
        unknown = np.isnan(self.mean[0])
        return [cell for cell in itertools.product(*map(range, unknown.shape)) if unknown[cell]]

    def filled(self, cells: Sequence[Cell], sums: Float64Array, squares: Float64Array, counts: IntArray) -> PayoffTable:
        """The table with some cells known.

        Args:
            cells: the cells.
            sums: [M, N], payoffs summed over episodes (or the exact payoffs).
            squares: [M, N], their squares likewise.
            counts: [M] episodes; 0 marks an exact payoff.
        """
        mean, variance, count = self.mean.copy(), self.variance.copy(), self.count.copy()
        for cell, total, square, episodes in zip(cells, sums, squares, counts, strict=True):
            at: tuple[Any, ...] = (slice(None), *cell)
            mean[at] = total / max(1, episodes)
            variance[at] = np.maximum(0.0, square / episodes - mean[at] ** 2) if episodes else 0.0
            count[cell] = episodes
        return PayoffTable(mean, variance, count)


def exact_cells(
    seed: np.random.SeedSequence, *, game: Game, populations: Sequence[Sequence[Member]], cells: Sequence[Cell]
) -> Float64Array:
    """Task: the exact payoffs of some profiles.

    Args:
        seed: not used; every task has one.
        game: an enumerable game of a family with a scorer.
        populations: per player, its members, tabulated.
        cells: the profiles.

    Returns:
        [M, N] float64.
    """
    judge = scorer(game.model())
    tables = [[_table(member) for member in population] for population in populations]
    return np.stack([judge.values([tables[p][k] for p, k in enumerate(cell)]) for cell in cells])


def _table(member: Member) -> Float64Array:
    if member.table is None:
        raise ValueError("exact cells need tabulated members")
    return member.table


def simulated_cell(
    seed: np.random.SeedSequence, *, game: Game, members: Sequence[Member], episodes: int
) -> tuple[Float64Array, Float64Array]:
    """Task: play one profile.

    Args:
        seed: of the episodes.
        game: the game.
        members: one policy per player.
        episodes: how many episodes.

    Returns:
        The sums of the players' payoffs and of their squares, [N] float64 each.
    """
    players: list[Any] = [to_policy(member.record, game, player) for player, member in enumerate(members)]
    payoffs = simulate(game.rules, ProductPolicy(players), episodes, seed)
    return payoffs.sum(axis=0), np.square(payoffs).sum(axis=0)

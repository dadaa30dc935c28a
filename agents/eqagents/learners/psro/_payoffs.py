"""The empirical game of a PSRO run: what is known of each profile, and the tasks that find out more.

A profile that is played rather than computed gets episodes in chunks. Chunks are tasks of a fixed size whose random
streams follow from what they are, (iteration, profile, number of the chunk), so what is known of a profile never
depends on who asked first. More chunks go where the interval is wide: Wellman, Tuyls and Greenwald (2025),
"Empirical game-theoretic analysis: a survey", JAIR 82, for other rules. Whether a profile gets more depends on the
payoffs that it has had, so where these are few and skewed means are biased and intervals too narrow: with rare large
payoffs `episodes` must be large enough to meet some.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eqagents.configuration import Settings
from eqagents.oracles import Member
from eqagents.policies.records import to_policy
from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import ProductPolicy
from eqenvs.simulation import simulate
from eqsolvers.scoring.scorers import scorer

Cell = tuple[int, ...]
NORMAL_95 = 1.959963984540054  # half the width of a 95 % interval, in standard errors


class PayoffConfig(Settings):
    """How the empirical game's cells are found."""

    method: Literal["exact", "simulated"] = Field(
        default="exact", description="from the exact model, or by playing episodes"
    )
    episodes: int = Field(default=4096, ge=2, description="episodes of a task; a simulated cell gets at least one task")
    half_width: float | None = Field(
        default=None,
        gt=0,
        description="of the 95 % interval of a simulated cell's payoffs, in payoff, that more episodes are played for; "
        "none: every cell gets the same",
    )
    most_episodes: int = Field(default=131_072, ge=2, description="of a simulated cell, whatever its interval")
    chunk: int = Field(default=64, ge=1, description="exact cells per task")

    @model_validator(mode="after")
    def _a_task_at_least(self) -> Self:
        if self.most_episodes < self.episodes:
            raise InputError(
                f"config: payoffs.most_episodes must be at least episodes, got {self.most_episodes} < {self.episodes}"
            )
        return self


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

    def joined(self, other: PayoffTable) -> PayoffTable:
        """The table of the larger populations of another one, which says what this one does not."""
        grown = self.grown(other.count.shape)
        known = ~np.isnan(grown.mean[0])
        return PayoffTable(
            np.where(known, grown.mean, other.mean),
            np.where(known, grown.variance, other.variance),
            np.where(known, grown.count, other.count),
        )

    def kept(self, policies: Sequence[Sequence[int]]) -> PayoffTable:
        """The table of some policies of each player."""
        rows = np.ix_(*policies)
        every = np.ix_(range(self.mean.shape[0]), *policies)
        return PayoffTable(self.mean[every], self.variance[every], self.count[rows])

    def missing(self) -> list[Cell]:
        """The unknown cells, in lexicographic order."""
        unknown = np.isnan(self.mean[0])
        return [cell for cell in itertools.product(*map(range, unknown.shape)) if unknown[cell]]

    def computed(self, cells: Sequence[Cell], payoffs: Float64Array) -> PayoffTable:
        """With the exact payoffs [M, N] of some cells."""
        mean, variance = self.mean.copy(), self.variance.copy()
        for cell, found in zip(cells, payoffs, strict=True):
            at: tuple[Any, ...] = (slice(None), *cell)
            mean[at], variance[at] = found, 0.0
        return replace(self, mean=mean, variance=variance)

    def played(self, cells: Sequence[Cell], episodes: int, sums: Float64Array, squares: Float64Array) -> PayoffTable:
        """With further episodes of some cells, in their order; a cell may come more than once.

        Args:
            cells: the cells.
            episodes: of each.
            sums: [M, N], payoffs summed over the episodes.
            squares: [M, N], their squares likewise.
        """
        mean, variance, count = self.mean.copy(), self.variance.copy(), self.count.copy()
        for cell, total, square in zip(cells, sums, squares, strict=True):
            at: tuple[Any, ...] = (slice(None), *cell)
            before, number = int(count[cell]), int(count[cell]) + episodes
            old = mean[at] if before else np.zeros(len(total))
            power = (variance[at] + old**2) * before if before else np.zeros(len(total))
            mean[at] = (old * before + total) / number
            variance[at] = np.maximum(0.0, (power + square) / number - mean[at] ** 2)
            count[cell] = number
        return PayoffTable(mean, variance, count)

    def half_widths(self) -> Float64Array:
        """Of the 95 % interval of each cell, the widest of the players', [K_0, ..., K_{N-1}]; NaN where unknown."""
        widest: Float64Array = np.sqrt(self.variance.max(axis=0))
        return NORMAL_95 * widest / np.sqrt(np.maximum(1, self.count))

    def wanting(self, config: PayoffConfig, cells: Sequence[Cell]) -> list[tuple[Cell, int]]:
        """Which of some cells need further chunks, and how many; the counts at most double from one look to the next.

        A variance is only estimated: what a cell is given at once is no more than it has had.
        """
        if config.half_width is None:
            return []
        widths, found = self.half_widths(), []
        for cell in cells:
            count, width = int(self.count[cell]), float(widths[cell])
            needed = math.ceil(count * (width / config.half_width) ** 2)
            more = min(needed, 2 * count, config.most_episodes) - count
            if width > config.half_width and more > 0:
                found.append((cell, math.ceil(more / config.episodes)))
        return found


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

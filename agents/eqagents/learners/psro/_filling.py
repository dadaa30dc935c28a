"""Filling the empirical game: unknown profiles become tasks, and what these find goes into the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqagents.distributed import Handle, Task, Work
from eqagents.learners.psro._payoffs import Cell, PayoffConfig, PayoffTable
from eqagents.learners.psro._symmetry import distinct, spread
from eqenvs.arrays import Float64Array

EXACT = "eqagents.learners.psro._payoffs:exact_cells"
SIMULATED = "eqagents.learners.psro._payoffs:simulated_cell"


class Filling:
    """How a run's payoff table is filled.

    Args:
        game: the published game.
        config: exactly, or by play.
        symmetric: whether profiles that differ in who plays what alone are found together.
    """

    def __init__(self, game: Handle, config: PayoffConfig, *, symmetric: bool) -> None:
        self._game, self._config, self._symmetric = game, config, symmetric

    def fill(
        self, payoffs: PayoffTable, cells: Sequence[Cell], members: Sequence[Sequence[Handle]], key: tuple[int, ...]
    ) -> Work[tuple[PayoffTable, int]]:
        """The table with some of its unknown cells, and the episodes that were played.

        Args:
            payoffs: of populations that may have grown.
            cells: those that are to be known; of a symmetric game all that are alike.
            members: the published members of the populations.
            key: of this filling; the tasks' keys begin with it.
        """
        cells = distinct(cells) if self._symmetric else cells
        if not cells:
            return payoffs, 0
        if self._config.method == "exact":
            evaluated = yield from self._evaluated(members, cells, key)
            return payoffs.computed(*self._with_others(cells, evaluated)), 0
        size, episodes = self._config.episodes, 0
        wanting = [(cell, 1) for cell in cells]
        while wanting:
            chunks = [(cell, int(payoffs.count[cell]) // size + k) for cell, number in wanting for k in range(number)]
            sums, squares = yield from self._simulated(members, chunks, key)
            played = [cell for cell, _ in chunks]
            every, totals = self._with_others(played, sums)
            payoffs = payoffs.played(every, size, totals, self._with_others(played, squares)[1])
            episodes += size * len(chunks)
            wanting = payoffs.wanting(self._config, cells)
        return payoffs, episodes

    def _with_others(self, cells: Sequence[Cell], payoffs: Float64Array) -> tuple[Sequence[Cell], Float64Array]:
        """Cells, which may come more than once, and what follows of each by symmetry."""
        if not self._symmetric:
            return cells, payoffs
        found = [spread(cell, own) for cell, own in zip(cells, payoffs, strict=True)]
        return [cell for more, _ in found for cell in more], np.concatenate([theirs for _, theirs in found])

    def _evaluated(
        self, members: Sequence[Sequence[Handle]], cells: Sequence[Cell], key: tuple[int, ...]
    ) -> Work[Float64Array]:
        """The exact payoffs of some cells, a chunk of cells per task."""
        size = self._config.chunk
        tasks = [
            Task(
                key=(*key, start // size),
                function=EXACT,
                arguments={"game": self._game, "populations": members, "cells": cells[start : start + size]},
                durable=True,
            )
            for start in range(0, len(cells), size)
        ]
        return np.concatenate((yield tasks))

    def _simulated(
        self, members: Sequence[Sequence[Handle]], chunks: Sequence[tuple[Cell, int]], key: tuple[int, ...]
    ) -> Work[tuple[Float64Array, Float64Array]]:
        """Sums and sums of squares of the payoffs of chunks of episodes, a task each."""
        tasks = [
            Task(
                key=(*key, *cell, number),
                function=SIMULATED,
                arguments={
                    "game": self._game,
                    "members": [members[p][k] for p, k in enumerate(cell)],
                    "episodes": self._config.episodes,
                },
                durable=True,
            )
            for cell, number in chunks
        ]
        results = yield tasks
        return np.stack([total for total, _ in results]), np.stack([square for _, square in results])

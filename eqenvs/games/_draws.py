"""Random draws that games of several families make."""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import IntArray


def subsets(rng: np.random.Generator, size: int, rows: int, wide: int) -> IntArray:
    """In each row `wide` different numbers below `size`, increasing, every such set as likely.

    Floyd's algorithm: Bentley and Floyd (1987), "A sample of brilliance", Communications of the ACM 30.
    """
    chosen = np.empty((rows, wide), dtype=np.int64)
    for column, last in enumerate(range(size - wide, size)):
        drawn = rng.integers(last + 1, size=rows)
        taken = (chosen[:, :column] == drawn[:, None]).any(axis=1)
        chosen[:, column] = np.where(taken, last, drawn)
    return np.sort(chosen, axis=1)

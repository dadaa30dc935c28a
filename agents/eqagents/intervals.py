"""Intervals of means over runs of different seeds, for reports and leaderboards."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95


def mean_and_half_width(values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean over the first axis, and the half-width of its interval; of one value the half-width is NaN.

    Args:
        values: [n, ...] float64.

    >>> mean, half = mean_and_half_width([1.0, 2.0, 3.0])
    >>> float(mean), round(float(half), 4)  # t of two degrees of freedom: 4.3027
    (2.0, 2.4841)
    """
    array = np.asarray(values, dtype=np.float64)
    count, mean = len(array), array.mean(axis=0)
    if count < 2:
        return mean, np.full_like(mean, math.nan)
    quantile = float(stdtrit(count - 1, 0.5 + LEVEL / 2))
    return mean, quantile * array.std(axis=0, ddof=1) / math.sqrt(count)

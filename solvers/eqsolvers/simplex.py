"""Projections onto the simplex of distributions, in NumPy; those of compiled loops are in `normal_form.learning`.

Held, Wolfe and Crowder (1974), "Validation of subgradient optimization", Mathematical Programming 6.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array


def project(point: Float64Array, least: float = 0.0) -> Float64Array:
    """The distribution [A] with entries of at least `least` <= 1/A that is nearest to a point [A]; O(A log A).

    >>> project(np.array([0.75, 0.5, -1.0])).tolist()
    [0.625, 0.375, 0.0]
    >>> project(np.array([0.75, 0.5, -1.0]), least=0.25).tolist()
    [0.5, 0.25, 0.25]
    """
    raised = point - least if least else point
    falling = np.sort(raised)[::-1]
    levels = (np.cumsum(falling) - (1.0 - len(point) * least)) / np.arange(1, len(point) + 1)
    level = levels[np.flatnonzero(falling >= levels)[-1]]
    nearest: Float64Array = np.maximum(raised - level, 0.0)
    return nearest + least if least else nearest


def project_rows(points: Float64Array) -> Float64Array:
    """The nearest distributions over the last axis, 0 where a point is -inf.

    >>> project_rows(np.array([[0.75, 0.5, -1.0], [3.0, -np.inf, 2.5]])).tolist()
    [[0.625, 0.375, 0.0], [0.75, 0.0, 0.25]]
    """
    descending = -np.sort(-points, axis=-1)
    finite = np.isfinite(descending)
    excess = np.cumsum(np.where(finite, descending, 0.0), axis=-1) - 1.0
    count = np.arange(1, points.shape[-1] + 1)
    positive = (finite & (descending * count > excess)).sum(axis=-1, keepdims=True)
    level = np.take_along_axis(excess, positive - 1, axis=-1) / positive
    return np.asarray(np.maximum(points - level, 0.0))

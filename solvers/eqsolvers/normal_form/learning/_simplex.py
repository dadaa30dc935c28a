"""Maximisers of linear functions less a regulariser over the simplex, row by row of a batch [B, A].

Each gives argmax_x <x, score> - R(x). A row's result does not depend on the other rows, to the bit.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array

NEWTON_STEPS = 60  # measured: at most 7 are taken up to A = 1000, whatever the scores


def softmax(score: Float64Array) -> Float64Array:
    """R(x) = sum of x ln x.

    >>> softmax(np.log([[1.0, 3.0]])).tolist()
    [[0.25, 0.75]]
    """
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    played: Float64Array = weight / weight.sum(axis=1, keepdims=True)
    return played


def project(point: Float64Array) -> Float64Array:
    """R(x) = |x|^2 / 2: the nearest point of the simplex (Held, Wolfe and Crowder 1974, Math. Programming 6).

    >>> project(np.array([[0.7, 0.5, -3.0]])).round(12).tolist()
    [[0.6, 0.4, 0.0]]
    """
    # Rows are shifted by their largest entry first: the projection is the same and nothing cancels.
    shifted = point - point.max(axis=1, keepdims=True)
    falling = -np.sort(-shifted, axis=1)
    levels = (falling.cumsum(axis=1) - 1.0) / np.arange(1, point.shape[1] + 1)
    kept = np.count_nonzero(falling > levels, axis=1)
    level = levels[np.arange(len(point)), kept - 1]
    positive = np.maximum(shifted - level[:, None], 0.0)
    projected: Float64Array = positive / positive.sum(axis=1, keepdims=True)
    return projected


def power(score: Float64Array, exponent: int) -> Float64Array:
    """x_a = (level - score_a) ** -exponent, the level such that they sum to 1.

    Exponent 1: R(x) = -sum of ln x, the log-barrier. Exponent 2: R(x) = -2 sum of sqrt(x), Tsallis entropy 1/2.

    Newton's method on the level. (sum of (level - score) ** -exponent) ** (-1 / exponent) is concave and increasing in
    the level, so that from below the root the steps never pass it; at max(score) + 1 it is at most 1, its value there.

    >>> power(np.array([[0.0, 0.0, 0.0, 0.0]]), 2).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    gap = score.max(axis=1, keepdims=True) - score
    level = np.ones((len(score), 1))
    active = np.ones((len(score), 1), dtype=np.bool_)
    for _ in range(NEWTON_STEPS):
        inverse = 1.0 / (level + gap)
        weight = inverse**exponent
        total = weight.sum(axis=1, keepdims=True)
        mean = total ** (-1.0 / exponent)
        step = (1.0 - mean) * total / (mean * (weight * inverse).sum(axis=1, keepdims=True))
        active &= step > 1e-15 * level
        if not active.any():
            break
        level = np.where(active, level + step, level)  # a row stops by itself, whatever the others do
    weight = (level + gap) ** -float(exponent)
    played: Float64Array = weight / weight.sum(axis=1, keepdims=True)
    return played

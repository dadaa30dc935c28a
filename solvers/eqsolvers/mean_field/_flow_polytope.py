"""Euclidean projection onto the occupation measures of a population whose moves do not depend on the mean field.

They are the d[m, s, a] >= 0 with sum_a d[m, s, a] = what arrives in s: the initial distribution at time 0, else
sum_{s', a'} d[parent, s', a'] P(s | s', a'). Moments may weigh differently: the norm is
sum_m weight[m] |d[m] - x[m]|^2.

By semismooth Newton on the dual (Qi and Sun, 1993, "A nonsmooth version of Newton's method", Mathematical Programming
58). The projection is d = max(0, x + A' y / weight), where y minimises a convex, piecewise quadratic function with
gradient A d - b; a step solves with A D A', where D picks the entries that are positive, shifted in proportion to the
gradient, and goes to the lowest point along the line. Once D is right the next step is exact, and from the y of a
nearby point few steps are needed: 2 for a point a small step away.

Cost of a step: a sparse factorisation of M S unknowns, linked between successive moments only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csc_array, csr_array, diags_array
from scipy.sparse.linalg import splu

from eqenvs.arrays import BoolArray, Float64Array
from eqenvs.models.mean_field import MeanFieldModel

ACCURACY = 1e-12  # of the flow equations, in probability, summed over a moment's states
MAX_STEPS = 60
SHIFT = 0.1  # of the diagonal of a step's equations, a unit of the gradient
LEAST_SHIFT = 1e-14
NEAR = 1e-3  # slope left at a whole step, of that at its start, at which the line is not searched
MOST = 1e6  # a step's multiple where the line is searched


class Projection(NamedTuple):
    """The nearest occupation measure.

    Attributes:
        measure: [M, S, A], at least 0.
        dual: [M, S], of the flow equations, to start the next projection from.
        reduced: [M, S, A], x + A' dual / weight; below 0 by how far an action is from being played, -inf where nobody
            can be or the action is illegal.
        violation: of the flow equations, the largest sum over a moment's states.
        steps: of Newton's method.
    """

    measure: Float64Array
    dual: Float64Array
    reduced: Float64Array
    violation: float
    steps: int


class _Point(NamedTuple):
    """Where the dual is: [columns], [columns] and [rows]."""

    reduced: Float64Array
    measure: Float64Array
    gradient: Float64Array


class FlowPolytope:
    """One population's occupation measures."""

    def __init__(self, model: MeanFieldModel, population: int, weight: Float64Array) -> None:
        """Set the equations up.

        Args:
            model: with a horizon, and probabilities that are the same whatever the mean field.
            population: whose.
            weight: [M] float64, positive.
        """
        moments, _, states, actions = model.policy_shape
        self._shape = (moments, states, actions)
        parent = model.moments.parent
        base = np.asarray(model.probabilities(model.initial, model.at(0)))
        own = base[population if len(base) > 1 else 0]  # [S, A, K]
        # Rows are (moment, state), columns (moment, state, action): what is there, less what arrives.
        column = np.arange(moments * states * actions).reshape(self._shape)
        here = np.broadcast_to(np.arange(moments * states).reshape(moments, states, 1), self._shape)
        children = np.flatnonzero(parent >= 0)
        arrives = children[:, None, None, None] * states + model.successors
        sent = np.broadcast_to(column[parent[children]][..., None], arrives.shape)
        entries = np.concatenate([np.ones(column.size), -np.broadcast_to(own, arrives.shape).reshape(-1)])
        rows = np.concatenate([here.reshape(-1), arrives.reshape(-1)])
        columns = np.concatenate([column.reshape(-1), sent.reshape(-1)])
        matrix = csr_array((entries, (rows, columns)), shape=(moments * states, column.size))
        # Where nobody can be, the measure is 0 and the dual not determined: those equations are left out.
        reached = self._reached(model, own, model.initial[population])
        self._rows = np.flatnonzero(reached)
        self._columns = np.flatnonzero((reached[..., None] & model.legal).reshape(-1))
        kept = matrix[self._rows][:, self._columns]
        kept.eliminate_zeros()
        self._matrix, self._transposed = kept, csr_array(kept.T)
        self._right = np.where(parent[:, None] < 0, model.initial[population], 0.0).reshape(-1)[self._rows]
        self._weight = np.repeat(weight, states * actions)[self._columns]

    def _reached(self, model: MeanFieldModel, own: Float64Array, initial: Float64Array) -> BoolArray:
        """Where somebody can be, [M, S]."""
        reached = np.zeros(self._shape[:2], dtype=bool)
        leads = (own > 0.0) & model.legal[..., None]
        for moment, origin in enumerate(model.moments.parent):
            if origin < 0:
                reached[moment] = initial > 0.0
            else:
                reached[moment, model.successors[leads & reached[origin][:, None, None]]] = True
        return reached

    def project(self, point: Float64Array, *guesses: Float64Array) -> Projection:
        """The nearest occupation measure to a point.

        Args:
            point: [M, S, A].
            guesses: of the dual, [M, S]; the best is begun with, 0 without any.
        """
        x = point.reshape(-1)[self._columns]
        starts = [guess.reshape(-1)[self._rows] for guess in guesses] or [np.zeros(len(self._rows))]
        at, y = min(((self._at(x, start), start) for start in starts), key=lambda found: _size(found[0].gradient))
        steps = 0
        while self._violation(at.gradient) > ACCURACY and steps < MAX_STEPS:
            direction = self._direction(at)
            y = y + self._length(at.reduced, direction) * direction
            at = self._at(x, y)
            steps += 1
        measure, dual = np.zeros(self._shape), np.zeros(self._shape[:2])
        reduced = np.full(self._shape, -np.inf)
        measure.reshape(-1)[self._columns], dual.reshape(-1)[self._rows] = at.measure, y
        reduced.reshape(-1)[self._columns] = at.reduced
        return Projection(measure, dual, reduced, self._violation(at.gradient), steps)

    def _at(self, x: Float64Array, y: Float64Array) -> _Point:
        reduced = x + (self._transposed @ y) / self._weight
        measure = np.maximum(reduced, 0.0)
        return _Point(reduced, measure, self._matrix @ measure - self._right)

    def _violation(self, gradient: Float64Array) -> float:
        return float(np.bincount(self._rows // self._shape[1], weights=np.abs(gradient)).max())

    def _direction(self, at: _Point) -> Float64Array:
        """Newton's, shifted so that states where nobody is at present do not run away."""
        picked = self._matrix @ diags_array(np.where(at.measure > 0.0, 1.0 / self._weight, 0.0))
        shift = SHIFT * min(1.0, float(np.abs(at.gradient).max())) + LEAST_SHIFT
        system = csc_array(picked @ self._transposed + diags_array(np.full(len(at.gradient), shift)))
        return np.asarray(-splu(system, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(at.gradient))

    def _length(self, reduced: Float64Array, direction: Float64Array) -> float:
        """How far the dual falls along a direction: where its slope, which rises in pieces, is 0."""
        change = (self._transposed @ direction) / self._weight
        weighted, level = self._weight * change, float(self._right @ direction)

        def slope(length: float) -> float:
            return float(weighted @ np.maximum(reduced + length * change, 0.0)) - level

        low, high, first, end = 0.0, 1.0, slope(0.0), slope(1.0)
        if abs(end) <= NEAR * abs(first):
            return 1.0
        while end < 0.0 and high < MOST:
            low, high = high, 4.0 * high
            end = slope(high)
        while high - low > NEAR * high:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if slope(middle) < 0.0 else (low, middle)
        begin, end = slope(low), slope(high)
        return low - begin * (high - low) / (end - begin) if end > begin else high


def _size(vector: Float64Array) -> float:
    return float(np.linalg.norm(vector))

"""The path of logit equilibria from uniform play towards equilibrium, by predictor-corrector continuation.

A profile x is logit for the precision L if each player's strategy is softmax(L g_p(x)), with g_p(x) the marginal
utilities of its actions. From x uniform at L = 0 the solutions (x, L) form a curve, the principal branch, which for
almost all games is smooth, leads to L = infinity, and ends in an equilibrium.

Unknowns are the logarithms of an action's probability over that of a reference action of its player, and L:

    m_a = L (g_a(x) - g_ref(x))   for all actions a but the references.

Small probabilities then lose no digits, and the direction of the path tends to a constant. Each player's reference is
its most probable action, chosen anew at every step. Steps are measured relative to the size of what changes, |dm| / (1
+ |m|) and dL / (1 + L), so that L grows geometrically in the end. The next point is the tangent's, corrected by
Newton's method within the plane across the tangent; a step is halved unless Newton contracts at once and the tangent
turns by less than `TURN`.

Every logit profile is nearly an equilibrium: its strategies maximise utility plus entropy / L, so that no concave
utility can be raised by more than log(A_p) / L. The path therefore need not be followed further than the sum of these
over the tolerance, whatever the game.

Turocy (2005), "A dynamic homotopy interpretation of the logistic quantal response equilibrium correspondence", Games
and Economic Behavior 51; (2010), "Computing sequential equilibria using agent quantal response equilibria", Economic
Theory 42, for the logarithms. The relative measure of steps and the moving reference are ours. Cost of a step: a few
derivatives of the utilities and linear systems of M - N + 1 unknowns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eqenvs.arrays import Float64Array, IntArray

TURN = 0.9  # the least cosine between two tangents
CONTRACTION = 0.3  # of Newton's steps, at most
FIRST_STEP, LARGEST_STEP, LEAST_STEP = 0.05, 4.0, 1e-9
CORRECTIONS = 8
EPSILON = float(np.finfo(np.float64).eps)

Utilities = Callable[[Float64Array], tuple[Float64Array, Float64Array]]


@dataclass(frozen=True)
class Point:
    """A point of the path.

    Attributes:
        logs: [M] logarithms of the probabilities over the largest of their player, so that these are 0.
        precision: L.
        marginals: [M] marginal utilities there.
        derivatives: [M, M] theirs, by the entries of the profile.
    """

    logs: Float64Array
    precision: float
    marginals: Float64Array
    derivatives: Float64Array


@dataclass(frozen=True)
class Traced:
    """How a path ended.

    Attributes:
        profile: [M].
        precision: L there.
        steps: accepted steps.
        reached: whether it got where it should; else the path was lost, or the steps ran out.
    """

    profile: Float64Array
    precision: float
    steps: int
    reached: bool


class LogitPath:
    """The principal branch for given utilities.

    Args:
        utilities: marginal utilities [M] of a profile [M], and their derivatives [M, M].
        slices: each player's part of a profile.
        largest_step: see the module; smaller ones follow sharper bends, for checks.
    """

    def __init__(self, utilities: Utilities, slices: Sequence[slice], *, largest_step: float = LARGEST_STEP) -> None:
        self._utilities = utilities
        self._slices = tuple(slices)
        self._largest = largest_step
        self._owner: IntArray = np.repeat(np.arange(len(slices)), [s.stop - s.start for s in slices])

    def profile(self, logs: Float64Array) -> Float64Array:
        """The strategies with these logarithms, up to a constant for each player."""
        weights = np.exp(logs - self._of_largest(logs)[self._owner])
        total = np.array([weights[s].sum() for s in self._slices])
        normalised: Float64Array = weights / total[self._owner]
        return normalised

    def trace(self, *, precision: float, done: Callable[[Point, Float64Array], bool], steps: int = 10_000) -> Traced:
        """Follow the path until `done` says so, or to a precision exactly.

        Args:
            precision: L at which to stop, at its first crossing.
            done: told each point and its profile.
            steps: the most to take.
        """
        point = self._at(np.zeros(len(self._owner)), 0.0)
        if precision == 0 or done(point, self.profile(point.logs)):
            return Traced(self.profile(point.logs), 0.0, 0, True)
        direction, length, taken = np.append(np.zeros(len(self._owner)), 1.0), FIRST_STEP, 0
        while taken < steps and length >= LEAST_STEP:
            tangent = self._tangent(point, direction)
            step = None if tangent is None else self._step(point, tangent, length)
            if tangent is None or step is None:
                length /= 2
                continue
            moved, turned, easy = step
            if moved.precision >= precision:
                share = (precision - point.precision) / (moved.precision - point.precision)
                final = self.at_precision(point.logs + share * (moved.logs - point.logs), precision)
                if final is None:
                    length /= 2
                    continue
                return Traced(self.profile(final.logs), precision, taken + 1, True)
            point, direction, taken = self._refer(moved), self._refer_direction(moved, turned), taken + 1
            profile = self.profile(point.logs)
            if done(point, profile):
                return Traced(profile, point.precision, taken, True)
            if easy:
                length = min(2 * length, self._largest)
        return Traced(self.profile(point.logs), point.precision, taken, False)

    def at_precision(self, logs: Float64Array, precision: float) -> Point | None:
        """The logit profile of a precision near `logs`, as exact as rounding allows; None if Newton's method fails."""
        point, last = self._refer(self._at(logs, precision)), np.inf
        for _ in range(30):
            free, error, jacobian = self._equations(point)
            change = _solved(jacobian[:, :-1], -error)
            if change is None:
                return None
            size = float(np.max(np.abs(change) / (1 + np.abs(point.logs[free])), initial=0.0))
            if size >= last / 2 and _within_rounding(error, point):  # no more digits to be had
                return point
            if not size <= 10:  # nor NaN
                return None
            moved = point.logs.copy()
            moved[free] += change
            point, last = self._refer(self._at(moved, precision)), size
            if size == 0:
                return point
        return None

    def logit_error(self, profile: Float64Array, precision: float) -> float:
        """The largest difference between a probability and its logit response."""
        response = self.profile(precision * self._utilities(profile)[0])
        return float(np.max(np.abs(response - profile)))

    def _of_largest(self, values: Float64Array) -> Float64Array:
        return np.array([values[s].max() for s in self._slices])

    def _at(self, logs: Float64Array, precision: float) -> Point:
        marginals, derivatives = self._utilities(self.profile(logs))
        return Point(logs, precision, marginals, derivatives)

    def _refer(self, point: Point) -> Point:
        """The same point with each player's most probable action at 0."""
        logs = point.logs - point.logs[self._references(point.logs)][self._owner]
        return Point(logs, point.precision, point.marginals, point.derivatives)

    def _references(self, logs: Float64Array) -> IntArray:
        """Each player's most probable action."""
        return np.array([s.start + int(np.argmax(logs[s])) for s in self._slices])

    def _free(self, logs: Float64Array) -> tuple[IntArray, IntArray]:
        """The actions but the references, and for each its reference; a reference has the logarithm 0."""
        references = self._references(logs)
        free: IntArray = np.setdiff1d(np.arange(len(logs)), references)
        return free, references[self._owner[free]]

    def _equations(
        self, point: Point, fixed: tuple[IntArray, IntArray] | None = None
    ) -> tuple[IntArray, Float64Array, Float64Array]:
        """The free actions, the error of their equations, and its derivatives by the free logarithms and L."""
        free, references = self._free(point.logs) if fixed is None else fixed
        profile = self.profile(point.logs)
        ahead = point.marginals[free] - point.marginals[references]
        responding = point.derivatives[free] - point.derivatives[references]
        # d x_b / d m_c = x_b (1[b = c] - x_c) for b and c of the same player.
        own = np.stack([responding[:, s] @ profile[s] for s in self._slices], axis=1)
        by_logs = (responding[:, free] - own[:, self._owner[free]]) * profile[free]
        jacobian = np.column_stack([np.eye(len(free)) - point.precision * by_logs, -ahead])
        return free, point.logs[free] - point.precision * ahead, jacobian

    def _measure(self, point: Point, free: IntArray) -> Float64Array:
        """What a step of relative length 1 is in each unknown."""
        return np.append(1 + np.abs(point.logs[free]), 1 + point.precision)

    def _tangent(self, point: Point, direction: Float64Array) -> Float64Array | None:
        """The path's direction, of relative length 1, at less than a right angle to `direction`; [M + 1]."""
        free, _, jacobian = self._equations(point)
        measure = self._measure(point, free)
        known = np.append(direction[:-1][free], direction[-1]) / measure
        relative = _solved(np.vstack([jacobian * measure, known]), np.eye(1, len(known), len(known) - 1)[0])
        if relative is None:
            return None
        relative /= np.linalg.norm(relative)
        tangent = np.zeros(len(direction))
        tangent[free], tangent[-1] = (relative * measure)[:-1], (relative * measure)[-1]
        return tangent

    def _step(self, point: Point, tangent: Float64Array, length: float) -> tuple[Point, Float64Array, bool] | None:
        """The point a step further, its tangent, and whether a longer step may do; None if this one is too long."""
        fixed = self._free(point.logs)
        free = fixed[0]
        precision = point.precision + length * tangent[-1]
        if precision < 0:
            return None
        moved = self._at(point.logs + length * tangent[:-1], precision)
        before = self._measure(point, free)
        across = np.append(tangent[:-1][free], tangent[-1]) / before
        last, first = np.inf, 0.0
        for correction in range(CORRECTIONS):
            _, error, jacobian = self._equations(moved, fixed)
            if _within_rounding(error, moved):
                break
            measure = self._measure(moved, free)
            relative = _solved(np.vstack([jacobian * measure, across * measure / before]), np.append(-error, 0.0))
            if relative is None:
                return None
            size = float(np.linalg.norm(relative))
            first = size if correction == 0 else first
            if not size <= (min(0.5, length) if correction == 0 else max(CONTRACTION * last, 1e-9)):
                return None
            logs = moved.logs.copy()
            logs[free] += (relative * measure)[:-1]
            precision = moved.precision + float((relative * measure)[-1])
            if precision < 0:
                return None
            moved, last = self._at(logs, precision), size
            if size <= 1e-9:
                break
        else:
            return None
        turned = self._tangent(self._refer(moved), self._refer_direction(moved, tangent))
        if turned is None:
            return None
        turned = self._refer_direction(point, turned)
        after = np.append(turned[:-1][free], turned[-1]) / self._measure(moved, free)
        old = np.append(tangent[:-1][free], tangent[-1]) / self._measure(moved, free)
        cosine = float(after @ old / (np.linalg.norm(after) * np.linalg.norm(old)))
        if cosine < TURN:
            return None
        return moved, turned, first <= 0.1 * max(length, 1e-3) and cosine > 0.98

    def _refer_direction(self, point: Point, direction: Float64Array) -> Float64Array:
        """The direction with the logarithms of each player's most probable action at the point fixed."""
        shifted = direction.copy()
        shifted[:-1] -= direction[self._references(point.logs)][self._owner]
        return shifted


def _within_rounding(error: Float64Array, point: Point) -> bool:
    """Whether the equations hold as well as their right-hand sides, a precision times payoffs, can be computed."""
    right = 1 + point.precision * float(np.abs(point.marginals).max())
    return float(np.max(np.abs(error), initial=0.0)) <= 64 * EPSILON * right


def _solved(matrix: Float64Array, right: Float64Array) -> Float64Array | None:
    """The solution of a linear system, its rows scaled to the largest entry; None where the matrix is singular."""
    rows = np.abs(matrix).max(axis=1, initial=0.0)
    if not (rows > 0).all() or not np.isfinite(rows).all():
        return None
    try:
        return np.linalg.solve(matrix / rows[:, None], right / rows)
    except np.linalg.LinAlgError:
        return None

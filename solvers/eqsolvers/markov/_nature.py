"""The least expected value over a set of distributions around each of the given ones.

Sets of a radius R around p, for every state and joint action on its own:

- "total-variation": at most R of the probability moved, sum |q - p| / 2 <= R; the largest values lose it to the least;
- "contamination": q = (1 - R) p + R u for any u (Huber 1964, Annals of Mathematical Statistics 35);
- "kl": KL(q, p) <= R. The least is max over t > 0 of -(log sum p exp(-t v) + R) / t, attained by q ~ p exp(-t v) at the
  t where KL(q, p) = R, or by the least value alone where R is at least what that costs (Nilim and El Ghaoui 2005).
  Exact to rounding however small R is: sums are taken around the mean where t is small.

In the first two, probability may go to any state, or with `own` only to those that can follow by p; in the last it can
go to no others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.markov import MarkovModel
from eqsolvers.kernels import compiled

SETS = ("total-variation", "contamination", "kl")
MOST_STEPS = 200  # of the search for t
PRECISION = 1e-13  # of KL, relative; what is lost by it is of second order
SERIES = 9  # terms of exp for arguments up to 0.02


def worst_case(model: MarkovModel, kind: str, radius: float, *, own: bool) -> Callable[[Float64Array], Float64Array]:
    """From values [S] to the least expected value after each row, [R]; the end of the game is worth 0."""
    start, state, probability = model.successors
    longest = int(np.diff(start).max(initial=1))
    number = SETS.index(kind)

    def least(values: Float64Array) -> Float64Array:
        found, worth = np.empty(model.num_rows), np.append(values, 0.0)
        lowest = float(worth.min() if model.may_end else values.min())
        write_least(start, state, probability, worth, number, radius, lowest, own, longest, found)
        return found

    return least


@compiled
def write_least(
    start: Any,
    state: Any,
    probability: Any,
    worth: Any,
    kind: int,
    radius: float,
    lowest: float,
    own: bool,
    longest: int,
    out: Any,
) -> None:
    """Write the least expected value of every row.

    Args:
        start: [R + 1], like the next two as in `Successors`.
        state: [E].
        probability: [E].
        worth: [S + 1], of the states and of the end.
        kind: index into `SETS`.
        radius: see the module.
        lowest: the least value of any state.
        own: see the module.
        longest: most successors of a row.
        out: [R], written.
    """
    value, mass = np.empty(longest), np.empty(longest)
    for row in range(len(out)):
        count = start[row + 1] - start[row]
        mean, least = 0.0, np.inf
        for e in range(count):
            v, p = worth[state[start[row] + e]], probability[start[row] + e]
            mean += p * v
            least = min(least, v)
            place = e  # insert, the largest values first
            while place > 0 and value[place - 1] < v:
                value[place], mass[place] = value[place - 1], mass[place - 1]
                place -= 1
            value[place], mass[place] = v, p
        goal = least if own else lowest
        if count == 0:
            out[row] = 0.0
        elif kind == 0:
            left = radius
            for e in range(count):
                moved = min(mass[e], left)
                mean -= moved * (value[e] - goal)
                left -= moved
            out[row] = mean
        elif kind == 1:
            out[row] = (1.0 - radius) * mean + radius * goal
        else:
            out[row] = _least_by_divergence(value, mass, count, least, mean, radius)


@compiled
def _beyond_linear(y: float) -> float:
    """exp(y) - 1 - y."""
    if abs(y) > 0.02:
        return float(np.expm1(y) - y)
    total = 0.0
    for k in range(SERIES, 2, -1):  # y^2 / 2! (1 + y / 3 (1 + y / 4 (1 + ..)))
        total = y / k * (1.0 + total)
    return 0.5 * y * y * (1.0 + total)


@compiled
def _tilted(over: Any, mass: Any, count: int, mean: float, t: float) -> tuple[float, float, float]:
    """Of q ~ p exp(-t over): the log of its normaliser less its part of first order, KL(q, p), its derivative by t.

    Args:
        over: [count] or more, values above the least, the largest first.
        mass: like it, p; they need not add up to 1.
        count: of them.
        mean: of `over`.
        t: positive.

    Returns:
        log E exp(-t (over - mean)), KL and the derivative.
    """
    whole, total, first, second = 0.0, 0.0, 0.0, 0.0
    if t * over[0] <= 1.0:  # around the mean nothing cancels, however small t is
        for e in range(count):
            y = t * (mean - over[e])
            rest = _beyond_linear(y)
            whole += mass[e]
            total += mass[e] * rest
            first -= mass[e] * y * (y + rest)  # t times the tilted mean of over - mean, but for the normaliser
            second += mass[e] * y * y * (1.0 + y + rest)
        total, first, second = total / whole, first / whole, second / whole
        above = np.log1p(total)
        first /= 1.0 + total
        return above, -first - above, (second / (1.0 + total) - first * first) / t
    for e in range(count):
        weight = mass[e] * np.exp(-t * over[e])
        whole += mass[e]
        total += weight
        first += weight * over[e]
        second += weight * over[e] * over[e]
    logarithm = np.log(total / whole)
    if total > 0.5 * whole:
        lost = 0.0
        for e in range(count):
            lost -= mass[e] * np.expm1(-t * over[e])
        logarithm = np.log1p(-lost / whole)
    first, second = first / total, second / total
    return logarithm + t * mean, -t * first - logarithm, t * (second - first * first)


@compiled
def _least_by_divergence(value: Any, mass: Any, count: int, least: float, mean: float, radius: float) -> float:
    """The least expected value over KL(q, p) <= radius; the values are overwritten."""
    at_least, above, centre = 0.0, 0.0, 0.0
    for e in range(count):
        if value[e] <= least:
            at_least += mass[e]
        else:
            above += mass[e]
    if radius <= 0.0 or value[0] <= least:
        return mean
    if radius >= (-np.log1p(-above) if above < 0.5 else -np.log(at_least)):
        return least
    spread = 0.0
    for e in range(count):
        value[e] -= least
        centre += mass[e] * value[e]
    centre /= at_least + above
    for e in range(count):
        spread += mass[e] * (value[e] - centre) ** 2
    low, high = 0.0, np.inf
    t = min(1.0 / value[0], np.sqrt(2.0 * radius / spread))  # KL is t^2 / 2 times the variance at first
    reached, tried = 0.0, t
    for _ in range(MOST_STEPS):
        tried = t
        reached, divergence, slope = _tilted(value, mass, count, centre, t)
        if abs(divergence - radius) <= PRECISION * radius:
            break
        if divergence < radius:
            low = t
        else:
            high = t
        t = t - (divergence - radius) / slope if slope > 0.0 else 2.0 * t
        if not low < t < high:
            t = 0.5 * (low + high) if high < np.inf else 2.0 * low
    dual: float = mean - (reached + radius) / tried
    return max(least, dual)

"""Households of an aggregate economy: what they save where they trust a forecast, and where that takes the economy.

Savings by endogenous grid points: Carroll (2006), "The method of endogenous gridpoints for solving dynamic stochastic
optimization problems", Economics Letters 91. What is saved is on a grid, so the Euler equation gives consumption
without a root to find, and the wealth at which that is chosen. The population as a histogram: Young (2010), "Solving
the incomplete markets model with aggregate uncertainty using the Krusell-Smith algorithm and non-stochastic
simulations", Journal of Economic Dynamics and Control 34. Whoever saves an amount between two grid points is shared out
between them so that the mean is kept.

Axis letters: Z aggregate states, J points of mean capital, E employment states, G points of a household's capital.
Consumption and savings are linear between points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.kernels import compiled
from eqenvs.models.aggregate_economy import AggregateEconomy


class Forecast(NamedTuple):
    """log of the next mean capital = constant + slope log of the present one, in each aggregate state; [Z] both."""

    constant: Float64Array
    slope: Float64Array

    def next(self, capital: Float64Array) -> Float64Array:
        """Mean capital [J] a period on, [Z, J]."""
        found: Float64Array = np.exp(self.constant[:, None] + self.slope[:, None] * np.log(capital))
        return found


class Grids(NamedTuple):
    """Where functions are known.

    Attributes:
        own: [G], a household's capital, from 0.
        mean: [J], mean capital.
        histogram: [H], a household's capital where the population is counted.
    """

    own: Float64Array
    mean: Float64Array
    histogram: Float64Array


def grids_of(economy: AggregateEconomy, *, own: int, mean: int, histogram: int) -> Grids:
    """Grids around the steady state, those of a household denser near 0."""
    steady = economy.steady_capital

    def dense(count: int, power: float, top: float) -> Float64Array:
        return np.asarray(top * np.linspace(0.0, 1.0, count) ** power)

    return Grids(
        dense(own, 3.0, 8.0 * steady), np.linspace(0.75, 1.3, mean) * steady, dense(histogram, 2.0, 8.0 * steady)
    )


def bracket(points: Float64Array, values: Float64Array) -> tuple[IntArray, Float64Array]:
    """The point below each value, and the weight of the one above; values outside count as the end of the range."""
    inside = np.clip(values, points[0], points[-1])
    below = np.clip(np.searchsorted(points, inside, side="right") - 1, 0, len(points) - 2)
    return below, (inside - points[below]) / (points[below + 1] - points[below])


class Household(NamedTuple):
    """The decision problem under a forecast, laid out for the kernel.

    Attributes:
        wealth: [Z, J, E, G], capital with its return, and labour income.
        gross: [Z, J, Z'], the return a period on.
        below: [Z, J], where the forecast lies between points of mean capital.
        weight: [Z, J], of the point above.
    """

    wealth: Float64Array
    gross: Float64Array
    below: IntArray
    weight: Float64Array


def household_of(economy: AggregateEconomy, grids: Grids, forecast: Forecast) -> Household:
    """The problem under a forecast."""
    productivity, labour = np.array(economy.productivity), economy.labour
    mean, law = grids.mean[None, :], (labour[:, None], productivity[:, None])
    gross, wage = economy.gross_return(mean, *law), economy.wage(mean, *law)
    wealth = gross[..., None, None] * grids.own + (wage[..., None] * economy.labour_income[:, None, :])[..., None]
    after = forecast.next(grids.mean)
    below, weight = bracket(grids.mean, after)
    return Household(wealth, economy.gross_return(after[..., None], labour, productivity), below, weight)


@compiled
def improve(
    own: Float64Array,
    wealth: Float64Array,
    gross: Float64Array,
    below: IntArray,
    weight: Float64Array,
    law: Float64Array,
    discount: float,
    risk_aversion: float,
    consumption: Float64Array,
    improved: Float64Array,
) -> float:
    """One step back in time: write consumption [Z, J, E, G] into `improved`; the largest change relative to wealth."""
    aggregates, means, employments, size = consumption.shape
    spent, rich = np.empty(size), np.empty(size)
    change = 0.0
    for z in range(aggregates):
        for j in range(means):
            low, up = below[z, j], weight[z, j]
            for e in range(employments):
                for i in range(size):
                    marginal = 0.0
                    for y in range(aggregates):
                        for f in range(employments):
                            later = (1.0 - up) * consumption[y, low, f, i] + up * consumption[y, low + 1, f, i]
                            marginal += law[z, e, y, f] * gross[z, j, y] * later**-risk_aversion
                    spent[i] = (discount * marginal) ** (-1.0 / risk_aversion)
                    rich[i] = spent[i] + own[i]
                k = 0
                for i in range(size):
                    has = wealth[z, j, e, i]
                    if has <= rich[0]:  # nothing is saved
                        best = has
                    else:
                        while k < size - 2 and rich[k + 1] < has:
                            k += 1
                        share = (has - rich[k]) / (rich[k + 1] - rich[k])
                        best = spent[k] + share * (spent[k + 1] - spent[k])
                    change = max(change, abs(best - consumption[z, j, e, i]) / (1.0 + has))
                    improved[z, j, e, i] = best
    return change


def solve_household(
    economy: AggregateEconomy, grids: Grids, forecast: Forecast, consumption: Float64Array, *, tolerance: float
) -> tuple[Float64Array, float, int]:
    """Consumption [Z, J, E, G] that satisfies the Euler equation, its last change, and the steps taken."""
    household = household_of(economy, grids, forecast)
    now, after = consumption.copy(), np.empty_like(consumption)
    change, step = np.inf, 0
    while change > tolerance and step < 20_000:
        change = improve(
            grids.own, *household, economy.joint_law, economy.discount, economy.risk_aversion, now, after
        )  # fmt: skip
        now, after = after, now
        step += 1
    return now, change, step


def savings_of(economy: AggregateEconomy, grids: Grids, consumption: Float64Array) -> Float64Array:
    """Capital a period on, [Z, J, E, H], at the points of the histogram."""
    still = Forecast(np.zeros(2), np.ones(2))  # wealth is the same under every forecast
    saved = np.maximum(household_of(economy, grids, still).wealth - consumption, 0.0)
    below, weight = bracket(grids.own, grids.histogram)
    found: Float64Array = (1.0 - weight) * saved[..., below] + weight * saved[..., below + 1]
    return np.ascontiguousarray(found)


@compiled
def live(
    points: Float64Array,
    means: Float64Array,
    savings: Float64Array,
    law: Float64Array,
    aggregate: IntArray,
    population: Float64Array,
    capital: Float64Array,
) -> None:
    """Write mean capital in each period into `capital` [T], and leave the last histogram in `population` [E, H].

    Args:
        points: [H].
        means: [J].
        savings: [Z, J, E, H].
        law: [Z, Z', E, E'].
        aggregate: [T], the aggregate states.
        population: [E, H], at the start.
        capital: [T].
    """
    size, after = len(points), np.empty_like(population)
    for t in range(len(aggregate)):
        total = 0.0
        for e in range(2):
            for i in range(size):
                total += population[e, i] * points[i]
        capital[t] = total
        if t == len(aggregate) - 1:
            break
        j = 0
        while j < len(means) - 2 and means[j + 1] < total:
            j += 1
        up = min(1.0, max(0.0, (total - means[j]) / (means[j + 1] - means[j])))
        z, y = aggregate[t], aggregate[t + 1]
        after[:] = 0.0
        for e in range(2):
            k = 0
            for i in range(size):
                mass = population[e, i]
                if mass == 0.0:
                    continue
                saved = (1.0 - up) * savings[z, j, e, i] + up * savings[z, j + 1, e, i]
                while k < size - 2 and points[k + 1] < saved:
                    k += 1
                share = min(1.0, max(0.0, (saved - points[k]) / (points[k + 1] - points[k])))
                for f in range(2):
                    moved = mass * law[z, y, e, f]
                    after[f, k] += moved * (1.0 - share)
                    after[f, k + 1] += moved * share
        population[:] = after

"""The linear-quadratic mean-field game on a line: players hold a position near the mean, and pay for moving.

Carmona, Fouque and Sun (2015), "Mean field games and systemic risk", Communications in Mathematical Sciences 13, as
Perrin et al. (2020), "Fictitious play for mean field games: continuous time analysis and applications", NeurIPS,
section 4.1, discretise it, on OpenSpiel's grid. In continuous time, with the mean m_t of all positions,

    dx = (K (m - x) + a) dt + sigma dW,
    payoff = - int (a^2 / 2 - q a (m - x) + kappa (m - x)^2 / 2) dt - c (m_T - x_T)^2 / 2,

whose equilibrium is a* = (q + eta_t)(m - x) with constant m and eta' = 2 (K + q) eta + eta^2 - (kappa - q^2), eta_T = c
(`eta`; q^2 <= kappa).

Here x runs over `size` cells a `spacing` apart, actions are whole cells a time step, and the noise is the normal
distribution rounded to cells, what lies beyond the last in the last. The drift to the mean is a fraction of a cell,
taken as a probability between the two nearest, so that the kernel is continuous in the mean field; without it the
kernel does not depend on the mean field. Beyond the ends of the line are its other end (`ring`, as in OpenSpiel) or
walls. After the last decision there is one moment more, at which only the terminal cost is paid.

OpenSpiel's own figure for the uniform policy, 21.498181599552, is that of another game: it charges a move where the
player arrives, keeps one value there whatever the move was, and never charges the terminal cost. MFGLib has the rewards
above.
"""

from __future__ import annotations

from math import ceil, erf, exp, sqrt

import numpy as np

from eqenvs.arrays import Array, Constants, Float64Array, IntArray, namespace
from eqenvs.errors import InputError
from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel, Moment, Operator
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter


def eta(
    remaining: float, *, mean_reversion: float, cross_cost: float, state_cost: float, terminal_cost: float
) -> float:
    """The solution of the Riccati equation with this much time remaining.

    >>> round(eta(10.0, mean_reversion=0.0, cross_cost=0.01, state_cost=0.5, terminal_cost=1.0), 12)
    0.697106961138
    """
    root = sqrt((mean_reversion + cross_cost) ** 2 + state_cost - cross_cost**2)
    upper, lower = root - mean_reversion - cross_cost, -root - mean_reversion - cross_cost
    if root == 0:
        return terminal_cost / (1 + terminal_cost * remaining)
    # eta' = (eta - upper)(eta - lower), so their ratio is exponential in time.
    ratio = (terminal_cost - upper) / (terminal_cost - lower) * exp(-2 * root * remaining)
    return (upper - ratio * lower) / (1 - ratio)


def build(
    size: int,
    horizon: int,
    time_step: float,
    spacing: float,
    moves: int,
    noises: int,
    volatility: float,
    mean_reversion: float,
    cross_cost: float,
    state_cost: float,
    terminal_cost: float,
    ring: bool,
) -> MeanFieldModel:
    """The model."""
    if cross_cost**2 > state_cost:
        raise InputError(
            f"linear_quadratic: parameter 'cross_cost' must be at most the root of 'state_cost', "
            f"{sqrt(state_cost):g}, got {cross_cost}: payoffs are convex otherwise"
        )
    place = spacing * (np.arange(size, dtype=np.float64) - (size - 1) / 2)
    move = np.arange(-moves, moves + 1)
    constants = Constants(place=place, speed=move * spacing / time_step)

    def reward(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        at, speed = constants.on("place", mean_field), constants.on("speed", mean_field)
        off = (xp.sum(mean_field * at, axis=-1)[..., None] - at)[..., None]  # m - x, [..., 1, S, 1]
        running = time_step * (cross_cost * speed * off - speed**2 / 2 - state_cost * off**2 / 2)
        over = (moment.time == horizon)[..., None, None, None]
        return xp.where(over, -terminal_cost * off**2 / 2, running)

    chance = rounded_normal(volatility * sqrt(time_step) / spacing, noises)
    reach = noises + ceil(mean_reversion * time_step * (size - 1))
    shift: IntArray = np.arange(-reach, reach + 1)
    _crowds.check_entries("linear_quadratic", size, len(move), len(shift))
    target = np.arange(size)[:, None, None] + move[:, None] + shift
    successors = target % size if ring else np.clip(target, 0, size - 1)
    transition: Operator | Float64Array
    if mean_reversion > 0:
        transition = drifting(place, shift, chance, mean_reversion * time_step / spacing, successors.shape[1:])
    else:
        transition = np.broadcast_to(chance, successors.shape)
    return MeanFieldModel(transition, reward, np.full(size, 1 / size), successors=successors, horizon=horizon + 1)


def rounded_normal(deviation: float, reach: int) -> Float64Array:
    """The probabilities of -reach to reach cells under a normal distribution, tails in the last ones."""
    edges = np.arange(-reach, reach) + 0.5
    below = [
        0.0,
        *(0.5 + 0.5 * erf(edge / (sqrt(2) * deviation)) if deviation > 0 else edge > 0 for edge in edges),
        1.0,
    ]
    chance: Float64Array = np.diff(np.array(below, dtype=np.float64))
    return chance


def drifting(
    place: Float64Array, shift: IntArray, chance: Float64Array, pull: float, actions_and_shifts: tuple[int, ...]
) -> Operator:
    """Probabilities of shifts by noise and by pull * (m - x) cells, the latter between the two nearest."""
    noise = np.arange(len(chance)) - len(chance) // 2
    constants = Constants(place=place, chance=chance, rest=(shift[:, None] - noise).astype(np.float64))

    def probabilities(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        at = constants.on("place", mean_field)
        drift = pull * (xp.sum(mean_field * at, axis=-1)[..., None] - at)
        near = 1 - xp.abs(constants.on("rest", mean_field) - drift[..., None, None])  # [..., 1, S, shifts, noises]
        by_shift = xp.sum(xp.where(near > 0, near, 0.0) * constants.on("chance", mean_field), axis=-1)
        return xp.broadcast_to(by_shift[..., None, :], (*mean_field.shape, *actions_and_shifts))

    return probabilities


WALLED = {
    "size": 9,
    "horizon": 5,
    "moves": 2,
    "volatility": 0.0,
    "cross_cost": 0.3,
    "terminal_cost": 2.0,
    "ring": False,
}


def _number(name: str, default: float, low: float, description: str) -> Parameter:
    return Parameter.real(name, default, low, 1e6, description)


SPEC = mean_field_spec(
    id="linear_quadratic",
    title="Linear-quadratic positions",
    build=build,
    source="Carmona, Fouque and Sun (2015); Perrin et al. (2020), NeurIPS; OpenSpiel's mean_field_lin_quad",
    parameters=(
        Parameter(name="size", default=10, low=2, high=100_000, description="cells"),
        _crowds.horizon_of(10),
        _number("time_step", 1.0, 1e-6, "time between decisions"),
        _number("spacing", 1.0, 1e-6, "distance between cells"),
        Parameter(name="moves", default=3, low=1, high=10_000, description="cells a step at most, to either side"),
        Parameter(name="noises", default=3, low=0, high=10_000, description="cells of noise at most, to either side"),
        _number("volatility", 1.0, 0.0, "sigma, of the noise in a unit of time"),
        _number("mean_reversion", 0.0, 0.0, "K, drift to the mean"),
        _number("cross_cost", 0.01, 0.0, "q, what moving to the mean is worth"),
        _number("state_cost", 0.5, 0.0, "kappa, of being away from the mean"),
        _number("terminal_cost", 1.0, 0.0, "c, of being away from the mean at the end"),
        Parameter(name="ring", default=True, kind=bool, description="whether the ends of the line are joined"),
    ),
    facts=(
        Fact(
            source="MFGLib 0.3.0's evaluator and rewards with OpenSpiel's moves and noise",
            uniform_nash_conv=34.727340051570025,
        ),
        Fact(
            source="MFGLib 0.3.0, sigma=0, k=0, delta=1, T=5, el=4, m=2, q=.3, c_term=2",
            parameters=WALLED | {"mean_reversion": 0.0},
            uniform_nash_conv=18.928977777777767,
        ),
        Fact(
            source="MFGLib 0.3.0, sigma=0, k=1, delta=1, T=5, el=4, m=2, q=.3, c_term=2",
            parameters=WALLED | {"mean_reversion": 1.0},
            uniform_nash_conv=9.13333333333333,
        ),
    ),
)

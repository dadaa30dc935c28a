"""Periodic aversion: a crowd-averse population on a circle whose stationary equilibrium is known in closed form.

Almulla, Ferreira and Gomes (2017), "Two numerical approaches to stationary mean-field games", Dynamic Games and
Applications 7, as Elie, Perolat, Lauriere, Geist and Pietquin (2020), "On the convergence of model free learning in
mean field games", AAAI, and OpenSpiel discretise it. In continuous time dx = a dt + sigma dW on a circle of length 1,
and the reward rate is g(x) - a^2 / 2 - aversion log m(x) with the density m and

    g = 2 pi^2 sigma^2 sin(2 pi x) - 2 pi^2 cos(2 pi x)^2 + (2 / sigma^2) sin(2 pi x).

Of the ergodic game with aversion 1 the equilibrium is a* = 2 pi cos(2 pi x) and m proportional to
exp((2 / sigma^2) sin(2 pi x)): put u = sin(2 pi x) into sigma^2 u'' / 2 + u'^2 / 2 + g - log m = constant and
m' sigma^2 / 2 = u' m. (OpenSpiel has sigma for sigma^2 in the first term of g, which differs where sigma is not 1.)

Here x runs over `size` cells, actions and noise are whole cells, and the noise is proportional to the normal density. A
player pays for its last move where it arrives, so that the last of all is free. OpenSpiel's line of cells from 0 to 1,
both ends counted, is joined at the ends (`both_ends`): 0 and 1 are two places. Without it there are `size` cells of
width 1 / size.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants, namespace
from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter


def build(
    size: int, horizon: int, time_step: float, moves: int, volatility: float, aversion: float, both_ends: bool
) -> MeanFieldModel:
    """The model."""
    width = 1 / (size - both_ends)
    wave = np.sin(2 * np.pi * width * np.arange(size))
    worth = 2 * (np.pi * volatility) ** 2 * wave - 2 * np.pi**2 * (1 - wave**2) + 2 / volatility**2 * wave
    move = np.arange(-moves, moves + 1)
    constants = Constants(
        worth=time_step * (worth + aversion * np.log(width))[:, None],
        cost=(move * width) ** 2 / (2 * time_step),
    )

    def reward(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        paid = xp.astype(moment.time < horizon - 1, xp.float64)[..., None, None, None]
        crowd = time_step * aversion * _crowds.log_density(mean_field)[..., None]
        return constants.on("worth", mean_field) - crowd - paid * constants.on("cost", mean_field)

    _crowds.check_entries("periodic_aversion", size, len(move), len(move))
    chance = np.exp(-((move * width / volatility) ** 2) / (2 * time_step))
    successors = (np.arange(size)[:, None, None] + move[:, None] + move) % size
    return MeanFieldModel(
        np.broadcast_to(chance / chance.sum(), successors.shape),
        reward,
        np.full(size, 1 / size),
        successors=successors,
        horizon=horizon,
    )


SPEC = mean_field_spec(
    id="periodic_aversion",
    title="Crowd aversion on a circle",
    build=build,
    source="Almulla, Ferreira and Gomes (2017); Elie et al. (2020), AAAI; OpenSpiel's python_mfg_periodic_aversion",
    parameters=(
        Parameter(name="size", default=21, low=2, high=100_000, description="cells"),
        _crowds.horizon_of(20),
        Parameter(name="time_step", default=0.01, kind=float, low=1e-9, high=1e3, description="time between decisions"),
        Parameter(name="moves", default=10, low=1, high=10_000, description="cells of a move, and of noise, at most"),
        Parameter(name="volatility", default=1.0, kind=float, low=1e-3, high=1e3, description="sigma, of the noise"),
        _crowds.AVERSION,
        Parameter(name="both_ends", default=True, kind=bool, description="whether 0 and 1 are two cells"),
    ),
    facts=(
        Fact(
            source="OpenSpiel 2.0.2's rules, walked with the last move kept as part of the state; its own evaluator, "
            "which takes the last move from whichever path it met first, gives 4.333391309238",
            uniform_nash_conv=88.0911671747932,
        ),
        Fact(
            source="OpenSpiel 2.0.2's rules, walked with the last move kept as part of the state",
            parameters={"size": 5, "horizon": 3, "moves": 2, "time_step": 0.05},
            uniform_nash_conv=2.5375514469062037,
        ),
    ),
)

"""Huggett's economy: households insure themselves against low endowments with bonds, whose price they move together.

Huggett (1993), "The risk-free rate in heterogeneous-agent incomplete-insurance economies", Journal of Economic Dynamics
and Control 17, with his calibration: a period is two months, the endowment is 1 or 0.1, utility is
c^(1 - sigma) / (1 - sigma), and nobody may owe more than `limit`. Each period everybody chooses the bonds to hold next,
on an even grid as in Ljungqvist and Sargent, "Recursive macroeconomic theory", chapter on self-insurance, and consumes
assets + endowment - price bonds.

Huggett's price is the one at which bonds are in zero net supply, which is no function of a population out of
equilibrium. Here supply is elastic: at mean assets A the price is `price` exp(`slope` A), so bonds cost the more the
more of them are held. Where mean assets are 0 in equilibrium, price and policy are those of Huggett's; that is so where
`price` is his equilibrium price: 1.01278, 0.99800, 0.99503 and 0.99411 for limits of 2, 4, 6 and 8, by bisection on
fine grids.

Discounted and stationary: the mean field is the population's stable distribution. States: bonds, then endowment (0 the
low one). Actions: bonds next; legal is what leaves at least `FLOOR` to consume at every price that mean assets on the
grid can bring about, and to owe the most, where utility goes on linearly below `FLOOR`.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants, Float64Array, namespace
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Parameter

ENDOWMENT = np.array([0.1, 1.0])
LAW = np.array([[0.5, 0.5], [0.075, 0.925]])  # of the endowment, [E, E']
DISCOUNT = 0.99322  # of two months, 0.96 a year
FLOOR = 0.01


def utility(consumption: Array, risk_aversion: float) -> Array:
    """Of consumption, by the tangent below `FLOOR`."""
    xp = namespace(consumption)
    safe = xp.clip(consumption, FLOOR)
    worth = xp.log(safe) if risk_aversion == 1.0 else safe ** (1.0 - risk_aversion) / (1.0 - risk_aversion)
    return worth + FLOOR**-risk_aversion * (consumption - safe)


def grid_of(limit: float, top: float, points: int) -> Float64Array:
    """Bonds that can be held."""
    return np.linspace(-limit, top, points)


def build(limit: float, top: float, points: int, price: float, slope: float, risk_aversion: float) -> MeanFieldModel:
    """The model; at first nobody has bonds, or as few as the grid has."""
    bonds = grid_of(limit, top, points)
    place, endowment = np.repeat(np.arange(points), 2), np.tile(np.array([0, 1]), points)
    successors = np.broadcast_to(2 * np.arange(points)[:, None] + np.array([0, 1]), (2 * points, points, 2))
    initial = np.zeros((points, 2))
    initial[np.abs(bonds).argmin()] = [LAW[1, 0], LAW[0, 1]]
    wealth = (bonds[place] + ENDOWMENT[endowment])[:, None]
    prices = price * np.exp(slope * bonds[[0, -1]])
    legal = wealth - np.maximum(prices[0] * bonds, prices[1] * bonds) >= FLOOR
    legal[:, 0] = True
    constants = Constants(assets=bonds[place], wealth=wealth, bonds=bonds)

    def reward(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        held = xp.matmul(mean_field, constants.on("assets", mean_field))
        cost = (price * xp.exp(slope * held))[..., None, None] * constants.on("bonds", mean_field)
        return utility(constants.on("wealth", mean_field) - cost, risk_aversion)

    return MeanFieldModel(
        np.broadcast_to(LAW[endowment][:, None], successors.shape),
        reward,
        (initial / initial.sum()).reshape(-1),
        successors=successors,
        discount=DISCOUNT,
        legal=legal,
        keys=np.stack([place, endowment], axis=1),
        views=np.stack([place / (points - 1), endowment, 1 - endowment], axis=1),
    )


SPEC = mean_field_spec(
    id="huggett",
    title="Huggett economy",
    build=build,
    axes=(1, 0),
    source="Huggett (1993), Journal of Economic Dynamics and Control 17",
    parameters=(
        Parameter.real("limit", 4.0, 0.1, 20.0, "most that may be owed, in high endowments of two months"),
        Parameter.real("top", 6.0, 0.1, 100.0, "most bonds that may be held"),
        Parameter(name="points", default=51, low=3, high=1_000, description="grid points of bonds"),
        Parameter.real("price", 0.998, 0.5, 1.5, "of a bond where mean assets are 0"),
        Parameter.real("slope", 0.003, 0.0, 1.0, "of the log price in mean assets"),
        Parameter.real("risk_aversion", 1.5, 0.25, 10.0, "sigma; 1: log utility"),
    ),
)

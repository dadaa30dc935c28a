"""The Krusell-Smith economy: households save in capital whose return depends on what all save, in booms and slumps.

Krusell and Smith (1998), "Income and wealth heterogeneity in the macroeconomy", Journal of Political Economy 106; the
economy is that of `eqenvs.models.aggregate_economy`.

The exact model here is short: some quarters around the steady state, with boom and slump as common noise, so that a
moment is a history of them. The economy itself has no end, and no tree of histories: the solver
`approximate-aggregation` takes it from `KrusellSmithModel.economy`, and hands back what its savings do in these
quarters.

A quarter is two steps. In the first everybody chooses the capital to keep, on a grid, and consumes the rest, for
log utility (or the power of `risk_aversion`); in the second, with the next aggregate state known, employment is drawn
from its law given both states, and actions do nothing. After the last quarter capital is worth what its return and the
mean labour income of the steady state, consumed for ever, would be; there the Euler equation of the steady state holds.
It begins in a boom with everybody at the steady state's capital.

Actions: a change of capital by -6 to 2 grid steps; the unemployed cannot add to it. States: capital, then employment.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from eqenvs.arrays import Array, Constants, Float64Array, IntArray, namespace, read_only
from eqenvs.models.aggregate_economy import BOOM, EMPLOYED, UNEMPLOYED, AggregateEconomy
from eqenvs.models.mean_field import CommonNoise, MeanFieldModel, Moment, Operator
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Parameter

MOVES = np.arange(-6, 3)
NEWS = 2  # states of the noise from here on: the next aggregate state is known, 2 z + z' of them


@dataclass(frozen=True, eq=False)
class KrusellSmithModel(MeanFieldModel):
    """Some quarters of an economy as a mean-field game.

    Attributes:
        economy: without an end.
        capital: [G] float64, the grid.
    """

    economy: AggregateEconomy = field(repr=False)
    capital: Float64Array = field(repr=False)

    def __init__(self, economy: AggregateEconomy, quarters: int, capital: Float64Array) -> None:
        """Lay the quarters out.

        Args:
            economy: the parameters.
            quarters: at least 1.
            capital: evenly spaced, in the middle the steady state's.
        """
        object.__setattr__(self, "economy", economy)
        object.__setattr__(self, "capital", read_only(capital))
        size = len(capital)
        place, employment = np.repeat(np.arange(size), 2), np.tile(np.array([UNEMPLOYED, EMPLOYED]), size)
        kept = np.clip(place[:, None] + MOVES, 0, size - 1)
        drawn = np.broadcast_to(2 * place[:, None, None] + [UNEMPLOYED, EMPLOYED], (2 * size, len(MOVES), 2))
        initial = np.zeros((size, 2))
        idle = economy.unemployment[BOOM]
        initial[size // 2] = [idle, 1.0 - idle]
        super().__init__(
            _transition(economy, employment),
            _reward(economy, quarters, capital, place, employment, kept),
            initial.reshape(-1),
            successors=np.concatenate([(2 * kept + employment[:, None])[..., None], drawn], axis=2),
            horizon=2 * quarters - 1,
            discount=float(np.sqrt(economy.discount)),
            legal=(employment[:, None] == EMPLOYED) | (MOVES <= 0),
            keys=np.stack([place, employment], axis=1),
            views=np.stack([place / (size - 1), employment], axis=1),
            noise=_noise(economy, 2 * quarters - 1),
        )


def _noise(economy: AggregateEconomy, horizon: int) -> CommonNoise:
    """The aggregate state in the first step of a quarter, with the next one in the second."""
    learn, pass_on = np.zeros((6, 6)), np.zeros((6, 6))
    learn[NEWS:, 0] = pass_on[:NEWS, 0] = 1.0  # rows that are never met
    for z in range(2):
        for after in range(2):
            learn[z, NEWS + 2 * z + after] = economy.aggregate_law[z, after]
            pass_on[NEWS + 2 * z + after, after] = 1.0
    kernel = np.stack([learn if step % 2 == 0 else pass_on for step in range(horizon - 1)] or [np.zeros((6, 6))])
    return CommonNoise(initial=np.eye(6)[BOOM], kernel=kernel[: horizon - 1])


def _transition(economy: AggregateEconomy, employment: IntArray) -> Operator:
    table = np.zeros((6, len(employment), 1, 3))
    table[:NEWS, ..., 0] = 1.0
    table[NEWS:, :, 0, 1:] = economy.employment_law.reshape(4, 2, 2)[:, employment]
    constants = Constants(table=table)

    def transition(mean_field: Array, moment: Moment) -> Array:
        shape = (*mean_field.shape[:-2], 1, len(employment), len(MOVES), 3)
        found = constants.on("table", mean_field)[moment.noise][..., None, :, :, :]
        return namespace(mean_field).broadcast_to(found, shape)

    return transition


def _reward(
    economy: AggregateEconomy,
    quarters: int,
    capital: Float64Array,
    place: IntArray,
    employment: IntArray,
    kept: IntArray,
) -> Operator:
    income = economy.labour_income
    steady = (economy.steady_capital, economy.labour.mean(), 1.0)
    for_ever = (1.0 / economy.discount - 1.0) * capital + economy.wage(*steady) * economy.labour.mean()
    worth = economy.discount / (1.0 - economy.discount) * _utility(for_ever, economy.risk_aversion)
    constants = Constants(
        capital=capital[place],
        kept=capital[kept],
        worth=worth[kept],
        income=np.concatenate([income[:, employment], np.ones((4, len(employment)))]),
        labour=np.concatenate([economy.labour, np.ones(4)]),
        productivity=np.concatenate([economy.productivity, np.ones(4)]),
    )

    def reward(mean_field: Array, moment: Moment) -> Array:
        xp, on = namespace(mean_field), constants.on
        own = on("capital", mean_field)
        mean = xp.matmul(mean_field, own)[..., None]
        labour, productivity = (on(name, mean)[moment.noise][..., None, None] for name in ("labour", "productivity"))
        wealth = economy.gross_return(mean, labour, productivity) * own
        wealth = wealth + economy.wage(mean, labour, productivity) * on("income", mean)[moment.noise][..., None, :]
        # Where there is nothing to choose, and where a choice is illegal, the rest may be negative.
        consumption = xp.clip(wealth[..., None] - on("kept", mean), 1e-3)
        choosing = xp.astype(moment.noise < NEWS, xp.float64)[..., None, None, None]
        last = xp.astype(moment.time == 2 * quarters - 2, xp.float64)[..., None, None, None]
        return choosing * _utility(consumption, economy.risk_aversion) + last * on("worth", mean)

    return reward


def _utility(consumption: Array, risk_aversion: float) -> Array:
    if risk_aversion == 1.0:
        return namespace(consumption).log(consumption)
    return (consumption ** (1.0 - risk_aversion) - 1.0) / (1.0 - risk_aversion)


def build(quarters: int, points: int, benefit: float, risk_aversion: float) -> KrusellSmithModel:
    """The model, with grid steps of half a unit of capital, a fifth of a quarter's consumption."""
    economy = AggregateEconomy(benefit=benefit, risk_aversion=risk_aversion)
    capital = economy.steady_capital + 0.5 * np.arange(-(points // 2), points - points // 2, dtype=np.float64)
    return KrusellSmithModel(economy, quarters, capital)


SPEC = mean_field_spec(
    id="krusell_smith",
    title="Krusell-Smith economy",
    build=build,
    axes=(1, 0),
    source="Krusell and Smith (1998), Journal of Political Economy 106",
    parameters=(
        Parameter(name="quarters", default=4, low=1, high=12, description="of the exact model; the economy has no end"),
        Parameter(name="points", default=33, low=13, high=65, description="grid points of capital of the exact model"),
        Parameter(
            name="benefit",
            default=0.0,
            kind=float,
            low=0.0,
            high=0.9,
            description="of the unemployed as a share of the wage; 0.15 in later comparisons of methods",
        ),
        Parameter(name="risk_aversion", default=1.0, kind=float, low=0.25, high=10.0, description="1: log utility"),
    ),
)

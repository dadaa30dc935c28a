"""SIS: an epidemic in which protecting oneself costs, and the ill infect those who do not.

Cui and Koeppl (2021), "Approximately solving mean field games via entropy-regularized deep reinforcement learning",
AISTATS: the susceptible who go out are infected with probability `infection` mu(I) a step, the ill recover with
probability `recovery`; being ill costs 1, keeping away 0.5.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants
from eqenvs.games.mean_field._contagion import INFECTED, OUT, SUSCEPTIBLE, amount, share
from eqenvs.models.mean_field import Affine, MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter


def build(
    horizon: int, infection: float, recovery: float, illness_cost: float, distance_cost: float, first_infected: float
) -> MeanFieldModel:
    """The model; the only feature of the mean field that matters to moves is mu(I)."""
    base, slope = np.zeros((2, 2, 2)), np.zeros((1, 2, 2, 2))
    base[SUSCEPTIBLE, :, SUSCEPTIBLE] = 1.0
    base[INFECTED] = [recovery, 1 - recovery]
    slope[0, SUSCEPTIBLE, OUT] = [-infection, infection]
    constants = Constants(cost=np.array([[0.0, distance_cost], [illness_cost, illness_cost + distance_cost]]))

    def reward(mean_field: Array, moment: Moment) -> Array:
        return -constants.on("cost", mean_field)

    transition = Affine(base=base, slope=slope, weight=[[0.0, 1.0]])
    return MeanFieldModel(transition, reward, [1 - first_infected, first_infected], horizon=horizon)


SPEC = mean_field_spec(
    id="sis",
    title="Epidemic (SIS)",
    build=build,
    source="Cui and Koeppl (2021), AISTATS",
    parameters=(
        Parameter(name="horizon", default=51, low=1, high=100_000, description="decisions"),
        share("infection", 0.81, "probability of infection a step where all are ill"),
        share("recovery", 0.3, "probability of recovery a step"),
        amount("illness_cost", 1.0, "of a step ill"),
        amount("distance_cost", 0.5, "of a step away"),
        share("first_infected", 0.6, "of the population at the start"),
    ),
    facts=(Fact(source="backward induction on the flow", uniform_nash_conv=5.466874, tolerance=5e-7),),
)

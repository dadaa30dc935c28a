"""SIS: an epidemic in which protecting oneself costs, and the ill infect those who do not.

Cui and Koeppl (2021), "Approximately solving mean field games via entropy-regularized deep reinforcement learning",
AISTATS: the susceptible who go out are infected with probability `infection` mu(I) a step, the ill recover with
probability `recovery`; being ill costs 1, keeping away 0.5.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants
from eqenvs.models.mean_field import Affine, MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

SUSCEPTIBLE, INFECTED = range(2)
OUT, AWAY = range(2)


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


def _share(name: str, default: float, description: str) -> Parameter:
    return Parameter(name=name, default=default, kind=float, low=0.0, high=1.0, description=description)


SPEC = mean_field_spec(
    id="sis",
    title="Epidemic (SIS)",
    build=build,
    source="Cui and Koeppl (2021), AISTATS",
    parameters=(
        Parameter(name="horizon", default=51, low=1, high=100_000, description="decisions"),
        _share("infection", 0.81, "probability of infection a step where all are ill"),
        _share("recovery", 0.3, "probability of recovery a step"),
        Parameter(name="illness_cost", default=1.0, kind=float, low=0.0, high=1e6, description="of a step ill"),
        Parameter(name="distance_cost", default=0.5, kind=float, low=0.0, high=1e6, description="of a step away"),
        _share("first_infected", 0.6, "of the population at the start"),
    ),
    facts=(Fact(source="backward induction on the flow", uniform_nash_conv=5.466874, tolerance=5e-7),),
)

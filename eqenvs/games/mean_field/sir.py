"""SIR: an epidemic in which protecting oneself costs, and who recovered is immune.

The controlled epidemic of Cui and Koeppl (2021), AISTATS (`sis`) with immunity after recovery, as of Kermack and
McKendrick (1927), "A contribution to the mathematical theory of epidemics", Proceedings of the Royal Society A 115; as
a game of vaccination or distancing in Laguzet and Turinici (2015), "Individual vaccination as Nash equilibrium in a SIR
model", Bulletin of Mathematical Biology 77. Of those who go out, susceptibles are infected with probability
`infection` mu(I) a step; the infected recover with probability `recovery`; being infected costs 2 a step, keeping away
0.5. Immunity lasts, or is lost with probability `waning` a step, which a game without a horizon needs: the epidemic
would die out.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _time
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact


def build(
    infection: float,
    recovery: float,
    waning: float,
    illness_cost: float,
    distance_cost: float,
    first_infected: float,
    horizon: int | None,
    discount: float | None,
) -> MeanFieldModel:
    """The model."""
    process = _contagion.sir(infection, recovery, waning, illness_cost, distance_cost, first_infected)
    return _contagion.model_of(process, horizon, discount)


SPEC = mean_field_spec(
    id="sir",
    title="Epidemic with immunity (SIR)",
    build=build,
    source="Kermack and McKendrick (1927); Laguzet and Turinici (2015), Bulletin of Mathematical Biology 77",
    parameters=(*_contagion.sir_parameters(), _time.horizon_parameter(50), _time.discount_parameter()),
    facts=(Fact(source="plain recomputation, one state at a time", uniform_nash_conv=11.149266566, tolerance=1e-8),),
)

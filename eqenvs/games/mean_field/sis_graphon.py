"""SIS on a graphon: an epidemic among populations that meet each other more or less.

Cui and Koeppl (2022), "Learning graphon mean field games and approximate Nash equilibria", ICLR: of those who go out, a
susceptible in bin p is infected with probability `infection` (1/P) sum_q W(x_p, x_q) mu_q(I) a step; the infected
recover with probability `recovery`; being infected costs 2 a step, keeping away 0.5; half are infected at first.
Populations are the bins. See `_graphons`.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _graphons, _time
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact


def build(
    infection: float,
    recovery: float,
    illness_cost: float,
    distance_cost: float,
    first_infected: float,
    graphon: str,
    bins: int,
    density: float,
    exponent: float,
    normalised: bool,
    edges: str | None,
    vertices: str | None,
    horizon: int | None,
    discount: float | None,
) -> MeanFieldModel:
    """The model.

    Raises:
        InputError: if the graph cannot be read or does not fit.
    """
    network = _graphons.Network(graphon, bins, density, exponent, normalised, edges, vertices)
    process = _contagion.sis(infection, recovery, illness_cost, distance_cost, first_infected)
    return _contagion.model_of(process, horizon, discount, coupling=_graphons.coupling_of("sis_graphon", network))


SPEC = mean_field_spec(
    id="sis_graphon",
    title="Epidemic (SIS) on a graphon",
    build=build,
    source="Cui and Koeppl (2022), ICLR",
    parameters=(
        *_contagion.sis_parameters(),
        *_graphons.PARAMETERS,
        _time.horizon_parameter(50),
        _time.discount_parameter(),
    ),
    facts=(Fact(source="plain recomputation, one state at a time", uniform_nash_conv=439.949113613, tolerance=1e-8),),
    num_agents=50,
)

"""SIS on a graphex: an epidemic on a sparse graph with a dense core and a periphery by degree.

Fabian, Cui and Koeppl (2024), "Learning mean field games on sparse graphs: a hybrid graphex approach", ICLR: the costs
and the recovery of `sis_graphon` with the neighbours of `_graphexes`. By default each infected neighbour infects a
susceptible who goes out by itself, with probability `infection` a step. Populations are the bins of the core, then the
degrees of the periphery.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _graphexes, _time
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact


def build(
    infection: float,
    recovery: float,
    illness_cost: float,
    distance_cost: float,
    first_infected: float,
    sparsity: float,
    size: float,
    core_width: float,
    core_bins: int,
    max_degree: int,
    contact: str,
    edges: str | None,
    vertices: str | None,
    horizon: int | None,
    discount: float | None,
) -> MeanFieldModel:
    """The model.

    Raises:
        InputError: if the graph cannot be read or does not fit.
    """
    network = _graphexes.Network(sparsity, size, core_width, core_bins, max_degree, contact, edges, vertices)
    process = _contagion.sis(infection, recovery, illness_cost, distance_cost, first_infected)
    coupling, contacts = _graphexes.structure_of("sis_graphex", network)
    return _contagion.model_of(process, horizon, discount, coupling=coupling, contacts=contacts)


SPEC = mean_field_spec(
    id="sis_graphex",
    title="Epidemic (SIS) on a graphex",
    build=build,
    source="Fabian, Cui and Koeppl (2024), ICLR",
    parameters=(
        *_contagion.sis_parameters(0.1),
        *_graphexes.PARAMETERS,
        _time.horizon_parameter(50),
        _time.discount_parameter(),
    ),
    facts=(Fact(source="plain recomputation, one state at a time", uniform_nash_conv=655.344748039, tolerance=1e-8),),
    num_agents=20,
)

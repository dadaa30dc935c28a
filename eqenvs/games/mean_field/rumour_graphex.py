"""A rumour on a graphex: spread on a sparse graph with a dense core and a periphery by degree.

Fabian, Cui and Koeppl (2024), "Learning mean field games on sparse graphs: a hybrid graphex approach", ICLR: the game
of `rumour` with the neighbours of `_graphexes`. By default the unaware hear it from each spreading neighbour apart,
with probability `hearing` a step; what spreading is worth depends on the neighbours' distribution. Populations are the
bins of the core, then the degrees of the periphery.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _graphexes, _time
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact


def build(
    hearing: float,
    gain: float,
    loss: float,
    forgetting: float,
    first_aware: float,
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
    process = _contagion.rumour(hearing, gain, loss, forgetting, first_aware)
    coupling, contacts = _graphexes.structure_of("rumour_graphex", network)
    return _contagion.model_of(process, horizon, discount, coupling=coupling, contacts=contacts)


SPEC = mean_field_spec(
    id="rumour_graphex",
    title="Spreading a rumour on a graphex",
    build=build,
    source="Fabian, Cui and Koeppl (2024), ICLR",
    parameters=(
        *_contagion.rumour_parameters(0.05),
        *_graphexes.PARAMETERS,
        _time.horizon_parameter(50),
        _time.discount_parameter(),
    ),
    facts=(Fact(source="plain recomputation, one state at a time", uniform_nash_conv=280.878895776, tolerance=1e-8),),
    num_agents=20,
)

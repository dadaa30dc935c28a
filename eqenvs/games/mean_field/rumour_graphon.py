"""A rumour on a graphon: spread among populations that meet each other more or less.

The game of `rumour`, Cui, KhudaBukhsh and Koeppl (2022), "Hypergraphon mean field games", Chaos 32, with the neighbours
of one graphon: who is met, and so who can be told, is (1/P) sum_q W(x_p, x_q) mu_q for a member of bin p, both for what
it hears and for what spreading is worth to it. Populations are the bins. See `_graphons`.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _graphons, _time
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact


def build(
    hearing: float,
    gain: float,
    loss: float,
    forgetting: float,
    first_aware: float,
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
    process = _contagion.rumour(hearing, gain, loss, forgetting, first_aware)
    return _contagion.model_of(process, horizon, discount, coupling=_graphons.coupling_of("rumour_graphon", network))


SPEC = mean_field_spec(
    id="rumour_graphon",
    title="Spreading a rumour on a graphon",
    build=build,
    source="Cui, KhudaBukhsh and Koeppl (2022), Chaos 32",
    parameters=(
        *_contagion.rumour_parameters(),
        *_graphons.PARAMETERS,
        _time.horizon_parameter(50),
        _time.discount_parameter(),
    ),
    facts=(Fact(source="plain recomputation, one state at a time", uniform_nash_conv=22.250946077, tolerance=1e-8),),
    num_agents=50,
)

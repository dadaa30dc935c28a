"""SIS on a graphex: an epidemic on a sparse graph with a dense core and a periphery by degree.

Fabian, Cui and Koeppl (2024), "Learning mean field games on sparse graphs: a hybrid graphex approach", ICLR: the costs
and the recovery of `sis_graphon` with the neighbours of `_graphexes`. By default each infected neighbour infects a
susceptible who goes out by itself, with probability `infection` a step. Populations are the bins of the core, then the
degrees of the periphery.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _graphexes

SPEC = _graphexes.graphex_spec(
    id="sis_graphex",
    title="Epidemic (SIS) on a graphex",
    source="Fabian, Cui and Koeppl (2024), ICLR",
    process=_contagion.sis,
    parameters=_contagion.sis_parameters(0.1),
    uniform_nash_conv=655.344748039,
)

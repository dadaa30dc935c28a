"""A rumour on a graphex: spread on a sparse graph with a dense core and a periphery by degree.

Fabian, Cui and Koeppl (2024), "Learning mean field games on sparse graphs: a hybrid graphex approach", ICLR: the game
of `rumour` with the neighbours of `_graphexes`. By default the unaware hear it from each spreading neighbour apart,
with probability `hearing` a step; what spreading is worth depends on the neighbours' distribution. Populations are the
bins of the core, then the degrees of the periphery.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _graphexes

SPEC = _graphexes.graphex_spec(
    id="rumour_graphex",
    title="Spreading a rumour on a graphex",
    source="Fabian, Cui and Koeppl (2024), ICLR",
    process=_contagion.rumour,
    parameters=_contagion.rumour_parameters(0.05),
    uniform_nash_conv=280.878895776,
)

"""A rumour on a graphon: spread among populations that meet each other more or less.

The game of `rumour`, Cui, KhudaBukhsh and Koeppl (2022), "Hypergraphon mean field games", Chaos 32, with the neighbours
of one graphon: who is met, and so who can be told, is (1/P) sum_q W(x_p, x_q) mu_q for a member of bin p, both for what
it hears and for what spreading is worth to it. Populations are the bins. See `_graphons`.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _graphons

SPEC = _graphons.graphon_spec(
    id="rumour_graphon",
    title="Spreading a rumour on a graphon",
    source="Cui, KhudaBukhsh and Koeppl (2022), Chaos 32",
    process=_contagion.rumour,
    parameters=_contagion.rumour_parameters(),
    uniform_nash_conv=22.250946077,
)

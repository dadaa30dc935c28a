"""SIS on a graphon: an epidemic among populations that meet each other more or less.

Cui and Koeppl (2022), "Learning graphon mean field games and approximate Nash equilibria", ICLR: of those who go out, a
susceptible in bin p is infected with probability `infection` (1/P) sum_q W(x_p, x_q) mu_q(I) a step; the infected
recover with probability `recovery`; being infected costs 2 a step, keeping away 0.5; half are infected at first.
Populations are the bins. See `_graphons`.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _graphons

SPEC = _graphons.graphon_spec(
    id="sis_graphon",
    title="Epidemic (SIS) on a graphon",
    source="Cui and Koeppl (2022), ICLR",
    process=_contagion.sis,
    parameters=_contagion.sis_parameters(),
    uniform_nash_conv=439.949113613,
)

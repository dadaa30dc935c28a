"""SIR on a graphon: an epidemic with immunity among populations that meet each other more or less.

The epidemic of `sis_graphon`, Cui and Koeppl (2022), ICLR, with the immunity after recovery of `sir`: of those who go
out, a susceptible in bin p is infected with probability `infection` (1/P) sum_q W(x_p, x_q) mu_q(I) a step. Populations
are the bins. See `_graphons`.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _graphons

SPEC = _graphons.graphon_spec(
    id="sir_graphon",
    title="Epidemic with immunity (SIR) on a graphon",
    source="Cui and Koeppl (2022), ICLR, with immunity",
    process=_contagion.sir,
    parameters=_contagion.sir_parameters(),
    uniform_nash_conv=564.814830641,
)

"""Discounted CFR under a hyperparameter schedule: the discounts of DCFR, with exponents that move linearly in time.

Zhang, McAleer and Sandholm (2024), "Faster game solving via hyperparameter schedules", arXiv 2404.09097v2, equations 2
to 4; AAAI 2026. With s iterations done and horizon T: alpha = 1 + 3 s/T, beta = -1 - 2 s/T, and gamma = 30 - 5 s/T or
15 - 5 s/T, called HS-DCFR(30) and HS-DCFR(15) there, for T = 1000. So steep a gamma forgets: at s = T two thirds of the
average are the last 4 % of the iterations.

The paper ends at T. Past it the exponents stay here at what they have come to, and the method is DCFR with those.

Measured with alternating updates, exploitability after 1000 iterations of DCFR, HS-DCFR(30) and HS-DCFR(15): goofspiel
with 4 cards 4.1e-4, 1.6e-4 and 7.6e-5, with 5 cards 3.1e-4, 1.7e-3 and 7.7e-4; Leduc 1.2e-4, 7.7e-4 and 3.5e-4; liar's
dice with 4 faces 2.6e-5, 2.5e-4 and 1.1e-4; Kuhn 1.5e-4, 3.6e-4 and 1.7e-4. Leduc's regrets tie, so that rounding moves
its figures: on the unreduced game they are 1.6e-4, 4.9e-4 and 2.3e-4. The gains reported in the paper do not show in
most of these; `hs_pcfr_plus` is where a schedule pays here.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.spec import Parameter
from eqsolvers.extensive_form._regret import Schedule, exponent, regret_solver

HORIZON = Parameter(
    name="horizon",
    default=1000,
    low=1,
    description="iterations over which the exponents move; they stay where they are afterwards",
)
GAMMA = exponent("gamma", 30.0, "first exponent of the averaging weights, 5 above the last one; 30 or 15", low=5.0)


def decay(t: Float64Array, horizon: int, gamma: float) -> Float64Array:
    """What multiplies the average at iteration t: (s / (s+1)) ** (gamma - 5 s/T) after s = t - 1 iterations."""
    return ((t - 1.0) / t) ** (gamma - 5.0 * elapsed(t, horizon))


def elapsed(t: Float64Array, horizon: int) -> Float64Array:
    """The share s/T of the horizon that is over when iteration t begins, at most 1."""
    return np.minimum((t - 1.0) / horizon, 1.0)


def schedule(horizon: int = 1000, gamma: float = 30.0) -> Schedule:
    """Discounts d_s(1 + 3 s/T) and d_s(-1 - 2 s/T) of regrets, with s = t - 1 and d_s(e) = s ** e / (s ** e + 1)."""
    return Schedule(
        # s ** e / (s ** e + 1) as 1 / (1 + s ** -e) for the negative exponent, which is defined at s = 0.
        positive=lambda t: 1.0 - 1.0 / (1.0 + (t - 1.0) ** (1.0 + 3.0 * elapsed(t, horizon))),
        negative=lambda t: 1.0 / (1.0 + (t - 1.0) ** (1.0 + 2.0 * elapsed(t, horizon))),
        decay=lambda t: decay(t, horizon, gamma),
    )


SOLVER = regret_solver("hs-dcfr", schedule, "Zhang, McAleer and Sandholm (2024), arXiv 2404.09097", (HORIZON, GAMMA))

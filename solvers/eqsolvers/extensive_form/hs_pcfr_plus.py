"""Predictive CFR+ under a hyperparameter schedule: the averaging exponent of PCFR+ falls linearly in time.

Zhang, McAleer and Sandholm (2024), "Faster game solving via hyperparameter schedules", arXiv 2404.09097v2, equation 4;
AAAI 2026: gamma, the one exponent of PCFR+, is 30 - 5 s/T or 15 - 5 s/T after s of T iterations. The iterates are those
of PCFR+, and only their average differs. What holds past T is said in `hs_dcfr`.

Measured with alternating updates, exploitability after 1000 iterations of PCFR+ and HS-PCFR+(30): Kuhn 2.4e-8,
liar's dice with 4 faces 1.5e-6 and goofspiel with 4 cards 1.0e-7, all below 1e-15 under the schedule; goofspiel with 5
cards 4.0e-5 and 2.1e-5, HS-PCFR+(15) 9.2e-6; Leduc 7.1e-4 and 9.8e-4, HS-PCFR+(15) 6.2e-4.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, regret_solver
from eqsolvers.extensive_form.hs_dcfr import GAMMA, HORIZON, decay


def schedule(horizon: int = 1000, gamma: float = 30.0) -> Schedule:
    """The average decays by (s / (s+1)) ** (gamma - 5 s/T) before iteration s + 1 is added."""
    return Schedule(floor=0.0, prediction=1.0, decay=lambda t: decay(t, horizon, gamma))


SOLVER = regret_solver("hs-pcfr+", schedule, "Zhang, McAleer and Sandholm (2024), arXiv 2404.09097", (HORIZON, GAMMA))

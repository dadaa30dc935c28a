"""Predictive CFR+: the last instantaneous regret predicts the next one; quadratic averaging.

Farina, Kroer and Sandholm (2021), "Faster game solving via predictive Blackwell approachability", AAAI.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, exponent, regret_solver


def schedule(gamma: float = 2.0) -> Schedule:
    """Iteration t weighs t ** gamma in the average."""
    return Schedule(floor=0.0, prediction=1.0, weight=lambda t: t**gamma)


SOLVER = regret_solver(
    "pcfr+",
    schedule,
    "Farina, Kroer and Sandholm (2021), AAAI",
    (exponent("gamma", 2.0, "exponent of the averaging weights"),),
)

"""Predictive CFR+: the last instantaneous regret predicts the next one; quadratic averaging.

Farina, Kroer and Sandholm (2021), "Faster game solving via predictive Blackwell approachability", AAAI.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, regret_solver

SCHEDULE = Schedule(floor=0.0, prediction=1.0, weight=lambda t: t**2)

SOLVER = regret_solver("pcfr+", SCHEDULE, "Farina, Kroer and Sandholm (2021), AAAI")

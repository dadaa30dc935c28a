"""Predictive discounted CFR+ with alpha 2.3 and gamma 5.

Xu, Li, Liu, Fu, Fu, Xing and Cheng (2024), "Minimizing weighted counterfactual regret with optimistic online mirror
descent", IJCAI.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, discount, regret_solver

SCHEDULE = Schedule(
    positive=lambda t: discount(t, 2.3),
    floor=0.0,
    following=lambda t: discount(t + 1.0, 2.3),
    prediction=1.0,
    decay=lambda t: ((t - 1.0) / t) ** 5,
)

SOLVER = regret_solver("pdcfr+", SCHEDULE, "Xu et al. (2024), IJCAI")

"""Discounted CFR+ with alpha 1.5 and gamma 4: discounted regrets, floored at zero.

Xu, Li, Liu, Fu, Fu, Xing and Cheng (2024), "Minimizing weighted counterfactual regret with optimistic online mirror
descent", IJCAI.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, discount, regret_solver

SCHEDULE = Schedule(
    positive=lambda t: discount(t, 1.5),
    floor=0.0,
    decay=lambda t: ((t - 1.0) / t) ** 4,
)

SOLVER = regret_solver("dcfr+", SCHEDULE, "Xu et al. (2024), IJCAI")

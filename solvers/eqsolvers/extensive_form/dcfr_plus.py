"""Discounted CFR+ with alpha 1.5 and gamma 4: discounted regrets, floored at zero.

Xu, Li, Liu, Fu, Fu, Xing and Cheng (2024), "Minimizing weighted counterfactual regret with optimistic online mirror
descent", IJCAI.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, discount, exponent, regret_solver


def schedule(alpha: float = 1.5, gamma: float = 4.0) -> Schedule:
    """Discount d_{t-1}(alpha) of regrets, ((t-1)/t) ** gamma of the average."""
    return Schedule(
        positive=lambda t: discount(t, alpha),
        floor=0.0,
        decay=lambda t: ((t - 1.0) / t) ** gamma,
    )


SOLVER = regret_solver(
    "dcfr+",
    schedule,
    "Xu et al. (2024), IJCAI",
    (
        exponent("alpha", 1.5, "exponent of the discount of regrets"),
        exponent("gamma", 4.0, "exponent of the averaging weights"),
    ),
)

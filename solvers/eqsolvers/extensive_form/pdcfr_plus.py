"""Predictive discounted CFR+ with alpha 2.3 and gamma 5.

Xu, Li, Liu, Fu, Fu, Xing and Cheng (2024), "Minimizing weighted counterfactual regret with optimistic online mirror
descent", IJCAI.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, discount, exponent, regret_solver


def schedule(alpha: float = 2.3, gamma: float = 5.0) -> Schedule:
    """As discounted CFR+, and the last instantaneous regret predicts the next one."""
    return Schedule(
        positive=lambda t: discount(t, alpha),
        floor=0.0,
        following=lambda t: discount(t + 1.0, alpha),
        prediction=1.0,
        decay=lambda t: ((t - 1.0) / t) ** gamma,
    )


SOLVER = regret_solver(
    "pdcfr+",
    schedule,
    "Xu et al. (2024), IJCAI",
    (
        exponent("alpha", 2.3, "exponent of the discount of regrets"),
        exponent("gamma", 5.0, "exponent of the averaging weights"),
    ),
)

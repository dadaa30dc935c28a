"""Discounted CFR with the recommended exponents alpha 1.5, beta 0, gamma 2.

Brown and Sandholm (2019), "Solving imperfect-information games via discounted regret minimization", AAAI.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, discount, exponent, regret_solver


def schedule(alpha: float = 1.5, beta: float = 0.0, gamma: float = 2.0) -> Schedule:
    """Discounts d_{t-1}(alpha) and d_{t-1}(beta) of regrets, ((t-1)/t) ** gamma of the average."""
    return Schedule(
        positive=lambda t: discount(t, alpha),
        negative=lambda t: discount(t, beta),
        decay=lambda t: ((t - 1.0) / t) ** gamma,
    )


SOLVER = regret_solver(
    "dcfr",
    schedule,
    "Brown and Sandholm (2019), AAAI",
    (
        exponent("alpha", 1.5, "exponent of the discount of positive regrets"),
        exponent("beta", 0.0, "exponent of the discount of negative regrets", low=-100.0),
        exponent("gamma", 2.0, "exponent of the averaging weights"),
    ),
    preference=1,  # where the linear programme does not apply
)

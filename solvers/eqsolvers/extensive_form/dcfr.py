"""Discounted CFR with the recommended exponents alpha 1.5, beta 0, gamma 2.

Brown and Sandholm (2019), "Solving imperfect-information games via discounted regret minimization", AAAI.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, discount, regret_solver

SCHEDULE = Schedule(
    positive=lambda t: discount(t, 1.5),
    negative=lambda t: discount(t, 0.0),
    decay=lambda t: ((t - 1.0) / t) ** 2,
)

SOLVER = regret_solver("dcfr", SCHEDULE, "Brown and Sandholm (2019), AAAI")

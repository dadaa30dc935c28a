"""Linear CFR: iteration t counts t times in regrets and in the average.

Brown and Sandholm (2019), "Solving imperfect-information games via discounted regret minimization", AAAI; in the form
of discounted CFR with all exponents 1.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, discount, regret_solver


def schedule() -> Schedule:
    """Everything of iteration t weighs t."""
    return Schedule(
        positive=lambda t: discount(t, 1.0),
        negative=lambda t: discount(t, 1.0),
        decay=lambda t: (t - 1.0) / t,
    )


SOLVER = regret_solver("lcfr", schedule, "Brown and Sandholm (2019), AAAI")

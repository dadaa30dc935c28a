"""CFR+: regrets floored at zero, and an average that weighs iteration t by t.

Tammelin (2014), "Solving large imperfect information games using CFR+", arXiv 1407.5042; Tammelin, Burch, Johanson and
Bowling (2015), "Solving heads-up limit Texas holdem", IJCAI. Without averaging delay.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, exponent, regret_solver


def schedule(gamma: float = 1.0) -> Schedule:
    """Iteration t weighs t ** gamma in the average."""
    return Schedule(floor=0.0, weight=lambda t: t**gamma)


SOLVER = regret_solver(
    "cfr+",
    schedule,
    "Tammelin (2014), arXiv 1407.5042",
    (exponent("gamma", 1.0, "exponent of the averaging weights"),),
)

"""CFR+: regrets floored at zero, and an average that weighs iteration t by t.

Tammelin (2014), "Solving large imperfect information games using CFR+", arXiv 1407.5042; Tammelin, Burch, Johanson and
Bowling (2015), "Solving heads-up limit Texas holdem", IJCAI. Without averaging delay.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, regret_solver

SCHEDULE = Schedule(floor=0.0, weight=lambda t: t)

SOLVER = regret_solver("cfr+", SCHEDULE, "Tammelin (2014), arXiv 1407.5042")

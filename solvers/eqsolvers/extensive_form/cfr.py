"""Counterfactual regret minimisation: a regret matcher at every information set.

Zinkevich, Johanson, Bowling and Piccione (2007), "Regret minimization in games with incomplete information", NeurIPS.
The average policy's NashConv after T iterations is O(1 / sqrt(T)) in two-player zero-sum games.
"""

from __future__ import annotations

from eqsolvers.extensive_form._regret import Schedule, regret_solver

SOLVER = regret_solver("cfr", Schedule, "Zinkevich et al. (2007), NeurIPS")

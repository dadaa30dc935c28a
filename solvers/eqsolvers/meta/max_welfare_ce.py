"""Maximum welfare correlated equilibrium meta-solver: of the empirical game, the one that pays the players most in all.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML: the MWCE of joint PSRO. Any number of players.
A player's next policies are one response to each recommendation.
"""

from __future__ import annotations

from eqsolvers.meta._correlated import linear_meta_solver, welfare

META_SOLVER = linear_meta_solver("max_welfare_ce", welfare, "ce", source="Marris et al. (2021), ICML")

"""Maximum welfare coarse correlated equilibrium meta-solver: the one that pays the players most in all.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML: the MWCCE of joint PSRO. Any number of players.
A player's next policies are one response to the others' joint marginal.
"""

from __future__ import annotations

from eqsolvers.meta._correlated import linear_meta_solver, welfare

META_SOLVER = linear_meta_solver("max_welfare_cce", welfare, "cce", source="Marris et al. (2021), ICML")

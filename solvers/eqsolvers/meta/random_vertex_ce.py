"""Random vertex correlated equilibrium meta-solver: a vertex of the polytope, best by a random objective.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML: the RVCE of joint PSRO. Any number of players.
A player's next policies are one response to each recommendation. Its objective follows from the seed.
"""

from __future__ import annotations

from eqsolvers.meta._correlated import linear_meta_solver, random_weights

META_SOLVER = linear_meta_solver("random_vertex_ce", random_weights, "ce", source="Marris et al. (2021), ICML")

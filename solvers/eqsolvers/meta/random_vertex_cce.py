"""Random vertex coarse correlated equilibrium meta-solver: a vertex of the polytope, best by a random objective.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML: the RVCCE of joint PSRO. Any number of players.
A player's next policies are one response to the others' joint marginal. Its objective follows from the seed.
"""

from __future__ import annotations

from eqsolvers.meta._correlated import linear_meta_solver, random_weights

META_SOLVER = linear_meta_solver("random_vertex_cce", random_weights, "cce", source="Marris et al. (2021), ICML")

"""Maximum entropy coarse correlated equilibrium meta-solver: of the empirical game, the least committed.

Ortiz, Schapire and Kakade (2007), "Maximum entropy correlated equilibria", AISTATS; as a meta-solver Marris, Muller,
Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium meta-solvers",
ICML. Any number of players.
A player's next policies are one response to the others' joint marginal.
"""

from __future__ import annotations

from eqsolvers.meta._correlated import even_meta_solver
from eqsolvers.normal_form.max_entropy import max_entropy_device

META_SOLVER = even_meta_solver(
    "max_entropy_cce", max_entropy_device, "cce", source="Ortiz, Schapire and Kakade (2007), AISTATS"
)

"""Maximum Gini coarse correlated equilibrium meta-solver: of the empirical game, the flattest.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML: the MGCCE of joint PSRO. Any number of players.
A player's next policies are one response to the others' joint marginal.
"""

from __future__ import annotations

from eqsolvers.meta._correlated import even_meta_solver
from eqsolvers.normal_form.max_gini import max_gini_device

META_SOLVER = even_meta_solver("max_gini_cce", max_gini_device, "cce", source="Marris et al. (2021), ICML")

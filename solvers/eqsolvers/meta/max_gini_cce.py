"""Maximum Gini coarse correlated equilibrium meta-solver: the flattest CCE of the empirical game.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML: the MGCCE of joint PSRO. Any number of players.
"""

from __future__ import annotations

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel
from eqsolvers.meta import MetaSolution
from eqsolvers.meta._device import of_device
from eqsolvers.normal_form.max_gini import max_gini_device


def solve(payoffs: Float64Array) -> MetaSolution:
    """The device, and its marginals."""
    device, _, _ = max_gini_device(NormalFormModel(payoffs), "cce")
    return of_device(device)


META_SOLVER = solve

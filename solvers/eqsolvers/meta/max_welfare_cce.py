"""Maximum welfare coarse correlated equilibrium meta-solver: the CCE that pays the players most in all.

Marris, Muller, Lanctot, Tuyls and Graepel (2021), "Multi-agent training beyond zero-sum with correlated equilibrium
meta-solvers", ICML: the MWCCE of joint PSRO. Any number of players.
"""

from __future__ import annotations

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel
from eqsolvers.meta import MetaSolution
from eqsolvers.meta._device import of_device
from eqsolvers.normal_form.correlated_lp import optimal_device


def solve(payoffs: Float64Array) -> MetaSolution:
    """The device, and its marginals."""
    device, _ = optimal_device(NormalFormModel(payoffs), "cce", payoffs.sum(axis=0))
    return of_device(device)


META_SOLVER = solve

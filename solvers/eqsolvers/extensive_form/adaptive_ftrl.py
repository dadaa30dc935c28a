"""Adaptive follow-the-regularised-leader: rates by how often the others are estimated to lead the player somewhere.

Fiegel, Menard, Kozuno, Munos, Perchet and Valko (2023), "Adapting to game trees in zero-sum imperfect information
games", ICML, the adaptive variant with the dilated Shannon entropy. NashConv after T episodes is of order
H sqrt((A_X + B_Y) / T) up to logarithms, without knowing the information sets beforehand (their number enters the
rates only).

With P(x, a) the sum over past episodes of 1{x, a} / (mu_{1:h}(x, a) + gamma(x, a)), which estimates how often chance
and the other player let the player through to x, the exploration at (x, a) is gamma / (1 + P(x, a)) and the learning
rate at x is eta / (1 + the mean of P(x, a) over its actions).
"""

from __future__ import annotations

import numpy as np

from eqenvs.models.extensive_form import Treeplex
from eqsolvers.extensive_form._bandit import Regulariser, bandit_solver, sizes, uniform_start


def regulariser(treeplex: Treeplex, horizon: int) -> Regulariser:
    """Weights that start at 1 and grow with the episodes, hence rates that grow with the horizon."""
    _, _, actions = sizes(treeplex)
    start = uniform_start(treeplex)
    rate = np.sqrt(horizon * np.log(actions) / actions)
    return Regulariser(np.ones(treeplex.num_infosets), np.ones_like(start), rate, rate, start)


SOLVER = bandit_solver(
    "adaptive-ftrl", regulariser, "Fiegel et al. (2023), ICML", eta_scale=1.0, gamma_scale=0.001, adaptive=True
)

"""Implicit-exploration online mirror descent: the same learning rate and exploration everywhere.

Kozuno, Menard, Munos and Valko (2021), "Learning in two-player zero-sum partially observable Markov games with perfect
recall", NeurIPS. Nothing about the player's information sets is needed but their number, and that only for the rates.
NashConv after T episodes is of order (X sqrt(A) + Y sqrt(B)) / sqrt(T), up to depth and logarithms.
"""

from __future__ import annotations

import numpy as np

from eqenvs.models.extensive_form import Treeplex
from eqsolvers.extensive_form._bandit import Regulariser, bandit_solver, sizes, uniform_start


def regulariser(treeplex: Treeplex, horizon: int) -> Regulariser:
    """The unweighted dilated entropy; its range X ln A balanced against the variance of the estimates."""
    depth, infosets, actions = sizes(treeplex)
    start = uniform_start(treeplex)
    gamma = np.sqrt(infosets * np.log(treeplex.num_actions.max(initial=2)) / (actions * horizon))
    return Regulariser(np.ones(treeplex.num_infosets), np.ones_like(start), gamma / np.sqrt(depth), gamma, start)


SOLVER = bandit_solver("ixomd", regulariser, "Kozuno et al. (2021), NeurIPS", eta_scale=16.0, gamma_scale=0.1)

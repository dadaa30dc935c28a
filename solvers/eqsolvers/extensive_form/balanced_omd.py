"""Balanced online mirror descent: rates by the policies that explore every depth evenly.

Bai, Jin, Mei and Yu (2022), "Near-optimal learning of extensive-form games with imperfect information", ICML.
NashConv after T episodes is of order sqrt((X A + Y B) / T), up to depth and logarithms.

The player's information sets must be known beforehand. Depths count the player's own decisions, and plays may end at
different depths, where the paper has all plays of one length.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.extensive_form import Treeplex
from eqsolvers.extensive_form._bandit import Regulariser, bandit_solver, sizes, sums_by_infoset, uniform_start


def balanced_plan(treeplex: Treeplex) -> Float64Array:
    """For each x the plan mu*_{1:h}(x, a), the same for all a, of the balanced exploration policy of x's depth h, [I].

    That policy takes an action above depth h with probability proportional to the number of information sets of depth h
    that it leads to, and any action at depth h alike. For any plan mu, the sum over depth h of
    mu_{1:h}(x, a) / (A(x) mu*_{1:h}(x, a)) is then at most the number of information sets there, and equal to it where
    mu takes no action that ends the player's part above depth h.
    """
    parent, counts = treeplex.parent_sequence, treeplex.num_actions
    plan = np.zeros(treeplex.num_infosets)
    every = treeplex.levels
    for depth, (bottom, _) in enumerate(every):
        leads = np.bincount(parent[bottom], minlength=treeplex.num_sequences).astype(np.float64)
        for infosets, sequences in reversed(every[:depth]):
            np.add.at(leads, parent[infosets], sums_by_infoset(leads[sequences], counts[infosets]))
        arrives = np.ones(treeplex.num_sequences)
        for infosets, sequences in every[:depth]:
            total = sums_by_infoset(leads[sequences], counts[infosets])
            share = leads[sequences] / np.repeat(np.where(total > 0, total, 1.0), counts[infosets])
            arrives[sequences] = np.repeat(arrives[parent[infosets]], counts[infosets]) * share
        plan[bottom] = arrives[parent[bottom]] / counts[bottom]
    return plan


def regulariser(treeplex: Treeplex, horizon: int) -> Regulariser:
    """Weights 1 / mu*, and the paper's rates up to logarithms, with the number of all actions for X A."""
    depth, _, actions = sizes(treeplex)
    weight = 1.0 / balanced_plan(treeplex)
    gamma = np.sqrt(actions * np.log(actions) / (depth * horizon))
    action_weight = np.repeat(weight, treeplex.num_actions)
    return Regulariser(weight, action_weight, gamma / depth, gamma, uniform_start(treeplex))


SOLVER = bandit_solver("balanced-omd", regulariser, "Bai et al. (2022), ICML", eta_scale=4.0, gamma_scale=0.1)

"""Balanced follow-the-regularised-leader: rates by the transitions that lead everywhere in proportion to what is there.

Fiegel, Menard, Kozuno, Munos, Perchet and Valko (2023), "Adapting to game trees in zero-sum imperfect information
games", ICML, the balanced variant with the dilated Shannon entropy. NashConv after T episodes is of order
sqrt(H (A_X + B_Y) / T) up to logarithms, with A_X and B_Y the players' numbers of actions over all information sets,
which no method improves on but for logarithms.

The player's information sets must be known beforehand. The weights do not change, so that the leader is found by mirror
descent from the uniform policy; the entropy is taken relative to that policy. (Starting from the policy that takes
actions in proportion to what is below them made no difference on Kuhn and Leduc.)
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.extensive_form import Treeplex
from eqsolvers.extensive_form._bandit import Regulariser, bandit_solver, sizes, sums_by_infoset, uniform_start


def balanced_transitions(treeplex: Treeplex) -> Float64Array:
    """p*_{1:h}(x), [I]: the probability that transitions balanced by size give to x, whatever the player does.

    After an action, and at the start, the next information set is drawn in proportion to the number of actions in it
    and below it. For any transitions p of the others, the sum over x of A(x) p_{1:h}(x) / p*_{1:h}(x) is then at most
    the number of all actions, and equal to it where p never ends the play before it must.
    """
    parent, counts = treeplex.parent_sequence, treeplex.num_actions
    size, below = np.zeros(treeplex.num_infosets), np.zeros(treeplex.num_sequences)
    for infosets, sequences in reversed(treeplex.levels):
        size[infosets] = counts[infosets] + sums_by_infoset(below[sequences], counts[infosets])
        np.add.at(below, parent[infosets], size[infosets])
    reach, arrives = np.zeros(treeplex.num_infosets), np.ones(treeplex.num_sequences)
    for infosets, sequences in treeplex.levels:
        at = parent[infosets]
        reach[infosets] = arrives[at] * size[infosets] / below[at]
        arrives[sequences] = np.repeat(reach[infosets], counts[infosets])
    return reach


def regulariser(treeplex: Treeplex, horizon: int) -> Regulariser:
    """Weights p*, and the rates that balance ln A_X against the variance and the bias of the estimates."""
    depth, _, actions = sizes(treeplex)
    weight = balanced_transitions(treeplex)
    rate = np.sqrt(np.log(actions) / (depth * actions * horizon))
    return Regulariser(weight, np.repeat(weight, treeplex.num_actions), rate, rate, uniform_start(treeplex))


SOLVER = bandit_solver("balanced-ftrl", regulariser, "Fiegel et al. (2023), ICML", eta_scale=4.0, gamma_scale=0.1)

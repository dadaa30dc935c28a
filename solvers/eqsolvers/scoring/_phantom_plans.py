"""Realisation weights of one player's policy in a phantom game, over the nodes of its information states.

The policy is asked about the information states in order of length, a block at a time, so that observations are never
held for all of them. Cost: O(I A), 8 bytes an information state and 8 a move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.games.extensive_form._phantom_states import Nodes, Sequences, blocks
from eqenvs.policies import FLOAT32_TOLERANCE, BehaviourPolicy, check_table, require_behaviour
from eqsolvers.kernels import compiled


def plan_of(
    player: int,
    nodes: Nodes,
    sequences: Sequences,
    num_cells: int,
    policies: Sequence[BehaviourPolicy],
    weights: Sequence[float],
) -> Float64Array:
    """The realisation weight of each move, [Q], when one of a player's behaviour policies is drawn before play.

    That is the sum, over the information states of the node, of the product of the player's own probabilities.

    Raises:
        PolicyError: if one gives something that is no distribution.
    """
    plan = np.zeros(len(nodes.success))
    for policy in policies:
        require_behaviour(policy)
    reaches = np.zeros((len(policies), len(sequences.node)))
    reaches[:, 0] = weights
    made = 1
    for start, states in blocks(player, sequences, num_cells):
        after = made
        for policy, reach in zip(policies, reaches, strict=True):
            table = check_table(player, states, policy(player, states), FLOAT32_TOLERANCE)
            after = _spread(nodes, sequences.node, start, table, reach, plan, made)
        made = after
    return plan


@compiled
def _spread(nodes: Any, node_of: Any, start: int, table: Any, reach: Any, plan: Any, made: int) -> int:
    """Carry the reach of a block of information states to their successors, of which `made` have been come to."""
    for row in range(len(table)):
        state = start + row
        node, weight = node_of[state], reach[state]
        move = nodes.first[node]
        tried = nodes.own[node] | nodes.known[node]
        for cell in range(table.shape[1]):
            if tried >> cell & 1:
                continue
            flow = weight * table[row, cell]
            plan[move] += flow
            for after in (nodes.success[move], nodes.failure[move]):
                if after >= 0:
                    reach[made] = flow
                    made += 1
            move += 1
    return made

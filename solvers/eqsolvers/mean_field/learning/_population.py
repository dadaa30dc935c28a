"""What a population plays whose agents keep to policies of their own: their mean, weighted by where each of them is.

An agent who stays away from a state has no part in what is played there, whatever its policy says. So in state s the
population plays sum_n m_n(s) p_n(s) / sum_n m_n(s), with m_n the stable distribution of agent n in the mean field of
all. For one population that is `MeanFieldModel.mix`; here several that meet each other come to rest together.

Cost: O(N S A K) a step until all are at rest.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.models.mean_field_mixtures import parts_at_rest, weighted


def played_together(model: MeanFieldModel, policy: Float64Array, role: IntArray) -> Float64Array:
    """The policy [P, S, A] of populations in which agent n plays `policy[n]`.

    Args:
        model: without a horizon.
        policy: [N, S, A].
        role: [N] int64, the population of each agent; everyone has at least one.
    """
    members = [np.flatnonzero(role == population) for population in range(model.num_populations)]
    policies = {p: policy[agents] for p, agents in enumerate(members)}
    share = [np.full(len(agents), 1 / len(agents)) for agents in members]
    first = {p: share[p][:, None] * start for p, start in enumerate(model.initial)}
    rest = parts_at_rest(model, policies, first)
    return np.stack([weighted(policies[p], rest[p], share[p]) for p in policies])

"""What a population plays whose agents keep to policies of their own: their mean, weighted by where each of them is.

An agent who stays away from a state has no part in what is played there, whatever its policy says. So in state s the
population plays sum_n m_n(s) p_n(s) / sum_n m_n(s), with m_n the stable distribution of agent n in the mean field of
all. For one population that is `MeanFieldModel.mix`; here several that meet each other come to rest together.

Cost: O(N S A K) a step until all are at rest, half of the mass moving at a time.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.models.mean_field_kernels import given_kernel, push

RESTS, MAX_STEPS = 1e-14, 20_000  # total variation a step of a population at rest; steps to get there


def played_together(model: MeanFieldModel, policy: Float64Array, role: IntArray) -> Float64Array:
    """The policy [P, S, A] of populations in which agent n plays `policy[n]`.

    Args:
        model: without a horizon.
        policy: [N, S, A].
        role: [N] int64, the population of each agent; everyone has at least one.
    """
    members = [np.flatnonzero(role == population) for population in range(model.num_populations)]
    own = [policy[agents] for agents in members]
    parts = [
        np.tile(start / len(agents), (len(agents), 1)) for start, agents in zip(model.initial, members, strict=True)
    ]
    for _ in range(MAX_STEPS):
        after = _moved(model, own, parts)
        change = max(float(np.abs(new - old).sum()) for new, old in zip(after, parts, strict=True))
        if change <= RESTS:
            break
        parts = [0.5 * (old + new) for old, new in zip(parts, after, strict=True)]
    return np.stack([_weighted(policies, mass) for policies, mass in zip(own, parts, strict=True)])


def _moved(model: MeanFieldModel, own: list[Float64Array], parts: list[Float64Array]) -> list[Float64Array]:
    """Where the agents [n, S] of each population are a step later."""
    probability = np.asarray(model.probabilities(np.stack([mass.sum(axis=0) for mass in parts]), model.at(0)))
    after = [np.empty_like(mass) for mass in parts]
    for population, moved in enumerate(after):
        row = population if len(probability) > 1 else 0
        push(given_kernel(model, probability[row : row + 1]), parts[population], own[population], moved)
    return after


def _weighted(policies: Float64Array, mass: Float64Array) -> Float64Array:
    """The mean of policies [n, S, A] by the agents' mass [n, S]; where nobody is, every agent's counts alike."""
    total = mass.sum(axis=0)[:, None]
    played: Float64Array = np.divide(
        (mass[:, :, None] * policies).sum(axis=0), total, out=policies.mean(axis=0), where=total > 0
    )
    return played

"""What the regret-matching family shares: play in proportion to weights, and the cones that these are kept in."""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqsolvers.normal_form.learning._simplex import project


def matched(weight: Float64Array) -> Float64Array:
    """The strategies in proportion to the positive parts of weights [B, A]; uniform where none is positive."""
    positive = np.maximum(weight, 0.0)
    # The largest becomes 1: a sum of weights near the least float would lose digits, one near the greatest overflow.
    largest = positive.max(axis=-1, keepdims=True)
    scaled = np.where(largest > 0.0, positive / np.where(largest > 0.0, largest, 1.0), 1.0)
    strategy: Float64Array = scaled / scaled.sum(axis=-1, keepdims=True)
    return strategy


def instantaneous_regret(strategy: Float64Array, payoff: Float64Array) -> Float64Array:
    """What each action would have gained over the strategy, [B, A]; orthogonal to the strategy."""
    regret: Float64Array = payoff - (strategy * payoff).sum(axis=-1, keepdims=True)
    return regret


def onto_chopped_orthant(point: Float64Array) -> Float64Array:
    """The nearest point of {R >= 0, sum(R) >= 1} to each row of [B, A].

    That is the positive part where it has the mass, else the nearest point of the simplex: on the facet sum(R) = 1.
    """
    positive = np.maximum(point, 0.0)
    return np.where(positive.sum(axis=-1, keepdims=True) >= 1.0, positive, project(point))

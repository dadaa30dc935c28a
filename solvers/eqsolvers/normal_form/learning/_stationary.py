"""Stationary distributions of a batch of Markov chains, whatever chains they are.

Grassmann, Taksar and Heyman (1985), "Regenerative analysis and steady state distributions for Markov chains",
Operations Research 33: the linear system solved by taking every state out of the chain in turn. It never subtracts, so
that every probability has its full relative accuracy, however small, and however close to falling apart the chain is
(O'Cinneide 1993, Numerische Mathematik 65). Here it also goes through chains that do fall apart.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array

_MOST_VISITS = 1e300  # a state so much likelier than another one leaves it nothing that a float64 can hold


def stationary(rates: Float64Array) -> Float64Array:
    """The long-run distribution of each chain from a uniformly random start.

    A chain with one closed class of states has no other stationary distribution. Of one with several this is the one
    that gives each class the probability of ending in it: the limit of the averages over time. Renaming the states
    renames the result.

    Args:
        rates: [B, A, A] float64, at least 0, from row to column: transition probabilities, or rates. The diagonals are
            not read.

    Returns:
        [B, A], rows sum to 1. Cost: O(B A^3) in O(A) array steps.

    >>> stationary(np.array([[[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])).round(3).tolist()
    [[0.444, 0.222, 0.333]]
    """
    batch, size, _ = rates.shape
    chain = rates.copy()  # on the states that are still there
    chain[:, np.arange(size), np.arange(size)] = 0.0
    visits = np.zeros_like(chain)  # [b, i, k]: to k for each visit of i < k, before the chain next is at k - 1 or below
    ending = np.zeros((batch, size), dtype=np.bool_)  # the state that stands for its closed class: its lowest
    mass = np.full((batch, size), 1.0 / size)  # of the start; a state that is taken out sends its own on
    for k in range(size - 1, -1, -1):
        leaving = chain[:, k].sum(axis=-1, keepdims=True)
        closed = leaving == 0.0
        ways = chain[:, k] / np.where(closed, 1.0, leaving)
        into = np.where(closed, 0.0, chain[:, :k, k])
        with np.errstate(over="ignore"):
            visits[:, :k, k] = np.minimum(into / np.where(closed, 1.0, leaving), _MOST_VISITS)
        # Whoever came through k now goes on at once; the state of a closed class stays where it is.
        chain[:, :k, k] -= into
        chain[:, :k] += into[:, :, None] * ways[:, None, :]
        chain[:, np.arange(k), np.arange(k)] = 0.0
        ending[:, k] = closed[:, 0]
        mass += mass[:, k, None] * ways
        mass[:, k] *= closed[:, 0]
    return _spread(visits, ending, mass)


def _spread(visits: Float64Array, ending: BoolArray, mass: Float64Array) -> Float64Array:
    """The mass that ended in each class, over all of the class."""
    batch, size = mass.shape
    result = np.zeros((batch, size))
    for first in np.flatnonzero(ending.any(axis=0)):
        share = np.zeros((batch, size))  # of the class, up to a factor that keeps the largest near 1
        share[:, first] = 1.0
        for k in range(first + 1, size):
            share[:, k] = (share[:, :k] * visits[:, :k, k]).sum(axis=-1)
            share /= np.maximum(share[:, k, None], 1.0)
        share *= (mass[:, first] * ending[:, first] / share.sum(axis=-1))[:, None]
        result += share
    normalised: Float64Array = result / result.sum(axis=-1, keepdims=True)
    return normalised

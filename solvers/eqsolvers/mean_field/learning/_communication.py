"""Agents who talk to those near them: averages of tables or policies, or the adoption of policies that did well.

Benjamin and Abate, "Networked communication for decentralised agents in mean-field games", arXiv 2306.02766: after a
policy step every agent sends its policy and what it earned with it to all within a radius, and adopts one of those it
hears, its own included, with probability proportional to exp(earned / temperature); that is repeated as agents move on.
Their games are grids and their radius is a distance on the grid. Here the distance between agents is that of their
states: the fewest moves between them, either way, as a share of the largest there is; radius 1 reaches everybody.
Only agents of one population talk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from eqenvs.arrays import BoolArray, Float64Array, IntArray
from eqenvs.errors import GameTooLargeError
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.kernels import compiled, uniform

MAX_STATES = 5_000


def near(model: MeanFieldModel, radius: float) -> BoolArray:
    """Which states are within the radius of each other, [S, S].

    Raises:
        GameTooLargeError: if the game has more than 5,000 states.
    """
    states = model.num_states
    if radius >= 1.0:
        return np.ones((states, states), dtype=bool)
    if states > MAX_STATES:
        raise GameTooLargeError(f"radius: distances of {states:,} states are above the limit of {MAX_STATES:,}; use 1")
    shape = model.successors.shape
    origin = np.broadcast_to(np.arange(states)[:, None, None], shape)
    possible = _possible(model) & model.legal[:, :, None]
    moves = (np.ones(int(possible.sum())), (origin[possible], model.successors[possible]))
    length = shortest_path(csr_array(moves, shape=(states, states)), directed=False, unweighted=True)
    finite = length[np.isfinite(length)]
    found: BoolArray = np.less_equal(length, radius * finite.max())
    return found


def _possible(model: MeanFieldModel) -> BoolArray:
    """Moves that can happen, [S, A, K]; by an operator those that can at the initial mean field."""
    if model.kernel is None:
        parts = [np.asarray(model.probabilities(model.initial, model.at(0)))]
    else:
        parts = [model.kernel.base, *model.kernel.slope]
    found: BoolArray = np.abs(np.concatenate(parts)).max(axis=0) > 0
    return found


def averaged(tables: Float64Array, reach: BoolArray, role: IntArray, state: IntArray) -> Float64Array:
    """The mean of the tables [N, ...] of all agents within reach of each agent's state."""
    found = np.empty_like(tables)
    flat, result = tables.reshape(len(tables), -1), found.reshape(len(tables), -1)
    for population in np.unique(role):
        agents = np.flatnonzero(role == population)
        here = state[agents]
        total, count = np.zeros((len(reach), flat.shape[1])), np.bincount(here, minlength=len(reach))
        np.add.at(total, here, flat[agents])
        occupied = np.flatnonzero(count)
        close = reach[np.ix_(occupied, occupied)].astype(np.float64)
        mean = close @ total[occupied] / (close @ count[occupied])[:, None]
        result[agents] = mean[np.searchsorted(occupied, here)]
    return found


def adopted(
    worth: Float64Array, temperature: float, reach: BoolArray, role: IntArray, state: IntArray, draw: Float64Array
) -> IntArray:
    """Whose policy each agent takes up, [N], for uniform numbers [N]."""
    chosen = np.arange(len(worth))
    for population in np.unique(role):
        agents = np.flatnonzero(role == population)
        for place in np.unique(state[agents]):
            heard = agents[reach[place, state[agents]]]
            weight = np.exp((worth[heard] - worth[heard].max()) / temperature).cumsum()
            asking = agents[state[agents] == place]
            found = np.searchsorted(weight, draw[asking] * weight[-1], side="right")
            chosen[asking] = heard[np.minimum(found, len(heard) - 1)]
    return chosen


@compiled
def fill(stream: Any, draw: Float64Array) -> None:
    """Uniform numbers, one after the other."""
    for k in range(len(draw)):
        draw[k] = uniform(stream)

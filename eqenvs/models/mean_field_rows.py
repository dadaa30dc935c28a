"""The flow of a game with a horizon, compiled, over the different rows of its kernel.

Where noise follows the player's own move, what happens depends on where the move led and on nothing else, so that many
states and actions share one row of successors and probabilities: S rows in place of S A of a crowd on a grid. Mass is
gathered by row and each row pushed once: O(P (S A + R K)) a moment with R different rows, O(P S A K) if all differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.kernels import compiled

if TYPE_CHECKING:
    from eqenvs.models.mean_field_kernels import Kernel


class Rows(NamedTuple):
    """An affine kernel by its rows.

    Attributes:
        number: [P or 1, S, A] int64, the row of a state and an action.
        successors: [R, K] int64.
        base: [R, K] float64.
        slope: [J, R, K] float64.
        weight: [J, S] float64, see `Kernel`, as for the next.
        coupling: [P, P] float64.
    """

    number: IntArray
    successors: IntArray
    base: Float64Array
    slope: Float64Array
    weight: Float64Array
    coupling: Float64Array


def rows_of(kernel: Kernel) -> Rows:
    """A kernel's different rows."""
    alike, states, actions, outcomes = kernel.base.shape
    shape = (alike, states, actions, outcomes)
    listed = np.broadcast_to(kernel.successors, shape).reshape(-1, outcomes)
    parts = [listed, kernel.base.reshape(-1, outcomes).view(np.int64)]
    parts += [np.ascontiguousarray(slope).reshape(-1, outcomes).view(np.int64) for slope in kernel.slope]
    first, number = _different(parts)
    return Rows(
        number=number.reshape(shape[:3]),
        successors=np.ascontiguousarray(listed[first]),
        base=np.ascontiguousarray(kernel.base.reshape(-1, outcomes)[first]),
        slope=np.ascontiguousarray(kernel.slope.reshape(len(kernel.slope), len(listed), outcomes)[:, first]),
        weight=kernel.weight,
        coupling=kernel.coupling,
    )


def _different(parts: list[IntArray]) -> tuple[IntArray, IntArray]:
    """The first of each kind of row, and the kind of every row; the rows are those of all parts side by side."""
    key = np.zeros(len(parts[0]), dtype=np.uint64)
    factor = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits well spread; products wrap
    for part in parts:
        for column in part.T:
            key = (key ^ column.view(np.uint64)) * factor
            key ^= key >> np.uint64(29)
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    if all((part == part[first[number]]).all() for part in parts):
        return first, number.astype(np.int64)
    every = np.arange(len(key))  # two rows with one key
    return every, every


@compiled
def meet(weight: Float64Array, coupling: Float64Array, flow: Float64Array, moment: int, feature: Float64Array) -> None:
    """Write into `feature` [P, J] what the populations meet at a moment of `flow` [M, P, S], weighed."""
    populations, states = flow.shape[1], flow.shape[2]
    feature[:] = 0.0
    for other in range(populations):
        for j in range(len(weight)):
            total = 0.0
            for state in range(states):
                total += weight[j, state] * flow[moment, other, state]
            for population in range(populations):
                feature[population, j] += coupling[population, other] * total


# Flat arguments and one body: tuples of arrays and slices of them are counted at every call, which costs more than the
# arithmetic of a small game.
@compiled
def push_all(
    number: IntArray,
    successors: IntArray,
    base: Float64Array,
    slope: Float64Array,
    weight: Float64Array,
    coupling: Float64Array,
    parent: IntArray,
    initial: Float64Array,
    policy: Float64Array,
    flow: Float64Array,
) -> None:
    """The mean field at every moment, into `flow` [M, P, S]; children of one moment come together and share it."""
    moments, populations, states, actions = policy.shape
    rows, outcomes = successors.shape
    wide = len(weight)
    feature, gathered = np.zeros((populations, wide)), np.empty(rows)
    for moment in range(moments):
        origin = parent[moment]
        if origin < 0:
            flow[moment] = initial
            continue
        if parent[moment - 1] == origin:
            flow[moment] = flow[moment - 1]
            continue
        if wide > 0:
            meet(weight, coupling, flow, origin, feature)
        for population in range(populations):
            own = population if len(number) > 1 else 0
            gathered[:] = 0.0
            for state in range(states):
                flow[moment, population, state] = 0.0
                mass = flow[origin, population, state]
                if mass == 0.0:
                    continue
                for action in range(actions):
                    gathered[number[own, state, action]] += mass * policy[origin, population, state, action]
            for row in range(rows):
                share = gathered[row]
                if share == 0.0:
                    continue
                for k in range(outcomes):
                    probability = base[row, k]
                    for j in range(wide):
                        probability += feature[population, j] * slope[j, row, k]
                    flow[moment, population, successors[row, k]] += share * probability


@compiled
def is_conserved(flow: Float64Array, tolerance: float) -> bool:
    """Whether mean fields [M, P, S] are distributions; False for NaN too."""
    moments, populations, states = flow.shape
    for moment in range(moments):
        for population in range(populations):
            total, least = 0.0, 0.0
            for state in range(states):
                mass = flow[moment, population, state]
                total += mass
                least = min(least, mass)
            if not (abs(total - 1.0) <= tolerance and least >= -tolerance):
                return False
    return True

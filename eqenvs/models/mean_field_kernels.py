"""The population a step on, compiled: what happens in O(P S A K) per moment.

Probabilities come in one of two forms. Affine ones are put together inside the loop from the features of the mean
field, so no [S, A, K] array is made; others are arrays that the game's operator gives for one mean field.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.kernels import compiled
from eqenvs.models.markov_checks import TOLERANCE
from eqenvs.models.mean_field_checks import check_mass, check_rows
from eqenvs.models.mean_field_rows import is_conserved, meet, push_all

if TYPE_CHECKING:
    from eqenvs.models.mean_field import MeanFieldModel


class Kernel(NamedTuple):
    """Probabilities of successors as compiled loops take them.

    Attributes:
        successors: [S, A, K] int64.
        base: [P or 1, S, A, K] float64.
        slope: [J, P or 1, S, A, K] float64; J = 0 where the probabilities are given as they are.
        weight: [J, S] float64.
        coupling: [P, P] float64.
    """

    successors: IntArray
    base: Float64Array
    slope: Float64Array
    weight: Float64Array
    coupling: Float64Array


def kernel_of(model: MeanFieldModel) -> Kernel | None:
    """An affine transition; None for an operator."""
    from eqenvs.models.mean_field import Affine

    if not isinstance(model.transition, Affine):
        return None
    like = model.initial
    parts = (model.constants(name, like) for name in ("successors", "base", "slope", "weight", "coupling"))
    return Kernel(*(np.ascontiguousarray(part) for part in parts))


def given_kernel(model: MeanFieldModel, probability: Float64Array) -> Kernel:
    """Probabilities [P or 1, S, A, K] that an operator gave."""
    shape = model.successors.shape
    like = model.initial
    return Kernel(
        successors=model.constants("successors", like),
        base=np.ascontiguousarray(probability),
        slope=np.zeros((0, 1, *shape)),
        weight=np.zeros((0, shape[0])),
        coupling=model.constants("coupling", like),
    )


@compiled
def features_of(kernel: Any, mean_field: Float64Array) -> Float64Array:
    """[P, J], what the populations meet, weighed."""
    feature = np.zeros((len(mean_field), len(kernel.weight)))
    meet(kernel.weight, kernel.coupling, np.expand_dims(mean_field, 0), 0, feature)
    return feature


@compiled
def push(kernel: Any, mean_field: Float64Array, policy: Float64Array, after: Float64Array) -> None:
    """Write into `after` [P, S] where everybody is a step later; the policy is [P, S, A]."""
    feature = features_of(kernel, mean_field)
    wide, outcomes = len(kernel.weight), kernel.successors.shape[2]
    after[:] = 0.0
    for population in range(len(mean_field)):
        own = population if len(kernel.base) > 1 else 0
        for state in range(mean_field.shape[1]):
            mass = mean_field[population, state]
            if mass == 0.0:
                continue
            for action in range(policy.shape[2]):
                share = mass * policy[population, state, action]
                if share == 0.0:
                    continue
                for k in range(outcomes):
                    probability = kernel.base[own, state, action, k]
                    for j in range(wide):
                        probability += feature[population, j] * kernel.slope[j, own, state, action, k]
                    after[population, kernel.successors[state, action, k]] += share * probability


def forward(model: MeanFieldModel, policy: Float64Array) -> Float64Array:
    """See `MeanFieldModel.flow`."""
    flow = np.empty(model.policy_shape[:3])
    parent = model.moments.parent
    rows = model.rows
    if rows is not None:
        push_all(*rows, parent, model.initial, policy, flow)
    else:
        for span in levels(model):
            origins = np.unique(parent[span])
            if origins[0] < 0:
                flow[span] = model.initial
                continue
            after = {int(origin): step(model, flow[origin], policy, int(origin)) for origin in origins}
            for moment in range(span.start, span.stop):
                flow[moment] = after[int(parent[moment])]
    if not is_conserved(flow, TOLERANCE):
        check_mass(model, flow)  # says where
    return flow


def step(model: MeanFieldModel, mean_field: Float64Array, policy: Float64Array, moment: int) -> Float64Array:
    """See `MeanFieldModel.advance`."""
    kernel = kernel_at(model, mean_field, moment)
    after = np.empty_like(model.initial)
    push(kernel, mean_field, policy[moment], after)
    return after


def kernel_at(model: MeanFieldModel, mean_field: Float64Array, moment: int) -> Kernel:
    """What happens next at a mean field [P, S]."""
    if model.kernel is not None:
        return model.kernel
    probability = np.asarray(model.probabilities(mean_field, model.at(moment)))
    check_rows(probability, "transition", f" at time {int(model.moments.time[moment])}")
    return given_kernel(model, probability)


def levels(model: MeanFieldModel) -> list[slice]:
    """The moments of each time."""
    time = model.moments.time
    bounds = np.searchsorted(time, np.arange(time[-1] + 2))
    return [slice(int(a), int(b)) for a, b in pairwise(bounds)]

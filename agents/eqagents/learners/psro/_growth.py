"""Which responses join a population: those that are new, and gain enough over what they respond to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from eqagents.policies.records import PolicyRecord
from eqenvs.arrays import Float64Array
from eqsolvers.meta import MetaSolution


def gain(payoffs: Float64Array, player: int, policy: int, target: MetaSolution) -> float:
    """What a policy earns more than the target of its training gives its player, by the empirical game.

    Args:
        payoffs: [K_0, ..., K_{N-1}], of the player; the populations may have grown since the target was made.
        player: who deviates.
        policy: its new policy.
        target: over the first policies of the populations.
    """
    device, known = _joint(target)
    new = np.take(payoffs, policy, axis=player)[known[:player] + known[player + 1 :]]
    return float(np.vdot(device.sum(axis=player), new)) - float(np.vdot(device, payoffs[known]))


def gain_half_width(half_widths: Float64Array, player: int, policy: int, target: MetaSolution) -> float:
    """Of the 95 % interval of that gain, from those of independent cells [K_0, ..., K_{N-1}]; 0 where all are exact."""
    device, known = _joint(target)
    new = np.take(half_widths, policy, axis=player)[known[:player] + known[player + 1 :]]
    square = np.square(device.sum(axis=player) * new).sum() + np.square(device * half_widths[known]).sum()
    return float(np.sqrt(square))


def _joint(target: MetaSolution) -> tuple[Float64Array, tuple[slice, ...]]:
    """The joint distribution of a meta-solution, and the policies that it is over."""
    device = target.joint()
    return device, tuple(slice(0, size) for size in device.shape)


def with_responses(
    population: Sequence[PolicyRecord],
    responses: Sequence[PolicyRecord],
    mark: Callable[[PolicyRecord], str],
    *,
    keep_repeats: bool,
) -> tuple[tuple[PolicyRecord, ...], list[int]]:
    """The population with the responses, and where in it each of them is.

    Args:
        population: the policies so far.
        responses: those that join.
        mark: equal for equal records.
        keep_repeats: add a response also where an equal policy is there already.
    """
    grown = list(population)
    at = {mark(record): place for place, record in reversed(list(enumerate(grown)))}
    places = []
    for record in responses:
        its = mark(record)
        if keep_repeats or its not in at:
            at[its] = len(grown)
            grown.append(record)
        places.append(at[its])
    return tuple(grown), places

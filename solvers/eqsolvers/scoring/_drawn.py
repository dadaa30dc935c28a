"""Joint policies that are drawn for a whole Markov game, laid out as behaviour tables with their weights."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import GameTooLargeError, PolicyError
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import (
    JointPolicy,
    MarkovCorrelatedPolicy,
    components,
    player_entries,
    player_table,
    private_mixture,
)

MAX_COMPONENTS = 10_000  # of a device, once the players' private mixtures are multiplied out

Tables = tuple[Float64Array, ...]  # [I, A_p] of each player
Draws = list[tuple[Tables, float]]  # what may be drawn, with its weight


class Drawn(NamedTuple):
    """Joint policies, one of which is drawn for the whole game."""

    components: list[Tables]
    weights: Float64Array


def laid_out(model: MarkovModel, policy: JointPolicy) -> Drawn:
    """A joint policy as a device: private mixtures are independent, so every combination of theirs is a component."""
    n = model.num_players
    profiles, weights = components(policy, n)
    found: dict[tuple[bytes, ...], int] = {}
    drawn: list[Tables] = []
    shares: list[float] = []
    for profile, weight in zip(profiles, weights, strict=True):
        entries = [private_mixture(entry, p) for p, entry in enumerate(player_entries(profile, n))]
        if any(isinstance(member, MarkovCorrelatedPolicy) for members, _ in entries for member in members):
            raise PolicyError("a mixture of policies that correlate at every state cannot be scored")
        _refuse_above([len(members) for members, _ in entries])
        tables = [[player_table(model, p, member) for member in members] for p, (members, _) in enumerate(entries)]
        for picked in product(*(range(len(members)) for members, _ in entries)):
            component = tuple(own[index] for own, index in zip(tables, picked, strict=True))
            share = weight * prod(float(own[1][index]) for own, index in zip(entries, picked, strict=True))
            add(component, share, found, drawn, shares)
    return Drawn(drawn, np.array(shares))


def _refuse_above(counts: list[int]) -> None:
    if prod(counts) > MAX_COMPONENTS:
        raise GameTooLargeError(
            f"private mixtures of {' x '.join(map(str, counts))} policies are {prod(counts):,} joint policies, the "
            f"limit is {MAX_COMPONENTS:,}"
        )


def add(
    component: Tables, share: float, found: dict[tuple[bytes, ...], int], components: list[Tables], shares: list[float]
) -> None:
    """One more component, or more weight to one that is the same."""
    number = found.setdefault(tuple(table.tobytes() for table in component), len(components))
    if number == len(components):
        components.append(component)
        shares.append(0.0)
    shares[number] += share


def distinct(device: Drawn, player: int) -> Draws:
    """What a player may draw, each of its tables once."""
    found: dict[tuple[bytes, ...], int] = {}
    tables: list[Tables] = []
    shares: list[float] = []
    for component, weight in zip(device.components, device.weights.tolist(), strict=True):
        add((component[player],), weight, found, tables, shares)
    return list(zip(tables, shares, strict=True))


def combined(drawn: list[Draws]) -> Draws:
    """Independent draws of several players, as draws of all their tables."""
    return [
        (tuple(table for (table,), _ in picked), prod(weight for _, weight in picked)) for picked in product(*drawn)
    ]

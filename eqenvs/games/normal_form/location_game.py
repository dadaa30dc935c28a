"""Hotelling's location game on a street of places: customers go to the nearest firm.

Hotelling (1929), "Stability in competition", Economic Journal 39, with equal prices. One customer lives at each of the
places 0 .. A - 1 and goes to the nearest firm, or to one of the nearest at random; payoffs are shares of all customers,
so they add up to 1. For two firms and an odd number of places the middle wins more than half against any other place,
so both at the middle is the only equilibrium; for an even number each may take either of the two middle places.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._tensors import actions, axes, players, require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(num_players: int = 2, num_actions: int = 9) -> NormalFormModel:
    """The payoff tensor; action k is place k.

    Raises:
        GameTooLargeError: if it is too large.
    """
    counts = (num_actions,) * num_players
    require_fits("location_game", counts)
    places = axes(counts)
    payoffs = np.zeros((num_players, *counts))
    for customer in range(num_actions):
        distances = [np.abs(place - customer) for place in places]
        nearest = distances[0]
        for distance in distances[1:]:
            nearest = np.minimum(nearest, distance)
        at_nearest = np.stack([np.broadcast_to(distance == nearest, counts) for distance in distances])
        payoffs += at_nearest / at_nearest.sum(axis=0)
    return NormalFormModel(payoffs / num_actions)


_MIDDLE = (0.0,) * 4 + (1.0,) + (0.0,) * 4

SPEC = GameSpec(
    id="location_game",
    family=Family.NORMAL_FORM,
    title="Hotelling's location game",
    build=build,
    constant_sum=True,
    source="Hotelling (1929), Stability in competition",
    parameters=(players(), actions(9, description="places along the street")),
    facts=(
        Fact(
            source="the middle beats any other place; sum over the profiles in fractions (see the tests)",
            sizes={"actions": [9, 9], "profiles": 81},
            values=(0.5, 0.5),
            equilibrium=(_MIDDLE, _MIDDLE),
            uniform_nash_conv=20 / 81,
        ),
    ),
)

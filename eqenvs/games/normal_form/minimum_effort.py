"""The minimum-effort, or weakest-link, game: the least effort decides for all, and everybody pays the own.

Van Huyck, Battalio and Beil (1990), "Tacit coordination games, strategic uncertainty, and coordination failure",
American Economic Review 80: a payoff of benefit * min(efforts) - cost * effort + base with efforts 1 .. A; the defaults
are theirs, with three players. For benefit > cost the pure equilibria are the profiles of equal efforts, each better
for all than the ones below it.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._tensors import actions, axes, number, players, require_decreasing, require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(
    num_players: int = 3, num_actions: int = 7, benefit: float = 0.2, cost: float = 0.1, base: float = 0.6
) -> NormalFormModel:
    """The payoff tensor; action k is effort k + 1.

    Raises:
        InputError: unless benefit > cost.
        GameTooLargeError: if it is too large.
    """
    require_decreasing("minimum_effort", benefit=benefit, cost=cost)
    counts = (num_actions,) * num_players
    require_fits("minimum_effort", counts)
    efforts = [action + 1 for action in axes(counts)]
    least = np.full(counts, num_actions)
    for effort in efforts:
        least = np.minimum(least, effort)
    return NormalFormModel([benefit * least - cost * effort + base for effort in efforts])


SPEC = GameSpec(
    id="minimum_effort",
    family=Family.NORMAL_FORM,
    title="Minimum-effort game",
    build=build,
    constant_sum=False,
    source="Van Huyck, Battalio and Beil (1990), Tacit coordination games",
    parameters=(
        players(3),
        actions(7, description="efforts: 1, 2, ..."),
        number("benefit", 0.2, "of a unit of the least effort to each, payoff units; above the cost", low=1e-6),
        number("cost", 0.1, "of a unit of the own effort", low=1e-6),
        number("base", 0.6, "paid to each"),
    ),
    facts=(
        Fact(
            source="sum over the profiles in fractions (see the tests)",
            sizes={"actions": [7, 7, 7], "profiles": 343},
            uniform_nash_conv=27 / 98,
        ),
    ),
)

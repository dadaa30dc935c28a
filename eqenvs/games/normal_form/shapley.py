"""Shapley's game, in which fictitious play goes round in ever longer cycles and does not converge.

Shapley (1964), "Some topics in two-person games", Advances in Game Theory (Annals of Mathematics Studies 52):
player 0 wins where the actions agree and player 1 where its action is the next one, so that best replies follow a cycle
of six profiles. The only equilibrium is uniform: what player 0 plays player 1 must play too, and if player 1 plays an
action, player 0 must play the one before, so the supports are full and everybody is indifferent.
"""

from __future__ import annotations

import numpy as np

from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build() -> NormalFormModel:
    """The payoff tensor [2, 3, 3]."""
    agree = np.eye(3)
    return NormalFormModel([agree, np.roll(agree, 1, axis=1)])


SPEC = GameSpec(
    id="shapley",
    family=Family.NORMAL_FORM,
    title="Shapley's game",
    build=build,
    constant_sum=False,
    source="Shapley (1964), Some topics in two-person games",
    facts=(
        Fact(
            source="symmetry; one of three actions wins",
            sizes={"actions": [3, 3], "profiles": 9},
            values=(1 / 3, 1 / 3),
            equilibrium=((1 / 3, 1 / 3, 1 / 3), (1 / 3, 1 / 3, 1 / 3)),
            uniform_nash_conv=0.0,
        ),
    ),
)

"""The war of attrition in discrete time: who holds out longer wins the prize, and both pay for the time it takes.

Maynard Smith (1974), "The theory of games and the evolution of animal conflicts", Journal of Theoretical Biology 47;
the values may differ, as in GAMUT (Nudelman, Wortman, Shoham and Leyton-Brown 2004, AAMAS). Action t is to give up at
time t = 0 .. A - 1. The contest ends at the earlier of the two times, each pays the cost of that time, and at equal
times either wins with probability 1/2. To give up at once against somebody who would hold out for long enough is an
equilibrium: with T = A - 1 and v the quitter's value, (0, T) is one exactly if 2 cost T >= v.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._tensors import actions, axes, number, require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(
    num_actions: int = 7, first_value: float = 4.0, second_value: float = 4.0, cost: float = 1.0
) -> NormalFormModel:
    """The payoff tensor; action t is to give up at time t.

    Raises:
        GameTooLargeError: if it is too large.
    """
    require_fits("war_of_attrition", (num_actions,) * 2)
    first, second = axes((num_actions,) * 2)
    wins = (1 + np.sign(first - second)) / 2  # player 0's probability of winning
    paid = cost * np.minimum(first, second)
    return NormalFormModel([first_value * wins - paid, second_value * (1 - wins) - paid])


SPEC = GameSpec(
    id="war_of_attrition",
    family=Family.NORMAL_FORM,
    title="War of attrition",
    build=build,
    constant_sum=False,
    source="Maynard Smith (1974), The theory of games and the evolution of animal conflicts",
    parameters=(
        actions(7, description="times to give up at: 0, 1, ..."),
        number("first_value", 4.0, "of the prize to player 0, payoff units", low=1e-6),
        number("second_value", 4.0, "of the prize to player 1", low=1e-6),
        number("cost", 1.0, "of a unit of time to each", low=1e-6),
    ),
    facts=(
        Fact(
            source="sum over the profiles in fractions (see the tests)",
            sizes={"actions": [7, 7], "profiles": 49},
            uniform_nash_conv=8 / 7,
        ),
        Fact(
            source="likewise",
            parameters={"num_actions": 5, "second_value": 6.0},
            sizes={"actions": [5, 5], "profiles": 25},
            uniform_nash_conv=12 / 5,
        ),
    ),
)

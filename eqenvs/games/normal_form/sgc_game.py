"""The game of Sandholm, Gilpin and Conitzer, whose only equilibrium uses about half of the actions.

Sandholm, Gilpin and Conitzer (2005), "Mixed-integer programming methods for finding Nash equilibria", AAAI: made so
that neither small nor large supports are an equilibrium's. With k >= 2 there are 4 k - 1 actions each. On the first
m = 2 k - 1 ones both play a cyclic game of sum 3/2: an action is worth 1 against the one before it in the cycle, 1/2
against the one after it and 3/4 against the others. The other 2 k actions form k matching-pennies games with wins of
3/4: player 0 wins where the actions agree and player 1 where they are the two different ones of a pair. A first action
is worth 1/2 against any of the others, and one of the others nothing against a first one.

The equilibrium is uniform on the first m actions and worth 3/4 (derived). On them it is the only one, because a cycle
of odd length determines its weights. Were one of the other actions, i, a best reply for player 0, then y_i > 0 and y_i
would be at least 2/3 of what y has outside the first m, because 3/4 y_i must reach the 1/2 of that and more that some
first action brings; so no second one is. But then player 1 plays i, which pays only against the partner of i, so that
player 0 must play the partner too: a contradiction.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._tensors import require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def build(size: int = 2) -> NormalFormModel:
    """The payoff tensor [2, 4 size - 1, 4 size - 1].

    Raises:
        GameTooLargeError: if it is too large.
    """
    cycle, count = 2 * size - 1, 4 * size - 1
    require_fits("sgc_game", (count, count))
    own = np.zeros((count, count))  # [own action, other's action], but for the pairs
    own[:cycle] = 0.5
    own[:cycle, :cycle] = 0.75
    first = np.arange(cycle)
    own[first, (first - 1) % cycle] = 1.0
    own[first, (first + 1) % cycle] = 0.5
    payoffs = np.stack([own, own.T])
    rest = np.arange(cycle, count)
    payoffs[0, rest, rest] = 0.75
    payoffs[1, rest, cycle + ((rest - cycle) ^ 1)] = 0.75
    return NormalFormModel(payoffs)


_EQUILIBRIUM = (1 / 3, 1 / 3, 1 / 3, 0.0, 0.0, 0.0, 0.0)

SPEC = GameSpec(
    id="sgc_game",
    family=Family.NORMAL_FORM,
    title="Sandholm-Gilpin-Conitzer game",
    build=build,
    constant_sum=False,
    source="Sandholm, Gilpin and Conitzer (2005), Mixed-integer programming methods for finding Nash equilibria, AAAI",
    parameters=(
        Parameter(name="size", default=2, low=2, high=790, description="k: 4 k - 1 actions each, 2 k - 1 of them used"),
    ),
    facts=(
        Fact(
            source="derived; against uniform a first action is worth 17/28 and one of the others 3/28",
            sizes={"actions": [7, 7], "profiles": 49},
            values=(0.75, 0.75),
            equilibrium=(_EQUILIBRIUM, _EQUILIBRIUM),
            uniform_nash_conv=4 / 7,
        ),
    ),
)

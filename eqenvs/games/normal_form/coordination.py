"""Pure coordination: everybody is paid if and only if all choose the same action.

Schelling (1960), "The Strategy of Conflict". Meeting at action k pays each player 1 + k * premium; every
such profile is a strict equilibrium. Without a premium the uniform profile is one as well.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._tensors import actions, number, players, require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(num_players: int = 2, num_actions: int = 2, premium: float = 0.0) -> NormalFormModel:
    """The payoff tensor.

    Raises:
        GameTooLargeError: if it is too large.
    """
    require_fits("coordination", (num_actions,) * num_players)
    payoffs = np.zeros((num_players, *(num_actions,) * num_players))
    meeting = np.arange(num_actions)
    for player in range(num_players):
        payoffs[player][(meeting,) * num_players] = 1 + premium * meeting
    return NormalFormModel(payoffs)


SPEC = GameSpec(
    id="coordination",
    family=Family.NORMAL_FORM,
    title="Pure coordination",
    build=build,
    constant_sum=False,
    source="Schelling (1960), The Strategy of Conflict",
    parameters=(
        players(),
        actions(2),
        number("premium", 0.0, "what each next action pays more, payoff units", low=0),
    ),
    facts=(
        Fact(source="all actions are equal", sizes={"actions": [2, 2], "profiles": 4}, uniform_nash_conv=0.0),
        Fact(
            source="against uniform the last action is worth 5/9, the mean 3/9, to each of three",
            parameters={"num_players": 3, "num_actions": 3, "premium": 2.0},
            sizes={"actions": [3, 3, 3], "profiles": 27},
            uniform_nash_conv=2 / 3,
        ),
    ),
)

"""Random coordination games: meeting at any action is a strict equilibrium, and meetings differ.

CoordinationGame of GAMUT (Nudelman, Wortman, Shoham and Leyton-Brown 2004, AAMAS). Where all choose the same action
each player's payoff is uniform on [0, 1), elsewhere uniform on [-1, 0), all independent.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._random import Draws
from eqenvs.games.normal_form._tensors import SEED, actions, players, require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(num_players: int = 2, num_actions: int = 3, seed: int = 0) -> NormalFormModel:
    """The payoff tensor.

    Raises:
        GameTooLargeError: if it is too large.
    """
    counts = (num_actions,) * num_players
    require_fits("random_coordination", counts)
    payoffs = Draws(seed).uniform(num_players, *counts, low=-1.0, high=0.0)
    meeting = np.arange(num_actions)
    for player in range(num_players):
        payoffs[player][(meeting,) * num_players] += 1.0
    return NormalFormModel(payoffs)


SPEC = GameSpec(
    id="random_coordination",
    family=Family.NORMAL_FORM,
    title="Random coordination game",
    build=build,
    constant_sum=False,
    source="Nudelman, Wortman, Shoham and Leyton-Brown (2004), Run the GAMUT, AAMAS",
    parameters=(players(), actions(3), SEED),
    facts=(Fact(source="parameters", sizes={"actions": [3, 3], "profiles": 9}),),
)

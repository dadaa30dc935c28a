"""Random graphical games: a player's payoff depends on its own and its neighbours' actions only.

Kearns, Littman and Singh (2001), "Graphical models for game theory", UAI; RandomGraphicalGame of GAMUT (Nudelman et al.
2004). Each player has an independent payoff, uniform on [-1, 1), for every joint action of itself and its neighbours.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._graphs import PARAMETERS, edges
from eqenvs.games.normal_form._random import Draws
from eqenvs.games.normal_form._tensors import SEED, actions, players, require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(
    num_players: int = 4, num_actions: int = 2, graph: str = "ring", density: float = 0.25, seed: int = 0
) -> NormalFormModel:
    """The payoff tensor.

    Raises:
        GameTooLargeError: if it is too large.
    """
    counts = (num_actions,) * num_players
    require_fits("graphical_game", counts)
    draws = Draws(seed)
    pairs = edges(graph, num_players, density, draws)
    payoffs = np.empty((num_players, *counts))
    for player in range(num_players):
        heard = [other == player or tuple(sorted((player, other))) in pairs for other in range(num_players)]
        payoffs[player] = draws.uniform(*(num_actions if hears else 1 for hears in heard), low=-1.0)
    return NormalFormModel(payoffs)


SPEC = GameSpec(
    id="graphical_game",
    family=Family.NORMAL_FORM,
    title="Random graphical game",
    build=build,
    constant_sum=False,
    source="Kearns, Littman and Singh (2001), Graphical models for game theory",
    parameters=(players(4), actions(2), *PARAMETERS, SEED),
    facts=(Fact(source="parameters", sizes={"actions": [2, 2, 2, 2], "profiles": 16}),),
)

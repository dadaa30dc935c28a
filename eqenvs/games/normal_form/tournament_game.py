"""Tournament games: player 0 names a node, player 1 a set of k nodes.

Anbalagan, Norin, Savani and Vetta (2013), "Polylogarithmic supports are required for approximate well-supported Nash
equilibria below 2/3", WINE (arXiv 1309.7258), in the form of the generator of Fearnley, Igwe and Savani (2015), SEA. In
a random tournament on n nodes every pair is decided by a fair coin. Player 0 wins 1 if its node beats all nodes of the
set, player 1 wins 1 if the set contains the node, and all other payoffs are 0.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from eqenvs.arrays import BoolArray
from eqenvs.errors import InputError
from eqenvs.games.normal_form._random import Draws
from eqenvs.games.normal_form._tensors import SEED, require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def tournament(num_nodes: int, seed: int) -> BoolArray:
    """Who beats whom, [n, n]."""
    above = np.triu(Draws(seed).uniform(num_nodes, num_nodes) < 0.5, 1)
    beats: BoolArray = above | np.tril(~above.T, -1)
    return beats


def build(num_nodes: int = 5, set_size: int = 2, seed: int = 0) -> NormalFormModel:
    """The payoff tensor [2, n, n choose k], the sets in lexicographic order.

    Raises:
        InputError: unless set_size < num_nodes.
        GameTooLargeError: if it is too large.
    """
    if set_size >= num_nodes:
        raise InputError(f"tournament_game: parameter 'set_size' must be below num_nodes={num_nodes}, got {set_size}")
    require_fits("tournament_game", (num_nodes, math.comb(num_nodes, set_size)))
    sets = np.array(list(combinations(range(num_nodes), set_size)))
    wins = tournament(num_nodes, seed)[:, sets].all(axis=2)
    contains = (np.arange(num_nodes)[:, None, None] == sets).any(axis=2)
    return NormalFormModel(np.stack([wins, contains]))


SPEC = GameSpec(
    id="tournament_game",
    family=Family.NORMAL_FORM,
    title="Tournament game",
    build=build,
    constant_sum=False,
    source="Anbalagan, Norin, Savani and Vetta (2013), Polylogarithmic supports, WINE",
    parameters=(
        Parameter(name="num_nodes", default=5, low=2, high=4000, description="n, the actions of player 0"),
        Parameter(name="set_size", default=2, low=1, high=4000, description="k, nodes in a set of player 1"),
        SEED,
    ),
    facts=(Fact(source="binomial coefficient", sizes={"actions": [5, 10], "profiles": 50}),),
)

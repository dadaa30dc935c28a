"""A congestion game by its tables of costs: players choose resources that cost more, or less, the more use them.

Rosenthal (1973), "A class of games possessing pure-strategy Nash equilibria", International Journal of Game Theory 2.
Every player takes `num_chosen` of the resources, whichever it likes, and pays the cost of each for as many users as
there are. There is a pure equilibrium: any profile that minimises the potential, `CongestionModel.potential`.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from eqenvs.errors import InputError
from eqenvs.games.normal_form._lists import read_table
from eqenvs.models.congestion import CongestionModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def build(num_players: int = 3, costs: str = "1,2,3;2,4,6;3,6,9", num_chosen: int = 1) -> CongestionModel:
    """The game by resources; actions are the subsets of `num_chosen` resources in lexicographic order.

    Raises:
        InputError: if a row of costs is shorter than the number of players, or there are too few resources.
    """
    table = read_table("congestion_game", "costs", costs, columns=num_players)
    if num_chosen > len(table):
        raise InputError(
            f"congestion_game: parameter 'num_chosen' must be at most the number of resources, {len(table)}, "
            f"got {num_chosen}"
        )
    subsets = list(combinations(range(len(table)), num_chosen))
    used = np.array([[resource in subset for resource in range(len(table))] for subset in subsets])
    return CongestionModel([used] * num_players, table)


def _constant_sum(num_players: int, costs: str, num_chosen: int) -> bool:
    return build(num_players, costs, num_chosen).constant_sum()


SPEC = GameSpec(
    id="congestion_game",
    family=Family.NORMAL_FORM,
    title="Congestion game",
    build=build,
    constant_sum=_constant_sum,
    source="Rosenthal (1973), A class of games possessing pure-strategy Nash equilibria, Int. J. of Game Theory 2",
    parameters=(
        Parameter(name="num_players", default=3, low=2, high=100, description="number of players"),
        Parameter(
            name="costs",
            default="1,2,3;2,4,6;3,6,9",
            kind=str,
            description="a row per resource, separated by semicolons: what it costs each of 1, 2, .. users, payoff "
            "units; at least as many numbers as players",
        ),
        Parameter(name="num_chosen", default=1, low=1, high=20, description="resources that every player takes"),
    ),
    facts=(
        Fact(
            source="linear costs k, 2 k, 3 k: with 2/3 others on each, uniform play costs 10/3 and the first resource "
            "5/3",
            sizes={"actions": [3, 3, 3], "profiles": 27},
            uniform_nash_conv=5.0,
        ),
        Fact(
            source="two identical links: either costs 3/2 against uniform play",
            parameters={"num_players": 2, "costs": "1,2;1,2"},
            sizes={"actions": [2, 2], "profiles": 4},
            uniform_nash_conv=0.0,
        ),
        Fact(
            source="the first link costs 2 at most, the second 3 at least: strictly dominant; on uniform play the "
            "first costs 3/2 and the second 7/2",
            parameters={"num_players": 2, "costs": "1,2;3,4"},
            sizes={"actions": [2, 2], "profiles": 4},
            values=(-2.0, -2.0),
            equilibrium=((1.0, 0.0), (1.0, 0.0)),
            uniform_nash_conv=2.0,
        ),
    ),
)

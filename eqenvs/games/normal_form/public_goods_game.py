"""The linear public-goods game: contributions are made at the same time, multiplied and shared equally.

Isaac and Walker (1988), "Group size effects in public goods provision: the voluntary contributions mechanism",
Quarterly Journal of Economics 103. With endowment e, contributions c and factor f, player i gets
e - c_i + f (c_1 + .. + c_n) / n. Contributing nothing is strictly dominant where f < n, everything where f > n;
everything maximises welfare where f > 1. `public_goods` is the game with the same payoffs in which players take turns.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._tensors import number
from eqenvs.models.polymatrix import PolymatrixModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def build(num_players: int = 3, endowment: int = 4, factor: float = 1.5) -> PolymatrixModel:
    """The game by what each gets out of its own contribution, and of each other player's; actions 0 .. endowment."""
    given = np.arange(endowment + 1) * 1.0
    returned = given * factor / num_players
    from_other = np.tile(returned, (endowment + 1, 1))
    pairs = [(i, j) for i in range(num_players) for j in range(num_players) if i != j]
    return PolymatrixModel(
        [endowment + 1] * num_players,
        dict.fromkeys(pairs, from_other),
        own=[endowment - given + returned] * num_players,
    )


def _fact(num_players: int, endowment: int, factor: float) -> Fact:
    n, e = num_players, endowment
    nothing, everything = (1.0, *[0.0] * e), (*[0.0] * e, 1.0)
    pays = factor > n
    return Fact(
        source="strictly dominant: nothing for f < n, everything for f > n; either gains |f - n| e / (2 n) on uniform",
        parameters={"num_players": n, "endowment": e, "factor": factor},
        sizes={"actions": [e + 1] * n, "profiles": (e + 1) ** n},
        values=((factor if pays else 1.0) * e,) * n,
        equilibrium=(everything if pays else nothing,) * n,
        uniform_nash_conv=abs(factor - n) * e / 2,
    )


SPEC = GameSpec(
    id="public_goods_game",
    family=Family.NORMAL_FORM,
    title="Linear public-goods game",
    build=build,
    # All payoffs add up to n endowments and factor - 1 times the contributions.
    constant_sum=lambda factor, **_: factor == 1,
    source="Isaac and Walker (1988), Group size effects in public goods provision, Quarterly Journal of Economics 103",
    parameters=(
        Parameter(name="num_players", default=3, low=2, high=50, description="number of players"),
        Parameter(name="endowment", default=4, low=1, high=100, description="the most that a player can contribute"),
        number("factor", 1.5, "what contributions multiply by", low=0.0, high=1000.0),
    ),
    facts=(_fact(3, 4, 1.5), _fact(2, 3, 3.0), _fact(4, 1, 1.0)),
)

"""Random normal-form games with independent payoffs.

RandomGame and RandomZeroSum of GAMUT: Nudelman, Wortman, Shoham and Leyton-Brown (2004), "Run the GAMUT: a
comprehensive approach to evaluating game-theoretic algorithms", AAMAS. Every payoff is uniform on [-1, 1), independent
of all others. In a zero-sum game that holds for all players but the last, who gets minus their sum; `covariant_game` at
the least correlation is the zero-sum game in which the players are alike.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form import _tensors
from eqenvs.games.normal_form._random import Draws
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def build(
    num_players: int = 2,
    num_actions: int = 3,
    zero_sum: bool = False,
    seed: int = 0,
    action_counts: str | None = None,
) -> NormalFormModel:
    """The payoff tensor.

    Raises:
        InputError: if `action_counts` does not fit the number of players.
        GameTooLargeError: if it is too large.
    """
    counts = _tensors.action_counts("random_normal_form", num_players, num_actions, action_counts)
    _tensors.require_fits("random_normal_form", counts)
    free = Draws(seed).uniform(num_players - zero_sum, *counts, low=-1.0)
    return NormalFormModel(np.concatenate([free, -free.sum(axis=0, keepdims=True)]) if zero_sum else free)


SPEC = GameSpec(
    id="random_normal_form",
    family=Family.NORMAL_FORM,
    title="Random normal-form game",
    build=build,
    constant_sum=lambda zero_sum, **_: zero_sum,
    source="Nudelman, Wortman, Shoham and Leyton-Brown (2004), Run the GAMUT, AAMAS",
    parameters=(
        _tensors.players(),
        _tensors.actions(3),
        Parameter(
            name="zero_sum", default=False, kind=bool, description="whether the last player gets minus the others' sum"
        ),
        _tensors.SEED,
        _tensors.ACTION_COUNTS,
    ),
    facts=(
        Fact(source="parameters", sizes={"actions": [3, 3], "profiles": 9}),
        Fact(
            source="parameters",
            parameters={"num_players": 3, "action_counts": "2x3x4", "zero_sum": True},
            sizes={"actions": [2, 3, 4], "profiles": 24},
        ),
    ),
)

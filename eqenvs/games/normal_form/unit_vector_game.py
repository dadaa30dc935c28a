"""Unit vector games: each action of player 1 is good for exactly one action of player 0.

Savani and von Stengel (2016), "Unit vector games", International Journal of Economic Theory 12 (arXiv 1501.02243): the
columns of player 0's matrix are unit vectors, which makes room for hard instances of the Lemke-Howson algorithm and of
support enumeration. Here, as in the random instances of Fearnley, Igwe and Savani (2015), "An empirical study of
finding approximate equilibria in bimatrix games", SEA, each column's 1 is at a row drawn uniformly and player 1's
payoffs are independent and uniform on [0, 1). Without pure equilibria, each column's row is drawn among those to which
the column is not player 1's best reply, and payoffs that leave a column no such row are drawn again.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._random import Draws
from eqenvs.games.normal_form._tensors import SEED, actions, require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def build(num_rows: int = 4, num_columns: int = 5, avoid_pure: bool = False, seed: int = 0) -> NormalFormModel:
    """The payoff tensor [2, num_rows, num_columns].

    Raises:
        GameTooLargeError: if it is too large.
    """
    counts = (num_rows, num_columns)
    require_fits("unit_vector_game", counts)
    draws = Draws(seed)
    allowed = np.zeros(counts, dtype=bool)
    while not allowed.any(axis=0).all():
        second = draws.uniform(*counts)
        allowed = second < second.max(axis=1, keepdims=True) if avoid_pure else np.ones(counts, dtype=bool)
    # The row of rank floor(u * number allowed) among the allowed ones, for each column.
    rank = np.floor(draws.uniform(num_columns) * allowed.sum(axis=0))
    winner = np.argmax(np.cumsum(allowed, axis=0) > rank, axis=0)
    first = np.zeros(counts)
    first[winner, np.arange(num_columns)] = 1.0
    return NormalFormModel([first, second])


SPEC = GameSpec(
    id="unit_vector_game",
    family=Family.NORMAL_FORM,
    title="Unit vector game",
    build=build,
    constant_sum=False,
    source="Savani and von Stengel (2016), Unit vector games",
    parameters=(
        actions(4, name="num_rows", description="actions of player 0"),
        actions(5, name="num_columns", description="actions of player 1"),
        Parameter(name="avoid_pure", default=False, kind=bool, description="whether to have no pure equilibrium"),
        SEED,
    ),
    facts=(Fact(source="parameters", sizes={"actions": [4, 5], "profiles": 20}),),
)

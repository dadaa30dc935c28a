"""Plurality voting with random preferences: who gets the most votes is elected, and of equal ones the first.

MajorityVoting of GAMUT (Nudelman, Wortman, Shoham and Leyton-Brown 2004, AAMAS). Player i's payoff is its own value of
the candidate elected, independent and uniform on [0, 1). With three or more players every unanimous profile is an
equilibrium, since nobody alone decides.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._random import Draws
from eqenvs.games.normal_form._tensors import SEED, actions, axes, players, require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(num_players: int = 3, num_actions: int = 3, seed: int = 0) -> NormalFormModel:
    """The payoff tensor; action k is a vote for candidate k.

    Raises:
        GameTooLargeError: if it is too large.
    """
    counts = (num_actions,) * num_players
    require_fits("majority_voting", counts)
    votes = axes(counts)
    most = np.full(counts, -1)
    elected = np.zeros(counts, dtype=np.int64)
    for candidate in range(num_actions):
        tally = np.zeros(counts, dtype=np.int64)
        for vote in votes:
            tally += vote == candidate
        elected[tally > most] = candidate
        most = np.maximum(most, tally)
    return NormalFormModel([value[elected] for value in Draws(seed).uniform(num_players, num_actions)])


SPEC = GameSpec(
    id="majority_voting",
    family=Family.NORMAL_FORM,
    title="Plurality voting with random preferences",
    build=build,
    constant_sum=False,
    source="Nudelman, Wortman, Shoham and Leyton-Brown (2004), Run the GAMUT, AAMAS",
    parameters=(players(3), actions(3, description="candidates"), SEED),
    facts=(Fact(source="parameters", sizes={"actions": [3, 3, 3], "profiles": 27}),),
)

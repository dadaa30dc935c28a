"""Matching pennies: player 0 wants both coins to show the same, player 1 wants them to differ.

Von Neumann and Morgenstern (1944), "Theory of Games and Economic Behavior". With wins h (two heads) and t
(two tails) for player 0 and a loss of 1 otherwise, the row player's matrix is [[h, -1], [-1, t]]; making the other
indifferent, both play heads with probability (t + 1) / (h + t + 2), worth (h t - 1) / (h + t + 2) to player 0. The
unequal wins are the asymmetric versions of Goeree and Holt (2001), American Economic Review 91, made zero-sum.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.normal_form._tensors import number
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(heads_win: float = 1.0, tails_win: float = 1.0) -> NormalFormModel:
    """The payoff tensor [2, 2, 2], actions in the order heads, tails."""
    row = np.array([[heads_win, -1.0], [-1.0, tails_win]])
    return NormalFormModel([row, -row])


SPEC = GameSpec(
    id="matching_pennies",
    family=Family.NORMAL_FORM,
    title="Matching pennies",
    build=build,
    constant_sum=True,
    source="von Neumann and Morgenstern (1944), Theory of Games and Economic Behavior",
    parameters=(
        number("heads_win", 1.0, "what player 0 wins with two heads, payoff units", low=1e-6),
        number("tails_win", 1.0, "what player 0 wins with two tails, payoff units", low=1e-6),
    ),
    facts=(
        Fact(
            source="symmetry",
            sizes={"actions": [2, 2], "profiles": 4},
            values=(0.0, 0.0),
            equilibrium=((0.5, 0.5), (0.5, 0.5)),
            uniform_nash_conv=0.0,
        ),
        Fact(
            source="heads with (t + 1) / (h + t + 2); against uniform heads wins 1 and tails 0, for player 1 -1 and 0",
            parameters={"heads_win": 3.0},
            values=(1 / 3, -1 / 3),
            equilibrium=((1 / 3, 2 / 3), (1 / 3, 2 / 3)),
            uniform_nash_conv=1.0,
        ),
    ),
)

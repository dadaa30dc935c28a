"""Rock-paper-scissors with any win sizes: the standard game and its biased variants.

Von Neumann (1928), "Zur Theorie der Gesellschaftsspiele", Mathematische Annalen 100, for zero-sum matrix games. With
win sizes r (rock), p (paper), s (scissors) the row player's matrix is [[0, -p, r], [p, 0, -s], [-r, s, 0]], whose
unique equilibrium plays rock, paper, scissors in the ratio s : r : p and is worth 0 (derived: A x = 0).
"""

from __future__ import annotations

import numpy as np

from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def build(rock_win: float = 1.0, paper_win: float = 1.0, scissors_win: float = 1.0) -> NormalFormModel:
    """The payoff tensor [2, 3, 3], actions in the order rock, paper, scissors."""
    row = np.array([[0, -paper_win, rock_win], [paper_win, 0, -scissors_win], [-rock_win, scissors_win, 0]])
    return NormalFormModel([row, -row])


def _win(name: str) -> Parameter:
    return Parameter(
        name=f"{name}_win", default=1.0, kind=float, low=1e-6, high=1e6, description=f"what {name} wins, payoff units"
    )


SPEC = GameSpec(
    id="rock_paper_scissors",
    family=Family.NORMAL_FORM,
    title="Rock-paper-scissors",
    build=build,
    constant_sum=True,
    source="von Neumann (1928), Zur Theorie der Gesellschaftsspiele",
    parameters=(_win("rock"), _win("paper"), _win("scissors")),
    facts=(
        Fact(
            source="symmetry",
            sizes={"actions": [3, 3], "profiles": 9},
            values=(0.0, 0.0),
            equilibrium=((1 / 3, 1 / 3, 1 / 3), (1 / 3, 1 / 3, 1 / 3)),
            uniform_nash_conv=0.0,
        ),
        Fact(
            source="ratio s : r : p; against uniform the best reply is paper, worth 2/3",
            parameters={"rock_win": 3.0, "paper_win": 3.0, "scissors_win": 1.0},
            values=(0.0, 0.0),
            equilibrium=((1 / 7, 3 / 7, 3 / 7), (1 / 7, 3 / 7, 3 / 7)),
            uniform_nash_conv=4 / 3,
        ),
    ),
)

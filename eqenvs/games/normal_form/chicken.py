"""Chicken: each prefers the other to give way, and the worst is that neither does.

The default payoffs are those of Aumann (1974), "Subjectivity and correlation in randomized strategies", Journal of
Mathematical Economics 1. With T > R > S > P the equilibria are the two pure ones in which one player gives way and a
mixed one, in which both give way with probability (S - P) / (S - P + T - R): three, so no single value. The best total
of a correlated equilibrium, coarse or not, of the default game is 10.5, with 1/2 on both giving way and 1/4 on each
pure equilibrium. The hawk-dove game of Maynard Smith and Price (1973), Nature 246, is this game if the injury C is
above the prize V, with T = V, R = V / 2, S = 0 and P = (V - C) / 2.
"""

from __future__ import annotations

from eqenvs.games.normal_form._tensors import number, require_decreasing, symmetric_bimatrix
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(temptation: float = 7.0, reward: float = 6.0, sucker: float = 2.0, crash: float = 0.0) -> NormalFormModel:
    """The payoff tensor [2, 2, 2], actions in the order give way, dare.

    Raises:
        InputError: unless T > R > S > P.
    """
    require_decreasing("chicken", temptation=temptation, reward=reward, sucker=sucker, crash=crash)
    return symmetric_bimatrix([[reward, sucker], [temptation, crash]])


SPEC = GameSpec(
    id="chicken",
    family=Family.NORMAL_FORM,
    title="Chicken (hawk-dove)",
    build=build,
    constant_sum=False,
    source="Aumann (1974), Subjectivity and correlation in randomized strategies",
    parameters=(
        number("temptation", 7.0, "T, of daring alone, payoff units; T > R > S > P"),
        number("reward", 6.0, "R, of both giving way"),
        number("sucker", 2.0, "S, of giving way alone"),
        number("crash", 0.0, "P, of both daring"),
    ),
    facts=(
        Fact(
            source="to give way is worth 4 against uniform and to dare 3.5",
            sizes={"actions": [2, 2], "profiles": 4},
            uniform_nash_conv=0.5,
        ),
    ),
)

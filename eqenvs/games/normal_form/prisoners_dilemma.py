"""The prisoner's dilemma.

Tucker's story (1950) of Flood and Dresher's experiment; the letters are those of Rapoport and Chammah (1965),
"Prisoner's Dilemma", and the default payoffs those of Axelrod (1980), Journal of Conflict Resolution 24. With
T > R > P > S defection is strictly dominant, so that mutual defection is the only equilibrium, of any concept up to
coarse correlated. 2 R > T + S, which makes cooperation the best that two can do together, is not required.
"""

from __future__ import annotations

from eqenvs.games.normal_form._tensors import number, require_decreasing, symmetric_bimatrix
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(
    temptation: float = 5.0, reward: float = 3.0, punishment: float = 1.0, sucker: float = 0.0
) -> NormalFormModel:
    """The payoff tensor [2, 2, 2], actions in the order cooperate, defect.

    Raises:
        InputError: unless T > R > P > S.
    """
    require_decreasing("prisoners_dilemma", temptation=temptation, reward=reward, punishment=punishment, sucker=sucker)
    return symmetric_bimatrix([[reward, sucker], [temptation, punishment]])


SPEC = GameSpec(
    id="prisoners_dilemma",
    family=Family.NORMAL_FORM,
    title="Prisoner's dilemma",
    build=build,
    constant_sum=False,
    source="Rapoport and Chammah (1965), Prisoner's Dilemma",
    parameters=(
        number("temptation", 5.0, "T, of defecting alone, payoff units; T > R > P > S"),
        number("reward", 3.0, "R, of mutual cooperation"),
        number("punishment", 1.0, "P, of mutual defection"),
        number("sucker", 0.0, "S, of cooperating alone"),
    ),
    facts=(
        Fact(
            source="dominance; from uniform each gains (T + P - R - S) / 4",
            sizes={"actions": [2, 2], "profiles": 4},
            values=(1.0, 1.0),
            equilibrium=((0.0, 1.0), (0.0, 1.0)),
            uniform_nash_conv=1.5,
        ),
        Fact(
            source="as above",
            parameters={"temptation": 10.0, "reward": 4.0, "punishment": -1.0, "sucker": -5.0},
            values=(-1.0, -1.0),
            equilibrium=((0.0, 1.0), (0.0, 1.0)),
            uniform_nash_conv=5.0,
        ),
    ),
)

"""A 3x2 game with three equilibria, and the degenerate one that is a single payoff away.

Von Stengel (2007), "Equilibrium computation for two-player games in strategic and extensive form", chapter 3 of Nisan,
Roughgarden, Tardos and Vazirani, "Algorithmic Game Theory". A = [[3, 3], [2, 5], [0, 6]], B = [[3, 2], [2, 6], [3, 1]]
has the equilibria ((1, 0, 0), (1, 0)), ((4/5, 1/5, 0), (2/3, 1/3)) and ((0, 1/3, 2/3), (1/3, 2/3)) and is not
degenerate: no mixed strategy has more pure best replies than actions in its support. With B[0, 1] = 3 the first row has
two best replies, and ((1, 0, 0), (q, 1 - q)) is an equilibrium for every q in [2/3, 1]; the third one stays.
"""

from __future__ import annotations

from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def build(degenerate: bool = False) -> NormalFormModel:
    """The payoff tensor [2, 3, 2]."""
    return NormalFormModel([[[3, 3], [2, 5], [0, 6]], [[3, 3 if degenerate else 2], [2, 6], [3, 1]]])


SPEC = GameSpec(
    id="bimatrix_3x2",
    family=Family.NORMAL_FORM,
    title="Von Stengel's 3x2 bimatrix game",
    build=build,
    constant_sum=False,
    source="von Stengel (2007), Equilibrium computation for two-player games in strategic and extensive form",
    parameters=(
        Parameter(
            name="degenerate", default=False, kind=bool, description="whether the first row has two best replies"
        ),
    ),
    facts=(
        Fact(
            source="against uniform rows are worth 3, 7/2, 3 and columns 8/3, 3",
            sizes={"actions": [3, 2], "profiles": 6},
            uniform_nash_conv=1 / 2,
        ),
        Fact(
            source="against uniform rows are worth 3, 7/2, 3 and columns 8/3, 10/3",
            parameters={"degenerate": True},
            uniform_nash_conv=2 / 3,
        ),
    ),
)

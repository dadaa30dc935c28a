"""Battle of the sexes: both want to meet, but not at the same place.

Luce and Raiffa (1957), "Games and Decisions". Player 0 prefers to meet at place 0, player 1 at place 1.
With payoffs a > b > d (favourite, other, apart) the two meetings are strict equilibria, and in a third each goes to the
own favourite place with probability (a - d) / (a + b - 2 d), to which the other is indifferent.
"""

from __future__ import annotations

from eqenvs.games.normal_form._tensors import number, require_decreasing
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(favourite: float = 2.0, other: float = 1.0, apart: float = 0.0) -> NormalFormModel:
    """The payoff tensor [2, 2, 2], actions in the order place 0, place 1.

    Raises:
        InputError: unless favourite > other > apart.
    """
    require_decreasing("battle_of_the_sexes", favourite=favourite, other=other, apart=apart)
    return NormalFormModel([[[favourite, apart], [apart, other]], [[other, apart], [apart, favourite]]])


SPEC = GameSpec(
    id="battle_of_the_sexes",
    family=Family.NORMAL_FORM,
    title="Battle of the sexes",
    build=build,
    constant_sum=False,
    source="Luce and Raiffa (1957), Games and Decisions",
    parameters=(
        number("favourite", 2.0, "of meeting at the own favourite place, payoff units; favourite > other > apart"),
        number("other", 1.0, "of meeting at the other's favourite place"),
        number("apart", 0.0, "of not meeting"),
    ),
    facts=(
        Fact(
            source="against uniform the own favourite place is worth 1 and the other 1/2",
            sizes={"actions": [2, 2], "profiles": 4},
            uniform_nash_conv=0.5,
        ),
    ),
)

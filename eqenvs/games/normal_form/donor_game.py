"""The donor game: paying c gives the other player b.

The donation game of Nowak (2006), "Five rules for the evolution of cooperation", Science 314: the prisoner's dilemma
with T = b, R = b - c, P = 0, S = -c, in which the gain from defecting is c whatever the other does. Not to give is
strictly dominant for b > c > 0.
"""

from __future__ import annotations

from eqenvs.games.normal_form._tensors import number, require_decreasing, symmetric_bimatrix
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(benefit: float = 3.0, cost: float = 1.0) -> NormalFormModel:
    """The payoff tensor [2, 2, 2], actions in the order give, keep.

    Raises:
        InputError: unless benefit > cost.
    """
    require_decreasing("donor_game", benefit=benefit, cost=cost)
    return symmetric_bimatrix([[benefit - cost, -cost], [benefit, 0.0]])


SPEC = GameSpec(
    id="donor_game",
    family=Family.NORMAL_FORM,
    title="Donor game",
    build=build,
    constant_sum=False,
    source="Nowak (2006), Five rules for the evolution of cooperation",
    parameters=(
        number("benefit", 3.0, "b, to the other player, payoff units; above the cost", low=1e-6),
        number("cost", 1.0, "c, to the giver", low=1e-6),
    ),
    facts=(
        Fact(
            source="dominance; from uniform each gains c / 2",
            sizes={"actions": [2, 2], "profiles": 4},
            values=(0.0, 0.0),
            equilibrium=((0.0, 1.0), (0.0, 1.0)),
            uniform_nash_conv=1.0,
        ),
    ),
)

"""The stag hunt, or trust dilemma: the best outcome needs both, and hunting hare is safe.

After Rousseau (1755), "Discourse on Inequality"; Skyrms (2004), "The Stag Hunt and the Evolution of Social Structure".
With R > T >= P > S both pure symmetric profiles are strict equilibria, and a third mixes stag with probability
(P - S) / (P - S + R - T). By default hare is worth 3 whatever the other does and a stag 4 to each, 0 to one alone: stag
is the better equilibrium and hare the risk-dominant one (Harsanyi and Selten 1988).
"""

from __future__ import annotations

from eqenvs.errors import InputError
from eqenvs.games.normal_form._tensors import number, symmetric_bimatrix
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec


def build(
    reward: float = 4.0, temptation: float = 3.0, punishment: float = 3.0, sucker: float = 0.0
) -> NormalFormModel:
    """The payoff tensor [2, 2, 2], actions in the order stag, hare.

    Raises:
        InputError: unless R > T >= P > S.
    """
    if not reward > temptation >= punishment > sucker:
        raise InputError(
            "stag_hunt: parameters must satisfy reward > temptation >= punishment > sucker, "
            f"got {reward}, {temptation}, {punishment}, {sucker}"
        )
    return symmetric_bimatrix([[reward, sucker], [temptation, punishment]])


SPEC = GameSpec(
    id="stag_hunt",
    family=Family.NORMAL_FORM,
    title="Stag hunt (trust dilemma)",
    build=build,
    constant_sum=False,
    source="Skyrms (2004), The Stag Hunt and the Evolution of Social Structure",
    parameters=(
        number("reward", 4.0, "R, of the stag to each of two, payoff units; R > T >= P > S"),
        number("temptation", 3.0, "T, of the hare while the other waits for the stag"),
        number("punishment", 3.0, "P, of the hare while the other hunts hare as well"),
        number("sucker", 0.0, "S, of waiting for the stag alone"),
    ),
    facts=(
        Fact(
            source="against uniform the stag is worth 2 and the hare 3",
            sizes={"actions": [2, 2], "profiles": 4},
            uniform_nash_conv=1.0,
        ),
    ),
)

"""The traveller's dilemma: both are paid the lower claim, moved by a bonus from the higher claimant to the lower.

Basu (1994), "The traveler's dilemma: paradoxes of rationality in game theory", American Economic Review 84. Claims are
the whole numbers from `low` to `high`. With a bonus above 1 the only equilibrium is that both claim the least: the
highest claim that anybody makes is worse than the claim one below it against an equal one, and no better against any
other. (With a bonus of 1 or less every pair of equal claims is an equilibrium.)
"""

from __future__ import annotations

import numpy as np

from eqenvs.errors import InputError
from eqenvs.games.normal_form._tensors import number, require_fits, symmetric_bimatrix
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def build(low: int = 2, high: int = 100, bonus: float = 2.0) -> NormalFormModel:
    """The payoff tensor; action k is the claim low + k.

    Raises:
        InputError: unless low < high.
        GameTooLargeError: if it is too large.
    """
    if low >= high:
        raise InputError(f"travellers_dilemma: parameters must satisfy low < high, got {low}, {high}")
    require_fits("travellers_dilemma", (high - low + 1,) * 2)
    claims = np.arange(low, high + 1, dtype=np.float64)
    own, other = claims[:, None], claims[None, :]
    return symmetric_bimatrix(np.minimum(own, other) + bonus * np.sign(other - own))


SPEC = GameSpec(
    id="travellers_dilemma",
    family=Family.NORMAL_FORM,
    title="Traveller's dilemma",
    build=build,
    constant_sum=False,
    source="Basu (1994), The traveler's dilemma",
    parameters=(
        Parameter(name="low", default=2, low=0, high=1_000_000, description="least claim, payoff units"),
        Parameter(name="high", default=100, low=1, high=1_000_000, description="greatest claim"),
        number("bonus", 2.0, "that the higher claimant pays the lower one", low=1e-6),
    ),
    facts=(
        Fact(
            source="Basu (1994); sum over the profiles in fractions (see the tests)",
            sizes={"actions": [99, 99], "profiles": 9801},
            values=(2.0, 2.0),
            equilibrium=((1.0, *(0.0,) * 98),) * 2,
            uniform_nash_conv=8660 / 297,
        ),
    ),
)

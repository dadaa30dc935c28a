"""An inspection game: an inspector may look, which costs, and another may break a rule, which pays unless it is seen.

Without a violation and an inspection both get 0. A violation that is not seen gives the violator `gain` and costs the
inspector `harm`; one that is seen costs the violator `fine`. An inspection costs `cost` in any case.

For 0 < cost < harm the only equilibrium is mixed: inspections with probability gain / (gain + fine), violations with
probability cost / harm; the inspector's payoff is then -cost and the violator's 0.

Avenhaus, von Stengel and Zamir (2002), "Inspection games", Handbook of Game Theory 3, chapter 51.
"""

from __future__ import annotations

import numpy as np

from eqenvs.errors import InputError
from eqenvs.models import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def build(cost: float = 1.0, harm: float = 4.0, gain: float = 1.0, fine: float = 1.0) -> NormalFormModel:
    """The payoffs [2, 2, 2]: actions wait and inspect of the first player, comply and violate of the second.

    Raises:
        InputError: unless an inspection costs less than what it prevents.
    """
    if not cost < harm:
        raise InputError(f"inspection_game: cost must be less than harm={harm}, got {cost}")
    inspector = np.array([[0.0, -harm], [-cost, -cost]])
    violator = np.array([[0.0, gain], [0.0, -fine]])
    return NormalFormModel(np.stack([inspector, violator]))


SPEC = GameSpec(
    id="inspection_game",
    family=Family.NORMAL_FORM,
    title="Inspection game",
    build=build,
    constant_sum=False,
    source="Avenhaus, von Stengel and Zamir (2002), Handbook of Game Theory 3",
    parameters=(
        Parameter.real("cost", 1.0, 1e-6, 1e6, "of an inspection, payoff units"),
        Parameter.real("harm", 4.0, 1e-6, 1e6, "of a violation that is not seen, to the inspector"),
        Parameter.real("gain", 1.0, 1e-6, 1e6, "of a violation that is not seen, to the violator"),
        Parameter.real("fine", 1.0, 1e-6, 1e6, "of a violation that is seen"),
    ),
    facts=(
        Fact(
            source="both are indifferent",
            values=(-1.0, 0.0),
            equilibrium=((0.5, 0.5), (0.75, 0.25)),
        ),
    ),
)

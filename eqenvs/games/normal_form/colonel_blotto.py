"""Colonel Blotto: two players spread troops over fields; more troops take a field and its value.

Borel (1921), "La theorie du jeu et les equations integrales a noyau symetrique", Comptes Rendus 173; Gross and Wagner
(1950), "A continuous Colonel Blotto game", RAND RM-408; in whole troops, Hart (2008), "Discrete Colonel Blotto and
General Lotto games", International Journal of Game Theory 36. A player gets the values of the fields where it has more
troops less those where the other has, nothing where they are level: zero-sum, and worth 0 if both have as many troops.
"""

from __future__ import annotations

from math import comb

import numpy as np

from eqenvs.arrays import IntArray
from eqenvs.errors import InputError
from eqenvs.games.normal_form._lists import read_numbers
from eqenvs.games.normal_form._tensors import require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.models.symmetric import count_vectors
from eqenvs.spec import Fact, Family, GameSpec, Parameter

BLOCK = 1 << 22  # comparisons of troops at a time


def allocations(troops: int, fields: int) -> IntArray:
    """The actions of a player, [A, fields]: all its troops on the fields, in lexicographic order.

    >>> allocations(1, 3).tolist()
    [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    """
    return count_vectors(troops, fields)


def build(
    troops: int = 5, fields: int = 3, other_troops: int | None = None, field_values: str | None = None
) -> NormalFormModel:
    """The payoff tensor [2, A_0, A_1], actions in the order of `allocations`.

    Raises:
        InputError: if there is not one value per field.
        GameTooLargeError: if there are too many ways to allocate troops.
    """
    other = troops if other_troops is None else other_troops
    require_fits("colonel_blotto", [comb(count + fields - 1, fields - 1) for count in (troops, other)])
    values = [1.0] * fields
    if field_values is not None:
        values = read_numbers("colonel_blotto", "field_values", field_values)
    if len(values) != fields:
        raise InputError(
            f"colonel_blotto: parameter 'field_values' must have one number per field, fields={fields}, "
            f"got {field_values!r}"
        )
    first, second = allocations(troops, fields), allocations(other, fields)
    rows = max(1, BLOCK // (len(second) * fields))
    blocks = [first[start : start + rows] for start in range(0, len(first), rows)]
    row = np.concatenate([np.sign(block[:, None] - second[None]) @ np.array(values) for block in blocks])
    return NormalFormModel([row, -row])


SPEC = GameSpec(
    id="colonel_blotto",
    family=Family.NORMAL_FORM,
    title="Colonel Blotto",
    build=build,
    constant_sum=True,
    source="Borel (1921), Comptes Rendus 173; Hart (2008), Int. J. of Game Theory 36",
    parameters=(
        Parameter(name="troops", default=5, low=0, high=10_000, description="troops of player 0"),
        Parameter(name="fields", default=3, low=1, high=100, description="number of fields"),
        Parameter(
            name="other_troops",
            default=None,
            low=0,
            high=10_000,
            description="troops of player 1; default: as many as player 0",
        ),
        Parameter(
            name="field_values",
            default=None,
            kind=str,
            description="the fields' values, separated by commas, payoff units; default: 1 each",
        ),
    ),
    facts=(
        Fact(
            source="C(7, 2) allocations each; symmetric",
            sizes={"actions": [21, 21], "profiles": 441},
            values=(0.0, 0.0),
        ),
        Fact(
            source="by hand: two troops on one field lose 1/6 to a uniform opponent, on two fields they win 1/6",
            parameters={"troops": 2},
            sizes={"actions": [6, 6], "profiles": 36},
            values=(0.0, 0.0),
            uniform_nash_conv=1 / 3,
        ),
        Fact(
            source="by hand: one troop on each field wins 1 whatever player 1 does; against uniform play two on one "
            "field win 1/2, and so player 0 gains 1/3 and player 1, in either field, nothing",
            parameters={"troops": 2, "fields": 2, "other_troops": 1},
            sizes={"actions": [3, 2], "profiles": 6},
            values=(1.0, -1.0),
            uniform_nash_conv=1 / 3,
        ),
    ),
)

"""Rock, paper, scissors against a crowd.

Cui and Koeppl (2021), "Approximately solving mean field games via entropy-regularized deep reinforcement learning",
AISTATS, after Shapley (1964), "Some topics in two-person games": a player who beats the share w of the crowd and is
beaten by the share l gets 2 w - l with rock, twice that with paper, three times with scissors (`skewed`). The crowd is
in equilibrium at (26, 20, 31) / 77, where all get 6/11: pure best responses go round, their average gets there. The
`standard` matrix pays w - l whatever is played: a cyclic, zero-sum game, in equilibrium at (1, 1, 1) / 3.

Everybody starts in a neutral state and goes to the state of what it plays; with a longer horizon it plays again from
there. States: neutral, rock, paper, scissors.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.mean_field import _choices, _time
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

PAYOFFS = {
    "skewed": np.array([[0.0, -1.0, 2.0], [4.0, 0.0, -2.0], [-3.0, 6.0, 0.0]]),
    "standard": np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]),
}


def build(matrix: str, horizon: int | None, discount: float | None) -> MeanFieldModel:
    """The model."""
    return _choices.model_of(PAYOFFS[matrix], horizon, discount)


SPEC = mean_field_spec(
    id="mean_field_rps",
    title="Rock, paper, scissors against a crowd",
    build=build,
    source="Cui and Koeppl (2021), AISTATS",
    parameters=(
        Parameter(
            name="matrix",
            default="skewed",
            kind=str,
            choices=tuple(PAYOFFS),
            description="skewed: a win pays twice what a loss costs, times 1, 2 or 3; standard: a win 1, a loss -1",
        ),
        _time.horizon_parameter(2),
        _time.discount_parameter(),
    ),
    facts=(
        Fact(source="by hand: the matrix times (26, 20, 31) / 77 is 6/11", values=(6 / 11,), uniform_nash_conv=1 / 3),
        Fact(source="by symmetry", parameters={"matrix": "standard"}, values=(0.0,), uniform_nash_conv=0.0),
    ),
)

"""Biased indirect rock, paper, scissors: each share of the crowd counts with a weight of its own.

Muller, Elie, Rowland, Lauriere, Perolat, Perrin, Geist, Piliouras, Pietquin and Tuyls (2022), "Learning correlated
equilibria in mean-field games", arXiv 2208.10138, as in OpenSpiel's normal-form mean-field games: with m = (0.7 mu(R),
0.5 mu(P), 0.3 mu(S)), rock gets m(P) - m(S), paper m(S) - m(R), scissors m(R) - m(P). (So rock beats paper, paper
scissors, scissors rock: the other way round than the names say.) The crowd is in equilibrium where the three weighed
shares are equal, at (15, 21, 35) / 71, and gets nothing.

States: start, rock, paper, scissors; one choice, whose reward comes with the second of two decisions.
"""

from __future__ import annotations

import numpy as np

from eqenvs.games.mean_field import _choices, _time
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact

WEIGHT = np.array([0.7, 0.5, 0.3])
PAYOFFS = WEIGHT * np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])


def build(horizon: int | None, discount: float | None) -> MeanFieldModel:
    """The model."""
    return _choices.model_of(PAYOFFS, horizon, discount)


SPEC = mean_field_spec(
    id="biased_indirect_rps",
    title="Biased indirect rock, paper, scissors",
    build=build,
    source="Muller et al. (2022), arXiv 2208.10138",
    parameters=(_time.horizon_parameter(2), _time.discount_parameter()),
    facts=(Fact(source="by hand: all three weighed shares are 21/142", values=(0.0,), uniform_nash_conv=0.2 / 3),),
)

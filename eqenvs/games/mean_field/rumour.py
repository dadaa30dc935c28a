"""Spreading a rumour: telling it to those who do not know it is worth something, to those who do it is embarrassing.

Cui, KhudaBukhsh and Koeppl (2022), "Hypergraphon mean field games", Chaos 32, section on social rumour spreading: the
unaware hear it with probability `hearing` times the share of spreaders they meet; a step of spreading is worth
`gain` per share of unaware who are met, less `loss` per share of those who know it.

Others' choices matter here, and a mean field is over states: so the choice of a step is the next step's state. States:
unaware, silent, spreading. In all but the last of a spreader's steps, spreading is worth it where next step's share of
unaware is at least loss / (gain + loss).
"""

from __future__ import annotations

from eqenvs.games.mean_field import _contagion, _time
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact


def build(
    hearing: float,
    gain: float,
    loss: float,
    forgetting: float,
    first_aware: float,
    horizon: int | None,
    discount: float | None,
) -> MeanFieldModel:
    """The model."""
    return _contagion.model_of(_contagion.rumour(hearing, gain, loss, forgetting, first_aware), horizon, discount)


SPEC = mean_field_spec(
    id="rumour",
    title="Spreading a rumour",
    build=build,
    source="Cui, KhudaBukhsh and Koeppl (2022), Chaos 32",
    parameters=(*_contagion.rumour_parameters(), _time.horizon_parameter(50), _time.discount_parameter()),
    facts=(Fact(source="plain recomputation, one state at a time", uniform_nash_conv=8.939194814, tolerance=1e-8),),
)

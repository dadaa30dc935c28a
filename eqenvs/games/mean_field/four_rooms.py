"""Four rooms: a crowd let into a corner spreads over a grid of four rooms joined by doors.

Geist et al. (2022), "Concave utility reinforcement learning: the mean-field game viewpoint", AAMAS, in OpenSpiel's
version: 13 x 13 cells with their walls, everybody in the north-west corner, and -aversion log mu(x) a step, so that
in equilibrium the entropy of the mean field is at its largest. Moves into walls are illegal; noise picks one of the
legal moves of the cell reached.

OpenSpiel swaps row and column of a start, which the corner does not show; here starts are row and column.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact

ROOMS = (
    "#############",
    "#     #     #",
    "#     #     #",
    "#           #",
    "#     #     #",
    "#     #     #",
    "### ##### ###",
    "#     #     #",
    "#     #     #",
    "#           #",
    "#     #     #",
    "#     #     #",
    "#############",
)


def build(horizon: int, noise: float, aversion: float, starts: str) -> MeanFieldModel:
    """The model."""
    return _crowds.exploration("four_rooms", ROOMS, horizon=horizon, noise=noise, aversion=aversion, starts=starts)


SPEC = mean_field_spec(
    id="four_rooms",
    title="Exploration of four rooms",
    build=build,
    source="Geist et al. (2022), AAMAS; OpenSpiel's crowd_modelling_2d_four_rooms",
    parameters=(_crowds.horizon_of(40), _crowds.NOISE, _crowds.AVERSION, _crowds.starts_at("1,1")),
    facts=(Fact(source="OpenSpiel 2.0.2", uniform_nash_conv=167.6604464714278, tolerance=1e-8),),
)

"""Maze: a crowd let into a corner spreads over the corridors of a maze.

Geist et al. (2022), "Concave utility reinforcement learning: the mean-field game viewpoint", AAMAS, in OpenSpiel's
version of 22 x 22 cells. Rules and rewards are those of `four_rooms`.
"""

from __future__ import annotations

from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact

MAZE = (
    "######################",
    "#      #     #     # #",
    "#      #     #     # #",
    "######    #  # ##  # #",
    "#         #  # #   # #",
    "#         #  # ### # #",
    "#  ########  #   #   #",
    "#    # # #  ##   #   #",
    "#    # # #     # # ###",
    "#    # # #     # # # #",
    "###### # ####### # # #",
    "#  #         #   # # #",
    "#  # ## ###  #   # # #",
    "## # #    #  ##### # #",
    "## # # #  #      # # #",
    "#    # ####        # #",
    "# ####  # ########   #",
    "#       #  #   # ### #",
    "#  #  # #  # # #   # #",
    "# ##### #    # #     #",
    "#            #       #",
    "######################",
)


def build(horizon: int, noise: float, aversion: float, starts: str) -> MeanFieldModel:
    """The model."""
    return _crowds.exploration("maze", MAZE, horizon=horizon, noise=noise, aversion=aversion, starts=starts)


SPEC = mean_field_spec(
    id="maze",
    title="Exploration of a maze",
    build=build,
    source="Geist et al. (2022), AAMAS; OpenSpiel's crowd_modelling_2d_maze",
    parameters=(_crowds.horizon_of(100), _crowds.NOISE, _crowds.AVERSION, _crowds.starts_at("1,1")),
    facts=(Fact(source="OpenSpiel 2.0.2", uniform_nash_conv=2019.5033302327174, tolerance=1e-7),),
)

"""Instances of registered games that are checked in seconds."""

from __future__ import annotations

from eqenvs import registry
from eqenvs.game import Game
from eqenvs.spec import Family

SMALL = {"horizon": 5, "bins": 3, "core_bins": 2, "max_degree": 2}  # of a mean-field game
HISTORIES = 400_000  # instances with more are checked by simulation only


def small_instance(game_id: str) -> Game:
    """A game as it is made by default; of a mean-field game with few agents and steps, which take the time there."""
    game = registry.make(game_id)
    if game.family is not Family.MEAN_FIELD:
        return game
    small = {name: size for name, size in SMALL.items() if (game.parameters.get(name) or 0) > size}
    return registry.make(game_id, **small, num_agents=max(3, registry.make(game_id, **small).num_players))

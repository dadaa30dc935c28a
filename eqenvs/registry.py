"""The registry of games: one file each under `eqenvs.games.<family>`, named like its id."""

from __future__ import annotations

from typing import Any

from eqenvs import discovery
from eqenvs.game import Game
from eqenvs.spec import GameSpec

PACKAGE = "eqenvs.games"


def game_ids() -> list[str]:
    """The ids of all games, sorted."""
    return list(discovery.modules(PACKAGE))


def spec(game_id: str) -> GameSpec:
    """What the file of a game says about it.

    Raises:
        UnknownNameError: naming the nearest id.
    """
    found: GameSpec = discovery.load(PACKAGE, "game", game_id, "SPEC")
    return found


def make(game_id: str, /, **parameters: Any) -> Game:
    """A game instance.

    Args:
        game_id: registry id, such as "leduc_poker".
        **parameters: the game's own parameters; see `eqenvs.spec(game_id).parameters`.

    Raises:
        UnknownNameError: if there is no such game or parameter.
        InputError: if a value is outside its range, naming the parameter and the range.

    >>> make("kuhn_poker", num_players=3).model().sizes()["terminals"]
    312
    """
    return Game(spec(game_id), parameters)

"""eqenvs: one definition of a game is its environment, its batched simulator and its exact model.

>>> import eqenvs
>>> game = eqenvs.make("kuhn_poker")
>>> game.model().sizes()["terminals"]
30
"""

import gymnasium

from eqenvs import policies
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game, repeated
from eqenvs.registry import game_ids, make, register_pettingzoo, spec
from eqenvs.spec import Fact, Family, GameSpec, Parameter
from eqenvs.unfolding import unfold

__version__ = "0.1.0"

# At import, unlike all else: Gymnasium imports what stands before the colon of "eqenvs:Exploit-v0", then looks for the
# rest in its registry.
gymnasium.register(
    "Exploit-v0",
    entry_point="eqenvs.envs.exploiter:ExploiterEnv",
    vector_entry_point="eqenvs.envs.exploiter:ExploiterVectorEnv",
)

__all__ = [
    "Fact",
    "Family",
    "Game",
    "GameSpec",
    "InputError",
    "Parameter",
    "UnsupportedGame",
    "game_ids",
    "make",
    "policies",
    "register_pettingzoo",
    "repeated",
    "spec",
    "unfold",
]

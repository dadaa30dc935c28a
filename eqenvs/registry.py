"""The registry of games: one file each under `eqenvs.games.<family>`, named like its id."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from eqenvs import discovery
from eqenvs.errors import GameDefinitionError
from eqenvs.game import Game
from eqenvs.spec import GameSpec

if TYPE_CHECKING:
    from eqenvs.envs.aec import GameAECEnv
    from eqenvs.envs.parallel import GameParallelEnv

PACKAGE, INTEROP = "eqenvs.games", "eqenvs.interop"


def game_ids() -> list[str]:
    """The ids of all games, sorted; those of installed plug-ins are among them."""
    return list(discovery.modules(PACKAGE))


def specs() -> dict[str, GameSpec]:
    """What the file of every game says about it, by id; of plug-ins without those that cannot be loaded."""
    return dict(sorted(discovery.load_all(PACKAGE, "game", "SPEC", GameSpec).items()))


def spec(game_id: str) -> GameSpec:
    """What the file of a game says about it.

    Args:
        game_id: a registry id, or a scheme of `eqenvs.interop` and what it reads, such as "openspiel:kuhn_poker".

    Raises:
        UnknownNameError: naming the nearest id or scheme.
        InputError: the scheme cannot read it.
        GameDefinitionError: its file does not define it, or calls it otherwise.
    """
    scheme, colon, reference = game_id.partition(":")
    if colon:
        read: Callable[[str], GameSpec] = discovery.load(INTEROP, "scheme", scheme, "spec", FunctionType)
        return read(reference)
    found: GameSpec = discovery.load(PACKAGE, "game", game_id, "SPEC", GameSpec)
    if found.id != game_id:  # policies and runs name their game by it
        raise GameDefinitionError(
            f"game {game_id!r}: its SPEC has the id {found.id!r}; the file's name must be the same"
        )
    return found


def make(game_id: str, /, **parameters: Any) -> Game:
    """A game instance.

    Args:
        game_id: registry id, such as "leduc_poker", or one of a scheme; see `spec`.
        **parameters: the game's own parameters; see `eqenvs.spec(game_id).parameters`.

    Raises:
        UnknownNameError: if there is no such game or parameter.
        InputError: if a value is outside its range, naming the parameter and the range.

    >>> make("kuhn_poker", num_players=3).model().sizes()["terminals"]
    312
    """
    return Game(spec(game_id), parameters)


def aec_env(
    game_id: str, /, *, max_cycles: int | None = None, render_mode: str | None = None, **parameters: Any
) -> GameAECEnv:
    """A game's AEC environment by id: the entry point in PettingZoo's registry."""
    return make(game_id, **parameters).aec_env(max_cycles=max_cycles, render_mode=render_mode)


def parallel_env(
    game_id: str, /, *, max_cycles: int | None = None, render_mode: str | None = None, **parameters: Any
) -> GameParallelEnv:
    """A game's Parallel environment by id: the entry point in PettingZoo's registry."""
    return make(game_id, **parameters).parallel_env(max_cycles=max_cycles, render_mode=render_mode)


def register_pettingzoo() -> list[str]:
    """Enter every game in PettingZoo's own registry, as "eqenvs/<id>-v<version>", for both APIs.

    PettingZoo loads no plug-ins by itself, so a program calls this once; calling it again changes nothing.

    Returns:
        The ids.

    >>> ids = register_pettingzoo()
    >>> import pettingzoo
    >>> env = pettingzoo.make("aec", "eqenvs/kuhn_poker-v0", num_players=3)
    >>> env.possible_agents
    ['player_0', 'player_1', 'player_2']
    """
    import pettingzoo
    from pettingzoo.env_registry.exceptions import PettingZooRegistryError

    ids = []
    for game_id, found in specs().items():
        name = f"eqenvs/{game_id}-v{found.version}"
        for api, maker in (("aec", aec_env), ("parallel", parallel_env)):
            try:
                pettingzoo.spec(api, name)
            except PettingZooRegistryError:
                pettingzoo.register(api, name, entry_point=functools.partial(maker, game_id))
        ids.append(name)
    return ids

"""Every game as a module like PettingZoo's own: `from eqenvs.zoo import leduc_poker_v0`.

A module has `env` (with PettingZoo's usual wrappers), `raw_env` (without) and `parallel_env`; each takes the game's
parameters, `max_cycles` and `render_mode`. The modules are made when they are imported, one for each game of the
registry.
"""

from __future__ import annotations

import functools
import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from eqenvs import registry
from eqenvs.errors import nearest

__path__: list[str] = []  # what makes this module one that others are in


def names() -> list[str]:
    """The modules that there are."""
    return [f"{game_id}_v{spec.version}" for game_id, spec in registry.specs().items()]


def _game_of(name: str) -> str | None:
    """The game's id; of all games only that one's file is imported."""
    game_id, _, version = name.rpartition("_v")
    known = game_id in registry.game_ids() and version == str(registry.spec(game_id).version)
    return game_id if known else None


def _env(game_id: str, /, **parameters: Any) -> Any:
    """The AEC environment in PettingZoo's wrappers: order is enforced, and bounds are checked."""
    from pettingzoo.utils import wrappers

    return wrappers.OrderEnforcingWrapper(wrappers.AssertOutOfBoundsWrapper(registry.aec_env(game_id, **parameters)))


class _Finder(MetaPathFinder, Loader):
    """Makes the modules."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        return ModuleSpec(fullname, self) if package == __name__ and _game_of(name) else None

    def exec_module(self, module: ModuleType) -> None:
        found: Any = module
        game_id = _game_of(module.__name__.rpartition(".")[2])
        assert game_id is not None  # as `find_spec` saw
        found.__doc__ = registry.spec(game_id).title
        found.env = functools.partial(_env, game_id)
        found.raw_env = functools.partial(registry.aec_env, game_id)
        found.parallel_env = functools.partial(registry.parallel_env, game_id)
        found.__all__ = ["env", "parallel_env", "raw_env"]


def __getattr__(name: str) -> ModuleType:
    if name.startswith("__"):
        raise AttributeError(name)
    if _game_of(name) is None:
        raise AttributeError(f"module {__name__!r} has no game {name!r}; {nearest(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return names()


if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
    sys.meta_path.append(_Finder())

"""Finding the one-file things of a package (games, meta-solvers, learners, ...) without a central list.

A thing is a module whose file is named like its id and which defines one module-level object, such as `SPEC`. Modules
whose names start with an underscore are helpers. Nothing is imported until it is asked for.

Other distributions bring things of their own by entry points: the group is the package that a thing belongs to here
(`eqenvs.games`, `eqsolvers.meta`, `eqagents.learners`, ...), the name its id, the value its module. One that cannot be
loaded is left out of what is listed, which is logged once, and is an error where it is asked for by name; so is an id
that two bring.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

from eqenvs.errors import GameDefinitionError, InputError, nearest, unknown_name


class PluginError(InputError):
    """What another distribution brings cannot be used; the message names the distribution and why."""


class _LacksError(PluginError):
    """The module has no such object."""


class _LacksItError(GameDefinitionError):
    """The same of a file of this project."""


@dataclass(frozen=True)
class Module:
    """Where a thing is defined.

    Attributes:
        path: to import.
        plugin: the distribution that brings it, with its version; None for one of this project.
    """

    path: str
    plugin: str | None = None

    def __str__(self) -> str:
        return f"{self.path} ({self.plugin or 'eqenvs itself'})"


@cache
def _found(package: str) -> dict[str, tuple[Module, ...]]:
    """Every module under `package`, sub-packages included, by file name; more than one where a name is taken twice."""
    root = importlib.import_module(package)
    found: dict[str, tuple[Module, ...]] = {}
    for info in pkgutil.walk_packages(root.__path__, prefix=f"{package}."):
        name = info.name.rsplit(".", 1)[1]
        if info.ispkg or name.startswith("_"):
            continue
        if name in found:
            raise RuntimeError(f"{found[name][0].path} and {info.name} share a name")
        found[name] = (Module(info.name),)
    everything = metadata.entry_points()
    for group in everything.groups:
        if group == package or group.startswith(f"{package}."):
            for entry in everything.select(group=group):
                found[entry.name] = (*found.get(entry.name, ()), Module(entry.value, _distribution(entry)))
    return dict(sorted(found.items()))


def _distribution(entry: metadata.EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a distribution without a name"


def modules(package: str) -> dict[str, str]:
    """The module path of every thing under `package` by its name, those of plug-ins included."""
    return {name: places[0].path for name, places in _found(package).items()}


def plugins(package: str) -> list[tuple[str, str]]:
    """The names under `package` that other distributions bring, each with its distribution."""
    found = _found(package).items()
    return [(name, place.plugin) for name, places in found for place in places if place.plugin is not None]


def load(package: str, kind: str, name: str, attribute: str, expected: type | tuple[type, ...]) -> Any:
    """The object `attribute` of the module called `name` under `package`, which must be of a type `expected`.

    Raises:
        UnknownNameError: naming the nearest `kind` of thing there is.
        PluginError: it is another distribution's and cannot be loaded, or the name is taken twice.
        GameDefinitionError: its file here does not define it.
    """
    found = _found(package)
    if name not in found:
        raise unknown_name(kind, name, found)
    if len(found[name]) > 1:
        raise PluginError(f"{kind} {name!r} is brought by more than one: {', '.join(map(str, found[name]))}")
    (module,) = found[name]
    if module.plugin is not None:
        return _brought(module, kind, name, attribute, expected)
    # A lookup alone is ten times cheaper than an import that finds the module there.
    loaded = sys.modules.get(module.path)
    if loaded is None:
        try:
            loaded = importlib.import_module(module.path)
        except SyntaxError as error:
            raise GameDefinitionError(f"{kind} {name!r}: {error.filename}, line {error.lineno}: {error.msg}") from error
    if not hasattr(loaded, attribute):
        raise _LacksItError(f"{kind} {name!r}: {loaded.__file__} defines no {attribute}")
    return getattr(loaded, attribute)


def load_all(
    package: str, kind: str, attribute: str, expected: type | tuple[type, ...], *, optional: bool = False
) -> dict[str, Any]:
    """The object `attribute` of every module under `package`, by its own `id`.

    What plug-ins bring is left out, which is logged, if it cannot be loaded or its id is another's.

    Args:
        package: see `load`.
        kind: see `load`.
        attribute: see `load`.
        expected: see `load`.
        optional: leave out modules that do not have it.
    """
    found: dict[str, Any] = {}
    own_first = sorted(_found(package).items(), key=lambda item: item[1][0].plugin is not None)
    for name, places in own_first:
        try:
            thing = load(package, kind, name, attribute, expected)
        except PluginError as error:
            if not (optional and isinstance(error, _LacksError)):
                _leave_out(str(error))
            continue
        except _LacksItError:
            if optional:
                continue
            raise
        if found.get(thing.id) is thing:
            continue  # a module that uses it
        if thing.id in found:
            _leave_out(f"{kind} {thing.id!r} of {places[0]}: there is another with this id")
        else:
            found[thing.id] = thing
    return found


@cache
def _leave_out(message: str) -> None:
    logging.getLogger("eqenvs").warning("left out: %s", message)


def _brought(module: Module, kind: str, name: str, attribute: str, expected: type | tuple[type, ...]) -> Any:
    """The object of a plug-in, whose module is not ours to trust."""
    said = f"{kind} {name!r} of {module.plugin}"
    try:
        loaded = importlib.import_module(module.path)
    except (Exception, SystemExit) as error:
        raise PluginError(f"{said}: {module.path} cannot be imported ({type(error).__name__}: {error})") from error
    if not hasattr(loaded, attribute):
        defined = [entry for entry in vars(loaded) if entry.isupper()]
        raise _LacksError(f"{said}: {module.path} defines no {attribute}; {nearest(attribute, defined)}")
    found: Any = getattr(loaded, attribute)
    if not isinstance(found, expected):
        wanted = " or ".join(each.__name__ for each in (expected if isinstance(expected, tuple) else (expected,)))
        raise PluginError(f"{said}: its {attribute} must be a {wanted}, got {type(found).__name__}")
    found_id = str(getattr(found, "id", name))
    if found_id.replace("-", "_") != name.replace("-", "_"):  # as files are named here
        raise PluginError(f"{said}: its {attribute} has the id {found_id!r}; the entry point must be called the same")
    return found

"""A generated page, and where things stand in the repository."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from eqenvs import discovery

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of the site that no file holds.

    Attributes:
        path: below the site's root, such as "games/kuhn_poker.md".
        title: in the navigation.
        group: the heading in the navigation that it stands under, below that of its folder; "" for none.
        text: Markdown.
        files: what else it needs, pictures for example, by path below the site's root.
    """

    path: str
    title: str
    group: str = ""
    text: str
    files: Mapping[str, bytes] = field(default_factory=dict)


def registered(package: str, attribute: str) -> list[tuple[ModuleType, Any]]:
    """The modules of this project under `package` that define `attribute`, with what they define; no plug-ins."""
    modules = [
        importlib.import_module(path) for path in discovery.modules(package).values() if path.startswith(f"{package}.")
    ]
    return [(module, getattr(module, attribute)) for module in modules if hasattr(module, attribute)]


def source_file(module: ModuleType) -> str:
    """The module's path in the repository."""
    return Path(inspect.getfile(module)).resolve().relative_to(ROOT).as_posix()


def file_stem(module: ModuleType) -> str:
    """The name of the module's file, which is an id that can stand in an address."""
    return module.__name__.rpartition(".")[2]


def helpers(module: ModuleType) -> list[ModuleType]:
    """The modules beside this one, with a leading underscore, that its docstring refers to."""
    package = module.__name__.rpartition(".")[0]
    names = dict.fromkeys(re.findall(r"`(_\w+)`", module.__doc__ or ""))
    found = [f"{package}.{name}" for name in names if importlib.util.find_spec(f"{package}.{name}")]
    return [importlib.import_module(name) for name in found]

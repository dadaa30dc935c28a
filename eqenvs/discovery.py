"""Finding the one-file things of a package (games, meta-solvers, learners, ...) without a central list.

A thing is a module whose file is named like its id and which defines one module-level object, such as `SPEC`. Modules
whose names start with an underscore are helpers. Nothing is imported until it is asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from functools import cache
from typing import Any

from eqenvs.errors import unknown_name


@cache
def modules(package: str) -> dict[str, str]:
    """The module path of every thing under `package`, sub-packages included, by file name."""
    root = importlib.import_module(package)
    found: dict[str, str] = {}
    for info in pkgutil.walk_packages(root.__path__, prefix=f"{package}."):
        name = info.name.rsplit(".", 1)[1]
        if info.ispkg or name.startswith("_"):
            continue
        if name in found:
            raise RuntimeError(f"{found[name]} and {info.name} share a name")
        found[name] = info.name
    return dict(sorted(found.items()))


def load(package: str, kind: str, name: str, attribute: str) -> Any:
    """The object `attribute` of the module called `name` under `package`.

    Raises:
        UnknownNameError: naming the nearest `kind` of thing there is.
    """
    known = modules(package)
    if name not in known:
        raise unknown_name(kind, name, known)
    # A lookup alone is ten times cheaper than an import that finds the module there.
    return getattr(sys.modules.get(known[name]) or importlib.import_module(known[name]), attribute)

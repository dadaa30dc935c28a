"""Constant tables that rules look things up in, on whatever library and device the batch is."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqenvs.arrays import Array, device_of, namespace


class Tables:
    """Constant integer tables, copied to each library and device once."""

    def __init__(self, **tables: Any) -> None:
        self._tables = {name: np.asarray(table, dtype=np.int64) for name, table in tables.items()}
        self._copies: dict[tuple[str, str, str], Array] = {}

    def on(self, name: str, like: Array) -> Array:
        """The table called `name`, where `like` lives."""
        xp, device = namespace(like), device_of(like)
        where = (name, xp.__name__, str(device))
        if where not in self._copies:
            self._copies[where] = xp.asarray(self._tables[name], device=device)
        return self._copies[where]

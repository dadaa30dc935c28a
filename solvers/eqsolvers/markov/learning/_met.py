"""States numbered as they are met, and policies that are known at these alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.information_states import InformationStates


class Numbering:
    """Keys in the order in which they were met."""

    def __init__(self, keys: IntArray | None = None) -> None:
        self._rows: dict[bytes, int] = {}
        self._met: list[IntArray] = []
        if keys is not None and len(keys):
            self.rows(keys)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def keys(self) -> IntArray:
        """[I, W]; [0, 0] before anything was met."""
        return np.stack(self._met) if self._met else np.zeros((0, 0), dtype=np.int64)

    def rows(self, keys: IntArray) -> tuple[IntArray, IntArray]:
        """The rows of [M, W] keys, and the places in them where one was met for the first time."""
        rows, new = np.empty(len(keys), dtype=np.int64), []
        for place, key in enumerate(np.ascontiguousarray(keys, dtype=np.int64)):
            row = self._rows.setdefault(key.tobytes(), len(self._rows))
            if row == len(self._met):
                self._met.append(key.copy())
                new.append(place)
            rows[place] = row
        return rows, np.array(new, dtype=np.int64)

    def find(self, keys: IntArray) -> IntArray:
        """The rows of [M, W] keys; -1, which is END, for one that was not met."""
        return np.array([self._rows.get(key.tobytes(), -1) for key in np.ascontiguousarray(keys, dtype=np.int64)], int)


@dataclass(frozen=True, eq=False)
class MetPolicy:
    """A behaviour policy known at the states that were met; uniform over the legal actions elsewhere.

    Attributes:
        keys: [I, W] of each player.
        tables: [I, A] of each player.
    """

    keys: tuple[IntArray, ...] = field(repr=False)
    tables: tuple[Float64Array, ...] = field(repr=False)

    @cached_property
    def _numbering(self) -> tuple[Numbering, ...]:
        return tuple(Numbering(keys) for keys in self.keys)

    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `BehaviourPolicy`."""
        played = states.uniform()
        rows = self._numbering[player].find(np.asarray(states.keys))
        played[rows >= 0] = self.tables[player][rows[rows >= 0]]
        return played

"""Games that are given as data."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from eqenvs.models.normal_form import NormalFormModel
from eqenvs.rules import TERMINAL
from eqenvs.spec import Family, GameSpec
from eqenvs.tree_rules import Tree, TreeRules

MAX_SIZE = 5_000_000  # histories that are read
MAX_PLAYERS = 60  # NumPy has 64 axes
ROUNDING = 1e-12  # of a sum of payoffs, relative to the largest


class _Data:
    """A picklable `build`, and the game's size."""

    def __init__(self, data: NormalFormModel | Tree) -> None:
        self.data = data

    def __call__(self) -> NormalFormModel | TreeRules:
        return TreeRules(self.data) if isinstance(self.data, Tree) else self.data

    def histories(self) -> int:
        assert isinstance(self.data, Tree)
        return len(self.data.player)


def given(game_id: str, title: str, data: NormalFormModel | Tree, source: str) -> GameSpec:
    """The spec of a game that is its data; it travels to workers as a whole.

    Args:
        game_id: as `eqenvs.make` is asked for it.
        title: for people.
        data: the payoffs, or the tree.
        source: where it comes from.
    """
    build = _Data(data)
    if isinstance(data, Tree):
        ends = data.payoffs[data.player == TERMINAL]
    else:
        ends = data.payoffs.reshape(data.num_players, -1).T
    sums = ends.sum(axis=1)
    return GameSpec(
        id=game_id,
        family=Family.EXTENSIVE_FORM if isinstance(data, Tree) else Family.NORMAL_FORM,
        title=title,
        build=build,
        constant_sum=bool(np.ptp(sums) <= ROUNDING * max(1.0, float(np.abs(ends).max()))),
        size=build.histories if isinstance(data, Tree) else None,
        source=source,
        digest=_digest(data),
    )


def _digest(data: NormalFormModel | Tree) -> str:
    """Of all that is played by, not of names."""
    parts: list[np.ndarray[Any, Any]] = [data.payoffs]
    if isinstance(data, Tree):
        parts += [data.player, data.infoset, data.first_child, data.num_children, data.chance]
        parts += [*data.masks, *data.observations]
    found = hashlib.sha256()
    for part in parts:
        found.update(f"{part.dtype.str}{part.shape}".encode())
        found.update(np.ascontiguousarray(part).tobytes())
    return found.hexdigest()

"""The flat tree as sampling kernels walk it: top-down, one child at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.models.extensive_form import ExtensiveFormModel


class Tree(NamedTuple):
    """A game's histories for a kernel, breadth-first; the children of a history stand together.

    Indices are unsigned: numba wraps negative ones, and the test for that costs as much as the arithmetic.
    """

    player: NDArray[np.int32]  # [H], a player, CHANCE or TERMINAL
    first_child: NDArray[np.uint32]  # [H], child k of h is first_child[h] + k, in the order of the legal actions
    num_children: NDArray[np.uint32]  # [H]
    infoset: NDArray[np.uint32]  # [H], in the mover's treeplex; 0 where nobody moves
    chance: NDArray[np.float64]  # [H], probability of the edge leading here where chance moves at the parent, else 1
    terminal: NDArray[np.uint32]  # [H], row in `payoffs`; 0 elsewhere
    payoffs: NDArray[np.float64]  # [Z, N]


def flat_tree(model: ExtensiveFormModel) -> Tree:
    """The tree of a model."""
    size = len(model.parent)
    if not (np.diff(model.parent[1:]) >= 0).all():
        raise AssertionError("histories are not in breadth-first order")
    number = np.bincount(model.parent[1:], minlength=size)
    terminal = np.zeros(size, dtype=np.uint32)
    terminal[model.terminals] = np.arange(len(model.terminals))
    return Tree(
        player=model.player.astype(np.int32),
        first_child=(1 + np.cumsum(number) - number).astype(np.uint32),
        num_children=number.astype(np.uint32),
        infoset=np.maximum(model.infoset, 0).astype(np.uint32),
        chance=np.ascontiguousarray(model.chance),
        terminal=terminal,
        payoffs=np.ascontiguousarray(model.payoffs),
    )

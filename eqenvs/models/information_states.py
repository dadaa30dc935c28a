"""The decision points of one player, the same in every model: keys, observations and masks.

A policy is a function of a batch of them; a table has one row for each of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import Array, BoolArray, Float32Array, Float64Array, IntArray, device_of, namespace
from eqenvs.errors import PolicyError


class InformationStates(NamedTuple):
    """A batch of I information states of one player.

    Attributes:
        keys: [I, W] int64, as `Rules.information_state` gives them.
        observations: [I, D] float32.
        masks: [I, A] bool, legal actions; A is the player's own action count.
    """

    keys: IntArray
    observations: Float32Array
    masks: BoolArray

    def rows(self, indices: IntArray) -> InformationStates:
        """The sub-batch of `indices`."""
        return InformationStates(self.keys[indices], self.observations[indices], self.masks[indices])

    def uniform(self) -> Float64Array:
        """The uniform table over legal actions, [I, A] float64."""
        table: Float64Array = self.masks / self.masks.sum(axis=1, keepdims=True, dtype=np.float64)
        return table


def masks_where_acting(masks: Array, acting: Array) -> Array:
    """Legal actions as players are shown them: who does not act has only action 0, which is ignored.

    Args:
        masks: [..., A] bool; of those not acting it may be anything.
        acting: [...] bool.
    """
    xp = namespace(masks)
    first = xp.arange(masks.shape[-1], device=device_of(masks)) == 0
    return xp.where(acting[..., None], masks, first)


def hash_rows(rows: IntArray) -> NDArray[np.uint64]:
    """A 64-bit hash of each row of [M, W] int64; equal rows have equal hashes, callers check the converse."""
    generator = np.random.Generator(np.random.PCG64(0x5EED))
    multipliers = generator.integers(1, 2**63, size=rows.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    mixed = rows.astype(np.uint64) * multipliers
    mixed ^= mixed >> np.uint64(29)
    total = mixed.sum(axis=1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    hashed: NDArray[np.uint64] = total ^ (total >> np.uint64(32))
    return hashed


def unique_rows(rows: IntArray) -> tuple[IntArray, IntArray]:
    """Group equal rows.

    Args:
        rows: [M, W] int64.

    Returns:
        first: [U] index of the first occurrence of each distinct row, increasing.
        inverse: [M] group of each row, numbered in order of first occurrence.
    """
    _, first, inverse = np.unique(hash_rows(rows), return_index=True, return_inverse=True)
    if not np.array_equal(rows[first][inverse], rows):  # a hash collision: about one chance in 2**64 / M**2
        _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse.reshape(-1)]


class KeyIndex:
    """Finds the row of a key among known ones, for whole batches."""

    def __init__(self, keys: IntArray) -> None:
        hashes = hash_rows(keys)
        self._order = np.argsort(hashes)
        self._sorted = hashes[self._order]
        self._keys = keys

    def rows(self, keys: IntArray) -> IntArray:
        """The row of each of [B, W] keys.

        Raises:
            PolicyError: if a key is unknown.
        """
        if keys.ndim != 2 or keys.shape[1] != self._keys.shape[1] or not len(self._keys):
            raise PolicyError(
                f"the table has {len(self._keys)} rows with keys of width {self._keys.shape[1]}, asked for {keys.shape}"
            )
        position = np.searchsorted(self._sorted, hash_rows(keys))
        rows: IntArray = self._order[np.minimum(position, len(self._order) - 1)]
        wrong = np.flatnonzero((self._keys[rows] != keys).any(axis=1))
        if wrong.size:
            raise PolicyError(f"the table has no row for information state {keys[wrong[0]].tolist()}")
        return rows

"""Random numbers for generated games: the same from a seed on every platform and with every version of numpy.

Numpy promises that a seed sequence and a bit generator keep their streams, but not that its distributions do (NEP 19).
So the distributions are made here from the raw 64-bit words of PCG64, by operations that IEEE 754 rounds exactly.
"""

from __future__ import annotations

import math

import numpy as np

from eqenvs.arrays import Float64Array, IntArray

_SPREAD = math.sqrt(8 / math.e)  # of the ratio's numerator: twice the largest |x| exp(-x^2 / 4)


class Draws:
    """The stream of random numbers that a game is made from.

    >>> Draws(0).uniform(2).tolist() == Draws(0).uniform(2).tolist()
    True
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Float64Array:
        """Independent numbers, uniform on [low, high)."""
        words = np.asarray(self._bits.random_raw(math.prod(shape)), dtype=np.uint64)
        unit = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        drawn: Float64Array = (low + (high - low) * unit).reshape(shape)
        return drawn

    def normal(self, *shape: int) -> Float64Array:
        """Independent standard normal numbers.

        By the ratio of uniforms (Kinderman and Monahan 1977, ACM Transactions on Mathematical Software 3), whose
        numbers are quotients: a logarithm, which platforms round differently, only decides which ones are kept.
        """
        count = math.prod(shape)
        kept: Float64Array = np.empty(0)
        while len(kept) < count:
            pairs = self.uniform(count - len(kept) + 8, 2)
            width = 1 - pairs[:, 0]  # in (0, 1]
            ratio = _SPREAD * (pairs[:, 1] - 0.5) / width
            kept = np.concatenate([kept, ratio[ratio * ratio <= -4 * np.log(width)]])
        return kept[:count].reshape(shape)

    def below(self, bound: int, *shape: int) -> IntArray:
        """Independent integers, uniform on 0 .. bound - 1 (up to bound / 2^53)."""
        return (self.uniform(*shape) * bound).astype(np.int64)

    def sample(self, population: int, count: int) -> IntArray:
        """`count` different ones of 0 .. population - 1, every set equally likely, in ascending order."""
        return np.sort(np.argsort(self.uniform(population), kind="stable")[:count])

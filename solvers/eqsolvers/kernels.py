"""Compiled loops of solvers: written into their callers, and random numbers for those that sample."""

from __future__ import annotations

from typing import Any, cast

import numba
import numpy as np
from numpy.typing import NDArray

from eqenvs.kernels import FunctionT, compiled

__all__ = ["compiled", "inlined", "random_stream", "uniform"]


def inlined(function: FunctionT) -> FunctionT:
    """As `compiled`, written into its callers: a call that passes tuples of arrays counts references to each of them.

    Measured: an iteration of two calls took 580 ns before it did anything.
    """
    made: Any = numba.njit(inline="always", error_model="numpy")(function)
    return cast("FunctionT", made)


def random_stream(seed: int) -> NDArray[np.uint64]:
    """The state of a stream for `uniform`, [4] uint64; a part of the process's state."""
    return np.random.SeedSequence(seed).generate_state(4, np.uint64).astype(np.uint64)


@compiled
def uniform(stream: Any) -> float:
    """The next number in [0, 1) of a stream: xoshiro256+ (Blackman and Vigna, 2021, ACM TOMS 47), its upper 53 bits."""
    s0, s1, s2, s3 = stream[0], stream[1], stream[2], stream[3]
    result = s0 + s3
    t = s1 << np.uint64(17)
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    stream[0], stream[1], stream[2] = s0, s1, s2
    stream[3] = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    return float((result >> np.uint64(11)) * (1.0 / 9007199254740992.0))

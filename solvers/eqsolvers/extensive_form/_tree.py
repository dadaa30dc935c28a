"""The flat tree as sampling kernels walk it: top-down, one child at a time, with a random stream of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from eqenvs.models.extensive_form import ExtensiveFormModel

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def compiled(function: FunctionT) -> FunctionT:
    """Numba, typed as the plain function.

    Without fast-math: many games have regrets that tie exactly, the sign of their rounding error decides the next
    strategy, and reassociated or fused arithmetic would make the iterates differ between processors.
    """
    made: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast("FunctionT", made)


def inlined(function: FunctionT) -> FunctionT:
    """As `compiled`, written into its callers: a call that passes tuples of arrays counts references to each of them.

    Measured: an iteration of two calls took 580 ns before it did anything.
    """
    made: Any = numba.njit(inline="always", error_model="numpy")(function)
    return cast("FunctionT", made)


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

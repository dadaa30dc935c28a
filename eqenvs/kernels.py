"""Compiled loops: how functions are compiled here, and the look-up behind draws from lists of successors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
unliteral: Any = numba.types.unliteral  # the type of a constant, without its value


def compiled(function: FunctionT) -> FunctionT:
    """Numba, typed as the plain function.

    Without fast-math: many games have regrets that tie exactly, the sign of their rounding error decides the next
    strategy, and reassociated or fused arithmetic would make the iterates differ between processors.
    """
    made: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    template_of = made.get_call_template

    def template_without_constants(arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        # Else a kernel is compiled anew for every constant that kernels pass to it, and, while their types are being
        # inferred, for what their variables are at first: nash-q's took a quarter longer.
        return template_of([unliteral(each) for each in arguments], {n: unliteral(each) for n, each in named.items()})

    made.get_call_template = template_without_constants
    return cast("FunctionT", made)


@compiled
def drawn_entry(cumulative: Any, begin: int, end: int, draw: float) -> int:
    """The first entry from `begin` to `end` - 1 whose cumulative probability is above `draw`."""
    low, high = begin, end - 1
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] > draw:
            high = middle
        else:
            low = middle + 1
    return low

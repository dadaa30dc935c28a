"""What is said when memory gives out: one line with the sizes and what to lower, in place of an allocator's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from eqenvs.errors import InputError

# What torch says on a CPU, where it raises a plain RuntimeError; "an illegal memory access" is none of these.
_SIGNS = ("out of memory", "allocate memory", "not enough memory")


@contextmanager
def memory_named(message: Callable[[], str]) -> Iterator[None]:
    """Raise InputError with a message if memory does not suffice inside."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        named = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not named and not any(sign in str(error) for sign in _SIGNS):
            raise
        raise InputError(message()) from error

"""Which errors are told as a lack of memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eqagents.rollout.memory import memory_named
from eqenvs.errors import InputError


def test_every_allocators_error_is_named() -> None:
    def by_torch() -> object:
        return torch.empty(2**60)

    def by_numpy() -> object:
        return np.empty(2**57)

    def by_a_gpu() -> object:
        raise torch.OutOfMemoryError("CUDA out of memory")

    for asks in (by_torch, by_numpy, by_a_gpu):
        with pytest.raises(InputError, match=r"^too much$"), memory_named(lambda: "too much"):
            asks()


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="illegal memory access"), memory_named(lambda: "too much"):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

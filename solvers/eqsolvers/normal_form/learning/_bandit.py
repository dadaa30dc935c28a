"""What the bandit algorithms share: the sums of estimated losses, and the actions that are drawn with no chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError


class BanditState(NamedTuple):
    """Estimated losses of all rounds."""

    loss: Float64Array  # [B, A]
    t: IntArray  # [B], rounds seen


def init(batch: int, actions: int) -> BanditState:
    """Nothing seen."""
    return BanditState(np.zeros((batch, actions)), np.zeros(batch, dtype=np.int64))


def check_rate(eta: float | None) -> None:
    """Refuse a learning rate out of range.

    Raises:
        InputError: if it is not above 0.
    """
    if eta is not None and not eta > 0:
        raise InputError(f"eta must be above 0, got {eta}")


def check_confidence(delta: float) -> None:
    """Refuse a probability out of range.

    Raises:
        InputError: if it is not between 0 and 1.
    """
    if not 0 < delta < 1:
        raise InputError(f"delta must be between 0 and 1, got {delta}")

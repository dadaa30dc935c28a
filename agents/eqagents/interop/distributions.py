"""Distributions over legal actions from what a network or a library gives for all actions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import BoolArray, Float64Array
from eqenvs.errors import PolicyError


def softmax_of_legal(logits: NDArray[np.floating[Any]], masks: BoolArray) -> Float64Array:
    """The softmax over legal actions, [B, A] float64; what is illegal has probability 0.

    >>> softmax_of_legal(np.zeros((1, 3)), np.array([[True, False, True]])).tolist()
    [[0.5, 0.0, 0.5]]

    Raises:
        PolicyError: the shapes differ, or a legal action's logit is not finite.
    """
    _require_shape("logits", logits, masks)
    if not np.isfinite(logits[masks]).all():
        raise PolicyError(f"the policy's logits of legal actions must be finite, got {logits[masks].min()}")
    legal = np.where(masks, logits, -np.inf).astype(np.float64)
    weights = np.exp(legal - legal.max(axis=1, keepdims=True))
    found: Float64Array = weights / weights.sum(axis=1, keepdims=True)
    return found


def renormalised(probabilities: NDArray[np.floating[Any]], masks: BoolArray) -> Float64Array:
    """The same without what is illegal, [B, A] float64: the law of drawing again until the action is legal.

    Raises:
        PolicyError: the shapes differ, or no legal action has any probability.
    """
    _require_shape("probabilities", probabilities, masks)
    legal = np.where(masks, probabilities, 0.0).astype(np.float64)
    total = legal.sum(axis=1, keepdims=True)
    if not (total > 0).all():  # NaN neither
        raise PolicyError(f"row {int(np.argmin(total > 0))}: the policy gives no legal action any probability")
    found: Float64Array = legal / total
    return found


def _require_shape(what: str, values: NDArray[np.floating[Any]], masks: BoolArray) -> None:
    if values.shape != masks.shape:
        raise PolicyError(f"the policy's {what} have shape {values.shape}, its player's legal actions {masks.shape}")

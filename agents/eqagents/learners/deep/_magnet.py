"""The policy that a magnetic learner is pulled to, and how it moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from eqagents.configuration import Settings
from eqagents.rollout.networks import Weights, blended


class MagnetConfig(Settings):
    """The magnet."""

    kind: Literal["uniform", "initial", "moving", "ema"] = Field(
        default="uniform",
        description="uniform play; the first policy; the policy of every `every` iterations; a running mean of weights",
    )
    every: int = Field(default=100, ge=1, description="iterations between two moves of a moving magnet")
    decay: float = Field(default=0.99, ge=0, lt=1, description="share of itself that a running mean keeps an iteration")

    def movement(self) -> Callable[[int, Weights, Weights], Weights] | None:
        """From (iterations done, the magnet's weights, the policy's) to the magnet's next; None if it is no network."""
        if self.kind == "uniform":
            return None
        return self._next

    def _next(self, iteration: int, magnet: Weights, policy: Weights) -> Weights:
        if self.kind == "moving":
            return policy if iteration % self.every == 0 else magnet
        if self.kind == "ema":
            return blended(magnet, policy, self.decay)
        return magnet

"""Coefficients that change over the iterations of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from math import sqrt
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from eqagents.configuration import Settings

_Shape = Literal["linear", "exponential", "inverse", "inverse_sqrt"]


class Schedule(Settings):
    """A coefficient; a plain number is one that stays.

    `linear` and `exponential` go from `start` to `end` in `over` iterations and stay there; `inverse` and
    `inverse_sqrt` are start / (1 + k / over) and its square root's, and fall for ever, to `end` at least.
    """

    whole = True

    start: float = Field(ge=0, description="at iteration 0")
    end: float = Field(default=0.0, ge=0, description="where it ends")
    over: int = Field(default=1, ge=1, description="iterations")
    shape: _Shape = Field(default="linear", description="linear, exponential, inverse or inverse_sqrt")

    @model_validator(mode="before")
    @classmethod
    def _constant(cls, value: Any) -> Any:
        if isinstance(value, str):  # YAML reads 1e-3, without a point, as a text
            with contextlib.suppress(ValueError):
                value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"start": float(value), "end": float(value)}
        if not isinstance(value, Mapping | Schedule):
            raise ValueError(f"a number, or a group of start, end, over and shape; got {value!r}")
        return value

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.shape == "exponential" and min(self.start, self.end) <= 0:
            raise ValueError("an exponential schedule needs a start and an end above 0")
        return self

    def at(self, iteration: int) -> float:
        """The coefficient after so many iterations."""
        share = min(1.0, iteration / self.over)
        if self.shape == "linear":
            return self.start + share * (self.end - self.start)
        if self.shape == "exponential":
            return float(self.start ** (1 - share) * self.end**share)
        fallen = 1 + iteration / self.over
        return max(self.end, self.start / (fallen if self.shape == "inverse" else sqrt(fallen)))


def constant(value: float) -> Schedule:
    """One that stays."""
    return Schedule(start=value, end=value)

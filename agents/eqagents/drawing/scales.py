"""Axes: from data to pixels, and the round values that are written beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A map from data to pixels: linear or logarithmic, from `low..high` to `start..stop`.

    On a logarithmic scale with `zero` set, values at or below `floor` land on that pixel: the axis is broken there.

    >>> Scale(low=0.01, high=1, start=100, stop=0, log=True)(0.1)
    50.0
    >>> Scale(low=0.01, high=1, start=100, stop=0, log=True, zero=120)(0)
    120.0
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False
    zero: float | None = None
    floor: float = 0.0

    def __call__(self, value: float) -> float:
        """The pixel of `value`; NaN where there is none."""
        if not math.isfinite(value):
            return math.nan
        if self.log and value <= self.floor:
            return math.nan if self.zero is None else float(self.zero)
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        position = math.log10(value) if self.log else value
        return self.start + (position - low) / (high - low) * (self.stop - self.start)


def linear_ticks(low: float, high: float, *, count: int = 5, integer: bool = False) -> list[float]:
    """Round values spaced by 1, 2 or 5 times a power of ten that cover `low..high`, the ends included.

    >>> linear_ticks(0, 10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    >>> linear_ticks(1, 2, integer=True)
    [1.0, 2.0]
    """
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    if integer:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) if step > 1e-9 else k * step for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Values of the form 1, 2 or 5 times a power of ten that cover `low..high`; whole decades where it is wide.

    >>> log_ticks(0.03, 0.4)
    [0.02, 0.05, 0.1, 0.2, 0.5]
    >>> log_ticks(1e-9, 1)
    [1e-10, 1e-08, 1e-06, 0.0001, 0.01, 1.0]
    """
    decades = math.log10(high / low)
    if decades <= 2:
        first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
        ticks = [float(f"{m}e{k}") for k in range(first - 1, last + 1) for m in (1, 2, 5)]
        below = [t for t in ticks if t <= low * (1 + 1e-9)]
        above = [t for t in ticks if t >= high * (1 - 1e-9)]
        return [t for t in ticks if below[-1] <= t <= above[0]] if below[-1] < above[0] else [below[-2], below[-1]]
    step = max(1, math.ceil(decades / 8))
    last = math.ceil(math.log10(high) - 1e-9)
    first = math.floor(math.log10(low) + 1e-9)
    first = last - math.ceil((last - first) / step) * step
    return [float(f"1e{k}") for k in range(first, last + 1, step)]


def widened(low: float, high: float) -> tuple[float, float]:
    """The range itself, or one around it when it is a single point (or too thin for floats to divide)."""
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    margin = max(1.0, abs(low)) * 0.5
    return low - margin, high + margin

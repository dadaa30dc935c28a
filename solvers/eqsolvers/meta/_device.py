"""What meta-solvers that find a joint distribution have in common."""

from __future__ import annotations

from eqenvs.arrays import Float64Array
from eqsolvers.meta import MetaSolution


def of_device(device: Float64Array) -> MetaSolution:
    """A joint distribution [K_0, ..., K_{N-1}] with its marginals."""
    players = range(device.ndim)
    return MetaSolution(tuple(device.sum(axis=tuple(q for q in players if q != p)) for p in players), device)

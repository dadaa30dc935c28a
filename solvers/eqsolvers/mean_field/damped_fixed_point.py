"""Damped fixed point: everybody best responds to a running average of mean fields, of constant rate.

Lauriere et al. (2022), "Learning in mean field games: a survey", arXiv 2205.12944, section 3: of the mean field that is
responded to, a share alpha (`damping`) is replaced in each iteration by that of the best response. Fictitious play is
the same with alpha = 1 / t; a constant one forgets the start geometrically, and goes round the equilibrium at a
distance of order alpha where best responses are pure.

The policy is the average of the best responses, each weighed by how much of its population was in the state, as in
fictitious play. Where moves do not depend on the mean field it generates the average mean field, and the method is
MFGLib's `FictitiousPlay(alpha)`, which responds to the mean field of the average policy.

Cost of an iteration: one pass forward and one backward.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field._picard import damping as damping_parameter
from eqsolvers.mean_field._process import mean_field_solver
from eqsolvers.mean_field.fixed_point import FixedPoint


class DampedFixedPoint(FixedPoint):
    """The process; `played` [M, P, S, A] is the average of mean field times policy."""

    method = "damped-fixed-point"

    def __init__(self, model: MeanFieldModel, *, seed: int = 0, damping: float = 0.1) -> None:
        """Begin with the uniform policy; nothing is drawn, whatever the seed."""
        super().__init__(model)
        self._damping = damping
        self._arrays["played"] = self._arrays["flow"][..., None] * self._arrays["policy"]

    def current(self) -> Float64Array:
        """The average policy; where nobody has been yet, the last best response."""
        played = self._arrays["played"]
        mass = played.sum(axis=-1, keepdims=True)
        average: Float64Array = np.divide(played, mass, out=self._arrays["policy"].copy(), where=mass > 0)
        return average

    def _step(self) -> None:
        before = self._arrays["flow"]
        super()._step()
        generated = before + (self._arrays["flow"] - before) / self._damping
        played = self._arrays["played"]
        latest = generated[..., None] * self._arrays["policy"]
        self._arrays["played"] = played + self._damping * (latest - played)


SOLVER = mean_field_solver(
    "damped-fixed-point",
    DampedFixedPoint,
    source="Lauriere et al. (2022), arXiv 2205.12944",
    parameters=(damping_parameter(0.1),),
)

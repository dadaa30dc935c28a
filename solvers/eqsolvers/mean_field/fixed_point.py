"""Fixed point: everybody best responds to the mean field of the best response before (Banach-Picard).

Lauriere et al. (2022), "Learning in mean field games: a survey", arXiv 2205.12944, section 3. It converges where the
map from a mean field to that of a best response is a strict contraction. In games of finite states and horizon that is
rare: the map takes finitely many values, so it contracts only where it is constant (Cui and Koeppl, 2021,
AISTATS), and may go round for ever elsewhere.

Of equally good actions the first is taken. Cost of an iteration: one pass forward and one backward.
"""

from __future__ import annotations

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field._picard import Picard
from eqsolvers.mean_field._process import mean_field_solver


class FixedPoint(Picard):
    """The process."""

    method = "fixed-point"

    def __init__(self, model: MeanFieldModel, *, seed: int = 0) -> None:
        """Begin with the uniform policy; nothing is drawn, whatever the seed."""
        super().__init__(model)

    def _respond(self, flow: Float64Array) -> Float64Array:
        quality, _ = self.dynamics.best_quality(flow, self.dynamics.rewards(flow))
        return self.dynamics.greedy(quality)


SOLVER = mean_field_solver("fixed-point", FixedPoint, source="Lauriere et al. (2022), arXiv 2205.12944")

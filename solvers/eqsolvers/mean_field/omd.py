"""Online mirror descent: the values of the policies so far, summed up, and a softmax of the sums.

Perolat, Perrin, Elie, Lauriere, Piliouras, Geist, Tuyls and Pietquin (2022), "Scaling mean field games by online mirror
descent", AAMAS, algorithm 1: y <- y + eta Q, pi = softmax(y), with Q the values of actions under pi against its own
mean field. The last iterate converges in monotone games in continuous time; a step eta too large for the game's payoffs
makes it go round.

Cost of an iteration: one pass forward and one backward.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Parameter
from eqsolvers.mean_field._process import MeanFieldProcess, mean_field_solver
from eqsolvers.mean_field._tables import shifted, softmax


class MirrorDescent(MeanFieldProcess):
    """The process; `sums` [M, P, S, A] are the values summed up, times the step."""

    def __init__(self, model: MeanFieldModel, *, seed: int = 0, eta: float = 0.1) -> None:
        """Begin with the uniform policy; nothing is drawn, whatever the seed."""
        super().__init__(model, {"sums": np.zeros(model.policy_shape)})
        self._eta = eta

    def current(self) -> Float64Array:
        """The last iterate."""
        return softmax(self._arrays["sums"], self.model.legal)

    def _step(self) -> None:
        policy = self.current()
        flow = self.dynamics.flow(policy)
        quality = self.dynamics.own_quality(flow, self.dynamics.rewards(flow), policy)
        sums = self._arrays["sums"] + self._eta * quality
        # A softmax ignores a shift; without this the sums grow without end.
        self._arrays = {"sums": shifted(sums.reshape(-1, *sums.shape[2:]), self.model.legal, 0.0).reshape(sums.shape)}


SOLVER = mean_field_solver(
    "omd",
    MirrorDescent,
    source="Perolat et al. (2022), AAMAS",
    preference=10,
    parameters=(
        Parameter(name="eta", default=0.1, kind=float, low=1e-9, high=1e6, description="step, per unit of payoff"),
    ),
)

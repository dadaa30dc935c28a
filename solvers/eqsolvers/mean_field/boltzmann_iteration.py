"""Boltzmann iteration: everybody plays the softmax of what actions are worth with the best play from there on.

Cui and Koeppl (2021), "Approximately solving mean field games via entropy-regularized deep reinforcement learning",
AISTATS: the fixed-point iteration with policy pi ~ exp(Q / tau) in place of the best response. It converges for every
tau above a bound that the game's Lipschitz constants give; its fixed points are Boltzmann equilibria, which tend to
Nash equilibria as tau falls. What OpenSpiel calls Boltzmann policy iteration takes the values of the policy itself.

The residual is the error of a probability against the response to the policy's own mean field. With `damping` below 1
the mean field that is responded to is a running average. Cost of an iteration: one pass forward and one backward.
"""

from __future__ import annotations

from eqenvs.arrays import Float64Array
from eqsolvers.mean_field._picard import TAU, RegularisedPicard, damping
from eqsolvers.mean_field._process import mean_field_solver
from eqsolvers.mean_field._soft import boltzmann_response


class BoltzmannIteration(RegularisedPicard):
    """The process."""

    method = "boltzmann-iteration"

    def _logs(self, flow: Float64Array) -> Float64Array:
        return boltzmann_response(self.dynamics, flow, self._log_prior, self._tau)


SOLVER = mean_field_solver(
    "boltzmann-iteration",
    BoltzmannIteration,
    source="Cui and Koeppl (2021), AISTATS",
    concepts=("qre",),
    residual_unit="probability",
    parameters=(TAU, damping(1.0)),
)

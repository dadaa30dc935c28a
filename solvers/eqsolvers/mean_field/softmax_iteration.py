"""Softmax iteration: everybody best responds to the mean field in the entropy-regularised game.

Cui and Koeppl (2021), "Approximately solving mean field games via entropy-regularized deep reinforcement learning",
AISTATS: players pay tau times the relative entropy of their policy to a prior wherever they act, so the best response
is unique, pi ~ q exp(Q / tau) of the soft Q, and depends continuously on the mean field. The fixed-point iteration
converges for every tau above a bound that the game's Lipschitz constants give. The fixed point is an equilibrium of
the regularised game, with a uniform prior of the maximum-entropy one (if all states have as many legal actions).

The residual is the error of a probability against the response to the policy's own mean field. With `damping` below 1
the mean field that is responded to is a running average. Cost of an iteration: one pass forward and one backward;
without a horizon a few sparse solves instead.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field._picard import TAU, RegularisedPicard, compile_soft
from eqsolvers.mean_field._picard import damping as damping_parameter
from eqsolvers.mean_field._process import mean_field_solver
from eqsolvers.mean_field._soft import soft_response


class SoftmaxIteration(RegularisedPicard):
    """The process."""

    method = "softmax-iteration"

    def __init__(
        self,
        model: MeanFieldModel,
        *,
        seed: int = 0,
        tau: float = 0.1,
        damping: float = 1.0,
        prior: Float64Array | None = None,
    ) -> None:
        """Begin with the prior; nothing is drawn, whatever the seed.

        Args:
            model: the game.
            seed: of no use.
            tau: temperature, in payoff.
            damping: share of the mean field replaced in an iteration.
            prior: [M, P, S, A] policy, by default uniform; an action that it leaves out is never played.

        Raises:
            InputError: if the prior is no policy of the game.
        """
        super().__init__(model, tau=tau, damping=damping)
        if prior is not None:
            given = checked_prior(model, prior)
            with np.errstate(divide="ignore"):
                self._log_prior = np.log(given)
            self._arrays |= {"policy": given, "flow": self.dynamics.flow(given)}

    def _logs(self, flow: Float64Array) -> Float64Array:
        return soft_response(self.dynamics, flow, self._log_prior, self._tau)


def checked_prior(model: MeanFieldModel, prior: Float64Array) -> Float64Array:
    """A copy, once it is a policy.

    Raises:
        InputError: if it is none of the game.
    """
    given = np.array(prior, dtype=np.float64)
    if given.shape != model.policy_shape:
        raise InputError(f"prior: must be [M, P, S, A] = {model.policy_shape}, got {given.shape}")
    off = float(np.abs(given.sum(axis=-1) - 1.0).max())
    if not (off <= 1e-9 and (given >= 0).all()) or given[..., ~model.legal].any():
        raise InputError("prior: must be distributions over legal actions")
    return given


SOLVER = mean_field_solver(
    "softmax-iteration",
    SoftmaxIteration,
    source="Cui and Koeppl (2021), AISTATS",
    concepts=("qre",),
    residual_unit="probability",
    compile=compile_soft,
    parameters=(TAU, damping_parameter(1.0)),
)

"""Fixed-point iterations of the mean field: respond to it, let it be what the response generates, and again.

The mean field moves by some total variation an iteration. What that is multiplied by each time is measured, from the
largest of the last ten moves and of the ten before, and told. The iteration converges where this factor stays below 1.
Where it does not, a warning is logged, once, and the iteration goes on.
"""

from __future__ import annotations

import logging
from abc import abstractmethod

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Parameter
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field._process import MeanFieldProcess, compile_for
from eqsolvers.mean_field._soft import log_uniform, soft_response

WINDOW = 10  # moves; two windows are compared
STILL = 1e-10  # total variation at which the mean field counts as at rest, and its factor is what it was before
logger = logging.getLogger(__name__)


class Picard(MeanFieldProcess):
    """The process.

    `flow` [M, P, S] is responded to next, `policy` [M, P, S, A] is the last response, `moved` how far the mean field
    went last, `moves` how far when it was not at rest.
    """

    method = ""

    def __init__(self, model: MeanFieldModel, *, damping: float = 1.0) -> None:
        """Begin with the uniform policy.

        Args:
            model: the game.
            damping: how much of the mean field is replaced in an iteration, in (0, 1].
        """
        super().__init__(model, {})
        policy = self.dynamics.uniform()
        moves, moved = np.full(2 * WINDOW, np.nan), np.full(1, np.nan)
        self._arrays = {"policy": policy, "flow": self.dynamics.flow(policy), "moves": moves, "moved": moved}
        self._damping, self._warned = damping, False

    @abstractmethod
    def _respond(self, flow: Float64Array) -> Float64Array:
        """A policy for a mean field, [M, P, S, A]."""

    def current(self) -> Float64Array:
        """The last response."""
        return self._arrays["policy"]

    def _step(self) -> None:
        before = self._arrays["flow"]
        policy = self._respond(before)
        generated = self.dynamics.flow(policy)
        flow = generated if self._damping == 1.0 else before + self._damping * (generated - before)
        moved = np.array([0.5 * np.abs(flow - before).sum(axis=-1).max()])
        self._arrays = {**self._arrays, "policy": policy, "flow": flow, "moved": moved}
        if moved[0] > STILL:
            self._arrays["moves"] = np.append(self._arrays["moves"][1:], moved)
            self._warn()

    def factor(self) -> float:
        """What moves of the mean field were multiplied by an iteration; 0 where it has not moved twice."""
        moves = self._arrays["moves"][~np.isnan(self._arrays["moves"])]
        half = len(moves) // 2
        if half == 0:
            return 0.0
        return float((moves[-half:].max() / moves[-2 * half : -half].max()) ** (1.0 / half))

    def measures(self) -> dict[str, float]:
        """Those of all mean-field methods, the factor and the last move."""
        moved = float(self._arrays["moved"][0])
        return super().measures() | {"fixed_point_factor": self.factor(), "mean_field_change": moved}

    def _warn(self) -> None:
        if self._warned or np.isnan(self._arrays["moves"][0]) or not self.factor() >= 1.0 - 1e-9:
            return
        self._warned = True
        logger.warning(
            "%s: no contraction: after %d iterations the mean field moves by %.3g, %.6g times as much each time; "
            "going on",
            self.method,
            self.iteration + 1,
            self._arrays["moved"][0],
            self.factor(),
        )


class RegularisedPicard(Picard):
    """One with a smoothed response, whose fixed point is a regularised equilibrium."""

    def __init__(self, model: MeanFieldModel, *, seed: int = 0, tau: float = 0.1, damping: float = 1.0) -> None:
        """Begin with the uniform policy, the prior as well; nothing is drawn, whatever the seed."""
        super().__init__(model, damping=damping)
        self._log_prior, self._tau = log_uniform(model), tau

    @abstractmethod
    def _logs(self, flow: Float64Array) -> Float64Array:
        """The logarithm of the response."""

    def _respond(self, flow: Float64Array) -> Float64Array:
        return np.asarray(np.exp(self._logs(flow)))

    def residual(self) -> float:
        """The largest difference between a probability and the response to the policy's own mean field."""
        return float(np.abs(self.current() - self._respond(self.evaluation().flow)).max())

    def measures(self) -> dict[str, float]:
        """The NashConv of the last iterate as well, which the residual is not."""
        return super().measures() | {"nash_conv": super().residual()}


def compile_soft(model: MeanFieldModel) -> None:
    """Compile all passes for a model."""
    compile_for(model)
    dynamics, prior = Dynamics(model), log_uniform(model)
    soft_response(dynamics, dynamics.flow(dynamics.uniform()), prior, 1.0)


TAU = Parameter(name="tau", default=0.1, kind=float, low=1e-9, high=1e9, description="temperature, in payoff")


def damping(default: float) -> Parameter:
    """The parameter of that name."""
    return Parameter(
        name="damping", default=default, kind=float, low=1e-6, high=1.0, description="share of the mean field replaced"
    )

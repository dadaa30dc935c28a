"""A smoothed fixed point followed towards temperature 0: what Anderson acceleration and Newton-Krylov have in common.

At a temperature tau a policy is told by its soft advantages x [M, P, S, A], tau times the logarithm of its ratio to
the uniform policy: any x is a policy. The map sends x to the advantages of the relative-entropy response to the mean
field of that policy (Cui and Koeppl, 2021, AISTATS; see `_soft`), and its fixed points are the equilibria of the
regularised game. As advantages are differences of values, a constant added to all rewards changes nothing.

The temperature starts high, at the range of rewards, and falls by a factor whenever the fixed point is found. What is
found is close to linear in tau: -gap at an action that is worse by a gap, tau log p at one that is played with
probability p. So the next fixed point is foretold from the last two by a straight line. Where a temperature defeats the
method, it goes back to the last fixed point and takes half as large a step; where no step is small enough, the plain
map goes on from there.

Solved with `concept` "qre" it ends at `tau`, and the residual is the error of a probability there; with "nash" the
residual is NashConv, and `tau` is where cooling stops.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Parameter
from eqsolvers.mean_field._process import MeanFieldProcess
from eqsolvers.mean_field._soft import log_softmax, log_uniform, soft_response

REGULARISED = 0.1  # default temperature of an equilibrium of the regularised game, as of the other methods
SOLVED = 1e-3  # largest change of a logit by the map at which the next temperature is begun
ROUNDING = 1e-13  # error of the map per unit of value that counts as none
LEAST_COOLING = 1e-3  # share of a step in log temperature below which the method no longer retreats


class Smoothed(MeanFieldProcess):
    """A process that looks for the fixed point of the smoothed map.

    `x` and `error` = map(x) - x are [M, P, S, A]; `solved` are the last two fixed points and `solved_at` [2] their
    temperatures, NaN where there is none; `schedule` is [temperature, share of a full step of cooling, evaluations].
    """

    coldest = 1e-3  # default last temperature on the way to a Nash equilibrium

    def __init__(
        self, model: MeanFieldModel, *, concept: str, tau: float | None, start: float | None, cooling: float
    ) -> None:
        """Begin at the uniform policy.

        Args:
            model: the game.
            concept: "qre" or "nash".
            tau: the last temperature, in payoff; by default `REGULARISED` or `coldest`.
            start: the first one; by default the largest difference of rewards in the mean field of the uniform policy.
            cooling: what the temperature is multiplied by, in (0, 1).
        """
        super().__init__(model, {})
        tau = tau or (REGULARISED if concept == "qre" else self.coldest)
        self._concept, self._tau, self._cooling = concept, tau, cooling
        self._log_prior = log_uniform(model)
        evaluation = self.dynamics.evaluate(self.dynamics.uniform())
        self._scale = 1.0 + float(np.abs(evaluation.quality).max())
        if start is None:
            start = float(np.ptp(evaluation.reward[..., model.legal]))
        shape = model.policy_shape
        self._arrays = {
            "x": np.zeros(shape),
            "error": np.zeros(shape),
            "solved": np.zeros((2, *shape)),
            "solved_at": np.full(2, np.nan),
            "schedule": np.array([max(tau, start), 1.0, 0.0]),
        }
        self._arrays["error"] = self.error(self._arrays["x"])

    @property
    def temperature(self) -> float:
        """The present one."""
        return float(self._arrays["schedule"][0])

    @property
    def touched(self) -> int:
        """Decision points visited: all of them, forward and backward, in every evaluation of the map."""
        moments, populations, states, _ = self.model.policy_shape
        return 2 * int(self._arrays["schedule"][2]) * moments * populations * states

    def current(self) -> Float64Array:
        """The policy of the present advantages."""
        return self._policy(self._arrays["x"])

    def _policy(self, x: Float64Array) -> Float64Array:
        return np.asarray(np.exp(log_softmax(self._log_prior + x / self.temperature)))

    def error(self, x: Float64Array) -> Float64Array:
        """What the map changes, [M, P, S, A], in payoff."""
        self._arrays["schedule"][2] += 1
        tau, prior = self.temperature, self._log_prior
        logs = soft_response(self.dynamics, self.dynamics.flow(self._policy(x)), prior, tau)
        advantage = np.multiply(tau, np.subtract(logs, prior, out=np.zeros_like(x), where=self.model.legal))
        return np.asarray(advantage - x)

    def _step(self) -> None:
        if self._is_solved and self.temperature > self._tau:
            self._cool()
            self._begin()
        elif not self._is_exact:
            self._improve()

    @abstractmethod
    def _improve(self) -> None:
        """One step towards the fixed point at the present temperature."""

    @abstractmethod
    def _begin(self) -> None:
        """Forget what was learnt at other temperatures."""

    @property
    def _is_exact(self) -> bool:
        return float(np.abs(self._arrays["error"]).max()) <= ROUNDING * self._scale

    @property
    def _is_solved(self) -> bool:
        return self._is_exact or float(np.abs(self._arrays["error"]).max()) <= SOLVED * self.temperature

    def _cool(self) -> None:
        """Keep the fixed point, and foretell that of the next temperature."""
        _, tau = self._arrays["solved_at"]
        self._arrays["solved"] = np.stack([self._arrays["solved"][1], self._arrays["x"]])
        self._arrays["solved_at"] = np.array([tau, self.temperature])
        self._arrays["schedule"][1] = min(1.0, 2.0 * self._arrays["schedule"][1])
        self._foretell()

    def _foretell(self) -> None:
        (before, last), (tau_before, tau) = self._arrays["solved"], self._arrays["solved_at"]
        following = max(self._tau, tau * self._cooling ** self._arrays["schedule"][1])
        self._arrays["schedule"][0] = following
        if np.isnan(tau_before):
            self._move(last * (following / tau))
        else:
            self._move(last + (last - before) * ((following - tau) / (tau - tau_before)))

    def _retreat(self) -> None:
        """Half as large a step from the last fixed point; where there is none yet, begin at a higher temperature."""
        if np.isnan(self._arrays["solved_at"][1]):
            self._arrays["schedule"][0] /= self._cooling
            self._move(np.zeros_like(self._arrays["x"]))
        elif self._arrays["schedule"][1] > LEAST_COOLING:
            self._arrays["schedule"][1] *= 0.5
            self._foretell()
        else:
            self._move(self._arrays["x"] + 0.5 * self._arrays["error"])
        self._begin()

    def _move(self, x: Float64Array) -> None:
        self._arrays["x"], self._arrays["error"] = x, self.error(x)

    def residual(self) -> float:
        """NashConv; of a regularised equilibrium the error of a probability at the last temperature asked for."""
        if self._concept == "nash":
            return super().residual()
        logs = soft_response(self.dynamics, self.evaluation().flow, self._log_prior, self._tau)
        return float(np.abs(self.current() - np.exp(logs)).max())

    def measures(self) -> dict[str, float]:
        """Those of all mean-field methods, NashConv, the temperature, and the map's evaluations."""
        return super().measures() | {
            "nash_conv": super().residual(),
            "temperature": self.temperature,
            "evaluations": float(self._arrays["schedule"][2]),
        }


def temperatures(coldest: float) -> tuple[Parameter, ...]:
    """The parameters of the schedule, with the last temperature on the way to a Nash equilibrium."""
    return (
        Parameter(
            name="tau",
            default=None,
            kind=float,
            low=1e-9,
            high=1e9,
            description=f"last temperature, in payoff; none: {coldest:g}, or {REGULARISED:g} for concept qre",
        ),
        Parameter(
            name="start",
            default=None,
            kind=float,
            low=1e-9,
            high=1e9,
            description="first temperature, in payoff; none: the range of rewards",
        ),
        Parameter(
            name="cooling", default=0.5, kind=float, low=0.01, high=0.99, description="of the temperature, times"
        ),
    )

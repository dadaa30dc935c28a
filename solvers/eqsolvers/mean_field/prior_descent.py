"""Prior descent: a regularised fixed point whose prior is replaced, every so often, by the policy it led to.

Cui and Koeppl (2021), "Approximately solving mean field games via entropy-regularized deep reinforcement learning",
AISTATS: the fixed-point iteration with policy q exp(Q / tau), and after `inner` iterations q becomes that
policy. A temperature at which the inner iteration converges is kept, while the regularisation towards a policy that is
already good costs ever less. Their heuristic multiplies the temperature by c >= 1 (`growth`) with every new prior. With
inner = 1 and the best play's Q it resembles mirror descent. Values are Boltzmann's, or soft ones (`soft`).

Cost of an iteration: one pass forward and one backward.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Parameter
from eqsolvers.mean_field._picard import compile_soft
from eqsolvers.mean_field._process import MeanFieldProcess, mean_field_solver
from eqsolvers.mean_field._soft import boltzmann_response, log_uniform, soft_response


class PriorDescent(MeanFieldProcess):
    """The process; `logs` and `prior` [M, P, S, A] are logarithms of policies."""

    def __init__(
        self,
        model: MeanFieldModel,
        *,
        seed: int = 0,
        tau: float = 1.0,
        inner: int = 10,
        growth: float = 1.0,
        soft: bool = False,
    ) -> None:
        """Begin with the uniform policy; nothing is drawn, whatever the seed."""
        prior = log_uniform(model)
        super().__init__(model, {"logs": prior, "prior": prior, "tau": np.array([tau])})
        self._inner, self._growth = inner, growth
        self._respond = soft_response if soft else boltzmann_response

    def current(self) -> Float64Array:
        """The last iterate."""
        return np.asarray(np.exp(self._arrays["logs"]))

    def _step(self) -> None:
        prior, tau = self._arrays["prior"], self._arrays["tau"]
        logs = self._respond(self.dynamics, self.dynamics.flow(self.current()), prior, float(tau[0]))
        if (self.iteration + 1) % self._inner == 0:
            prior, tau = logs, tau * self._growth
        self._arrays = {"logs": logs, "prior": prior, "tau": tau}

    def measures(self) -> dict[str, float]:
        """Those of all mean-field methods, and the temperature."""
        return super().measures() | {"temperature": float(self._arrays["tau"][0])}


SOLVER = mean_field_solver(
    "prior-descent",
    PriorDescent,
    source="Cui and Koeppl (2021), AISTATS",
    preference=7,
    compile=compile_soft,
    parameters=(
        Parameter(name="tau", default=1.0, kind=float, low=1e-6, high=1e9, description="temperature, in payoff"),
        Parameter(name="inner", default=10, low=1, high=2**31 - 1, description="iterations with one prior"),
        Parameter(
            name="growth", default=1.0, kind=float, low=1.0, high=1e3, description="of tau with every new prior, times"
        ),
        Parameter(name="soft", default=False, kind=bool, description="soft values in place of the best play's"),
    ),
)

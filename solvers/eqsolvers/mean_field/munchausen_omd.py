"""Munchausen online mirror descent: the sum of values kept in the policy, by a reward for its own logarithm.

Lauriere, Perrin, Girgin, Muller, Jain, Cabannes, Piliouras, Perolat, Elie, Pietquin and Geist (2022), "Scalable deep
reinforcement learning algorithms for mean field games", ICML, with tables in place of networks. The
Munchausen values of the last policy pi are those of

    q(s, a) = r(s, a) + tau log pi(a | s) + discount * E[sum_b pi(b | s') (q(s', b) - tau log pi(b | s'))],

and the next policy is softmax(q / tau): the step maximises <pi', Q> - tau KL(pi' | pi). No sums are kept, and the
policies are those of online mirror descent with eta = 1 / tau.

Cost of an iteration: one pass forward and one backward.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Parameter
from eqsolvers.mean_field._process import MeanFieldProcess, mean_field_solver
from eqsolvers.mean_field._soft import log_softmax, log_uniform


class MunchausenMirrorDescent(MeanFieldProcess):
    """The process; `logs` [M, P, S, A] is the logarithm of the policy, -inf at illegal actions."""

    def __init__(self, model: MeanFieldModel, *, seed: int = 0, tau: float = 10.0) -> None:
        """Begin with the uniform policy; nothing is drawn, whatever the seed."""
        super().__init__(model, {"logs": log_uniform(model)})
        self._tau = tau

    def current(self) -> Float64Array:
        """The last iterate."""
        return np.asarray(np.exp(self._arrays["logs"]))

    def _step(self) -> None:
        policy = self.current()
        flow = self.dynamics.flow(policy)
        bonus = self._tau * np.where(self.model.legal, self._arrays["logs"], 0.0)
        back = (policy * bonus).sum(axis=-1, keepdims=True)
        # Shifted by `back` in every state, the recursion above is the plain one.
        shifted = self.dynamics.own_quality(flow, self.dynamics.rewards(flow) + bonus - back, policy)
        logits = np.where(self.model.legal, (shifted + back) / self._tau, -np.inf)
        self._arrays = {"logs": log_softmax(logits)}


SOLVER = mean_field_solver(
    "munchausen-omd",
    MunchausenMirrorDescent,
    source="Lauriere et al. (2022), ICML",
    preference=8,
    parameters=(
        Parameter(
            name="tau", default=10.0, kind=float, low=1e-6, high=1e9, description="temperature in payoff: 1 / eta"
        ),
    ),
)

"""Newton-Krylov on the smoothed fixed point: quadratic convergence without a Jacobian.

Knoll and Keyes (2004), "Jacobian-free Newton-Krylov methods: a survey of approaches and applications", Journal of
Computational Physics 193: the step d solves (I - G'(x)) d = G(x) - x by GMRES, to a tolerance that shrinks with the
residual (Eisenstat and Walker, 1996, choice 2), where a product with G' is a finite difference of the map; a line
search halves the step until the residual falls. G is the smoothed map of `_smoothed`, followed towards temperature 0.

Unlike fixed-point iterations it needs no contraction and no monotonicity, only that I - G' is not singular on the way.
An iteration is a Newton step, or one of cooling. It costs up to 2 * (`krylov` + 8) passes forward and backward, and
O(`krylov` M P S A) of memory.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Parameter
from eqsolvers.mean_field._dynamics import RESTS
from eqsolvers.mean_field._picard import compile_soft
from eqsolvers.mean_field._process import mean_field_solver
from eqsolvers.mean_field._smoothed import Smoothed, temperatures

HALVINGS = 8  # of a step
DECREASE = 1e-4  # of the residual, per unit of the step


class NewtonKrylov(Smoothed):
    """The process."""

    coldest = 1e-4

    def __init__(
        self,
        model: MeanFieldModel,
        *,
        concept: str = "nash",
        seed: int = 0,
        tau: float | None = None,
        start: float | None = None,
        cooling: float = 0.5,
        krylov: int = 100,
    ) -> None:
        """Begin with the uniform policy; nothing is drawn, whatever the seed.

        Args:
            model: the game.
            concept: "nash" or "qre".
            seed: of no use.
            tau: last temperature, in payoff.
            start: first temperature.
            cooling: what the temperature is multiplied by.
            krylov: the most products with the Jacobian in one step.
        """
        super().__init__(model, concept=concept, tau=tau, start=start, cooling=cooling)
        self._krylov, self._start = krylov, self.temperature
        exact = RESTS if model.horizon is None else float(np.finfo(np.float64).eps)
        self._noise = exact * self._scale  # of values, in payoff

    def _begin(self) -> None:
        """Nothing is carried over."""

    def _improve(self) -> None:
        x, error = self._arrays["x"], self._arrays["error"]
        size = float(np.linalg.norm(error))
        step = self._newton_step(x, error, min(0.1, (size / self.temperature) ** 0.5))
        share = 1.0
        for _ in range(HALVINGS):
            moved = x + share * step
            after = self.error(moved)
            if float(np.linalg.norm(after)) <= (1.0 - DECREASE * share) * size:
                self._arrays["x"], self._arrays["error"] = moved, after
                return
            share *= 0.5
        if not self._is_solved:
            self._retreat()

    def _newton_step(self, x: Float64Array, error: Float64Array, accuracy: float) -> Float64Array:
        shape, tau = x.shape, self.temperature
        # A change h of a logit moves payoffs by about h start, and logits by h start / tau, so curvature costs
        # h start / tau of the difference and noise costs noise / (h start): this h balances the two.
        logit = float(np.sqrt(self._noise * tau)) / self._start

        def product(direction: Float64Array) -> Float64Array:
            length = float(np.abs(direction).max())
            if length == 0.0:
                return np.zeros_like(direction)
            small = logit * tau / length
            ahead = self.error(x + small * direction.reshape(shape))
            return np.asarray((error - ahead).reshape(-1) / small)

        jacobian = LinearOperator((x.size, x.size), matvec=product, dtype=np.float64)
        step, _ = gmres(jacobian, error.reshape(-1), rtol=accuracy, atol=0.0, restart=self._krylov, maxiter=1)
        return np.asarray(step).reshape(shape)


SOLVER = mean_field_solver(
    "newton-krylov",
    NewtonKrylov,
    source="Knoll and Keyes (2004), Journal of Computational Physics",
    concepts=("nash", "qre"),
    residual_unit={"qre": "probability"},
    compile=compile_soft,
    check_every=5,
    preference=6,
    parameters=(
        *temperatures(NewtonKrylov.coldest),
        Parameter(name="krylov", default=100, low=2, high=10_000, description="most Jacobian products in a step"),
    ),
)

"""Anderson acceleration of the smoothed fixed point.

Walker and Ni (2011), "Anderson acceleration for fixed-point iterations", SIAM Journal on Numerical Analysis 49,
algorithm AA in its unconstrained form (type II): with f = G(x) - x, and dX, dF the differences of the last `memory`
iterates and of their f,

    gamma = argmin |f - dF gamma|^2 + ridge |dF|^2 |gamma|^2,       x <- x + mixing f - (dX + mixing dF) gamma.

The ridge keeps gamma small where differences are nearly dependent (Scieur, d'Aspremont and Bach, 2016, "Regularized
nonlinear acceleration", NeurIPS). The safeguard: where the residual grows beyond `GROWTH` times the least since a
restart, or has not been less for `PATIENCE` iterations, the iteration goes back to that iterate, forgets, and mixes
half as much. G is the smoothed map of `_smoothed`, followed towards temperature 0.

Cost of an iteration: one pass forward and one backward, and O(memory^2 M P S A).
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Parameter
from eqsolvers.mean_field._picard import compile_soft
from eqsolvers.mean_field._process import mean_field_solver
from eqsolvers.mean_field._smoothed import Smoothed, temperatures

GROWTH = 10.0  # of the residual that is let pass
PATIENCE = 50  # iterations without a new least residual
LEAST_MIXING = 1e-3  # at which a temperature is given up
RIDGE = 1e-12


class Anderson(Smoothed):
    """The process.

    `moves` and `changes` [memory, M, P, S, A] are the differences, the latest last; `past` [2, M, P, S, A] the iterate
    before and its f; `least` [2, M, P, S, A] those of the smallest residual since a restart; `counts` is [differences,
    whether there is a past, mixing, iterations since the least].
    """

    def __init__(
        self,
        model: MeanFieldModel,
        *,
        concept: str = "nash",
        seed: int = 0,
        tau: float | None = None,
        start: float | None = None,
        cooling: float = 0.5,
        memory: int = 10,
        mixing: float = 1.0,
    ) -> None:
        """Begin with the uniform policy; nothing is drawn, whatever the seed.

        Args:
            model: the game.
            concept: "nash" or "qre".
            seed: of no use.
            tau: last temperature, in payoff.
            start: first temperature.
            cooling: what the temperature is multiplied by.
            memory: differences kept.
            mixing: how much of f is added, in (0, 1].
        """
        super().__init__(model, concept=concept, tau=tau, start=start, cooling=cooling)
        self._memory, self._mixing = memory, mixing
        shape = model.policy_shape
        self._arrays |= {
            "moves": np.zeros((memory, *shape)),
            "changes": np.zeros((memory, *shape)),
            "past": np.zeros((2, *shape)),
            "least": np.zeros((2, *shape)),
            "counts": np.zeros(4),
        }
        self._begin()

    def _begin(self) -> None:
        self._restart(self._mixing)

    def _restart(self, mixing: float) -> None:
        self._arrays["counts"] = np.array([0.0, 0.0, mixing, 0.0])
        self._arrays["least"] = np.stack([self._arrays["x"], self._arrays["error"]])

    def _improve(self) -> None:
        x, f = self._arrays["x"], self._arrays["error"]
        size, least = np.linalg.norm(f), np.linalg.norm(self._arrays["least"][1])
        known, has_past, mixing, since = self._arrays["counts"]
        if size < least:
            self._arrays["least"], since = np.stack([x, f]), 0.0
        elif since >= PATIENCE or not size <= GROWTH * least:
            if mixing <= LEAST_MIXING:
                self._retreat()
                return
            x, f = self._arrays["least"]
            self._arrays["x"], self._arrays["error"] = x, f
            self._restart(mixing / 2)
            known, has_past, mixing, since = self._arrays["counts"]
        if has_past:
            before, f_before = self._arrays["past"]
            self._arrays["moves"] = np.concatenate([self._arrays["moves"][1:], (x - before)[None]])
            self._arrays["changes"] = np.concatenate([self._arrays["changes"][1:], (f - f_before)[None]])
            known = min(known + 1, self._memory)
        self._arrays["counts"] = np.array([known, 1.0, mixing, since + 1.0])
        self._arrays["past"] = np.stack([x, f])
        latest = slice(self._memory - int(known), None)
        self._move(accelerated(x, f, self._arrays["moves"][latest], self._arrays["changes"][latest], mixing))


def accelerated(
    x: Float64Array, f: Float64Array, moves: Float64Array, changes: Float64Array, mixing: float
) -> Float64Array:
    """The next iterate.

    Args:
        x: [...], the present one.
        f: [...], G(x) - x.
        moves: [k, ...], differences of iterates, k >= 0.
        changes: [k, ...], those of their f.
        mixing: share of f that is added.
    """
    plain = x + mixing * f
    if not len(moves):
        return plain
    gamma = least_squares(changes.reshape(len(changes), -1).T, f.reshape(-1), RIDGE)
    return np.asarray(plain - np.tensordot(gamma, moves + mixing * changes, axes=1))


def least_squares(matrix: Float64Array, target: Float64Array, ridge: float) -> Float64Array:
    """Argmin |target - matrix z|^2 + ridge |matrix|^2 |z|^2, with the spectral norm of the matrix [n, k]."""
    left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
    if sizes[0] == 0.0:
        return np.zeros(matrix.shape[1])
    shrunk = sizes / (sizes**2 + ridge * sizes[0] ** 2)
    found: Float64Array = right.T @ (shrunk * (left.T @ target))
    return found


SOLVER = mean_field_solver(
    "anderson",
    Anderson,
    source="Walker and Ni (2011), SIAM Journal on Numerical Analysis",
    concepts=("nash", "qre"),
    residual_unit={"qre": "probability"},
    compile=compile_soft,
    parameters=(
        *temperatures(Anderson.coldest),
        Parameter(name="memory", default=10, low=1, high=1_000, description="differences kept"),
        Parameter(name="mixing", default=1.0, kind=float, low=1e-3, high=1.0, description="share of the map's step"),
    ),
)

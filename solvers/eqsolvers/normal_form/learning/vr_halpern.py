"""Variance-reduced Halpern iteration on a two-player zero-sum game: a row and a column of the matrix an iteration.

Halpern iteration z_{k+1} = z_0 / (k + 2) + (1 - 1 / (k + 2)) J(z_k) on the resolvent J of eta F, F = (-M y, M^T x) on
the simplices: J(z) is the point v at which each player answers v with the step P(z - eta F(v)). J moves no two points
apart, so that |z_k - J(z_k)| <= 2 |z_0 - z*| / (k + 1) and the gap of J(z_k), the last iterate, is of the order
1 / (eta k). J(z_k) is approximated by forward-reflected-backward steps whose gradients are sampled: with w the
reference point, its full gradient F(w) known, and w' the one of the step before,

    v <- prox((1 - p) v + p w - gamma (F(w) + F_s(v) - F_s(w'))),   w <- v with probability p,

where F_s reads one row i of M, drawn with probability |M_i|^2 / |M|^2, and one column by the same rule: its mean is F,
and the mean square of F_s(v) - F_s(w') at most |M|^2 |v - w'|^2, |M| the Frobenius norm.

Cai, Alacaoglu and Diakonikolas (2024), "Variance reduced Halpern iteration for finite-sum monotone inclusions", ICLR,
arXiv 2310.02987, its algorithm for monotone Lipschitz operators (their PAGE estimator is for cocoercive ones, which the
operator of a game is not); the inner method, and the sampling, Alacaoglu and Malitsky (2022), "Stochastic variance
reduction for variational inequality methods", COLT; after Carmon, Jin, Sidford and Tian (2019), "Variance reduction for
matrix games", NeurIPS. To a gap of eps in an m x n game the paper's is O~(m n + sqrt(m n (m + n)) |M| / eps) payoffs
where Halpern iteration takes O(m n |M|_2 / eps): fewer where |M| is near the spectral norm |M|_2.

Of these papers the abstracts and what others say of the algorithms could be read; their general form is from memory,
and the constants are chosen here. With N = m n / (m + n): p = 1 / N, gamma = min(sqrt(p), 1/2) / |M|, eta = 2 sqrt(N) /
|M|, and the k-th resolvent gets eta ln(k + 2) / (2 gamma) steps, from the one before. Measured on games of rank 1 and 2
of 50 x 50 to 400 x 400: with 1.4 times this gamma the method is still stable, with 1.7 times it is not.

M is centred first by rows and columns. What that takes out, M_ij = r_i + c_j, is linear in each player's own strategy
and enters the gradients exactly, at no variance. Cost of an iteration: at most m + n payoffs, and with probability p
the 2 m n of a full gradient. Two-player constant-sum games; two copies of the matrix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import compiled
from eqsolvers.normal_form._zero_sum import require_matrix_game
from eqsolvers.normal_form.learning._parameters import rate_parameter
from eqsolvers.normal_form.learning._simplex import project
from eqsolvers.result import two_players_constant_sum
from eqsolvers.scoring.score import score

BLOCK = 256  # iterations whose random numbers are drawn at once
SMALLEST = 1e-12  # of the range of the payoffs: a centred matrix below it is rounding


@compiled
def prox(point: Any, gradient: Any, anchor: Any, gamma: float, eta: float) -> Any:
    """Argmin |v - point|^2 / 2 - gamma <gradient, v> + gamma |v - anchor|^2 / (2 eta) over the simplex, [A]."""
    weight = gamma / eta
    return project(((point + gamma * gradient + weight * anchor) / (1.0 + weight)).reshape(1, -1))[0]


@compiled
def advance(
    matrix: Any, transposed: Any, offsets: Any, offsets_too: Any, rows: Any, columns: Any, anchor: Any, anchor_too: Any,
    row: Any, column: Any, reference: Any, reference_too: Any, before: Any, before_too: Any, payoffs: Any,
    payoffs_too: Any, gamma: float, eta: float, refresh: float, numbers: Any,
) -> int:  # fmt: skip
    """Steps towards one resolvent, as many as there are rows of `numbers`; returns how many payoffs were looked at.

    Args:
        matrix: the centred payoffs of the row player, [m, n].
        transposed: the same by columns, [n, m].
        offsets: what the row player's actions pay beside, [m].
        offsets_too: what the column player's pay the row player, [n].
        rows: cumulative probabilities of the rows to be drawn, [m].
        columns: those of the columns, [n].
        anchor: the point whose resolvent is looked for, the row player's part, [m].
        anchor_too: the column player's, [n].
        row: the row player's strategy, [m], changed in place as the next seven are.
        column: the column player's, [n].
        reference: where the full gradient was last taken, [m].
        reference_too: the same, [n].
        before: `reference` one step ago, [m].
        before_too: the same, [n].
        payoffs: the row player's full gradient, [m].
        payoffs_too: what the column player loses, [n].
        gamma: step size.
        eta: of the resolvent.
        refresh: probability of a new reference.
        numbers: uniform random numbers, [steps, 3].
    """
    m, n = matrix.shape
    touched = 0
    for t in range(len(numbers)):
        gradient, loss = payoffs.copy(), payoffs_too.copy()
        i = np.searchsorted(rows, numbers[t, 0], side="right")
        j = np.searchsorted(columns, numbers[t, 1], side="right")
        moved, moved_too = row[i] - before[i], column[j] - before_too[j]
        if moved != 0.0:  # else its row has no part in the difference
            loss += matrix[i] * (moved / (rows[i] - (rows[i - 1] if i > 0 else 0.0)))
            touched += n
        if moved_too != 0.0:
            gradient += transposed[j] * (moved_too / (columns[j] - (columns[j - 1] if j > 0 else 0.0)))
            touched += m
        before[:] = reference
        before_too[:] = reference_too
        row[:] = prox((1.0 - refresh) * row + refresh * reference, gradient, anchor, gamma, eta)
        column[:] = prox((1.0 - refresh) * column + refresh * reference_too, -loss, anchor_too, gamma, eta)
        if numbers[t, 2] < refresh:
            reference[:] = row
            reference_too[:] = column
            payoffs[:] = np.dot(matrix, column) + offsets
            payoffs_too[:] = np.dot(transposed, row) + offsets_too
            touched += 2 * m * n
    return touched


class VarianceReducedHalpern:
    """A run on a matrix game; see `eqsolvers.iterative.Process`. `touched` counts payoffs looked at."""

    unit = "payoffs"  # of `touched`

    def __init__(self, model: NormalFormModel, *, seed: int = 0, eta: float | None = None) -> None:
        matrix = require_matrix_game(model, "vr-halpern")
        m, n = matrix.shape
        scaled = (matrix - matrix.min()) / (np.ptp(matrix) or 1.0)
        self._model, self._seed = model, seed
        self._offsets = (scaled.mean(axis=1), scaled.mean(axis=0))
        centred = scaled - self._offsets[0][:, None] - self._offsets[1] + scaled.mean()
        norm = float(np.linalg.norm(centred))
        if norm < SMALLEST:
            centred, norm = np.zeros_like(centred), 1.0
        self._matrix, self._transposed = np.ascontiguousarray(centred), np.ascontiguousarray(centred.T)
        self._draws = _cumulative((centred**2).sum(axis=1)), _cumulative((centred**2).sum(axis=0))
        self._refresh = min((m + n) / (m * n), 1.0)
        self._gamma = min(math.sqrt(self._refresh), 0.5) / norm
        self._eta = 2.0 * math.sqrt(m * n / (m + n)) / norm if eta is None else eta
        self._numbers: tuple[int, Float64Array] | None = None
        self._iteration = self._resolvents = self._left = 0
        self._touched: int = m * n  # to centre them
        uniform = [np.full(k, 1.0 / k) for k in (m, n)]
        points = ("resolvent", "anchor", "strategy", "reference", "before", "gradient")
        self._state = {f"{name}_{player}": uniform[player].copy() for name in points for player in range(2)}

    @property
    def iteration(self) -> int:
        """Steps done."""
        return self._iteration

    @property
    def touched(self) -> int:
        """See the class."""
        return self._touched

    def run(self, iterations: int) -> None:
        """Do that many more steps."""
        while iterations > 0:
            if self._left == 0:
                self._begin()
            numbers = self._uniform()[: min(iterations, self._left)]
            self._touched += advance(
                self._matrix,
                self._transposed,
                *self._offsets,
                *self._draws,
                *self._pair("anchor"),
                *self._pair("strategy"),
                *self._pair("reference"),
                *self._pair("before"),
                *self._pair("gradient"),
                self._gamma,
                self._eta,
                self._refresh,
                numbers,
            )
            self._iteration += len(numbers)
            self._left -= len(numbers)
            iterations -= len(numbers)
            if self._left == 0:
                self._resolvents += 1
                self._copy("strategy", "resolvent")

    def policy(self) -> TabularPolicy:
        """The last resolvent that is done; uniform before the first."""
        return TabularPolicy(self._model, [point.copy() for point in self._pair("resolvent")])

    def residual(self) -> float:
        """NashConv."""
        return score(self._model, self.policy()).nash_conv

    def measures(self) -> dict[str, float]:
        """How many resolvents are done, the k that the guarantee falls with."""
        return {"resolvents": float(self._resolvents)}

    def state(self) -> dict[str, Any]:
        """All that changes."""
        counts = {"iteration": self._iteration, "touched": self._touched, "seed": self._seed}
        points = {name: array.copy() for name, array in self._state.items()}
        return {**counts, "resolvents": self._resolvents, "left": self._left, **points}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave."""
        self._iteration, self._touched, self._seed = (int(state[name]) for name in ("iteration", "touched", "seed"))
        self._resolvents, self._left = int(state["resolvents"]), int(state["left"])
        self._numbers = None
        for name, array in self._state.items():
            array[:] = state[name]

    def _begin(self) -> None:
        """Pull towards the start, and take the full gradient at the last resolvent."""
        pull = 1.0 / (self._resolvents + 1)
        for anchor, done in zip(self._pair("anchor"), self._pair("resolvent"), strict=True):
            anchor[:] = pull / len(anchor) + (1.0 - pull) * done
        self._copy("strategy", "reference")
        self._copy("strategy", "before")
        row, column = self._pair("strategy")
        gradient, loss = self._pair("gradient")
        gradient[:] = self._matrix @ column + self._offsets[0]
        loss[:] = self._transposed @ row + self._offsets[1]
        self._touched += 2 * self._matrix.size
        self._left = max(1, math.ceil(self._eta / self._gamma * math.log(self._resolvents + 2) / 2))

    def _pair(self, name: str) -> tuple[Float64Array, Float64Array]:
        return self._state[f"{name}_0"], self._state[f"{name}_1"]

    def _copy(self, source: str, target: str) -> None:
        for old, new in zip(self._pair(target), self._pair(source), strict=True):
            old[:] = new

    def _uniform(self) -> Float64Array:
        """The random numbers from this step on to the end of its block."""
        block, row = divmod(self._iteration, BLOCK)
        if self._numbers is None or self._numbers[0] != block:
            self._numbers = block, np.random.default_rng((self._seed, block)).random((BLOCK, 3))
        return self._numbers[1][row:]


def _cumulative(squares: Float64Array) -> Float64Array:
    """Cumulative probabilities in proportion to the squares; uniform if all are 0, when nothing is read by them.

    The last is exactly 1, so that a number below 1 never draws a row of probability 0.
    """
    sums = squares.cumsum() if squares.any() else np.arange(1.0, len(squares) + 1.0)
    cumulative: Float64Array = sums / sums[-1]
    return cumulative


def start(model: NormalFormModel, *, seed: int = 0, eta: float | None = None) -> VarianceReducedHalpern:
    """The process.

    Args:
        model: the game.
        seed: of the random numbers.
        eta: of the resolvents, for payoffs scaled to [0, 1]; None: see the module.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum.
    """
    return VarianceReducedHalpern(model, seed=seed, eta=eta)


def compile_kernels(model: NormalFormModel) -> None:
    """Compile, or load from the cache."""
    start(NormalFormModel([[[0.0, 1.0], [1.0, 0.0]], [[0.0, -1.0], [-1.0, 0.0]]])).run(1)


SOLVER = iterative_solver(
    "vr-halpern",
    start,
    family=Family.NORMAL_FORM,
    parameters=(rate_parameter("of the resolvents, for payoffs scaled to [0, 1]; none: 2 sqrt(m n / (m + n)) / |M|"),),
    random=True,
    covers=two_players_constant_sum,
    compile=compile_kernels,
    default_iterations=1_000_000,
    source="Cai, Alacaoglu, Diakonikolas (2024), ICLR; Alacaoglu, Malitsky (2022), COLT",
)

"""Quantal response equilibrium of a two-player zero-sum Markov game by entropy-regularised extragradient.

The first player's payoff in a step has tau times the entropy of its own strategy added and that of the opponent's taken
away. That game has one equilibrium: in every state both play the softmax of what their actions are worth over tau, the
logit quantal response equilibrium of precision 1 / tau. Value iteration, with the stage games solved by policy
extragradient steps, multiplicative updates that look one step ahead:

    x'  ~ x^(1 - eta tau) exp(eta A y),     y'  ~ y^(1 - eta tau) exp(-eta A^T x),
    x <- x^(1 - eta tau) exp(eta A y'),     y <- y^(1 - eta tau) exp(-eta A^T x'),

eta = 1 / (2 tau + range(A)), whose last iterates converge linearly, at a rate of about 1 - eta tau; they go on from
one iteration to the next, until their error is small beside the last change of values. With a horizon it is backward
induction, each step's stage games solved to rounding.

Cen, Wei and Chi (2021), "Fast policy extragradient methods for competitive games with entropy regularization", NeurIPS
(JMLR 25, 2024), "predictive update" in the stage games. Theirs has a fixed number of inner steps, and the largest |A|
in place of half the range, which is the same where A is shifted; no update depends on that.

The residual is the largest difference between a probability and the softmax of the policy's own action values, which
are solved for exactly. Cost of an inner step: O(m n) for each state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array, joint_play, read_only
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import JointPolicy, tabulate
from eqenvs.spec import Parameter
from eqsolvers.iterative import require_two_player_zero_sum
from eqsolvers.kernels import compiled
from eqsolvers.markov._bounded import bounded_solver
from eqsolvers.markov._value_iteration import Plays, ValueIteration, expected_payoffs, uniform_tables
from eqsolvers.markov._zero_sum import product
from eqsolvers.result import two_players_constant_sum
from eqsolvers.scoring.chains import chains

SHARE = 0.1  # of the last change of values that an inner error may stand for
LARGEST = 1e-2  # inner error, in probability
ROUNDING = 1e-14  # the smallest inner error that is asked for, and change of the values per unit that counts
LOOK_EVERY = 8  # inner steps between two looks at their error
CHECK_EVERY = 10  # iterations between two looks at the residual
STILL = 100  # iterations without a change of the values after which rounding is all that is left


class EntropyStages:
    """Regularised stage games, each begun where it was left; implements `Stages` for one player's values."""

    def __init__(self, model: MarkovModel, tau: float, most_steps: int) -> None:
        self._legal, self._tau, self._most_steps = model.legal, tau, most_steps
        self._to_the_end = model.horizon is not None
        self._logs = tuple(np.where(mask, 0.0, -np.inf) for mask in model.legal)
        self._may_end = model.may_end
        self._last, self._change = np.zeros(model.num_states), np.inf
        self.steps = 0

    def solve(self, payoffs: Float64Array) -> tuple[Float64Array, Plays]:
        """From [S, A_0, A_1, 1] to values [S, 1], regularised, and both players' strategies."""
        games = np.ascontiguousarray(payoffs[..., 0])
        span = max(float(np.ptp(games)), np.finfo(np.float64).tiny)
        target = 0.0 if self._to_the_end else min(LARGEST, SHARE * self._change / span)
        target = max(target, ROUNDING + 4 * np.finfo(np.float64).eps * span / self._tau)
        x, y = np.zeros_like(self._logs[0]), np.zeros_like(self._logs[1])
        values = np.empty(len(games))
        rows, columns = self._legal
        log_rows, log_columns = self._logs
        self.steps += extragradient(
            games, rows, columns, log_rows, log_columns, x, y, values, self._tau, target, self._most_steps
        )
        change = values - self._last
        # What all values change by alike does not matter to play, unless the game may end.
        self._change = float(np.ptp(np.append(change, 0.0) if self._may_end else change))
        self._last = values
        return values[:, None], (x, y)

    def state(self) -> dict[str, Any]:
        """The strategies' logarithms, and the values."""
        logs = [part.copy() for part in self._logs]
        return {"logs": logs, "last": self._last.copy(), "change": self._change, "steps": self.steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave."""
        self._logs = np.array(state["logs"][0]), np.array(state["logs"][1])
        self._last, self._change, self.steps = np.array(state["last"]), state["change"], state["steps"]


@compiled
def extragradient(
    payoffs: Any,
    legal_rows: Any,
    legal_columns: Any,
    log_rows: Any,
    log_columns: Any,
    rows: Any,
    columns: Any,
    values: Any,
    tau: float,
    target: float,
    most_steps: int,
) -> int:
    """Take steps in every game until both strategies are within `target` of the softmax of their payoffs.

    Args:
        payoffs: [B, m, n].
        legal_rows: [B, m] bool.
        legal_columns: [B, n] bool.
        log_rows: [B, m], logarithms of the strategies, read and written, like the next.
        log_columns: [B, n].
        rows: [B, m], the strategies, written, like the next two.
        columns: [B, n].
        values: [B], regularised.
        tau: weight of the entropies.
        target: in probability.
        most_steps: in each game.

    Returns:
        The steps taken, in all.
    """
    batch, m, n = payoffs.shape
    total = 0
    x, y, ahead_x, ahead_y = np.empty(m), np.empty(n), np.empty(m), np.empty(n)
    gain_x, gain_y, next_x, next_y = np.empty(m), np.empty(n), np.empty(m), np.empty(n)
    for b in range(batch):
        matrix, may, may_too = payoffs[b], legal_rows[b], legal_columns[b]
        log_x, log_y = log_rows[b], log_columns[b]
        low, high = np.inf, -np.inf
        for i in range(m):
            for j in range(n):
                if may[i] and may_too[j]:
                    low, high = min(low, matrix[i, j]), max(high, matrix[i, j])
        eta = 1.0 / (2.0 * tau + high - low)
        keep = 1.0 - eta * tau
        softmax(log_x, may, 1.0, x)
        softmax(log_y, may_too, 1.0, y)
        for step in range(most_steps + 1):
            action_values(matrix, x, y, gain_x, gain_y)
            if step % LOOK_EVERY == 0 or step == most_steps:
                softmax(gain_x, may, 1.0 / tau, next_x)
                softmax(gain_y, may_too, 1.0 / tau, next_y)
                if max(np.abs(x - next_x).max(), np.abs(y - next_y).max()) <= target:
                    break
            if step == most_steps:
                break
            for i in range(m):
                next_x[i] = keep * log_x[i] + eta * gain_x[i]
            for j in range(n):
                next_y[j] = keep * log_y[j] + eta * gain_y[j]
            softmax(next_x, may, 1.0, ahead_x)
            softmax(next_y, may_too, 1.0, ahead_y)
            action_values(matrix, ahead_x, ahead_y, gain_x, gain_y)
            for i in range(m):
                log_x[i] = keep * log_x[i] + eta * gain_x[i]
            for j in range(n):
                log_y[j] = keep * log_y[j] + eta * gain_y[j]
            softmax(log_x, may, 1.0, x)
            softmax(log_y, may_too, 1.0, y)
            total += 1
        rows[b], columns[b] = x, y
        value = 0.0
        for i in range(m):
            if x[i] > 0.0:
                value += x[i] * (gain_x[i] - tau * np.log(x[i]))
        for j in range(n):
            if y[j] > 0.0:
                value += tau * y[j] * np.log(y[j])
        values[b] = value
    return total


@compiled
def softmax(logs: Any, legal: Any, scale: float, out: Any) -> None:
    """Write the distribution proportional to exp(scale * logs) over the legal actions."""
    top = -np.inf
    for i in range(len(logs)):
        if legal[i]:
            top = max(top, scale * logs[i])
    total = 0.0
    for i in range(len(logs)):
        out[i] = np.exp(scale * logs[i] - top) if legal[i] else 0.0
        total += out[i]
    for i in range(len(logs)):
        out[i] /= total


@compiled
def action_values(matrix: Any, x: Any, y: Any, gain_x: Any, gain_y: Any) -> None:
    """Write A y and -A^T x."""
    m, n = matrix.shape
    gain_y[:] = 0.0
    for i in range(m):
        total = 0.0
        for j in range(n):
            total += matrix[i, j] * y[j]
            gain_y[j] -= matrix[i, j] * x[i]
        gain_x[i] = total


class EntropyProcess(ValueIteration):
    """A `Process` whose bound is its residual, in probability, looked at now and then."""

    def _look_at(self, values: Float64Array, plays: Plays) -> None:
        """Keep the last: a change that is the same in all values says nothing of how far the plays are."""
        self._plays = list(plays)
        still = np.abs(values - self.values).max() <= ROUNDING * np.abs(values).max()
        self._since = self._since + 1 if still else 0
        self.finished = self._since >= STILL

    def bound(self) -> float:
        """The residual, at every tenth iteration; inf at others."""
        look = self.finished or (self.model.horizon is None and self.iteration % CHECK_EVERY == 0)
        return self.residual() if look else np.inf

    def measures(self) -> dict[str, float]:
        """Extragradient steps, over all states."""
        assert isinstance(self.stages, EntropyStages)
        return {"extragradient_steps": float(self.stages.steps)}


def qre_error(model: MarkovModel, policy: JointPolicy, tau: float) -> float:
    """The largest difference between a probability and the softmax of the regularised action values over tau."""
    tables = tabulate(model, policy).tables
    form, payoffs, states = chains(model), expected_payoffs(model, 1), model.num_states
    bonus = tau * (_entropy(tables[0]) - _entropy(tables[1]))

    def error(part: slice, games: Float64Array) -> tuple[float, Float64Array]:
        """Of some decision points; and their values [S]."""
        x, y = tables[0][part], tables[1][part]
        own, theirs = np.einsum("sab,sb->sa", games, y), -np.einsum("sab,sa->sb", games, x)
        values = (x * own).sum(axis=1) + bonus[part]
        off = [
            np.abs(table - _softmax(worth / tau, legal)).max()
            for table, worth, legal in zip((x, y), (own, theirs), model.legal, strict=True)
        ]
        return float(max(off)), values

    if model.horizon is None:
        joint = joint_play(tables).reshape(states, -1)
        paid = (joint * model.reward[0].reshape(states, -1)).sum(axis=1) + bonus
        values = form.stationary(joint, paid[:, None])
        return error(slice(0, states), payoffs(values)[..., 0])[0]
    worst, values = 0.0, np.zeros((states, 1))
    for step in range(model.horizon - 1, -1, -1):
        off, at_step = error(slice(step * states, (step + 1) * states), payoffs(values)[..., 0])
        worst, values = max(worst, off), at_step[:, None]
    return worst


def _entropy(table: Float64Array) -> Float64Array:
    found: Float64Array = -(table * np.log(np.where(table > 0, table, 1.0))).sum(axis=1)
    return found


def _softmax(logs: Float64Array, legal: BoolArray) -> Float64Array:
    shifted = np.where(legal, logs, -np.inf)
    weights = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    found: Float64Array = weights / weights.sum(axis=1, keepdims=True)
    return found


def start(model: MarkovModel, *, tau: float = 0.1, inner: int = 100_000, seed: int = 0) -> EntropyProcess:
    """The process.

    Args:
        model: the game.
        tau: weight of the entropies, in payoff.
        inner: the most extragradient steps in a state in one iteration.
        seed: of no use; nothing is drawn.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum.
    """
    require_two_player_zero_sum(
        model, "entropy-extragradient", hint="logit branches of other games are followed in normal form only"
    )
    return EntropyProcess(
        model,
        EntropyStages(model, tau, inner),
        plays=uniform_tables(model),
        policy=product,
        residual=lambda model, policy: qre_error(model, policy, tau),
        players=1,
    )


def compile_for(model: Any) -> None:
    """Compile the kernels, or load them from the cache."""
    game, legal = np.eye(2)[None], read_only(np.ones((1, 2), dtype=bool))
    a, b, c, d = (np.zeros((1, 2)) for _ in range(4))
    extragradient(game, legal, legal, a, b, c, d, np.empty(1), 1.0, 0.1, 1)


SOLVER = bounded_solver(
    "entropy-extragradient",
    start,
    concepts=("qre",),
    parameters=(
        Parameter(
            name="tau", default=0.1, kind=float, low=1e-6, high=1e6, description="weight of the entropies: payoff"
        ),
        Parameter(
            name="inner", default=100_000, low=1, high=2**31 - 1, description="most extragradient steps in a state"
        ),
    ),
    preference=10,
    covers=two_players_constant_sum,
    compile=compile_for,
    residual_unit="probability",
    tolerance=1e-8,
    iterations=100_000,
    source="Cen, Wei, Chi (2021)",
)

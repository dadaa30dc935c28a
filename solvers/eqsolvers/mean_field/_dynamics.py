"""A mean-field game as its solvers see it: the flow of a policy, and what actions are worth against it.

With a horizon both are one pass over time. Without one, the flow is the population's stable distribution under the
policy, which is sought by letting the population move until it rests; values are those of the discounted decision
problem in that distribution, from sparse linear solves, best responses by Howard's policy iteration.

Policies are arrays [M, P, S, A] with M = 1 without a horizon; values are of one representative player per population.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, eye_array, vstack
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.models.mean_field_kernels import Kernel, features_of, kernel_at
from eqsolvers.mean_field._backward import backward, pull
from eqsolvers.mean_field._tables import first_best, received, spread

RESTS = 1e-13  # total variation a step at which a population counts as stable
MAX_STEPS = 20_000  # of a population on its way to rest
MAX_ROUNDS = 1_000  # of Howard's policy iteration


class Stability(NamedTuple):
    """How a population came to rest.

    Attributes:
        residual: total variation of one more step.
        factor: what that was multiplied by a step, at the end; 1 or more where the population does not contract.
        steps: taken.
    """

    residual: float
    factor: float
    steps: int

    @property
    def distance(self) -> float:
        """About how far it was left from rest, total variation: what still moves, summed up; infinite if for ever."""
        if self.residual <= RESTS:
            return 0.0
        return self.residual / (1 - self.factor) if self.factor < 1 else float("inf")


AT_REST = Stability(0.0, 0.0, 0)


@dataclass(frozen=True)
class Evaluation:
    """A policy against its own mean field.

    Attributes:
        flow: [M, P, S].
        reward: [M, P, S, A].
        quality: [M, P, S, A], what actions are worth with the best play from there on.
        values: [P], of the policy.
        best: [P], of the best response.
        stability: of the flow, without a horizon.
    """

    flow: Float64Array
    reward: Float64Array
    quality: Float64Array
    values: Float64Array
    best: Float64Array
    stability: Stability = AT_REST

    @property
    def gains(self) -> Float64Array:
        """[P], at least 0: rounding can leave a negative of a few ulps."""
        return np.maximum(0.0, self.best - self.values)

    @property
    def exploitability(self) -> float:
        """The mean of the gains over the populations."""
        return float(self.gains.mean())


class Dynamics:
    """One model's passes.

    Attributes:
        model: the game.
    """

    def __init__(self, model: MeanFieldModel) -> None:
        self.model = model
        self._weight = model.moments.reach * model.discount**model.moments.time
        self._every = model.at(slice(None))

    def uniform(self) -> Float64Array:
        """Every legal action alike, [M, P, S, A]."""
        legal = self.model.legal / self.model.legal.sum(axis=1, keepdims=True)
        return np.broadcast_to(legal, self.model.policy_shape).copy()

    def flow(self, policy: Float64Array) -> Float64Array:
        """[M, P, S]."""
        return self.rest(policy)[0]

    def rest(self, policy: Float64Array) -> tuple[Float64Array, Stability]:
        """The flow, and without a horizon how the population came to rest."""
        if self.model.horizon is not None:
            return self.model.flow(policy), AT_REST
        return stable_distribution(self.model, policy)

    def rewards(self, flow: Float64Array) -> Float64Array:
        """[M, P, S, A]."""
        given = np.asarray(self.model.given_rewards(flow, self._every), dtype=np.float64)
        full = np.broadcast_to(given, (*flow.shape, given.shape[-1] if given.ndim else 1))
        return spread(full, self.model.legal, self.model.num_actions)

    def own_quality(self, flow: Float64Array, reward: Float64Array, policy: Float64Array) -> Float64Array:
        """What actions are worth with the policy from there on, [M, P, S, A]."""
        if self.model.horizon is not None:
            return backward(self.model, flow, reward, policy, best=False)[0]
        kernel = kernel_at(self.model, flow[0], 0)
        worth = _policy_values(self.model, kernel, flow[0], reward[0], policy[0])
        return _quality(self.model, kernel, flow, reward, policy, worth)

    def best_quality(self, flow: Float64Array, reward: Float64Array) -> tuple[Float64Array, Float64Array]:
        """What actions are worth with the best play from there on, [M, P, S, A], and what the best play gets, [P]."""
        if self.model.horizon is not None:
            quality, start = backward(self.model, flow, reward, reward, best=True)
            return quality, (start * self.model.initial).sum(axis=1)
        quality, values = _best_response(self.model, flow, reward)
        return quality, (values * flow[0]).sum(axis=1)

    def values(self, flow: Float64Array, reward: Float64Array, policy: Float64Array) -> Float64Array:
        """What the policy gets in its own flow, [P]."""
        if self.model.horizon is not None:
            return received(self._weight, flow, reward, policy)
        kernel = kernel_at(self.model, flow[0], 0)
        worth: Float64Array = _policy_values(self.model, kernel, flow[0], reward[0], policy[0]) * flow[0]
        return np.asarray(worth.sum(axis=1))

    def evaluate(self, policy: Float64Array) -> Evaluation:
        """The policy against its own mean field."""
        flow, stability = self.rest(policy)
        reward = self.rewards(flow)
        quality, best = self.best_quality(flow, reward)
        return Evaluation(flow, reward, quality, self.values(flow, reward, policy), best, stability)

    def greedy(self, quality: Float64Array) -> Float64Array:
        """The pure policy of the first best legal action, [M, P, S, A]."""
        return first_best(quality, self.model.legal)


def stable_distribution(
    model: MeanFieldModel, policy: Float64Array, *, start: Float64Array | None = None
) -> tuple[Float64Array, Stability]:
    """Where the population comes to rest, [1, P, S], from `start` or the initial distribution.

    Where moves do not depend on the mean field and can settle in one way only, that is one linear solve. Elsewhere the
    population moves until it rests; one that goes round in a cycle is slowed down: half of it moves at a time, which
    has the same fixed points.
    """
    at = model.initial if start is None else start
    if model.kernel is not None and not len(model.kernel.weight):
        rows = [_only_rest(moves) for moves in matrices(model, model.kernel, at, policy[0])]
        if all(row is not None for row in rows):
            found = np.stack(rows)  # type: ignore[arg-type]
            moved = 0.5 * float(np.abs(model.advance(found, policy) - found).sum(axis=1).max())
            return found[None], Stability(moved, 0.0, 1)
    change, factor, lazy = np.inf, 0.0, False
    for step in range(1, MAX_STEPS + 1):
        after = model.advance(at, policy)
        moved = 0.5 * float(np.abs(after - at).sum(axis=1).max())
        factor = moved / change if np.isfinite(change) and change > 0 else 0.0
        change = moved
        if moved <= RESTS:
            return after[None] / after.sum(axis=1, keepdims=True), Stability(moved, factor, step)
        lazy = lazy or step == MAX_STEPS // 10
        at = 0.5 * (at + after) if lazy else after
        at = at / at.sum(axis=1, keepdims=True)
    return at[None], Stability(change, factor, MAX_STEPS)


def _only_rest(moves: csr_array) -> Float64Array | None:
    """The stationary distribution [S] of a Markov chain [S, S]; None where it has several."""
    moves = moves.copy()
    moves.eliminate_zeros()  # which would count as ways
    _, label = connected_components(moves, directed=True, connection="strong")
    origin, target = moves.nonzero()
    leaves = label[origin] != label[target]
    closed = np.setdiff1d(label, label[origin[leaves]])
    if len(closed) != 1:
        return None
    inside = np.flatnonzero(label == closed[0])
    chain = moves[inside][:, inside].T - eye_array(len(inside))
    # One of the equations follows from the others; that the masses sum to 1 takes its place.
    equations = vstack([chain.tocsr()[:-1], csr_array(np.ones((1, len(inside))))]).tocsc()
    right = np.zeros(len(inside))
    right[-1] = 1.0
    found = np.zeros(moves.shape[0])
    found[inside] = np.maximum(splu(equations).solve(right), 0.0)
    total: Float64Array = found / found.sum()
    return total


def matrices(model: MeanFieldModel, kernel: Kernel, mean_field: Float64Array, policy: Float64Array) -> list[csr_array]:
    """Each population's moves under a policy [P, S, A], [S, S], rows on the simplex."""
    populations, states = mean_field.shape
    probability = np.broadcast_to(kernel.base, (populations, *model.successors.shape))
    if len(kernel.weight):
        feature = features_of(kernel, mean_field)
        slope = np.broadcast_to(kernel.slope, (len(kernel.weight), *probability.shape))
        probability = probability + np.einsum("pj,jpsak->psak", feature, slope)
    origin = np.broadcast_to(np.arange(states)[:, None, None], model.successors.shape).reshape(-1)
    target = model.successors.reshape(-1)
    shape = (states, states)
    return [
        csr_array(((policy[p][:, :, None] * probability[p]).reshape(-1), (origin, target)), shape=shape)
        for p in range(populations)
    ]


def _policy_values(
    model: MeanFieldModel, kernel: Kernel, mean_field: Float64Array, reward: Float64Array, policy: Float64Array
) -> Float64Array:
    """What states are worth under a stationary policy [P, S, A], [P, S]."""
    received = (policy * reward).sum(axis=-1)
    moves = matrices(model, kernel, mean_field, policy)
    one = eye_array(model.num_states, format="csc")
    return np.stack(
        [splu((one - model.discount * move).tocsc()).solve(own) for move, own in zip(moves, received, strict=True)]
    )


def _quality(
    model: MeanFieldModel,
    kernel: Kernel,
    flow: Float64Array,
    reward: Float64Array,
    policy: Float64Array,
    values: Float64Array,
) -> Float64Array:
    """What actions are worth where states are worth `values` [P, S] a step later, [1, P, S, A]."""
    quality, best = np.empty_like(reward), np.empty_like(values)
    pull(kernel, model.legal, model.discount, True, flow[0], reward[0], policy[0], values, quality[0], best)
    return quality


def _best_response(
    model: MeanFieldModel, flow: Float64Array, reward: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Howard (1960), "Dynamic programming and Markov processes": what actions [1, P, S, A] and states [P, S] are worth.

    An action is changed only where another is better by more than rounding, so the iteration ends.
    """
    kernel = kernel_at(model, flow[0], 0)
    illegal = np.where(model.legal, 0.0, -np.inf)
    choice = np.broadcast_to(model.legal.argmax(axis=1), flow.shape[1:]).copy()
    scale = 1e-13 * (1.0 + float(np.abs(reward).max()) / (1.0 - model.discount))
    policy = np.empty_like(reward)
    for _ in range(MAX_ROUNDS):
        policy[:] = 0.0
        np.put_along_axis(policy[0], choice[..., None], 1.0, axis=-1)
        values = _policy_values(model, kernel, flow[0], reward[0], policy[0])
        quality = _quality(model, kernel, flow, reward, policy, values)
        masked = quality[0] + illegal
        better = masked.argmax(axis=-1)
        gain = masked.max(axis=-1) - np.take_along_axis(masked, choice[..., None], axis=-1)[..., 0]
        if not (gain > scale).any():
            break
        choice = np.where(gain > scale, better, choice)
    return quality, masked.max(axis=-1)

"""Replicator dynamics: batches of trajectories, with and without noise, and the equilibrium of their averages.

Players' strategies x follow `dx_a / dt = x_a (u_a - sum_b x_b u_b)`, with u_a what action a would collect against the
others (Taylor and Jonker 1978, Math. Biosciences 40; Ritzberger and Weibull 1995, Econometrica 63, for several
populations). Integrated in the scores y with `dy = u dt` and x = softmax(y), which is the same motion (Hofbauer, Sorin
and Viossat 2009, "Time average replicator and best-reply dynamics", Math. of OR 34): probabilities stay positive and
sum to 1 at any step, and actions that start at 0 stay there. With noise, `dy = u dt + sigma dW` (Mertikopoulos and
Moustakas 2010, "The emergence of rational behavior in the presence of stochastic perturbations", Ann. Appl. Probab.
20).

Facts to hold against it: in a two-player zero-sum game with an interior equilibrium x* the sum of the players'
KL(x* || x) is constant (Hofbauer 1996); regret after time T is at most `log(A_p) / T` from the uniform start, so that
the average of the joint play is a coarse correlated equilibrium in the limit, in any game, and in a two-player zero-sum
game the players' average strategies are a Nash equilibrium.

Any number of players. Cost of a step: four (with noise: one) passes over the payoff tensor for each trajectory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import softmax

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import CorrelatedStrategy
from eqenvs.spec import Family, Parameter
from eqsolvers.normal_form._scales import largest_range
from eqsolvers.result import SolverResult, SolverSpec, Status, finished

Strategies = list[Float64Array]  # [B, A_p] for each player: B profiles, or scores


def collected(model: NormalFormModel, strategies: Sequence[Float64Array]) -> Strategies:
    """What each action collects against the others' strategies, [B, A_p] for each player.

    Args:
        model: the game.
        strategies: per player [B, A_p].
    """
    batch = len(strategies[0])
    found = []
    for player in range(model.num_players):
        value = np.broadcast_to(model.payoffs[player], (1, *model.num_actions))  # [B or 1, axes that are left]
        for other in reversed(range(model.num_players)):
            if other != player:
                # The others' axes go from the last, so that every axis before is still in its place.
                moved = np.moveaxis(value, other + 1, -1)
                flat = moved.reshape(len(moved), -1, moved.shape[-1])
                summed = flat[0] @ strategies[other].T if len(flat) == 1 else None
                left = summed.T if summed is not None else np.einsum("bka,ba->bk", flat, strategies[other])
                value = left.reshape(batch, *moved.shape[1:-1])
        found.append(np.broadcast_to(value, (batch, model.num_actions[player])))
    return found


def runge_kutta_step(model: NormalFormModel, scores: Sequence[Float64Array], step: float) -> Strategies:
    """The scores a time `step` later, by the classical method of fourth order."""

    def slope(by: float, direction: Strategies | None) -> Strategies:
        moved = scores if direction is None else [y + by * d for y, d in zip(scores, direction, strict=True)]
        return collected(model, [softmax(y, axis=1) for y in moved])

    first = slope(0.0, None)
    second = slope(step / 2, first)
    third = slope(step / 2, second)
    fourth = slope(step, third)
    parts = zip(scores, first, second, third, fourth, strict=True)
    return [y + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4) for y, k1, k2, k3, k4 in parts]


def euler_maruyama_step(
    model: NormalFormModel, scores: Sequence[Float64Array], step: float, noise: float, rng: np.random.Generator
) -> Strategies:
    """The scores a time `step` later, under noise of standard deviation `noise` per square root of time."""
    drift = collected(model, [softmax(y, axis=1) for y in scores])
    return [
        y + step * u + noise * np.sqrt(step) * rng.standard_normal(y.shape) for y, u in zip(scores, drift, strict=True)
    ]


def trajectory(
    model: NormalFormModel,
    initial: Sequence[Float64Array],
    *,
    step: float,
    steps: int,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
    every: int = 1,
) -> Strategies:
    """Replicator trajectories from a batch of initial points.

    Args:
        model: the game.
        initial: per player [B, A_p], on the simplex; on its boundary too.
        step: in units of time, > 0; payoffs are used as they are.
        steps: how many, at least 0.
        noise: see `euler_maruyama_step`; 0 integrates by `runge_kutta_step`.
        rng: where the noise comes from.
        every: steps from one recorded point to the next.

    Returns:
        Per player [1 + steps // every, B, A_p], the initial points first.

    Raises:
        InputError: if noise has no generator, or the initial points do not fit the game.

    >>> pennies = NormalFormModel([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    >>> path = trajectory(pennies, [np.array([[0.5, 0.5]])] * 2, step=0.1, steps=3)
    >>> path[0].shape, path[0][-1].tolist()
    ((4, 1, 2), [[0.5, 0.5]])
    """
    if noise and rng is None:
        raise InputError("replicator: noise needs a generator, rng")
    shapes = [np.shape(x)[1:] for x in initial]
    if shapes != [(actions,) for actions in model.num_actions]:
        raise InputError(f"replicator: initial must be [B, A] for A = {model.num_actions}, got {shapes}")
    with np.errstate(divide="ignore"):
        scores = [np.log(np.asarray(x, dtype=np.float64)) for x in initial]  # -inf stays where it is
    recorded = [[softmax(y, axis=1)] for y in scores]
    for number in range(1, steps + 1):
        if noise and rng is not None:
            scores = euler_maruyama_step(model, scores, step, noise, rng)
        else:
            scores = runge_kutta_step(model, scores, step)
        # Softmax ignores a shift, without which the scores would grow past what float64 resolves.
        scores = [y - y.max(axis=1, keepdims=True) for y in scores]
        if number % every == 0:
            for points, y in zip(recorded, scores, strict=True):
                points.append(softmax(y, axis=1))
    return [np.stack(points) for points in recorded]


def average_play(model: NormalFormModel, *, time: float, step: float) -> Float64Array:
    """The time average of the joint play [A_0, ..., A_{N-1}] from the uniform start; by Simpson's rule.

    Args:
        model: the game.
        time: its length, in units of one over the payoffs' range.
        step: of the integration, in the same unit.
    """
    scaled = NormalFormModel(model.payoffs / largest_range(model))
    steps = 2 * max(1, round(time / step / 2))
    start = [np.full((1, actions), 1.0 / actions) for actions in model.num_actions]
    path = trajectory(scaled, start, step=time / steps, steps=steps)
    weights = np.tile([2.0, 4.0], steps // 2 + 1)[: steps + 1]
    weights[[0, -1]] = 1.0
    joint = weights / weights.sum()
    letters = "abcdefghijklmnopqrstuvwxy"[: model.num_players]
    terms = ",".join(f"z{letter}" for letter in letters)
    device: Float64Array = np.einsum(f"z,{terms}->{letters}", joint, *[x[:, 0] for x in path], optimize="greedy")
    return device


def solve(
    model: NormalFormModel,
    *,
    tolerance: float = 0.05,
    settings: Mapping[str, Any] | None = None,
) -> SolverResult:
    """The average of the joint play, a coarse correlated equilibrium up to about `sum_p log(A_p) / time`.

    Args:
        model: the game.
        tolerance: the CCE gap, in payoff units, up to which the result counts as converged; the default is one that the
            default time reaches in games with payoffs of the order of 1.
        settings: `time` and `step`, see `SOLVER`.

    The gap falls as 1 / time only: a result that misses the tolerance has the status `iteration_limit`, and `message`
    says what the time allows.
    """
    chosen = SOLVER.resolve(settings or {})
    device = average_play(model, time=chosen["time"], step=chosen["step"])
    result = finished(
        model,
        CorrelatedStrategy(model, device),
        "replicator",
        iterations=2 * max(1, round(chosen["time"] / chosen["step"] / 2)),
        tolerance=tolerance,
        concept="cce",
    )
    if result.status is Status.CONVERGED:
        return result
    bound = largest_range(model) * float(np.sum(np.log(model.num_actions))) / chosen["time"]
    message = f"replicator: after time={chosen['time']:g} the gap may be {bound:.3g}; it falls as 1 / time"
    return replace(result, status=Status.ITERATION_LIMIT, message=message)


SOLVER = SolverSpec(
    id="replicator",
    concepts=("cce",),
    family=Family.NORMAL_FORM,
    solve=solve,
    preference=-10,
    parameters=(
        Parameter(
            name="time", kind=float, default=1000.0, low=1e-3, description="How long, in 1 / the payoffs' range."
        ),
        Parameter(name="step", kind=float, default=0.25, low=1e-4, high=1, description="Of the integration, likewise."),
    ),
    source="Hofbauer, Sorin, Viossat (2009), Mathematics of Operations Research 34",
)

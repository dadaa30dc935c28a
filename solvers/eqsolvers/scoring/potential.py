"""Whether a Markov game is a potential game, and differences of its potential.

A Markov potential game has one function of the joint policy that changes by what the player gains whenever one player
changes its policy, from every first state (Leonardos, Overman, Panageas and Piliouras 2022, "Global convergence of
multi-agent policy gradient in Markov potential games", ICLR; Zhang, Ren and Li 2024, "Gradient play in stochastic
games: stationary points and local geometry", IEEE Transactions on Automatic Control). The values are smooth in the
players' policies, which form a convex set, so that there is a potential if and only if the game's gradient has a
symmetric derivative:

    d^2 V_i / d pi_i d pi_j  =  d^2 V_j / d pi_i d pi_j    for all players i and j, at all joint policies.

Monderer and Shapley (1996), "Potential games", Games and Economic Behavior 14, theorem 4.5, for games of one state.

Both sides are rational functions of the policies. Where they differ anywhere, they differ at almost every interior
policy, first-state distribution and pair of directions, and the test draws these at random: one difference beyond
rounding refutes for certain; none, in several draws, is a potential with probability 1, but for rounding.

What counts as rounding is `ROUNDING` of what a derivative is at most, which grows like 1 / (1 - discount)^3, while
those of `random_markov_game` grow like 1 / (1 - discount). Near a discount of 1 the threshold is coarse: with payoffs
of 1 it is some 1e-9 at 0.9, 4e-4 at 0.999 and 0.4 at 0.9999. A game that is no potential game but has smaller
asymmetries passes there; `PotentialTest` gives both numbers, to be compared with what matters in the game.

Cost of a draw: O(N^2) linear systems of S unknowns without a horizon, O(N^2 H E) with one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array, joint_play
from eqenvs.errors import InputError
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import JointPolicy, tabulate
from eqsolvers.scoring.chains import Chains, chains

ROUNDING = 1e-12  # of what a derivative would be at most if nothing in it cancelled

Tables = list[Float64Array]  # [I, A_p] of each player


@dataclass(frozen=True, kw_only=True)
class PotentialTest:
    """The outcome of a test.

    Attributes:
        potential: whether no asymmetry beyond rounding was found; a weak statement near a discount of 1, see above.
        asymmetry: the largest |d^2 V_i - d^2 V_j| over the draws and pairs of players, per unit of the directions.
        rounding: what it was compared with, of the same draw and pair.
        players: the pair that it was found for; (0, 0) where there is one player.
        draws: how many were made.
    """

    potential: bool
    asymmetry: float
    rounding: float
    players: tuple[int, int]
    draws: int


def markov_potential(model: MarkovModel, *, draws: int = 3, seed: int = 0, initial_only: bool = False) -> PotentialTest:
    """Test whether the game is a Markov potential game.

    Args:
        model: the game; Markov policies are stationary, or with a horizon depend on the step.
        draws: of policies, directions and first states, at least 1.
        seed: of the draws.
        initial_only: ask for a potential from the game's own distribution of first states, not from every state.

    >>> import eqenvs
    >>> markov_potential(eqenvs.make("random_markov_game", common=True).model()).potential
    True
    >>> markov_potential(eqenvs.make("random_markov_game", zero_sum=True).model()).potential
    False
    """
    if draws < 1:
        raise InputError(f"markov_potential: draws must be at least 1, got {draws}")
    rng = np.random.default_rng(seed)
    form = chains(model)
    worst = (-1.0, 0.0, 0.0, (0, 0))  # asymmetry over rounding, the two, and the players
    for _ in range(draws):
        tables = [_interior(rng, points.masks) for points in model.information_states]
        directions = [_tangent(rng, points.masks) for points in model.information_states]
        first = model.initial if initial_only else rng.dirichlet(np.ones(model.num_states))
        for i, j in combinations(range(model.num_players), 2):
            derivative, size = _mixed_derivative(form, tables, directions, i, j)
            asymmetry = abs(float(first @ (derivative[:, i] - derivative[:, j])))
            rounding = max(ROUNDING * size, np.finfo(np.float64).tiny)
            worst = max(worst, (asymmetry / rounding, asymmetry, rounding, (i, j)))
    ratio, asymmetry, rounding, players = worst
    return PotentialTest(potential=ratio <= 1, asymmetry=asymmetry, rounding=rounding, players=players, draws=draws)


def potential_difference(model: MarkovModel, policy: JointPolicy, other: JointPolicy) -> float:
    """The potential of `other` less that of `policy`, from the game's first states, if the game has a potential.

    The players change one after the other, and each one's gain is added: in a potential game the order does not matter.

    Raises:
        PolicyError: if one is no product of Markov policies.
    """
    form = chains(model)
    tables, goal = list(tabulate(model, policy).tables), tabulate(model, other).tables
    total = 0.0
    before = form.at_start(form.values(joint_play(tuple(tables))))
    for player, table in enumerate(goal):
        tables[player] = table
        after = form.at_start(form.values(joint_play(tuple(tables))))
        total += float(after[player] - before[player])
        before = after
    return total


def _interior(rng: np.random.Generator, masks: BoolArray) -> Float64Array:
    """A random policy that gives every legal action probability."""
    weights = np.where(masks, 0.2 + rng.random(masks.shape), 0.0)
    made: Float64Array = weights / weights.sum(axis=1, keepdims=True)
    return made


def _tangent(rng: np.random.Generator, masks: BoolArray) -> Float64Array:
    """A random direction in which rows keep their sums."""
    raw = np.where(masks, rng.normal(size=masks.shape), 0.0)
    mean = raw.sum(axis=1, keepdims=True) / masks.sum(axis=1, keepdims=True)
    made: Float64Array = np.where(masks, raw - mean, 0.0)
    return made


def _mixed_derivative(form: Chains, tables: Tables, directions: Tables, i: int, j: int) -> tuple[Float64Array, float]:
    """The derivative of all values [S, N] along directions of players i and j; what its size is at most."""

    def play(*moving: int) -> Float64Array:
        parts = [directions[p] if p in moving else table for p, table in enumerate(tables)]
        return joint_play(tuple(parts)).reshape(form.points, form.profiles)

    now, by_i, by_j, by_both = play(), play(i), play(j), play(i, j)
    kernel: Any = form.kernel

    def after(values: Float64Array) -> Float64Array:
        """What follows every row is worth, discounted, [R, N]."""
        worth: Float64Array = form.discount * (kernel @ values)
        return worth

    if form.horizon is None:
        values = form.stationary(now, _expected(now, form.rewards))
        onwards = form.rewards + after(values)
        first, second = (form.stationary(now, _expected(flat, onwards)) for flat in (by_i, by_j))
        paid = _expected(by_both, onwards) + _expected(by_i, after(second)) + _expected(by_j, after(first))
        return form.stationary(now, paid), _at_most(form, (by_i, by_j, by_both), onwards)
    states = form.num_states
    values = first = second = both = np.zeros((states, form.rewards.shape[1]))
    largest = 0.0
    for begin in range(form.points - states, -1, -states):
        part = slice(begin, begin + states)
        onwards = form.rewards + after(values)
        largest = max(largest, float(np.abs(onwards).max()))
        both, first, second, values = (
            _expected(by_both[part], onwards)
            + _expected(by_i[part], after(second))
            + _expected(by_j[part], after(first))
            + _expected(now[part], after(both)),
            _expected(by_i[part], onwards) + _expected(now[part], after(first)),
            _expected(by_j[part], onwards) + _expected(now[part], after(second)),
            _expected(now[part], onwards),
        )
    return both, _at_most(form, (by_i, by_j, by_both), np.array(largest))


def _at_most(form: Chains, directions: tuple[Float64Array, ...], onwards: Float64Array) -> float:
    """A bound of the derivative from the sizes of its factors."""
    i, j, both = (float(np.abs(flat).sum(axis=1).max()) for flat in directions)
    steps = 1.0 / (1.0 - form.discount) if form.horizon is None else float(form.horizon)
    return steps * (both + 2 * i * j * steps) * float(np.abs(onwards).max())


def _expected(flat: Float64Array, collected: Float64Array) -> Float64Array:
    """What play [S, profiles], or a direction of it, collects of what the rows pay, [R, N]: [S, N]."""
    found: Float64Array = np.einsum("sj,sjm->sm", flat, collected.reshape(*flat.shape, -1))
    return found
